//! Important pods find room.

use super::*;
use crate::object;

fn pod(name: &str, cpu: &str, class: &str) -> Value {
    json!({"metadata": {"name": name, "labels": {"app": name}}, "spec": {"priorityClassName": class,
        "containers": [{"name": "c", "image": "i", "resources": {"requests": {"cpu": cpu}}}]}})
}

fn placed<const N: usize>(world: &World<N>, name: &str) -> bool {
    let pod = world.find("pods", name);
    pod.is_some_and(|pod| pod["spec"]["nodeName"] == "n1")
}

/// K8S-RUN: less important pods leave for a more important one, as few as need be; who is guarded by a
/// budget stays if others do.
#[test]
fn less_important_pods_make_room() {
    let world = World::<13>::new();
    world.node("n1");
    for (name, value, policy) in [
        ("low", 1, "PreemptLowerPriority"),
        ("high", 100, "PreemptLowerPriority"),
        ("polite", 90, "Never"),
    ] {
        let class = json!({"metadata": {"name": name}, "value": value, "preemptionPolicy": policy});
        world.create("priorityclasses.scheduling.k8s.io", &class);
    }
    let budget = json!({"metadata": {"name": "guard"}, "spec": {"minAvailable": 1,
        "selector": {"matchLabels": {"app": "guarded"}}}});
    world.create("poddisruptionbudgets.policy", &budget);
    for name in ["guarded", "free"] {
        world.create("pods", &pod(name, "2", "low"));
        world.until("placed", |_| placed(&world, name));
    }
    world.create("pods", &pod("waiting", "2", "polite"));
    let why = |name: &str| {
        let pod = world.find("pods", name).unwrap();
        object::text(&pod["status"]["conditions"][0], &["message"]).to_owned()
    };
    world.until("a reason", |_| {
        why("waiting") == "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."
    });
    assert!(placed(&world, "free"));
    world.create("pods", &pod("king", "2", "high"));
    let leaving = |name: &str| {
        world
            .find("pods", name)
            .is_none_or(|pod| object::is_terminating(&pod))
    };
    world.until("one leaves", |_| leaving("free"));
    assert!(!leaving("guarded"));
    assert_eq!(
        world.find("pods", "king").unwrap()["status"]["nominatedNodeName"],
        "n1"
    );
    world.until("a word", |_| world.told("Preempted", "free"));
    // The node's kubelet ends it; the room is not for anybody else.
    let pods = resource("pods").unwrap();
    let now = json!({"gracePeriodSeconds": 0});
    let gone = world.client.delete(pods, "default", "free", &now);
    world.runtime.block_on(gone).unwrap();
    world.until("placed", |_| placed(&world, "king"));
    assert!(!placed(&world, "waiting"));
}
