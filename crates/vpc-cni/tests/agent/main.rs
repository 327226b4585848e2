//! The agent against a make-believe cloud: what it asks for, and that nothing is lost.

#![allow(clippy::unwrap_used)]

mod cloud;
mod node;
mod surround;

use node::{Node, add, delete};
use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};
use vpc_cni::agent::Agent;
use vpc_cni::plugin::names::node_end;

const NEW_INTERFACE: [&str; 5] = [
    "DescribeSubnets",
    "CreateNetworkInterface",
    "DescribeInstances",
    "AttachNetworkInterface",
    "ModifyNetworkInterfaceAttribute",
];

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_millis() as u64
}

/// Seconds from now on.
fn later(seconds: u64) -> u64 {
    now() + seconds * 1000
}

/// Does what the agent does every five seconds.
async fn look(agent: &Agent<node::Pretended>) {
    agent.adjust(now()).await;
}

/// AWS-CNI: by default a new node has one interface with all its addresses; the first pod has another
/// interface made. EC2 gets the calls of upstream's agent and not one more.
#[tokio::test]
async fn a_node_begins_with_one_interface() {
    let node = Node::new("m5.large").await;
    let agent = node.agent(&[]).await;
    let start = [
        "DescribeNetworkInterfaces",
        "CreateTags",
        "AssignPrivateIpAddresses",
    ];
    assert_eq!(node.cloud.calls(), start);
    look(&agent).await;
    assert_eq!(node.cloud.calls(), Vec::<String>::new());
    assert_eq!(node.cloud.units(), [9]);
    let first = add(&agent, "web").await.unwrap();
    assert_eq!((first.device, first.table), (0, 254));
    look(&agent).await;
    assert_eq!(node.cloud.calls(), NEW_INTERFACE);
    look(&agent).await;
    assert_eq!(node.cloud.calls(), Vec::<String>::new());
    assert_eq!(node.cloud.units(), [9, 9]);
    let state = node.cloud.state();
    let made = state
        .interfaces
        .values()
        .find(|one| one.device == Some(1))
        .unwrap();
    assert_eq!(made.description, format!("aws-K8S-{}", cloud::INSTANCE));
    assert_eq!(made.groups, ["sg-1", "sg-2"]);
    assert!(made.dies_with_instance);
    assert_eq!(
        made.tags["node.k8s.amazonaws.com/instance_id"],
        cloud::INSTANCE
    );
    assert!(made.tags["node.k8s.amazonaws.com/createdAt"].ends_with('Z'));
    let links = node.host.links.lock().unwrap();
    assert_eq!(links[0].address, made.addresses[0]);
}

/// AWS-CNI, AWS-MAXPODS: the 27 pods that an m5.large has addresses for, each with one of its own, by
/// three interfaces; the 28th gets none. All of it costs EC2 thirteen calls.
#[tokio::test]
async fn a_full_node_has_an_address_for_every_pod() {
    let node = Node::new("m5.large").await;
    let agent = node.agent(&[]).await;
    let mut given = BTreeSet::new();
    let mut tables = BTreeSet::new();
    for pod in 0..27 {
        let assignment = add(&agent, &format!("pod-{pod}")).await.unwrap();
        assert!(given.insert(assignment.address));
        tables.insert(assignment.table);
        look(&agent).await;
    }
    assert_eq!(add(&agent, "pod-27").await, None);
    assert_eq!(node.cloud.units(), [9, 9, 9]);
    assert_eq!(node.cloud.calls().len(), 3 + 2 * NEW_INTERFACE.len());
    assert_eq!(tables, BTreeSet::from([254, 2, 3]));
}

/// AWS-CNI: who asks again gets the same; what is given back rests; interfaces that nobody needs go, one
/// in half a minute.
#[tokio::test]
async fn what_is_not_needed_goes() {
    let node = Node::new("m5.large").await;
    let agent = node.agent(&[("IP_COOLDOWN_PERIOD", "0")]).await;
    for pod in 0..20 {
        add(&agent, &format!("pod-{pod}")).await.unwrap();
        look(&agent).await;
    }
    assert_eq!(add(&agent, "pod-3").await, add(&agent, "pod-3").await);
    for pod in 0..20 {
        delete(&agent, &format!("pod-{pod}")).await;
    }
    node.cloud.calls();
    agent.adjust(now()).await;
    assert_eq!(
        node.cloud.units(),
        [9, 9, 9],
        "they are younger than a minute"
    );
    agent.adjust(later(61)).await;
    let freed = [
        "DescribeNetworkInterfaces",
        "DetachNetworkInterface",
        "DeleteNetworkInterface",
    ];
    assert_eq!(node.cloud.calls(), freed);
    agent.adjust(later(62)).await;
    assert_eq!(node.cloud.units(), [9, 9]);
    agent.adjust(later(92)).await;
    assert_eq!(node.cloud.units(), [9]);
    agent.adjust(later(130)).await;
    assert_eq!(node.cloud.units(), [9], "the first interface stays");
    assert!(node.host.links.lock().unwrap().is_empty());
}

/// AWS-CNI: with counted addresses the node has as many as the targets say, and gives the others back.
#[tokio::test]
async fn counted_addresses_are_as_many_as_asked_for() {
    let node = Node::new("m5.large").await;
    let targets = [
        ("WARM_IP_TARGET", "2"),
        ("MINIMUM_IP_TARGET", "4"),
        ("IP_COOLDOWN_PERIOD", "0"),
    ];
    let agent = node.agent(&targets).await;
    assert_eq!(node.cloud.units(), [4]);
    for pod in 0..6 {
        add(&agent, &format!("pod-{pod}")).await.unwrap();
        look(&agent).await;
    }
    assert_eq!(node.cloud.units(), [8]);
    for pod in 0..5 {
        delete(&agent, &format!("pod-{pod}")).await;
    }
    agent.adjust(later(31)).await;
    assert_eq!(node.cloud.units(), [4]);
    assert_eq!(
        node.cloud.calls().last().unwrap(),
        "UnassignPrivateIpAddresses"
    );
}

/// AWS-CNI: prefix delegation: sixteen addresses a call, a prefix to spare.
#[tokio::test]
async fn prefixes_have_sixteen_addresses() {
    let node = Node::new("m5.large").await;
    node.words.send_modify(|words| words.max_pods = Some(110));
    let variables = [
        ("ENABLE_PREFIX_DELEGATION", "true"),
        ("WARM_PREFIX_TARGET", "1"),
    ];
    let agent = node.agent(&variables).await;
    assert_eq!(node.cloud.units(), [1]);
    let first = add(&agent, "pod-0").await.unwrap();
    assert_eq!(first.address.octets()[2], 2, "of the first prefix");
    look(&agent).await;
    assert_eq!(node.cloud.units(), [2]);
    for pod in 1..17 {
        add(&agent, &format!("pod-{pod}")).await.unwrap();
    }
    look(&agent).await;
    assert_eq!(node.cloud.units(), [3]);
}

/// AWS-CNI: custom networking: pods' interfaces are in the ENIConfig's subnet with its groups, and the
/// first interface has no pods.
#[tokio::test]
async fn custom_networking_leaves_the_first_interface_alone() {
    let node = Node::new("m5.large").await;
    let variables = [("AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG", "true")];
    let agent = node.agent(&variables).await;
    look(&agent).await;
    assert_eq!(node.cloud.units(), [0], "no ENIConfig yet");
    assert_eq!(add(&agent, "web").await, None);
    node.eni_config("subnet-pods");
    look(&agent).await;
    assert_eq!(node.cloud.units(), [0, 9]);
    assert_eq!(add(&agent, "web").await.unwrap().device, 1);
    let state = node.cloud.state();
    let made = state
        .interfaces
        .values()
        .find(|one| one.device == Some(1))
        .unwrap();
    assert_eq!(
        (made.subnet.as_str(), made.groups.as_slice()),
        ("subnet-pods", &["sg-9".to_owned()][..])
    );
}

/// AWS-CNI: MAX_ENI ends growth below the type's limit; an unschedulable node isn't grown at all.
#[tokio::test]
async fn growth_has_its_limits() {
    let node = Node::new("m5.large").await;
    let agent = node.agent(&[("MAX_ENI", "2")]).await;
    node.words.send_modify(|words| words.schedulable = false);
    add(&agent, "pod").await.unwrap();
    look(&agent).await;
    assert_eq!(node.cloud.units(), [9]);
    node.words.send_modify(|words| words.schedulable = true);
    for pod in 0..15 {
        look(&agent).await;
        add(&agent, &format!("pod-{pod}")).await.unwrap();
    }
    look(&agent).await;
    assert_eq!(node.cloud.units(), [9, 9]);
}

/// F-2: in a subnet without addresses a pod gets none, EC2 isn't asked again for two minutes, and when
/// there are some again the pod gets one.
#[tokio::test]
async fn a_full_subnet_leaves_pods_without_address() {
    let node = Node::new("m5.large").await;
    node.cloud.state().free = 0;
    let agent = node.agent(&[]).await;
    assert_eq!(add(&agent, "web").await, None);
    node.cloud.calls();
    agent.adjust(later(1)).await;
    assert_eq!(node.cloud.calls(), Vec::<String>::new());
    node.cloud.state().free = 1;
    agent.adjust(later(125)).await;
    let retried = ["AssignPrivateIpAddresses", "AssignPrivateIpAddresses"];
    assert_eq!(node.cloud.calls(), retried, "all, then one");
    assert!(add(&agent, "web").await.is_some());
}

/// AWS-CNI: an agent that was killed takes up where it was; pods that went meanwhile have their address
/// given back, and nothing leaks.
#[tokio::test]
async fn a_killed_agent_takes_up_where_it_was() {
    let node = Node::new("m5.large").await;
    let agent = node.agent(&[]).await;
    let kept = add(&agent, "stays").await.unwrap();
    let lost = add(&agent, "goes").await.unwrap();
    look(&agent).await;
    drop(agent);
    node.cloud.calls();
    node.host
        .names
        .lock()
        .unwrap()
        .push(node_end("eni", "default", "stays"));
    let agent = node.agent(&[]).await;
    assert_eq!(node.cloud.calls(), ["DescribeNetworkInterfaces"]);
    assert_eq!(*node.host.forgotten.lock().unwrap(), [lost.address]);
    assert_eq!(add(&agent, "stays").await, Some(kept));
    let mut given = BTreeSet::from([kept.address]);
    for pod in 0..16 {
        let assignment = add(&agent, &format!("pod-{pod}")).await.unwrap();
        assert!(given.insert(assignment.address));
    }
    // The eighteenth address rests.
    assert_eq!(add(&agent, "one-more").await, None);
}

/// AWS-CNI: what others change is followed: addresses that come and go, interfaces that go, groups.
#[tokio::test]
async fn the_metadata_is_followed() {
    let node = Node::new("m5.large").await;
    let agent = node.agent(&[]).await;
    add(&agent, "web").await.unwrap();
    look(&agent).await;
    node.cloud.calls();
    {
        let mut state = node.cloud.state();
        let one = state
            .interfaces
            .values_mut()
            .find(|one| one.device == Some(1))
            .unwrap();
        one.addresses.truncate(5);
        state.groups = vec!["sg-5".to_owned()];
    }
    agent.reconcile(now()).await.unwrap();
    agent.refresh().await.unwrap();
    assert_eq!(node.cloud.calls(), ["ModifyNetworkInterfaceAttribute"]);
    {
        let mut state = node.cloud.state();
        let one = state
            .interfaces
            .values_mut()
            .find(|one| one.device == Some(1))
            .unwrap();
        assert_eq!(one.groups, ["sg-5"]);
        one.device = None;
    }
    agent.reconcile(now()).await.unwrap();
    assert!(node.host.links.lock().unwrap().is_empty());
}

/// AWS-CNI: a role that lacks a right is told of once, by an event with upstream's words.
#[tokio::test]
async fn missing_rights_are_told() {
    let node = Node::new("m5.large").await;
    node.cloud.state().forbidden = vec!["CreateNetworkInterface"];
    let agent = node.agent(&[]).await;
    add(&agent, "web").await.unwrap();
    look(&agent).await;
    let notice = node
        .told
        .lock()
        .unwrap()
        .as_mut()
        .unwrap()
        .try_recv()
        .unwrap();
    assert_eq!(notice.reason, "MissingIAMPermissions");
    assert!(
        notice
            .message
            .starts_with("Unauthorized operation: failed to call CreateNetworkInterface")
    );
    assert_eq!(node.cloud.units(), [9]);
}
