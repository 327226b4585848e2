use serde_json::{Value, json};

use crate::testing::Cluster;
use crate::{Resource, clock, condition, object, pod};

const JOBS: Resource = Resource::Jobs;

fn started(spec: &Value) -> Cluster {
    let mut cluster = Cluster::new();
    let mut job = json!({"metadata": {"name": "work", "namespace": "a"}, "spec": {
        "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c"}]}}}});
    for (key, value) in spec.as_object().unwrap() {
        job["spec"][key] = value.clone();
    }
    cluster.create(JOBS, job);
    cluster.settle();
    cluster
}

/// Ends every active pod and lets the controller see it.
fn end_all(cluster: &mut Cluster, phase: &str) {
    for pod in cluster.stored(Resource::Pods) {
        if pod::active(&pod) {
            cluster.finish(object::name(&pod), phase);
        }
    }
    cluster.settle();
}

fn active(cluster: &Cluster) -> usize {
    cluster
        .stored(Resource::Pods)
        .iter()
        .filter(|p| pod::active(p))
        .count()
}

fn status(cluster: &Cluster) -> Value {
    cluster.object(JOBS, "work")["status"].clone()
}

fn reason(cluster: &Cluster, kind: &str) -> String {
    let status = status(cluster);
    let found = condition::find(object::list(&status, "/conditions"), kind).cloned();
    condition::field(&found.unwrap_or_default(), "reason").to_owned()
}

#[test]
fn a_job_is_complete_after_its_completions() {
    let mut cluster = started(&json!({"completions": 5, "parallelism": 2}));
    assert_eq!(active(&cluster), 2);
    assert_eq!(
        (&status(&cluster)["active"], &status(&cluster)["ready"]),
        (&json!(2), &json!(2))
    );
    for left in [2, 1, 0] {
        end_all(&mut cluster, "Succeeded");
        assert_eq!(active(&cluster), left);
    }
    assert_eq!(status(&cluster)["succeeded"], 5);
    assert!(status(&cluster)["completionTime"].is_string());
    assert_eq!(reason(&cluster, "Complete"), "CompletionsReached");
    assert_eq!(reason(&cluster, "SuccessCriteriaMet"), "CompletionsReached");
    assert!(
        cluster
            .events()
            .contains(&"Completed Job completed".to_owned())
    );
    let pod = cluster.stored(Resource::Pods)[0].clone();
    assert_eq!(object::label(&pod, "job-name"), Some("work"));
}

#[test]
fn a_work_queue_starts_nothing_new_after_a_success() {
    let mut cluster = started(&json!({"parallelism": 3}));
    let first = object::name(&cluster.stored(Resource::Pods)[0]).to_owned();
    cluster.finish(&first, "Succeeded");
    cluster.settle();
    assert_eq!(active(&cluster), 2);
    end_all(&mut cluster, "Succeeded");
    assert_eq!(status(&cluster)["succeeded"], 3);
    assert_eq!(reason(&cluster, "Complete"), "CompletionsReached");
}

#[test]
fn failures_are_retried_later_and_later_up_to_the_limit() {
    let mut cluster = started(&json!({"completions": 1, "backoffLimit": 1}));
    end_all(&mut cluster, "Failed");
    assert_eq!(active(&cluster), 0);
    let wait = cluster.reconcile(JOBS, "work").again_in.unwrap();
    assert!(wait <= 10, "{wait}");
    cluster.now += 10;
    cluster.settle();
    assert_eq!(active(&cluster), 1);
    end_all(&mut cluster, "Failed");
    assert_eq!(reason(&cluster, "Failed"), "BackoffLimitExceeded");
    assert_eq!(reason(&cluster, "FailureTarget"), "BackoffLimitExceeded");
    assert_eq!(status(&cluster)["failed"], 2);
    let event = "BackoffLimitExceeded Job has reached the specified backoff limit";
    assert!(cluster.events().contains(&event.to_owned()));
}

#[test]
fn the_active_deadline_ends_pods_and_job() {
    let mut cluster = started(&json!({"parallelism": 2, "activeDeadlineSeconds": 100}));
    cluster.now += 100;
    cluster.settle();
    assert!(cluster.stored(Resource::Pods).is_empty());
    assert_eq!(reason(&cluster, "Failed"), "DeadlineExceeded");
    assert!(status(&cluster).get("active").is_none());
}

#[test]
fn an_indexed_job_runs_every_index_once() {
    let mut cluster = started(&json!({"completions": 4, "parallelism": 2,
        "completionMode": "Indexed"}));
    let pods = cluster.stored(Resource::Pods);
    assert!(object::name(&pods[0]).starts_with("work-0-"));
    assert_eq!(pods[0]["spec"]["hostname"], "work-0");
    assert_eq!(
        pods[0]["spec"]["containers"][0]["env"][0]["name"],
        "JOB_COMPLETION_INDEX"
    );
    let second = object::name(&pods[1]).to_owned();
    cluster.finish(&second, "Succeeded");
    cluster.settle();
    assert_eq!(status(&cluster)["completedIndexes"], "1");
    end_all(&mut cluster, "Succeeded");
    assert_eq!(status(&cluster)["completedIndexes"], "0-2");
    // Completed indexes are remembered without their pods.
    for pod in cluster
        .stored(Resource::Pods)
        .iter()
        .filter(|p| pod::finished(p))
    {
        cluster.delete(Resource::Pods, object::name(pod));
    }
    cluster.settle();
    assert_eq!(active(&cluster), 1);
    end_all(&mut cluster, "Succeeded");
    assert_eq!(status(&cluster)["completedIndexes"], "0-3");
    assert_eq!(status(&cluster)["succeeded"], 4);
    assert_eq!(reason(&cluster, "Complete"), "CompletionsReached");
}

#[test]
fn a_suspended_job_has_no_pods_and_starts_anew() {
    let mut cluster = started(&json!({"suspend": true, "parallelism": 2}));
    assert_eq!(active(&cluster), 0);
    assert!(status(&cluster).get("startTime").is_none());
    assert_eq!(reason(&cluster, "Suspended"), "JobSuspended");
    cluster.edit(JOBS, "work", |j| j["spec"]["suspend"] = json!(false));
    cluster.now += 1000;
    cluster.settle();
    assert_eq!(active(&cluster), 2);
    assert_eq!(reason(&cluster, "Suspended"), "JobResumed");
    assert!(object::time(&status(&cluster), "/startTime").unwrap() >= 1_700_001_000);
    cluster.edit(JOBS, "work", |j| j["spec"]["suspend"] = json!(true));
    cluster.settle();
    assert_eq!(active(&cluster), 0);
    let events = cluster.events().join("\n");
    assert!(events.contains("Suspended Job suspended") && events.contains("Resumed Job resumed"));
}

#[test]
fn a_finished_job_is_deleted_after_its_time() {
    let mut cluster = started(&json!({"ttlSecondsAfterFinished": 50}));
    end_all(&mut cluster, "Succeeded");
    assert!(cluster.find(JOBS, "work").is_some());
    let ended = object::time(&status(&cluster), "/completionTime").unwrap();
    let wait = cluster.reconcile(JOBS, "work").again_in.unwrap();
    assert_eq!(
        clock::format(cluster.now + i64::try_from(wait).unwrap()),
        clock::format(ended + 50)
    );
    cluster.now += 50;
    cluster.settle();
    assert!(cluster.find(JOBS, "work").is_none());
}

#[test]
fn lowering_parallelism_deletes_pods() {
    let mut cluster = started(&json!({"completions": 9, "parallelism": 4}));
    cluster.edit(JOBS, "work", |j| j["spec"]["parallelism"] = json!(1));
    cluster.settle();
    assert_eq!(active(&cluster), 1);
    assert!(status(&cluster).get("failed").is_none());
}
