//! K8S-RUN: nodes that fall silent, and what becomes of their pods.

use serde_json::{Value, json};

use super::*;
use crate::testing::Cluster;
use crate::{Pace, Resource, clock, condition, object};

struct World {
    cluster: Cluster,
    health: NodeHealth,
    evictions: Evictions,
    orphanage: Orphanage,
}

impl World {
    fn new(nodes: &[&str]) -> Self {
        let mut world = Self {
            cluster: Cluster::new(),
            health: NodeHealth::new(),
            evictions: Evictions::new(),
            orphanage: Orphanage::new(),
        };
        for name in nodes {
            world.cluster.create(
                Resource::Nodes,
                json!({"metadata": {"name": name, "uid": name}, "spec": {}, "status": {"conditions": [
                    {"type": "Ready", "status": "True", "lastHeartbeatTime": "x"}]}}),
            );
        }
        world.turn();
        world
    }

    /// The kubelets of some nodes renew their leases.
    fn renew(&mut self, nodes: &[&str]) {
        for name in nodes {
            self.cluster.force(
                Resource::Leases,
                json!({"metadata": {"name": name, "namespace": "kube-node-lease"},
                    "spec": {"renewTime": clock::format(self.cluster.now)}}),
            );
        }
    }

    /// Every node's controller runs until it has nothing more to do.
    fn turn(&mut self) {
        for _ in 0..3 {
            for node in self.cluster.stored(Resource::Nodes) {
                self.cluster.sync();
                let (name, now) = (object::name(&node).to_owned(), self.cluster.now);
                let outcome =
                    node_lifecycle(&self.cluster, &mut self.health, Pace::Real, &name, now);
                assert!(self.cluster.perform(outcome.actions));
            }
        }
        self.cluster.sync();
    }

    /// Time passes while some kubelets go on.
    fn pass(&mut self, seconds: i64, alive: &[&str]) {
        for _ in 0..seconds / 5 {
            self.cluster.now += 5;
            self.renew(alive);
            self.turn();
            for pod in self.cluster.stored(Resource::Pods) {
                let name = object::name(&pod).to_owned();
                let now = self.cluster.now;
                let outcome = taint_eviction(&self.cluster, &mut self.evictions, "a", &name, now);
                assert!(self.cluster.perform(outcome.actions));
                self.cluster.sync();
            }
        }
    }

    fn taints(&self, node: &str) -> Vec<String> {
        let node = self.cluster.object(Resource::Nodes, node);
        let word = |t: &Value, path| object::text(t, path).to_owned();
        let taints = object::list(&node, "/spec/taints").iter();
        taints
            .map(|t| {
                let key = word(t, "/key").replace("node.kubernetes.io/", "");
                format!("{key}:{}", word(t, "/effect"))
            })
            .collect()
    }

    fn ready(&self, resource: Resource, name: &str) -> (String, String) {
        let found = self.cluster.object(resource, name);
        let conditions = object::list(&found, "/status/conditions").to_vec();
        let ready = condition::find(&conditions, "Ready").unwrap();
        let field = |name| condition::field(ready, name).to_owned();
        (field("status"), field("reason"))
    }

    fn pod(&mut self, name: &str, node: &str, seconds: Option<i64>) {
        let tolerations: Vec<Value> = seconds
            .map(|seconds| {
                json!({"key": "node.kubernetes.io/unreachable", "operator": "Exists",
                    "effect": "NoExecute", "tolerationSeconds": seconds})
            })
            .into_iter()
            .collect();
        self.cluster.create(
            Resource::Pods,
            json!({"metadata": {"name": name, "namespace": "a"},
                "spec": {"nodeName": node, "tolerations": tolerations},
                "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}),
        );
        self.cluster.sync();
    }

    fn told(&self, text: &str) -> usize {
        let told = self.cluster.events().iter();
        told.filter(|event| event.contains(text)).count()
    }
}

#[test]
fn a_silent_node_is_unknown_tainted_and_its_pods_leave_in_time() {
    let mut world = World::new(&["n1", "n2"]);
    world.pod("web", "n1", Some(300));
    world.pod("other", "n2", Some(300));
    world.pass(40, &["n1", "n2"]);
    assert_eq!(world.ready(Resource::Nodes, "n1").0, "True");
    world.pass(40, &["n2"]);
    assert_eq!(world.ready(Resource::Nodes, "n1").0, "True");
    world.pass(5, &["n2"]);
    let (status, reason) = world.ready(Resource::Nodes, "n1");
    assert_eq!(
        (status.as_str(), reason.as_str()),
        ("Unknown", "NodeStatusUnknown")
    );
    assert_eq!(
        world.taints("n1"),
        ["unreachable:NoSchedule", "unreachable:NoExecute"]
    );
    assert!(world.taints("n2").is_empty());
    assert_eq!(world.ready(Resource::Pods, "web").0, "False");
    assert_eq!(world.ready(Resource::Pods, "other").0, "True");
    assert_eq!(
        world.told("NodeNotReady Node n1 status is now: NodeNotReady"),
        1
    );
    let leaving =
        |world: &World, pod| object::terminating(&world.cluster.object(Resource::Pods, pod));
    world.pass(295, &["n2"]);
    assert!(!leaving(&world, "web"));
    world.pass(10, &["n2"]);
    assert!(leaving(&world, "web"));
    assert!(!leaving(&world, "other"));
    assert_eq!(
        world.told("TaintManagerEviction Marking for deletion Pod a/web"),
        1
    );
}

#[test]
fn a_node_that_comes_back_keeps_its_pods() {
    let mut world = World::new(&["n1", "n2"]);
    world.pod("web", "n1", Some(300));
    world.pass(100, &["n2"]);
    assert_eq!(world.taints("n1").len(), 2);
    let mut node = world.cluster.object(Resource::Nodes, "n1");
    node["status"]["conditions"] =
        json!([{"type": "Ready", "status": "True", "lastHeartbeatTime": "y"}]);
    world.cluster.force(Resource::Nodes, node);
    world.pass(5, &["n1", "n2"]);
    assert!(world.taints("n1").is_empty());
    assert_eq!(world.told("Cancelling deletion of Pod a/web"), 1);
    world.pass(400, &["n1", "n2"]);
    assert!(!object::terminating(
        &world.cluster.object(Resource::Pods, "web")
    ));
}

#[test]
fn nobody_is_evicted_when_all_nodes_are_silent() {
    let mut world = World::new(&["n1", "n2"]);
    world.pod("web", "n1", Some(0));
    world.pass(50, &["n2"]);
    assert!(object::terminating(
        &world.cluster.object(Resource::Pods, "web")
    ));
    let mut world = World::new(&["n1", "n2"]);
    world.pod("web", "n1", Some(0));
    world.pass(500, &[]);
    assert_eq!(world.taints("n1"), ["unreachable:NoSchedule"]);
    assert!(!object::terminating(
        &world.cluster.object(Resource::Pods, "web")
    ));
}

#[test]
fn a_zone_that_is_mostly_down_is_left_alone_and_others_go_one_after_another() {
    let names = ["n1", "n2", "n3", "n4", "n5"];
    let mut world = World::new(&names);
    let tainted = |world: &World| {
        let all = names.iter();
        all.filter(|n| world.taints(n).iter().any(|t| t.ends_with("NoExecute")))
            .count()
    };
    world.pass(100, &["n1", "n2"]);
    assert_eq!(tainted(&world), 0);
    let mut world = World::new(&names);
    world.pass(45, &["n1", "n2", "n3"]);
    assert_eq!(tainted(&world), 1);
    world.pass(10, &["n1", "n2", "n3"]);
    assert_eq!(tainted(&world), 2);
}

#[test]
fn conditions_and_cordons_become_taints_and_others_stay() {
    let mut world = World::new(&["n1"]);
    world.cluster.edit(Resource::Nodes, "n1", |node| {
        node["spec"] =
            json!({"unschedulable": true, "taints": [{"key": "gpu", "effect": "NoSchedule"}]});
    });
    let mut node = world.cluster.object(Resource::Nodes, "n1");
    let pressure = json!({"type": "DiskPressure", "status": "True"});
    node["status"]["conditions"]
        .as_array_mut()
        .unwrap()
        .push(pressure);
    world.cluster.force(Resource::Nodes, node);
    world.turn();
    let wanted = [
        "gpu:NoSchedule",
        "disk-pressure:NoSchedule",
        "unschedulable:NoSchedule",
    ];
    assert_eq!(world.taints("n1"), wanted);
    world.cluster.edit(Resource::Nodes, "n1", |node| {
        node["spec"]["unschedulable"] = json!(false);
    });
    world.turn();
    assert_eq!(world.taints("n1"), wanted[..2]);
}

#[test]
fn a_kubelet_that_never_spoke_has_a_minute() {
    let mut world = World::new(&["n1"]);
    world.cluster.create(
        Resource::Nodes,
        json!({"metadata": {"name": "n2"}, "spec": {"taints": [
            {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]}}),
    );
    world.pass(60, &["n1"]);
    assert_eq!(world.taints("n2"), ["not-ready:NoSchedule"]);
    world.pass(10, &["n1"]);
    assert_eq!(
        world.ready(Resource::Nodes, "n2").1,
        "NodeStatusNeverUpdated"
    );
    assert!(
        world
            .taints("n2")
            .contains(&"unreachable:NoSchedule".to_owned())
    );
}

#[test]
fn pods_of_nodes_that_are_gone_go_after_a_while() {
    let mut world = World::new(&["n1"]);
    world.pod("kept", "n1", None);
    world.pod("lost", "n9", None);
    let sweep = |world: &mut World| {
        let now = world.cluster.now;
        pod_garbage(&world.cluster, &mut world.orphanage, Pace::Real, now).actions
    };
    assert!(sweep(&mut world).is_empty());
    world.cluster.now += 39;
    assert!(sweep(&mut world).is_empty());
    world.cluster.now += 1;
    let actions = sweep(&mut world);
    let [
        crate::Action::UpdateStatus { object: marked, .. },
        crate::Action::Delete { name, grace, .. },
    ] = &actions[..]
    else {
        panic!("{actions:?}");
    };
    assert_eq!((name.as_str(), *grace), ("lost", Some(0)));
    assert_eq!(marked["status"]["phase"], "Failed");
    let conditions = object::list(marked, "/status/conditions");
    let found = condition::find(conditions, "DisruptionTarget").unwrap();
    assert_eq!(condition::field(found, "reason"), "DeletionByPodGC");
}

#[test]
fn nodes_get_ranges_that_nobody_else_has() {
    let range = PodRange {
        network: "10.244.0.0".parse().unwrap(),
        prefix: 23,
        node_prefix: 24,
    };
    let mut world = World::new(&["n1", "n2", "n3"]);
    for name in ["n1", "n2", "n3"] {
        let outcome = pod_range(&world.cluster, range, name);
        assert!(world.cluster.perform(outcome.actions));
        world.cluster.sync();
    }
    let of = |name| world.cluster.object(Resource::Nodes, name)["spec"]["podCIDR"].clone();
    assert_eq!(
        [of("n1"), of("n2"), of("n3")],
        [json!("10.244.0.0/24"), json!("10.244.1.0/24"), json!(null)]
    );
    assert_eq!(world.told("CIDRNotAvailable"), 1);
}
