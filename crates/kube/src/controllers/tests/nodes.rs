//! Nodes and their pods.

use super::*;

/// K8S-RUN: pods are placed on nodes that are ready, leave a node that falls silent, and are
/// replaced elsewhere.
#[test]
fn a_silent_node_loses_its_pods() {
    let world = World::<0>::new();
    for name in ["n1", "n2"] {
        let made = world.create("nodes", &json!({"metadata": {"name": name}}));
        assert_eq!(
            made["spec"]["taints"][0]["key"],
            "node.kubernetes.io/not-ready"
        );
        let lease = json!({"metadata": {"name": name, "namespace": "kube-node-lease"}, "spec": {
            "renewTime": "2023-11-14T22:13:20.000000Z"}});
        world.create("leases.coordination.k8s.io", &lease);
        world.beat(name);
    }
    let untainted = |store: &Store, name: &str| {
        let node = store.get(&Key::new("nodes", "", name)).unwrap();
        crate::object::list(node, &["spec", "taints"]).is_empty()
    };
    world.until("ready", |store| {
        untainted(store, "n1") && untainted(store, "n2")
    });
    world.create(
        "deployments.apps",
        &json!({"metadata": {"name": "web"}, "spec": {
            "replicas": 2, "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}},
                "spec": {"containers": [{"name": "c", "image": "i"}]}},
        }}),
    );
    let on = |store: &Store, node: &str| {
        let pods = store.list("pods", None).map(|(_, pod)| pod);
        pods.filter(|pod| pod["spec"]["nodeName"] == node && !crate::object::is_terminating(pod))
            .count()
    };
    world.until("placed", |store| {
        on(store, "n1") == 1 && on(store, "n2") == 1
    });
    world.pass(41);
    world.beat("n2");
    world.until("unreachable", |store| {
        let node = store.get(&Key::new("nodes", "", "n1")).unwrap();
        crate::object::list(node, &["spec", "taints"]).len() == 2
    });
    assert!(untainted(&world.client.cluster().now().store, "n2"));
    world.until("a word of it", |_| world.told("NodeNotReady", "n1"));
    world.pass(39);
    world.beat("n2");
    world.until("still there", |store| on(store, "n1") == 1);
    // The pod on the silent node waits out its toleration, while the other node lives on.
    world.while_it_lasts(10, "n2", |store| {
        on(store, "n1") == 0 && on(store, "n2") == 2
    });
}

/// K8S-RUN: pods of a node that is deleted go; nodes get their pods' addresses.
#[test]
fn pods_of_deleted_nodes_are_collected() {
    let world = World::<1>::with(|settings| {
        settings.pod_range = Some(crate::api::PodRange {
            network: [10, 244, 0, 0].into(),
            prefix: 16,
            node_prefix: 24,
        });
    });
    world.create("nodes", &json!({"metadata": {"name": "n1"}}));
    world.until("addresses", |store| {
        let node = store.get(&Key::new("nodes", "", "n1")).unwrap();
        node["spec"]["podCIDR"] == "10.244.0.0/24"
    });
    let spec = json!({"nodeName": "n1", "containers": [{"name": "c", "image": "i"}]});
    world.create("pods", &json!({"metadata": {"name": "p"}, "spec": spec}));
    world.delete("nodes", "n1");
    // A node that is missing may be a node that comes back.
    world.turn();
    assert!(world.find("pods", "p").is_some());
    world.create("nodes", &json!({"metadata": {"name": "n2"}}));
    world.while_it_lasts(10, "n2", |store| {
        store.get(&Key::new("pods", "default", "p")).is_none()
    });
}
