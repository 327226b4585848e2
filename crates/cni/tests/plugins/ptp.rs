//! `skylab-ptp`: two pods on a node reach each other, and nothing leaks when calls are repeated, come out
//! of order or fail half-way.

use crate::node::{Node, Pod};
use serde_json::json;
use std::fs;
use std::net::TcpListener;
use std::path::Path;

crate::trials![
    pods_of_a_node_reach_each_other,
    nothing_leaks,
    a_pod_that_is_gone_can_be_detached,
];

/// K8S-NET: pods of a node have addresses of their own and reach each other.
fn pods_of_a_node_reach_each_other() {
    let node = Node::new();
    let (a, b) = (Pod::new(), Pod::new());
    let (at_a, at_b) = (node.add("a", &a), node.add("b", &b));
    assert_ne!(at_a, at_b);
    let listener = b.0.run(|| TcpListener::bind(("0.0.0.0", 8080)).unwrap());
    let _listener = listener.unwrap();
    assert_eq!(a.calls(at_b).unwrap(), at_a);
    let (code, _) = node.call("CHECK", "b", Some(&b.path()), json!({}));
    assert_eq!(code, 0);
    node.call("DEL", "b", Some(&b.path()), json!({}));
    let (code, error) = node.call("CHECK", "b", Some(&b.path()), json!({}));
    assert_eq!((code, &error["code"]), (1, &json!(102)));
    assert!(a.calls(at_b).is_err());
}

/// K8S-NET: repeated and late calls, a failed attachment and a crash half-way leave no address and no
/// link behind.
fn nothing_leaks() {
    let node = Node::new();
    let pod = Pod::new();
    let first = node.add("a", &pod);
    assert_eq!(node.add("a", &pod), first, "the same call again");
    assert_eq!((node.links(), node.addresses()), (1, 1));
    let gone = Path::new("/run/netns/nobody");
    let (code, error) = node.call("ADD", "b", Some(gone), json!({}));
    assert_eq!((code, &error["code"]), (1, &json!(5)));
    assert_eq!((node.links(), node.addresses()), (1, 1));
    // Somebody died between the address and the link.
    fs::write(node.data.join("pods/10.244.3.5"), "c\r\neth0").unwrap();
    let valid = json!({"cni.dev/valid-attachments": [{"containerID": "a", "ifname": "eth0"}]});
    let (code, _) = node.call("GC", "", None, valid);
    assert_eq!((code, node.links(), node.addresses()), (0, 1, 1));
    for _ in 0..2 {
        let (code, _) = node.call("DEL", "a", Some(&pod.path()), json!({}));
        assert_eq!((code, node.links(), node.addresses()), (0, 0, 0));
    }
    let (code, _) = node.call("STATUS", "", None, json!({}));
    assert_eq!(code, 0);
    for number in 0..5 {
        let pod = Pod::new();
        node.add(&format!("p{number}"), &pod);
    }
    let (code, error) = node.call("ADD", "one-more", Some(&pod.path()), json!({}));
    assert_eq!((code, &error["code"]), (1, &json!(100)), "{error}");
    let (code, _) = node.call("STATUS", "", None, json!({}));
    assert_eq!(code, 1);
}

/// K8S-NET: a pod whose namespace is gone has no link any more; its address comes back all the same.
fn a_pod_that_is_gone_can_be_detached() {
    let node = Node::new();
    let pod = Pod::new();
    node.add("a", &pod);
    drop(pod);
    let (code, _) = node.call("DEL", "a", None, json!({}));
    assert_eq!((code, node.addresses()), (0, 0));
}
