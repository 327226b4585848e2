use serde_json::{Value, json};

use crate::testing::Cluster;
use crate::{Resource, object, pod};

const SETS: Resource = Resource::StatefulSets;
const CLAIMS: Resource = Resource::PersistentVolumeClaims;

fn web(spec: &Value) -> Value {
    let mut set = json!({"metadata": {"name": "web", "namespace": "a"}, "spec": {
        "replicas": 3, "serviceName": "web-svc", "selector": {"matchLabels": {"app": "web"}},
        "volumeClaimTemplates": [{"metadata": {"name": "data"},
            "spec": {"resources": {"requests": {"storage": "1Gi"}}}}],
        "template": {"metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "c", "image": "db:1"}]}}}});
    for (key, value) in spec.as_object().unwrap() {
        set["spec"][key] = value.clone();
    }
    set
}

fn settled(spec: &Value) -> Cluster {
    let mut cluster = Cluster::new();
    cluster.create(SETS, web(spec));
    cluster.settle();
    cluster
}

fn image(cluster: &mut Cluster, image: &str) {
    cluster.edit(SETS, "web", |s| {
        s["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image);
    });
}

fn names(cluster: &Cluster, resource: Resource) -> Vec<String> {
    let found = cluster.stored(resource);
    found.iter().map(|o| object::name(o).to_owned()).collect()
}

fn images(cluster: &Cluster) -> Vec<String> {
    let pods = cluster.stored(Resource::Pods);
    pods.iter()
        .map(|p| object::text(p, "/spec/containers/0/image").to_owned())
        .collect()
}

#[test]
fn pods_have_names_claims_and_labels() {
    let mut cluster = settled(&json!({}));
    assert_eq!(names(&cluster, Resource::Pods), ["web-0", "web-1", "web-2"]);
    assert_eq!(
        names(&cluster, CLAIMS),
        ["data-web-0", "data-web-1", "data-web-2"]
    );
    let pod = cluster.object(Resource::Pods, "web-1");
    let set = cluster.object(SETS, "web");
    assert_eq!(
        object::label(&pod, "statefulset.kubernetes.io/pod-name"),
        Some("web-1")
    );
    assert_eq!(
        object::label(&pod, "apps.kubernetes.io/pod-index"),
        Some("1")
    );
    let revision = object::text(&set, "/status/currentRevision").to_owned();
    assert_eq!(
        object::label(&pod, "controller-revision-hash"),
        Some(revision.as_str())
    );
    assert_eq!(
        (&pod["spec"]["hostname"], &pod["spec"]["subdomain"]),
        (&json!("web-1"), &json!("web-svc"))
    );
    let volume = json!({"name": "data", "persistentVolumeClaim": {"claimName": "data-web-1"}});
    assert_eq!(pod["spec"]["volumes"][0], volume);
    for field in [
        "replicas",
        "readyReplicas",
        "availableReplicas",
        "currentReplicas",
        "updatedReplicas",
    ] {
        assert_eq!(set["status"][field], 3, "{field}");
    }
    let events = cluster.events();
    for event in [
        "SuccessfulCreate create Claim data-web-0 Pod web-0 in StatefulSet web success",
        "SuccessfulCreate create Pod web-0 in StatefulSet web successful",
    ] {
        assert!(events.contains(&event.to_owned()), "{events:?}");
    }
    assert!(cluster.reconcile(SETS, "web").actions.is_empty());
}

/// Checks that every pod's predecessors are ready, after every write.
fn keep_order(cluster: &mut Cluster) {
    cluster.always(|cluster| {
        let pods = cluster.stored(Resource::Pods);
        let unready = pods.iter().position(|p| !pod::ready(p));
        assert!(
            unready.is_none_or(|n| n + 1 == pods.len()),
            "{:?}",
            names(cluster, Resource::Pods)
        );
    });
}

#[test]
fn ordered_pods_come_and_go_one_by_one() {
    for pace in [1, usize::MAX] {
        let mut cluster = Cluster::new();
        cluster.pace = pace;
        keep_order(&mut cluster);
        cluster.create(SETS, web(&json!({})));
        cluster.settle();
        cluster.edit(SETS, "web", |s| s["spec"]["replicas"] = json!(1));
        cluster.settle();
        assert_eq!(names(&cluster, Resource::Pods), ["web-0"]);
        assert_eq!(names(&cluster, CLAIMS).len(), 3);
        let deleted: Vec<_> = cluster
            .events()
            .iter()
            .filter(|e| e.contains("delete Pod"))
            .cloned()
            .collect();
        assert_eq!(deleted.len(), 2);
        assert!(deleted[0].contains("web-2") && deleted[1].contains("web-1"));
    }
}

#[test]
fn an_unready_pod_holds_up_the_ordered_but_not_the_parallel() {
    for (policy, count) in [("OrderedReady", 1), ("Parallel", 3)] {
        let mut cluster = Cluster::new();
        cluster.healthy = false;
        cluster.create(SETS, web(&json!({"podManagementPolicy": policy})));
        cluster.settle();
        assert_eq!(cluster.stored(Resource::Pods).len(), count, "{policy}");
    }
}

#[test]
fn a_rolling_update_goes_from_the_highest_ordinal_down() {
    for (policy, pace) in [
        ("OrderedReady", 2),
        ("Parallel", 1),
        ("Parallel", usize::MAX),
    ] {
        let mut cluster = settled(&json!({"podManagementPolicy": policy}));
        cluster.pace = pace;
        let before = cluster.object(SETS, "web")["status"]["currentRevision"].clone();
        cluster.always(|cluster| {
            let pods = cluster.stored(Resource::Pods);
            let ready = pods.iter().filter(|p| pod::active(p) && pod::ready(p));
            assert!(ready.count() >= 2);
            // Those updated are the last ones.
            let mut sorted = images(cluster);
            sorted.sort();
            assert_eq!(images(cluster), sorted);
        });
        image(&mut cluster, "db:2");
        cluster.settle();
        assert_eq!(images(&cluster), ["db:2", "db:2", "db:2"]);
        let status = cluster.object(SETS, "web")["status"].clone();
        assert_eq!(status["currentRevision"], status["updateRevision"]);
        assert_ne!(status["currentRevision"], before);
        assert_eq!(status["currentReplicas"], 3);
    }
}

#[test]
fn a_partition_keeps_lower_ordinals_at_the_old_revision() {
    let mut cluster = settled(&json!({"updateStrategy": {"type": "RollingUpdate",
        "rollingUpdate": {"partition": 2}}}));
    image(&mut cluster, "db:2");
    cluster.settle();
    assert_eq!(images(&cluster), ["db:1", "db:1", "db:2"]);
    // Also when one of them is made anew.
    cluster.delete(Resource::Pods, "web-0");
    cluster.settle();
    assert_eq!(images(&cluster), ["db:1", "db:1", "db:2"]);
    let status = cluster.object(SETS, "web")["status"].clone();
    assert_eq!(
        (&status["currentReplicas"], &status["updatedReplicas"]),
        (&json!(2), &json!(1))
    );
}

#[test]
fn on_delete_updates_what_the_user_deletes() {
    let mut cluster = settled(&json!({"updateStrategy": {"type": "OnDelete"}}));
    image(&mut cluster, "db:2");
    cluster.settle();
    cluster.delete(Resource::Pods, "web-1");
    cluster.settle();
    assert_eq!(images(&cluster), ["db:1", "db:2", "db:1"]);
}

#[test]
fn a_failed_pod_is_made_anew_with_its_claim() {
    let mut cluster = settled(&json!({}));
    let uid = object::uid(&cluster.object(Resource::Pods, "web-1")).to_owned();
    cluster.finish("web-1", "Failed");
    cluster.settle();
    let pod = cluster.object(Resource::Pods, "web-1");
    assert!(object::uid(&pod) != uid && pod::ready(&pod));
    assert!(cluster.events().contains(
        &"RecreatingFailedPod StatefulSet a/web is recreating failed Pod web-1".to_owned()
    ));
}

#[test]
fn claims_go_with_scaled_down_pods_where_the_policy_says_so() {
    let policy = json!({"whenScaled": "Delete", "whenDeleted": "Retain"});
    let mut cluster = settled(&json!({"persistentVolumeClaimRetentionPolicy": policy}));
    cluster.edit(SETS, "web", |s| s["spec"]["replicas"] = json!(1));
    cluster.settle();
    assert_eq!(names(&cluster, CLAIMS), ["data-web-0"]);
    cluster.delete(SETS, "web");
    cluster.settle();
    assert_eq!(names(&cluster, CLAIMS), ["data-web-0"]);
    let policy = json!({"whenScaled": "Retain", "whenDeleted": "Delete"});
    let mut cluster = settled(&json!({"persistentVolumeClaimRetentionPolicy": policy}));
    cluster.delete(SETS, "web");
    cluster.settle();
    assert!(names(&cluster, CLAIMS).is_empty());
}

#[test]
fn ordinals_may_start_elsewhere() {
    let cluster = settled(&json!({"ordinals": {"start": 5}, "replicas": 2}));
    assert_eq!(names(&cluster, Resource::Pods), ["web-5", "web-6"]);
}
