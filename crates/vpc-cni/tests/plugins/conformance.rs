//! The plugin's verbs: repeated, at once, out of order, failing half-way, with and without the agent. No
//! address leaks.

use crate::node::{Node, Pod};
use kernel::routing::Routing;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::thread;

crate::trials![
    a_result_says_where_the_pod_is,
    verbs_can_be_repeated,
    pods_at_once_get_addresses_of_their_own,
    a_failure_half_way_leaves_nothing,
    forgotten_pods_are_collected,
    without_the_agent_pods_can_go,
    checks_are_not_implemented,
];

/// AWS-CNI: ADD's result has upstream's encoding, and the pod what upstream's pods have.
fn a_result_says_where_the_pod_is() {
    let node = Node::running(&[]);
    let pod = Pod::new();
    let (address, result) = node.add("sample-pod", &pod);
    let interfaces = json!([
        {"name": "enicc21c2d7785"},
        {"name": "eth0", "sandbox": pod.path(), "mac": "254"},
        {"name": "dummycc21c2d7785", "mac": "0", "sandbox": "0"},
    ]);
    assert_eq!(result["interfaces"], interfaces);
    assert_eq!(result["routes"], Value::Null);
    let routes = pod.read("/proc/thread-self/net/route");
    let routes: Vec<Vec<&str>> = routes
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().take(3).collect())
        .collect();
    // 169.254.1.1, in the machine's byte order.
    let gateway = format!("{:08X}", u32::from_ne_bytes([169, 254, 1, 1]));
    assert_eq!(
        routes,
        [
            vec!["eth0", "00000000", &gateway],
            vec!["eth0", &gateway, "00000000"],
        ]
    );
    let neighbours = pod.read("/proc/thread-self/net/arp");
    let line = neighbours.lines().nth(1).unwrap();
    // ATF_PERM and ATF_COM.
    assert!(
        line.starts_with("169.254.1.1") && line.contains("0x6"),
        "{line}"
    );
    assert!(
        pod.read("/proc/thread-self/net/fib_trie")
            .contains(&address.to_string())
    );
    let links = Routing::inside(&pod.0).unwrap().links().unwrap();
    let link = links.iter().find(|link| link.name == "eth0").unwrap();
    assert_eq!(link.mtu, 9001);
}

/// AWS-CNI: a repeated ADD gives the same address, a repeated DEL succeeds, one of an unknown pod too.
fn verbs_can_be_repeated() {
    let node = Node::running(&[]);
    let pod = Pod::new();
    let (first, result) = node.add("web", &pod);
    assert_eq!(node.add("web", &pod).0, first);
    assert_eq!((node.assigned(), node.pod_links()), (1, 1));
    for _ in 0..2 {
        let before = json!({"prevResult": result});
        assert_eq!(
            node.call("DEL", "web", Some(&pod), before),
            (0, Value::Null)
        );
        assert_eq!((node.assigned(), node.pod_links()), (0, 0));
    }
    assert_eq!(node.call("DEL", "nobody", None, json!({})).0, 0);
    let rules = node.rules();
    assert_eq!(rules.len(), 1, "that of what is marked: {rules:?}");
    // It rests, so the next pod gets another one.
    assert_ne!(node.add("web", &Pod::new()).0, first);
}

/// AWS-CNI: pods that come at once have an address each.
fn pods_at_once_get_addresses_of_their_own() {
    let node = Node::running(&[]);
    let pods: Vec<Pod> = (0..6).map(|_| Pod::new()).collect();
    let given: BTreeSet<_> = thread::scope(|scope| {
        let add = |(number, pod)| {
            let node = &node;
            scope.spawn(move || node.add(&format!("pod-{number}"), pod).0)
        };
        let threads: Vec<_> = pods.iter().enumerate().map(add).collect();
        threads.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!((given.len(), node.assigned(), node.pod_links()), (6, 6, 6));
}

/// AWS-CNI: a pod whose network can't be set up gives its address back; without addresses ADD says so in
/// upstream's words.
fn a_failure_half_way_leaves_nothing() {
    let node = Node::running(&[("DISABLE_NETWORK_RESOURCE_PROVISIONING", "true")]);
    let pod = Pod::new();
    let (code, error) = node.call("ADD", "web", Some(&pod), json!({}));
    assert_eq!(code, 1);
    let words = "add cmd: failed to assign an IP address to container";
    assert_eq!(error["msg"], words);
    let node = Node::running(&[]);
    let not_a_network = Pod(kernel::NetNs::from_fd(
        std::fs::File::open("/dev/null").unwrap().into(),
    ));
    let (code, error) = node.call("ADD", "web", Some(&not_a_network), json!({}));
    assert_eq!(code, 1);
    let message = error["msg"].as_str().unwrap();
    assert!(
        message.starts_with("add command: failed to setup network"),
        "{message}"
    );
    assert_eq!((node.assigned(), node.pod_links()), (0, 0));
    assert_eq!(node.rules().len(), 1);
}

/// AWS-CNI: GC gives back what the runtime no longer has.
fn forgotten_pods_are_collected() {
    let node = Node::running(&[]);
    let (kept, lost) = (Pod::new(), Pod::new());
    node.add("kept", &kept);
    node.add("lost", &lost);
    drop(lost);
    let valid = json!({
        "cniVersion": "1.1.0",
        "cni.dev/valid-attachments": [{"containerID": "c-kept", "ifname": "eth0"}],
    });
    assert_eq!(node.call("GC", "", None, valid), (0, Value::Null));
    assert_eq!((node.assigned(), node.rules().len()), (1, 2));
}

/// AWS-CNI: while the agent is gone STATUS says so, pods can't come, and can go; a new agent takes back
/// what they had. One that lived on keeps its address.
fn without_the_agent_pods_can_go() {
    let mut node = Node::running(&[]);
    assert_eq!(node.call("STATUS", "", None, json!({})).0, 0);
    let (stays, goes) = (Pod::new(), Pod::new());
    let (address, _) = node.add("stays", &stays);
    let (_, result) = node.add("goes", &goes);
    node.kill();
    let (code, error) = node.call("STATUS", "", None, json!({}));
    assert_eq!((code, &error["code"]), (1, &json!(50)));
    let (code, error) = node.call("ADD", "new", Some(&Pod::new()), json!({}));
    assert_eq!(code, 1);
    let message = error["msg"].as_str().unwrap();
    assert!(
        message.contains("AddNetwork gRPC call: rpc error: code = Unavailable"),
        "{message}"
    );
    let before = json!({"prevResult": result});
    assert_eq!(
        node.call("DEL", "goes", Some(&goes), before),
        (0, Value::Null)
    );
    assert_eq!((node.pod_links(), node.rules().len()), (1, 2));
    assert_eq!(node.assigned(), 2, "nobody told the agent yet");
    node.start(&[]);
    assert_eq!(node.assigned(), 1);
    assert_eq!(node.add("stays", &stays).0, address);
}

/// AWS-CNI: CHECK is not implemented, as upstream's isn't; VERSION answers.
fn checks_are_not_implemented() {
    let node = Node::running(&[]);
    let pod = Pod::new();
    node.add("web", &pod);
    assert_eq!(node.call("CHECK", "web", Some(&pod), json!({})).0, 1);
    let (code, versions) = node.call("VERSION", "", None, json!({}));
    assert_eq!(code, 0);
    let supported = versions["supportedVersions"].as_array().unwrap();
    assert!(supported.contains(&json!("0.4.0")));
}
