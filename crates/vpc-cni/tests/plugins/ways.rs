//! Which way packets of pods take, by packets.

use crate::node::*;
use cni::portmap::Portmap;
use kernel::routing::OwnRule;
use serde_json::json;
use std::net::Ipv4Addr;

crate::trials![
    rules_are_those_of_the_worked_example,
    pods_are_reachable_by_their_own_interface,
    what_leaves_the_vpc_has_the_nodes_address,
    with_external_snat_nothing_is_translated,
    node_ports_answer_as_they_were_asked,
    without_node_port_support_they_do_not,
];

/// A node with so many pods that the last one is of the second interface; it and its address, the first
/// pod's too.
fn two_interfaces(variables: &[(&str, &str)]) -> (Node, Vec<(Pod, Ipv4Addr)>) {
    let node = Node::running(variables);
    let mut pods = Vec::new();
    for number in 0..10 {
        let pod = Pod::new();
        let (address, _) = node.add(&format!("pod-{number}"), &pod);
        pods.push((pod, address));
        node.look();
    }
    assert_eq!(
        node.cloud.units(),
        [9, 9, 9].get(..node.cloud.units().len()).unwrap()
    );
    let calls = node.cloud.calls();
    assert!(calls.contains(&"ModifyNetworkInterfaceAttribute".to_owned()));
    (node, pods)
}

fn second_interface(node: &Node) -> Ipv4Addr {
    let state = node.cloud.state();
    let interface = state
        .interfaces
        .values()
        .find(|one| one.device == Some(1))
        .unwrap();
    assert!(interface.dies_with_instance);
    assert_eq!(interface.subnet, "subnet-1");
    interface.addresses[0]
}

/// AWS-CNI: `ip rule` of a node with pods on two interfaces.
fn rules_are_those_of_the_worked_example() {
    let (node, pods) = two_interfaces(&[]);
    let rules = node.rules();
    let of = |priority: u32| -> Vec<&OwnRule> {
        rules
            .iter()
            .filter(|rule| rule.priority == priority)
            .collect()
    };
    assert_eq!(of(512).len(), 10);
    assert!(
        of(512)
            .iter()
            .all(|rule| rule.table == 254 && rule.to.is_some())
    );
    let marked = of(1024);
    assert_eq!((marked[0].mark, marked[0].table), (Some((0x80, 0x80)), 254));
    let from: Vec<_> = of(1536)
        .iter()
        .map(|rule| (rule.from, rule.table))
        .collect();
    assert_eq!(from, [(Some(pods[9].1.into()), 2)]);
    let interfaces = of(32_765);
    assert!(
        interfaces
            .iter()
            .any(|rule| { rule.from == Some(second_interface(&node).into()) && rule.table == 2 })
    );
    let known = 10 + 1 + 1 + interfaces.len();
    assert_eq!(rules.len(), known, "{rules:?}");
}

/// AWS-CNI: pods are reached in the VPC under their own address, and reach others under it, whichever
/// interface the address is of; and pods reach each other on the node.
fn pods_are_reachable_by_their_own_interface() {
    let (node, pods) = two_interfaces(&[]);
    let there = listen(&node.inside, 8080);
    for (pod, address) in [&pods[0], &pods[9]] {
        assert_eq!(call(&pod.0, (INSIDE, 8080), &there).unwrap(), *address);
        let here = listen(&pod.0, 8080);
        assert_eq!(call(&node.inside, (*address, 8080), &here).unwrap(), INSIDE);
    }
    let here = listen(&pods[9].0.0, 8081);
    let (first, last) = (&pods[0], pods[9].1);
    assert_eq!(call(&first.0.0, (last, 8081), &here).unwrap(), first.1);
}

/// AWS-CNI: what leaves the VPC has the node's primary address and leaves by its interface; ranges that
/// are excluded see pods' own.
fn what_leaves_the_vpc_has_the_nodes_address() {
    let (node, pods) = two_interfaces(&[]);
    let there = listen(&node.outside, 8080);
    for (pod, _) in [&pods[0], &pods[9]] {
        assert_eq!(call(&pod.0, (OUTSIDE, 8080), &there).unwrap(), PRIMARY);
    }
    let excluded = [("AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS", "203.0.113.0/24")];
    let (node, pods) = two_interfaces(&excluded);
    let there = listen(&node.outside, 8080);
    for (pod, address) in [&pods[0], &pods[9]] {
        assert_eq!(call(&pod.0, (OUTSIDE, 8080), &there).unwrap(), *address);
    }
}

/// AWS-CNI: AWS_VPC_K8S_CNI_EXTERNALSNAT: somebody else translates.
fn with_external_snat_nothing_is_translated() {
    let (node, pods) = two_interfaces(&[("AWS_VPC_K8S_CNI_EXTERNALSNAT", "true")]);
    let there = listen(&node.outside, 8080);
    for (pod, address) in [&pods[0], &pods[9]] {
        assert_eq!(call(&pod.0, (OUTSIDE, 8080), &there).unwrap(), *address);
    }
}

/// Publishes the last pod at port 30080 of the node, and calls it from outside.
fn called_at_the_node(node: &Node, pod: &Pod, address: Ipv4Addr) -> std::io::Result<Ipv4Addr> {
    let published = json!({
        "runtimeConfig": {"portMappings": [{"hostPort": 30080, "containerPort": 8080, "protocol": "tcp"}]},
        "prevResult": {
            "interfaces": [{"name": "eth0", "sandbox": "x"}],
            "ips": [{"address": format!("{address}/32"), "interface": 0}],
        },
    });
    let (code, result) = node.plugin(&Portmap, "ADD", "pod-9", Some(pod), published);
    assert_eq!(code, 0, "{result}");
    let here = listen(&pod.0, 8080);
    call(&node.outside, (PRIMARY, 30080), &here)
}

/// AWS-CNI: a node port that leads to a pod of another interface answers by the first one.
fn node_ports_answer_as_they_were_asked() {
    let (node, pods) = two_interfaces(&[]);
    let (pod, address) = &pods[9];
    assert_eq!(called_at_the_node(&node, pod, *address).unwrap(), OUTSIDE);
}

/// AWS-CNI: without AWS_VPC_CNI_NODE_PORT_SUPPORT it answers by the pod's interface, under an address that
/// isn't that one's, and nothing comes back.
fn without_node_port_support_they_do_not() {
    let variables = [
        ("AWS_VPC_CNI_NODE_PORT_SUPPORT", "false"),
        ("AWS_VPC_K8S_CNI_EXTERNALSNAT", "true"),
    ];
    let (node, pods) = two_interfaces(&variables);
    let (pod, address) = &pods[9];
    assert!(called_at_the_node(&node, pod, *address).is_err());
}
