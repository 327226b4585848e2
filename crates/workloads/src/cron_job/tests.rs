use serde_json::{Value, json};

use crate::testing::Cluster;
use crate::{Resource, clock, object, pod};

const CRON: Resource = Resource::CronJobs;

/// A cluster at half past the hour with a `CronJob` for every full hour.
fn hourly(spec: &Value) -> Cluster {
    let mut cluster = Cluster::new();
    cluster.now = clock::parse("2024-01-01T00:30:00Z").unwrap();
    let mut cron = json!({"metadata": {"name": "tick", "namespace": "a"}, "spec": {
        "schedule": "0 * * * *", "jobTemplate": {"metadata": {"labels": {"l": "v"}}, "spec": {
            "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c"}]}}}}}});
    for (key, value) in spec.as_object().unwrap() {
        cron["spec"][key] = value.clone();
    }
    cluster.create(CRON, cron);
    cluster.settle();
    cluster
}

fn pass_hour(cluster: &mut Cluster) {
    cluster.now = (cluster.now / 3600 + 1) * 3600;
    cluster.settle();
}

fn end_all(cluster: &mut Cluster, phase: &str) {
    for pod in cluster.stored(Resource::Pods) {
        if pod::active(&pod) {
            cluster.finish(object::name(&pod), phase);
        }
    }
    cluster.settle();
}

fn jobs(cluster: &Cluster) -> Vec<String> {
    let jobs = cluster.stored(Resource::Jobs);
    jobs.iter().map(|j| object::name(j).to_owned()).collect()
}

#[test]
fn a_job_starts_when_its_time_comes() {
    let mut cluster = hourly(&json!({}));
    assert!(jobs(&cluster).is_empty());
    let wait = cluster.reconcile(CRON, "tick").again_in.unwrap();
    assert!((1780..=1800).contains(&wait), "{wait}");
    pass_hour(&mut cluster);
    let minutes = clock::parse("2024-01-01T01:00:00Z").unwrap() / 60;
    assert_eq!(jobs(&cluster), [format!("tick-{minutes}")]);
    let job = cluster.stored(Resource::Jobs)[0].clone();
    assert_eq!(object::label(&job, "l"), Some("v"));
    let at = object::annotation(&job, "batch.kubernetes.io/cronjob-scheduled-timestamp");
    assert_eq!(at, Some("2024-01-01T01:00:00Z"));
    let status = cluster.object(CRON, "tick")["status"].clone();
    assert_eq!(status["lastScheduleTime"], "2024-01-01T01:00:00Z");
    assert_eq!(status["active"][0]["name"], object::name(&job));
    assert!(
        cluster
            .events()
            .contains(&format!("SuccessfulCreate Created job tick-{minutes}"))
    );

    end_all(&mut cluster, "Succeeded");
    let status = cluster.object(CRON, "tick")["status"].clone();
    assert!(status.get("active").is_none());
    assert!(status["lastSuccessfulTime"].is_string());
    let saw = format!("SawCompletedJob Saw completed job: tick-{minutes}, condition: Complete");
    assert!(cluster.events().contains(&saw));
}

#[test]
fn the_concurrency_policy_decides_while_a_job_runs() {
    for (policy, count, first_stays) in [
        ("Allow", 2, true),
        ("Forbid", 1, true),
        ("Replace", 1, false),
    ] {
        let mut cluster = hourly(&json!({"concurrencyPolicy": policy}));
        pass_hour(&mut cluster);
        let first = jobs(&cluster)[0].clone();
        pass_hour_without_rest(&mut cluster);
        assert_eq!(jobs(&cluster).len(), count, "{policy}");
        assert_eq!(jobs(&cluster).contains(&first), first_stays, "{policy}");
    }
}

/// An hour passes; what is told again and again does not keep the test from ending.
fn pass_hour_without_rest(cluster: &mut Cluster) {
    cluster.now = (cluster.now / 3600 + 1) * 3600;
    for _ in 0..5 {
        cluster.round();
    }
}

#[test]
fn a_time_missed_by_more_than_the_deadline_is_left_out() {
    let mut cluster = hourly(&json!({"startingDeadlineSeconds": 60}));
    cluster.now += 3600;
    cluster.settle();
    assert!(jobs(&cluster).is_empty());
}

#[test]
fn a_suspended_cron_job_starts_nothing() {
    let mut cluster = hourly(&json!({"suspend": true}));
    pass_hour(&mut cluster);
    assert!(jobs(&cluster).is_empty());
}

#[test]
fn only_so_many_ended_jobs_are_kept() {
    let mut cluster =
        hourly(&json!({"successfulJobsHistoryLimit": 2, "failedJobsHistoryLimit": 0}));
    for _ in 0..4 {
        pass_hour(&mut cluster);
        end_all(&mut cluster, "Succeeded");
    }
    assert_eq!(jobs(&cluster).len(), 2);
}

#[test]
fn what_cannot_be_scheduled_is_told() {
    for (spec, reason) in [
        (
            json!({"schedule": "x"}),
            "UnparseableSchedule unparseable schedule: \"x\"",
        ),
        (
            json!({"timeZone": "Mars/Olympus"}),
            "UnknownTimeZone invalid timeZone: \"Mars/Olympus\"",
        ),
    ] {
        let mut cluster = Cluster::new();
        let mut cron = json!({"metadata": {"name": "tick", "namespace": "a"},
            "spec": {"schedule": "* * * * *"}});
        cron["spec"]
            .as_object_mut()
            .unwrap()
            .extend(spec.as_object().unwrap().clone());
        cluster.create(CRON, cron);
        cluster.sync();
        cluster.run(CRON, "tick");
        assert!(
            cluster.events()[0].starts_with(reason),
            "{:?}",
            cluster.events()
        );
    }
}
