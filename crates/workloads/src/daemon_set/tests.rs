use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::testing::Cluster;
use crate::{Resource, object, pod};

const SETS: Resource = Resource::DaemonSets;

fn agent(strategy: &Value) -> Value {
    json!({"metadata": {"name": "agent", "namespace": "a"}, "spec": {
        "selector": {"matchLabels": {"app": "agent"}}, "updateStrategy": strategy,
        "template": {"metadata": {"labels": {"app": "agent"}},
            "spec": {"containers": [{"name": "c", "image": "agent:1"}]}}}})
}

fn settled(strategy: &Value) -> Cluster {
    let mut cluster = Cluster::new();
    for n in 1..=4 {
        let labels = json!({"even": (n % 2 == 0).to_string()});
        let name = format!("n{n}");
        cluster.create(
            Resource::Nodes,
            json!({"metadata": {"name": name, "labels": labels}}),
        );
    }
    cluster.create(SETS, agent(strategy));
    cluster.settle();
    cluster
}

fn per_node(cluster: &Cluster) -> BTreeMap<String, usize> {
    pod::per_node(cluster.stored(Resource::Pods).iter())
}

fn image(cluster: &mut Cluster, image: &str) {
    cluster.edit(SETS, "agent", |s| {
        s["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image);
    });
}

fn updated(cluster: &Cluster) -> usize {
    let pods = cluster.stored(Resource::Pods);
    pods.iter()
        .filter(|p| object::text(p, "/spec/containers/0/image") == "agent:2")
        .count()
}

#[test]
fn every_node_has_one_pod_that_is_meant_for_it() {
    let mut cluster = settled(&Value::Null);
    assert_eq!(
        per_node(&cluster).into_values().collect::<Vec<_>>(),
        [1, 1, 1, 1]
    );
    let status = cluster.object(SETS, "agent")["status"].clone();
    for field in [
        "desiredNumberScheduled",
        "currentNumberScheduled",
        "numberReady",
        "numberAvailable",
        "updatedNumberScheduled",
    ] {
        assert_eq!(status[field], 4, "{field}");
    }
    assert_eq!(status["numberMisscheduled"], 0);
    let pod = cluster.stored(Resource::Pods)[0].clone();
    let revision = cluster.stored(Resource::ControllerRevisions)[0].clone();
    let hash = object::label(&revision, "controller-revision-hash").unwrap();
    assert_eq!(object::label(&pod, "controller-revision-hash"), Some(hash));
    assert_eq!(object::name(&revision), format!("agent-{hash}"));
    let tolerations = object::list(&pod, "/spec/tolerations");
    assert!(
        tolerations.contains(&json!({"key": "node.kubernetes.io/unschedulable",
        "operator": "Exists", "effect": "NoSchedule"}))
    );
    assert!(cluster.reconcile(SETS, "agent").actions.is_empty());

    cluster.create(Resource::Nodes, json!({"metadata": {"name": "n5"}}));
    cluster.settle();
    assert_eq!(per_node(&cluster)["n5"], 1);
}

#[test]
fn pods_leave_nodes_that_are_not_selected_any_more() {
    let mut cluster = settled(&Value::Null);
    cluster.edit(SETS, "agent", |s| {
        s["spec"]["template"]["spec"]["nodeSelector"] = json!({"even": "true"});
    });
    cluster.settle();
    assert_eq!(
        per_node(&cluster).into_keys().collect::<Vec<_>>(),
        ["n2", "n4"]
    );
    assert_eq!(
        cluster.object(SETS, "agent")["status"]["desiredNumberScheduled"],
        2
    );
}

#[test]
fn a_rolling_update_takes_one_node_at_a_time() {
    for pace in [1, usize::MAX] {
        let mut cluster = settled(&Value::Null);
        cluster.pace = pace;
        cluster.always(|cluster| {
            let pods = cluster.stored(Resource::Pods);
            let ready = pods
                .iter()
                .filter(|p| pod::active(p) && pod::ready(p))
                .count();
            assert!(ready >= 3);
            assert!(per_node(cluster).into_values().all(|n| n == 1));
        });
        image(&mut cluster, "agent:2");
        cluster.settle();
        assert_eq!(updated(&cluster), 4);
        assert_eq!(cluster.stored(Resource::ControllerRevisions).len(), 2);
    }
}

#[test]
fn with_surge_every_node_keeps_a_ready_pod() {
    let rolling = json!({"maxSurge": "50%", "maxUnavailable": 0});
    let mut cluster = settled(&json!({"type": "RollingUpdate", "rollingUpdate": rolling}));
    cluster.always(|cluster| {
        let pods = cluster.stored(Resource::Pods);
        let ready = pods
            .iter()
            .filter(|p| pod::active(p) && pod::ready(p))
            .count();
        let active = pods.iter().filter(|p| pod::active(p)).count();
        assert!(ready >= 4 && active <= 6, "{ready} of {active}");
    });
    image(&mut cluster, "agent:2");
    cluster.settle();
    assert_eq!(updated(&cluster), 4);
    assert_eq!(cluster.stored(Resource::Pods).len(), 4);
}

#[test]
fn on_delete_waits_for_the_user() {
    let mut cluster = settled(&json!({"type": "OnDelete"}));
    image(&mut cluster, "agent:2");
    cluster.settle();
    assert_eq!(updated(&cluster), 0);
    let pod = object::name(&cluster.stored(Resource::Pods)[0]).to_owned();
    cluster.delete(Resource::Pods, &pod);
    cluster.settle();
    assert_eq!(updated(&cluster), 1);
    assert_eq!(
        cluster.object(SETS, "agent")["status"]["updatedNumberScheduled"],
        1
    );
}

#[test]
fn a_failed_pod_is_replaced() {
    let mut cluster = settled(&Value::Null);
    let pod = object::name(&cluster.stored(Resource::Pods)[0]).to_owned();
    cluster.finish(&pod, "Failed");
    cluster.settle();
    assert!(cluster.find(Resource::Pods, &pod).is_none());
    assert!(per_node(&cluster).into_values().all(|n| n == 1));
    assert!(
        cluster
            .events()
            .iter()
            .any(|e| e.starts_with("FailedDaemonPod Found failed daemon pod a/agent-"))
    );
}

#[test]
fn going_back_to_a_template_reuses_its_revision() {
    let mut cluster = settled(&Value::Null);
    image(&mut cluster, "agent:2");
    cluster.settle();
    image(&mut cluster, "agent:1");
    cluster.settle();
    let mut numbers: Vec<_> = cluster
        .stored(Resource::ControllerRevisions)
        .iter()
        .filter_map(|r| r["revision"].as_i64())
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [2, 3]);
}
