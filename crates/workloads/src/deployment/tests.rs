//! Whole rollouts against a cluster in memory.

use serde_json::{Value, json};

use super::set::{REVISION, REVISION_HISTORY};
use crate::testing::Cluster;
use crate::{Resource, View, condition, object, pod};

const SETS: Resource = Resource::ReplicaSets;
const DEPLOYMENTS: Resource = Resource::Deployments;

fn web(replicas: i64, strategy: &Value) -> Value {
    json!({"metadata": {"name": "web", "namespace": "a", "annotations": {"note": "n"}},
        "spec": {
            "replicas": replicas, "strategy": strategy,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": "nginx:1"}]}}}})
}

fn rolling(surge: &Value, unavailable: &Value) -> Value {
    json!({"type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}})
}

fn image(cluster: &mut Cluster, image: &str) {
    cluster.edit(DEPLOYMENTS, "web", |d| {
        d["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image);
    });
}

fn settled(strategy: &Value) -> Cluster {
    let mut cluster = Cluster::new();
    cluster.create(DEPLOYMENTS, web(4, strategy));
    cluster.settle();
    cluster
}

fn progressing(cluster: &Cluster) -> (String, String) {
    let stored = cluster.object(DEPLOYMENTS, "web");
    let conditions = object::list(&stored, "/status/conditions");
    let found = condition::find(conditions, "Progressing")
        .cloned()
        .unwrap_or_default();
    let field = |name| condition::field(&found, name).to_owned();
    (field("reason"), field("message"))
}

/// Replicas of the set with an image.
fn replicas(cluster: &Cluster, image: &str) -> i64 {
    let sets = cluster.stored(SETS);
    let of = |s: &Value| object::text(s, "/spec/template/spec/containers/0/image") == image;
    sets.iter()
        .filter(|s| of(s))
        .map(|s| object::count(s, "/spec/replicas", 1))
        .sum()
}

#[test]
fn a_deployment_gets_a_set_with_its_hash_and_a_complete_status() {
    let cluster = settled(&Value::Null);
    let sets = cluster.stored(SETS);
    let [set] = sets.as_slice() else {
        panic!("{sets:?}")
    };
    let hash = object::label(set, "pod-template-hash").unwrap();
    assert_eq!(object::name(set), format!("web-{hash}"));
    assert_eq!(
        set["spec"]["selector"]["matchLabels"]["pod-template-hash"],
        hash
    );
    assert_eq!(object::annotation(set, "note"), Some("n"));
    assert_eq!(object::annotation(set, REVISION), Some("1"));
    assert_eq!(
        object::annotation(set, "deployment.kubernetes.io/desired-replicas"),
        Some("4")
    );
    assert_eq!(
        object::annotation(set, "deployment.kubernetes.io/max-replicas"),
        Some("5")
    );
    let stored = cluster.object(DEPLOYMENTS, "web");
    assert_eq!(object::annotation(&stored, REVISION), Some("1"));
    let status = &stored["status"];
    for field in [
        "replicas",
        "updatedReplicas",
        "readyReplicas",
        "availableReplicas",
    ] {
        assert_eq!(status[field], 4, "{field}");
    }
    assert_eq!(status["observedGeneration"], 1);
    assert!(status.get("unavailableReplicas").is_none());
    let told = format!("ReplicaSet \"web-{hash}\" has successfully progressed.");
    assert_eq!(
        progressing(&cluster),
        ("NewReplicaSetAvailable".into(), told)
    );
    let conditions = object::list(&stored, "/status/conditions");
    assert!(condition::is_true(conditions, "Available"));
    let event = format!("ScalingReplicaSet Scaled up replica set web-{hash} from 0 to 4");
    assert!(cluster.events().contains(&event));
}

#[test]
fn a_settled_deployment_needs_nothing() {
    let mut cluster = settled(&Value::Null);
    assert!(cluster.reconcile(DEPLOYMENTS, "web").actions.is_empty());
}

/// Rolls out with limits checked after every single write, for a cache that shows `pace` changes
/// between two reconciles.
fn roll_within_limits(surge: i64, unavailable: i64, pace: usize) {
    let mut cluster = settled(&rolling(&json!(surge), &json!(unavailable)));
    cluster.pace = pace;
    cluster.always(move |cluster| {
        let pods = cluster.stored(Resource::Pods);
        let live = pods.iter().filter(|p| pod::active(p)).count();
        let ready = pods
            .iter()
            .filter(|p| pod::active(p) && pod::ready(p))
            .count();
        assert!(object::size(4 + surge) >= live, "{live} pods");
        assert!(object::size(4 - unavailable) <= ready, "{ready} ready");
    });
    image(&mut cluster, "nginx:2");
    cluster.settle();
    assert_eq!(
        (replicas(&cluster, "nginx:1"), replicas(&cluster, "nginx:2")),
        (0, 4)
    );
    assert_eq!(progressing(&cluster).0, "NewReplicaSetAvailable");
}

#[test]
fn a_rolling_update_keeps_its_limits_at_every_step() {
    for (surge, unavailable) in [(1, 0), (0, 1), (2, 1), (4, 0), (0, 4)] {
        roll_within_limits(surge, unavailable, usize::MAX);
    }
}

#[test]
fn a_cache_that_is_behind_does_no_harm() {
    for pace in [1, 2, 3] {
        roll_within_limits(1, 1, pace);
    }
}

#[test]
fn a_rollout_that_fails_stops_and_times_out() {
    let mut cluster = settled(&rolling(&json!(1), &json!(1)));
    cluster.edit(DEPLOYMENTS, "web", |d| {
        d["spec"]["progressDeadlineSeconds"] = json!(60);
    });
    cluster.healthy = false;
    image(&mut cluster, "bad");
    cluster.settle();
    let stored = cluster.object(DEPLOYMENTS, "web");
    assert_eq!(stored["status"]["availableReplicas"], 3);
    assert_eq!(stored["status"]["unavailableReplicas"], 2);
    assert_eq!(progressing(&cluster).0, "ReplicaSetUpdated");
    let wait = cluster.reconcile(DEPLOYMENTS, "web").again_in;
    assert!(wait.is_some_and(|s| s <= 61), "{wait:?}");
    cluster.now += 62;
    cluster.settle();
    let (reason, message) = progressing(&cluster);
    assert_eq!(reason, "ProgressDeadlineExceeded");
    assert!(message.ends_with("has timed out progressing."));
    // Rolling back takes the broken pods away first.
    cluster.healthy = true;
    image(&mut cluster, "nginx:1");
    cluster.settle();
    assert_eq!(
        (replicas(&cluster, "nginx:1"), replicas(&cluster, "bad")),
        (4, 0)
    );
    assert_eq!(progressing(&cluster).0, "NewReplicaSetAvailable");
}

#[test]
fn rolling_back_to_a_template_makes_it_the_latest_revision() {
    let mut cluster = settled(&Value::Null);
    image(&mut cluster, "nginx:2");
    cluster.settle();
    image(&mut cluster, "nginx:1");
    cluster.settle();
    assert_eq!(cluster.stored(SETS).len(), 2);
    let stored = cluster.object(DEPLOYMENTS, "web");
    assert_eq!(object::annotation(&stored, REVISION), Some("3"));
    let sets = cluster.stored(SETS);
    let new = sets
        .iter()
        .find(|s| object::annotation(s, REVISION) == Some("3"))
        .unwrap();
    assert_eq!(object::annotation(new, REVISION_HISTORY), Some("1"));
    assert_eq!(replicas(&cluster, "nginx:1"), 4);
}

#[test]
fn recreate_never_runs_both_templates() {
    let mut cluster = settled(&json!({"type": "Recreate"}));
    cluster.always(|cluster| {
        let pods = cluster.stored(Resource::Pods);
        let images: std::collections::BTreeSet<_> = pods
            .iter()
            .map(|p| object::text(p, "/spec/containers/0/image").to_owned())
            .collect();
        assert!(images.len() <= 1, "{images:?}");
    });
    image(&mut cluster, "nginx:2");
    cluster.settle();
    assert_eq!(replicas(&cluster, "nginx:2"), 4);
    assert!(cluster.events().iter().any(|e| e.contains("from 4 to 0")));
}

#[test]
fn a_paused_deployment_scales_but_does_not_roll_out() {
    let mut cluster = settled(&Value::Null);
    cluster.edit(DEPLOYMENTS, "web", |d| {
        d["spec"]["paused"] = json!(true);
        d["spec"]["replicas"] = json!(6);
    });
    image(&mut cluster, "nginx:2");
    cluster.settle();
    assert_eq!(replicas(&cluster, "nginx:1"), 6);
    assert_eq!(progressing(&cluster).0, "DeploymentPaused");
    cluster.edit(DEPLOYMENTS, "web", |d| d["spec"]["paused"] = json!(false));
    cluster.settle();
    assert_eq!(replicas(&cluster, "nginx:2"), 6);
    assert_eq!(progressing(&cluster).0, "NewReplicaSetAvailable");
}

#[test]
fn scaling_amid_a_rollout_is_shared_out() {
    let mut cluster = Cluster::new();
    cluster.create(DEPLOYMENTS, web(10, &rolling(&json!(3), &json!(2))));
    cluster.settle();
    cluster.healthy = false;
    image(&mut cluster, "bad");
    cluster.settle();
    assert_eq!(
        (replicas(&cluster, "nginx:1"), replicas(&cluster, "bad")),
        (8, 5)
    );
    cluster.edit(DEPLOYMENTS, "web", |d| d["spec"]["replicas"] = json!(15));
    cluster.round();
    // The example of the documentation: 5 more pods, 3 for the old and 2 for the new set.
    assert_eq!(
        (replicas(&cluster, "nginx:1"), replicas(&cluster, "bad")),
        (11, 7)
    );
}

#[test]
fn scaling_to_zero_and_back() {
    let mut cluster = settled(&Value::Null);
    cluster.edit(DEPLOYMENTS, "web", |d| d["spec"]["replicas"] = json!(0));
    cluster.settle();
    assert!(cluster.stored(Resource::Pods).is_empty());
    cluster.edit(DEPLOYMENTS, "web", |d| d["spec"]["replicas"] = json!(2));
    cluster.settle();
    assert_eq!(cluster.stored(Resource::Pods).len(), 2);
    assert_eq!(
        cluster.object(DEPLOYMENTS, "web")["status"]["availableReplicas"],
        2
    );
}

#[test]
fn only_so_many_old_revisions_are_kept() {
    let mut cluster = settled(&Value::Null);
    cluster.edit(DEPLOYMENTS, "web", |d| {
        d["spec"]["revisionHistoryLimit"] = json!(1);
    });
    for n in 2..6 {
        image(&mut cluster, &format!("nginx:{n}"));
        cluster.settle();
    }
    let mut revisions: Vec<_> = cluster
        .stored(SETS)
        .iter()
        .filter_map(|s| object::annotation(s, REVISION).map(str::to_owned))
        .collect();
    revisions.sort();
    assert_eq!(revisions, ["4", "5"]);
}

#[test]
fn a_name_that_is_taken_leads_to_another_hash() {
    let mut cluster = Cluster::new();
    cluster.create(DEPLOYMENTS, web(1, &Value::Null));
    let template = cluster.object(DEPLOYMENTS, "web")["spec"]["template"].clone();
    let name = format!("web-{}", crate::hash::template(&template, None));
    cluster.create(
        SETS,
        json!({"metadata": {"name": name, "namespace": "a"},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"x": "y"}}}}),
    );
    cluster.settle();
    assert_eq!(
        cluster.object(DEPLOYMENTS, "web")["status"]["collisionCount"],
        1
    );
    assert_eq!(cluster.list(Resource::Pods, None).len(), 1);
}

#[test]
fn odd_objects_do_no_harm() {
    for spec in [
        json!(null),
        json!("x"),
        json!({"selector": {}}),
        json!({"selector": 1}),
        json!({"selector": {"matchLabels": {"a": "b"}}, "replicas": -3, "template": [],
            "strategy": {"rollingUpdate": {"maxSurge": {}, "maxUnavailable": "x%"}}}),
    ] {
        let mut cluster = Cluster::new();
        cluster.create(
            DEPLOYMENTS,
            json!({"metadata": {"name": "web", "namespace": "a"}, "spec": spec}),
        );
        cluster.settle();
    }
}

#[test]
fn a_revision_that_cannot_be_larger_does_no_harm() {
    let mut cluster = settled(&Value::Null);
    let name = object::name(&cluster.stored(SETS)[0]).to_owned();
    cluster.edit(SETS, &name, |s| {
        object::annotate(s, REVISION, i64::MAX.to_string());
    });
    image(&mut cluster, "nginx:2");
    cluster.settle();
    assert_eq!(replicas(&cluster, "nginx:2"), 4);
}
