//! Network policies, walked.

use crate::cluster::*;
use crate::world::*;
use fabric::*;

fn from(range: &str, port: Option<u16>) -> FilterRule {
    rule("ingress[0]", FilterAction::Allow, range, port, true)
}

fn to(range: &str, port: Option<u16>) -> FilterRule {
    rule("egress[0]", FilterAction::Allow, range, port, false)
}

/// K8S-NET: an isolated pod takes what a policy allows, from pods of its own node and of others, and
/// nothing else; its own calls and their answers pass.
#[test]
fn ingress_isolates_one_direction() {
    let mut world = cluster();
    let allow = policy(
        "default/web",
        vec![from("10.244.2.6/32", Some(8080))],
        vec![],
    );
    world.isolate("a", "10.244.1.5", Some(allow), None);
    let call = tcp("10.244.1.5", 8080);
    world.delivered("pod/client-2", call);
    let (node, why) = world.node_drops("pod/client-1", call);
    assert_eq!(node, "a");
    let NodeDrop::Policy {
        policies, ingress, ..
    } = &why
    else {
        panic!("{why:?}");
    };
    assert!(*ingress && policies.as_slice() == ["default/web".into()]);
    assert!(!why.refuses());
    world.node_drops("pod/client-2", tcp("10.244.1.5", 8081));
    world.delivered("pod/web-1", tcp("10.244.1.6", 80));
}

/// K8S-NET: egress through a service: the policy sees the backend, not the cluster address.
#[test]
fn egress_sees_backends() {
    let mut world = cluster();
    world.service(&web(&["web-2"]));
    let allow = policy("default/out", vec![], vec![to("10.244.2.5/32", Some(8080))]);
    world.isolate("a", "10.244.1.6", None, Some(allow));
    world.delivered("pod/client-1", tcp("10.96.0.80", 80));
    let (_, why) = world.node_drops("pod/client-1", tcp("10.244.1.5", 8080));
    assert!(matches!(why, NodeDrop::Policy { ingress: false, .. }));
    let service_only = policy("default/out", vec![], vec![to("10.96.0.80/32", None)]);
    world.isolate("a", "10.244.1.6", None, Some(service_only));
    world.node_drops("pod/client-1", tcp("10.96.0.80", 80));
}

/// K8S-NET: both ends decide, each for itself, on one node too.
#[test]
fn both_ends_decide() {
    let mut world = cluster();
    let out = policy("default/out", vec![], vec![to("10.244.1.5/32", None)]);
    let closed = policy("default/closed", vec![], vec![]);
    let open = policy("default/open", vec![from("10.244.1.6/32", None)], vec![]);
    let call = tcp("10.244.1.5", 8080);
    world.isolate("a", "10.244.1.6", None, Some(out));
    world.isolate("a", "10.244.1.5", Some(closed), None);
    assert!(matches!(
        world.node_drops("pod/client-1", call).1,
        NodeDrop::Policy { ingress: true, .. }
    ));
    world.isolate("a", "10.244.1.5", Some(open), None);
    world.delivered("pod/client-1", call);
}

/// K8S-NET: a pod can't be isolated from its own node, nor from itself.
#[test]
fn the_node_and_oneself_are_never_shut_out() {
    let mut world = cluster();
    world.service(&web(&["web-1"]));
    let closed = || Some(policy("default/closed", vec![], vec![]));
    world.isolate("a", "10.244.1.5", closed(), closed());
    world.delivered("a", tcp("10.244.1.5", 8080));
    world.delivered("pod/web-1", tcp("10.0.1.10", 10250));
    world.delivered("pod/web-1", tcp("10.96.0.80", 80));
    world.node_drops("b", tcp("10.244.1.5", 8080));
    world.node_drops("pod/web-1", tcp("10.0.1.11", 10250));
}

/// K8S-NET: behind a node port the policy sees whom the node's masquerading shows: the client on the
/// backend's own node, else the node that the client called.
#[test]
fn policies_and_masquerading() {
    let mut world = cluster();
    world.service(&web(&["web-2"]));
    let allow = |range| Some(policy("default/web", vec![from(range, None)], vec![]));
    world.isolate("b", "10.244.2.5", allow("10.0.1.99/32"), None);
    world.delivered("outsider", tcp("10.0.1.11", 30080));
    world.node_drops("outsider", tcp("10.0.1.10", 30080));
    world.isolate("b", "10.244.2.5", allow("10.0.1.10/32"), None);
    world.delivered("outsider", tcp("10.0.1.10", 30080));
    world.node_drops("outsider", tcp("10.0.1.11", 30080));
}
