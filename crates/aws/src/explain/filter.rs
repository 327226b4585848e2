//! Remedies for security groups and network ACLs.

use super::cluster;
use crate::model::network_acl::NetworkAcl;
use crate::model::{NetworkAclId, State};
use fabric::{Fabric, Flow, Layer, PortId, RuleId, Transport};

/// A packet's protocol and port in aws-cli's words.
struct Wanted {
    protocol: &'static str,
    from: i32,
    to: i32,
}

fn wanted(transport: &Transport) -> Wanted {
    match *transport {
        Transport::Tcp {
            destination_port, ..
        } => Wanted {
            protocol: "tcp",
            from: i32::from(destination_port),
            to: i32::from(destination_port),
        },
        Transport::Udp {
            destination_port, ..
        } => Wanted {
            protocol: "udp",
            from: i32::from(destination_port),
            to: i32::from(destination_port),
        },
        Transport::Echo { .. } => Wanted {
            protocol: "icmp",
            from: -1,
            to: -1,
        },
        Transport::Other(_) => Wanted {
            protocol: "-1",
            from: -1,
            to: -1,
        },
    }
}

impl Wanted {
    fn words(&self) -> String {
        match self.protocol {
            "tcp" | "udp" => format!("{} {}", self.protocol, self.from),
            "icmp" => "icmp".to_owned(),
            _ => "this protocol".to_owned(),
        }
    }
}

pub(super) fn security_group(
    state: &State,
    fabric: &Fabric,
    port: &PortId,
    ingress: bool,
    packet: &Flow,
) -> Vec<String> {
    let group = fabric.ports.get(port).and_then(|port| {
        port.layers.iter().find_map(|layer| match layer {
            Layer::AnyOf(groups) => groups.first(),
            Layer::First(_) => None,
        })
    });
    let Some(group) = group else {
        return Vec::new();
    };
    if let Some(remedies) = cluster::public_access(state, group, packet) {
        return remedies;
    }
    let wanted = wanted(&packet.transport);
    let (verb, word, peer, side) = if ingress {
        (
            "authorize-security-group-ingress",
            "from",
            packet.source,
            "inbound",
        )
    } else {
        (
            "authorize-security-group-egress",
            "to",
            packet.destination,
            "outbound",
        )
    };
    let permission = |range: &str| {
        format!(
            "IpProtocol={},FromPort={},ToPort={},{range}",
            wanted.protocol, wanted.from, wanted.to
        )
    };
    let mut remedies = vec![format!(
        "Let {group} take {} {word} {peer} ({side}): aws ec2 {verb} --group-id {group} --ip-permissions '{}'",
        wanted.words(),
        permission(&format!("IpRanges=[{{CidrIp={peer}/32}}]")),
    )];
    let peer_group = state
        .network_interfaces
        .values()
        .filter(|interface| interface.vpc.as_str() == network_of(fabric, port))
        .find(|interface| interface.addresses.iter().any(|address| address.ip == peer))
        .and_then(|interface| interface.groups.first());
    if let Some(peer_group) = peer_group {
        remedies.push(format!(
            "Or {word} every member of {peer_group}: aws ec2 {verb} --group-id {group} --ip-permissions '{}'",
            permission(&format!("UserIdGroupPairs=[{{GroupId={peer_group}}}]")),
        ));
    }
    remedies.extend(cluster::cluster_group(state, group, ingress));
    remedies
}

fn network_of<'a>(fabric: &'a Fabric, port: &PortId) -> &'a str {
    fabric
        .ports
        .get(port)
        .map_or("", |port| port.network.as_str())
}

pub(super) fn network_acl(
    state: &State,
    acl: &str,
    rule: Option<&RuleId>,
    ingress: bool,
    packet: &Flow,
) -> Vec<String> {
    let Some(acl) = state.network_acls.get(&NetworkAclId::from(acl)) else {
        return Vec::new();
    };
    let Some(number) = free_number(acl, rule, ingress) else {
        return Vec::new();
    };
    let wanted = wanted(&packet.transport);
    let (side, peer) = if ingress {
        ("--ingress", packet.source)
    } else {
        ("--egress", packet.destination)
    };
    let ephemeral = wanted.from >= 1024
        && matches!(
            packet.transport,
            Transport::Tcp { .. } | Transport::Udp { .. }
        );
    let (from, to) = if ephemeral {
        (1024, 65535)
    } else {
        (wanted.from, wanted.to)
    };
    let ports = match wanted.protocol {
        "tcp" | "udp" => format!(" --port-range From={from},To={to}"),
        "icmp" => " --icmp-type-code Type=-1,Code=-1".to_owned(),
        _ => String::new(),
    };
    let mut remedies = vec![format!(
        "Allow it in {} before the rule that denies it: aws ec2 create-network-acl-entry --network-acl-id {} {side} --rule-number {number} --protocol {} --cidr-block {peer}/32{ports} --rule-action allow",
        acl.id, acl.id, wanted.protocol,
    )];
    if ephemeral {
        remedies.push(
            "A network ACL keeps no state: answers need a rule of their own, to or from the caller's ephemeral ports 1024-65535."
                .to_owned(),
        );
    }
    remedies
}

/// A rule number that is free and goes before the rule that denied.
fn free_number(acl: &NetworkAcl, rule: Option<&RuleId>, ingress: bool) -> Option<u16> {
    let taken = |number: u16| {
        acl.entries
            .iter()
            .any(|entry| entry.egress != ingress && entry.number == number)
    };
    let before = rule
        .and_then(|rule| rule.as_str().parse::<u16>().ok())
        .unwrap_or(32767);
    let last = acl
        .entries
        .iter()
        .filter(|entry| entry.egress != ingress && entry.number < before)
        .map(|entry| entry.number)
        .max()
        .unwrap_or(0);
    let pleasant = (last / 10 + 1) * 10;
    [pleasant, last + 1]
        .into_iter()
        .find(|number| *number < before && !taken(*number))
        .or_else(|| (1..before).rev().find(|number| !taken(*number)))
}
