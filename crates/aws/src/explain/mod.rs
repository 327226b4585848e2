//! A trace in AWS's words: what to change when a packet did not get through.
//!
//! [`remedies`] answers with sentences, each followed by the aws-cli command that would carry it
//! out, where one command would.

mod cluster;
mod filter;
mod route;

use crate::model::State;
use fabric::balancer::Cause;
use fabric::{BalancerDrop, DropReason, Fabric, Hop, HopAction, HostId, PortId, Trace, Verdict};

/// What AWS calls the rule that decided where no rule of the user's did: the last rule of a network ACL.
/// <https://docs.aws.amazon.com/vpc/latest/userguide/nacl-basics.html>
pub fn implied_rule(state: &State, hop: &Hop) -> Option<&'static str> {
    let of_acl = |id: &String| state.network_acls.contains_key(id.as_str());
    let denied = hop.action == HopAction::Deny && hop.rule.is_none();
    (denied && hop.resource.as_ref().is_some_and(of_acl)).then_some("*")
}

/// What would let the packet through, the most likely wish first. Nothing when it was delivered or
/// when there is nothing to recommend.
pub fn remedies(state: &State, fabric: &Fabric, trace: &Trace) -> Vec<String> {
    let Verdict::Dropped(_, reason) = &trace.verdict else {
        return Vec::new();
    };
    match reason {
        DropReason::HostCannotSend { host, .. } => host_down(host),
        DropReason::Guard { port, .. } => guard(port),
        DropReason::PortFilter { port, rule: None, ingress, packet, .. } => {
            filter::security_group(state, fabric, port, *ingress, packet)
        }
        DropReason::PortFilter { .. } => Vec::new(),
        DropReason::BoundaryFilter { filter, rule, ingress, packet, .. } => {
            filter::network_acl(state, filter.as_str(), rule.as_ref(), *ingress, packet)
        }
        DropReason::NoRoute { table, destination } => route::no_route(state, table.as_str(), *destination),
        DropReason::RouteDrops { table, route, cause, .. } => {
            route::blackhole(state, table.as_str(), route.as_str(), cause)
        }
        DropReason::NoSuchAddress { destination, network } => {
            let private = cluster::no_public_endpoint(state, *destination, network.as_str());
            let unknown = || format!("No network interface of {network} has {destination}; check the address.");
            vec![private.unwrap_or_else(unknown)]
        }
        DropReason::HostDown { port, host } => match host {
            Some(host) => host_down(host),
            None => vec![format!("{port} is attached to no instance; attach it.")],
        },
        DropReason::NoTranslation { address, .. } => no_translation(fabric, *address),
        DropReason::NotAttached { gateway } => {
            vec![format!("Attach {gateway} to this VPC: aws ec2 attach-internet-gateway --internet-gateway-id {gateway} --vpc-id <vpc>")]
        }
        DropReason::NotForwarding { host, destination } => vec![format!(
            "{host} got a packet for {destination} and does not forward: turn on net.ipv4.ip_forward in it, or point the route elsewhere."
        )],
        DropReason::FromItself { host, packet } => vec![format!(
            "A route sends what {host} itself sent to {} back to it, and Linux drops packets from a host's own address; point that route elsewhere.",
            packet.destination
        )],
        DropReason::NoMapping { host, .. } => vec![format!(
            "{host} is a NAT gateway: it only passes what its own side began. Give the instance a public address in a public subnet to reach it from outside."
        )],
        DropReason::AnswerMismatch { .. } => vec![
            "The answer takes another way than the call and comes from another address; make both directions use the same gateway.".to_owned(),
        ],
        DropReason::Balancer { why, .. } => balancer(why),
        // What a cluster's services and policies say, AWS knows nothing of.
        DropReason::Node { .. } => Vec::new(),
        DropReason::Loop { at } => vec![format!("The routes send the packet round in a circle at {at}; change one of them.")],
    }
}

fn balancer(why: &BalancerDrop) -> Vec<String> {
    match why {
        BalancerDrop::NoListener { packet } => vec![format!(
            "No listener takes {packet}; create one: aws elbv2 create-listener, or aws elb create-load-balancer-listeners"
        )],
        BalancerDrop::NoMembers { pool, excluded, .. } if excluded.is_empty() => vec![format!(
            "{pool} has no targets; register some: aws elbv2 register-targets --target-group-arn {pool} --targets Id=<id>"
        )],
        BalancerDrop::NoMembers { pool, excluded, .. } => {
            let mut remedies: Vec<String> = excluded.iter().map(|one| format!("{one}.")).collect();
            if excluded.iter().any(|one| matches!(one.cause, Cause::OtherZone { .. })) {
                remedies.push(format!(
                    "Let nodes use targets of other zones: aws elbv2 modify-target-group-attributes --target-group-arn {pool} --attributes Key=load_balancing.cross_zone.enabled,Value=true"
                ));
            }
            remedies
        }
        BalancerDrop::Loopback { .. } => vec![
            "A target can't be its own client while the client's address is kept; turn that off (target group attribute preserve_client_ip.enabled), or have several targets and try again.".to_owned(),
        ],
    }
}

fn host_down(host: &HostId) -> Vec<String> {
    vec![format!(
        "Start it: aws ec2 start-instances --instance-ids {host}"
    )]
}

fn guard(port: &PortId) -> Vec<String> {
    vec![format!(
        "An instance that passes on others' packets needs its source/destination check off: aws ec2 modify-network-interface-attribute --network-interface-id {port} --no-source-dest-check"
    )]
}

fn no_translation(fabric: &Fabric, address: std::net::Ipv4Addr) -> Vec<String> {
    let port = fabric
        .ports
        .values()
        .find(|port| port.addresses.contains(&address));
    match port {
        Some(port) => vec![
            format!(
                "{address} has no public address. Give it an Elastic IP: aws ec2 associate-address --allocation-id <eipalloc> --network-interface-id {} --private-ip-address {address}",
                port.id
            ),
            "Or route its subnet's internet traffic to a NAT gateway instead of the internet gateway.".to_owned(),
        ],
        None => vec![format!("Nothing has the public address {address}; check it with aws ec2 describe-addresses.")],
    }
}
