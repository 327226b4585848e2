//! Rules as IpPermissions: one protocol and port range with many peers.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html>

use super::Call;
use crate::model::security_group::{
    self as groups, Peer, SecurityGroup, SecurityGroupRule, Traffic,
};
use crate::model::{Refusal, State};
use ipnet::IpNet;
use wire::ec2::{IpPermission, IpRange, Ipv6Range, PrefixListId, UserIdGroupPair};

/// A rule as a request gives it: what, with whom, and the user's words.
pub(super) type Permission = (Traffic, Peer, Option<String>);

/// Rules given one by one, by the parameters that are older than IpPermissions.
#[derive(Default)]
pub(super) struct FlatPermission {
    pub(super) protocol: Option<String>,
    pub(super) from: Option<i32>,
    pub(super) to: Option<i32>,
    pub(super) cidr: Option<String>,
    pub(super) group_name: Option<String>,
    pub(super) group_owner: Option<String>,
}

impl FlatPermission {
    fn is_empty(&self) -> bool {
        self.protocol.is_none()
            && self.from.is_none()
            && self.to.is_none()
            && self.cidr.is_none()
            && self.group_name.is_none()
            && self.group_owner.is_none()
    }

    /// As IpPermissions. A group without a protocol means all of TCP, UDP and ICMP.
    fn into_permissions(self) -> Vec<IpPermission> {
        let pairs: Vec<_> = self
            .group_name
            .map(|name| UserIdGroupPair {
                group_name: Some(name),
                user_id: self.group_owner,
                ..UserIdGroupPair::default()
            })
            .into_iter()
            .collect();
        let everything = [("tcp", 0, 65535), ("udp", 0, 65535), ("icmp", -1, -1)];
        if self.protocol.is_none() && !pairs.is_empty() {
            let permission = |(protocol, from, to): (&str, i32, i32)| IpPermission {
                ip_protocol: Some(protocol.to_owned()),
                from_port: Some(from),
                to_port: Some(to),
                user_id_group_pairs: pairs.clone(),
                ..IpPermission::default()
            };
            return everything.map(permission).into();
        }
        vec![IpPermission {
            ip_protocol: self.protocol,
            from_port: self.from,
            to_port: self.to,
            ip_ranges: self
                .cidr
                .map(|cidr| IpRange {
                    cidr_ip: Some(cidr),
                    description: None,
                })
                .into_iter()
                .collect(),
            user_id_group_pairs: pairs,
            ..IpPermission::default()
        }]
    }
}

/// The rules of a request.
///
/// # Errors
/// Neither or both forms, and whatever is wrong with a permission.
pub(super) fn permissions(
    call: &Call<'_>,
    of: &SecurityGroup,
    given: Vec<IpPermission>,
    flat: FlatPermission,
) -> Result<Vec<Permission>, Refusal> {
    let given = match (given.is_empty(), flat.is_empty()) {
        (false, false) => {
            return Err(Refusal::invalid_combination(
                "The parameter ipPermissions cannot be used with the parameters ipProtocol, fromPort, toPort, cidrIp, sourceSecurityGroupName and sourceSecurityGroupOwnerId",
            ));
        }
        (true, true) => return Err(Refusal::missing("ipPermissions")),
        (false, true) => given,
        (true, false) => flat.into_permissions(),
    };
    let mut permissions = Vec::new();
    for permission in given {
        expand(call, of, permission, &mut permissions)?;
    }
    Ok(permissions)
}

/// One permission as the rules it stands for, one a peer.
fn expand(
    call: &Call<'_>,
    of: &SecurityGroup,
    permission: IpPermission,
    rules: &mut Vec<Permission>,
) -> Result<(), Refusal> {
    let protocol = permission
        .ip_protocol
        .ok_or_else(|| Refusal::missing("ipProtocol"))?;
    let traffic = Traffic::of_rule(&protocol, permission.from_port, permission.to_port)?;
    let before = rules.len();
    for range in permission.ip_ranges {
        let cidr = range.cidr_ip.ok_or_else(|| Refusal::missing("cidrIp"))?;
        rules.push((traffic, v4_range(&cidr)?, range.description));
    }
    for range in permission.ipv6_ranges {
        let cidr = range
            .cidr_ipv6
            .ok_or_else(|| Refusal::missing("cidrIpv6"))?;
        rules.push((traffic, v6_range(&cidr)?, range.description));
    }
    for list in permission.prefix_list_ids {
        let id = list
            .prefix_list_id
            .ok_or_else(|| Refusal::missing("prefixListId"))?;
        rules.push((traffic, Peer::PrefixList(id.into()), list.description));
    }
    for pair in permission.user_id_group_pairs {
        let description = pair.description.clone();
        rules.push((traffic, group(call, of, &pair)?, description));
    }
    if rules.len() == before {
        return Err(Refusal::new(
            "MissingParameter",
            "Missing source specification: include source security group or CIDR information",
        ));
    }
    Ok(())
}

fn malformed(cidr: &str) -> Refusal {
    Refusal::invalid_value(format!("CIDR block {cidr} is malformed"))
}

/// An IPv4 range; AWS clears the bits after the prefix.
pub(super) fn v4_range(cidr: &str) -> Result<Peer, Refusal> {
    let range = cidr.parse().map_err(|_| malformed(cidr))?;
    Ok(Peer::Cidr(IpNet::V4(range).trunc()))
}

/// An IPv6 range.
pub(super) fn v6_range(cidr: &str) -> Result<Peer, Refusal> {
    let range = cidr.parse().map_err(|_| malformed(cidr))?;
    Ok(Peer::Cidr(IpNet::V6(range).trunc()))
}

/// A group as a peer, by its id or, among the default VPC's, by its name.
fn group(call: &Call<'_>, of: &SecurityGroup, pair: &UserIdGroupPair) -> Result<Peer, Refusal> {
    let named = match (&pair.group_id, &pair.group_name) {
        (Some(id), _) => groups::find(&call.state, call.context, id)?,
        (None, Some(name)) => groups::find_by_name(&call.state, call.context, name)?,
        (None, None) => return Err(Refusal::missing("groupId")),
    };
    let foreign = pair
        .user_id
        .as_ref()
        .is_some_and(|user| *user != call.state.settings.account);
    let elsewhere = pair
        .vpc_id
        .as_ref()
        .is_some_and(|vpc| vpc != named.vpc.as_str());
    if foreign || elsewhere {
        return Err(groups::unknown(named.id.as_str()));
    }
    if named.vpc != of.vpc {
        return Err(Refusal::new(
            "InvalidGroup.NotFound",
            "You have specified two resources that belong to different networks.",
        ));
    }
    Ok(Peer::Group(named.id.clone()))
}

/// The rules of one direction as IpPermissions, one a protocol and port range.
pub(super) fn wire_permissions(
    state: &State,
    rules: &[SecurityGroupRule],
    egress: bool,
) -> Vec<IpPermission> {
    let mut permissions: Vec<(Traffic, IpPermission)> = Vec::new();
    for rule in rules.iter().filter(|rule| rule.egress == egress) {
        let at = match permissions
            .iter()
            .position(|(traffic, _)| *traffic == rule.traffic)
        {
            Some(at) => at,
            None => {
                permissions.push((rule.traffic, empty_permission(&rule.traffic)));
                permissions.len() - 1
            }
        };
        add_peer(
            state,
            &mut permissions[at].1,
            &rule.peer,
            rule.description.clone(),
        );
    }
    permissions
        .into_iter()
        .map(|(_, permission)| permission)
        .collect()
}

/// One rule as an IpPermission.
pub(super) fn wire_permission(state: &State, traffic: &Traffic, peer: &Peer) -> IpPermission {
    let mut permission = empty_permission(traffic);
    add_peer(state, &mut permission, peer, None);
    permission
}

fn empty_permission(traffic: &Traffic) -> IpPermission {
    let numbers = traffic.from_and_to();
    IpPermission {
        ip_protocol: Some(traffic.protocol_name()),
        from_port: numbers.map(|(from, _)| from),
        to_port: numbers.map(|(_, to)| to),
        ..IpPermission::default()
    }
}

fn add_peer(
    state: &State,
    permission: &mut IpPermission,
    peer: &Peer,
    description: Option<String>,
) {
    match peer {
        Peer::Cidr(IpNet::V4(cidr)) => {
            permission.ip_ranges.push(IpRange {
                cidr_ip: Some(cidr.to_string()),
                description,
            });
        }
        Peer::Cidr(IpNet::V6(cidr)) => {
            permission.ipv6_ranges.push(Ipv6Range {
                cidr_ipv6: Some(cidr.to_string()),
                description,
            });
        }
        Peer::PrefixList(id) => {
            permission.prefix_list_ids.push(PrefixListId {
                prefix_list_id: Some(id.to_string()),
                description,
            });
        }
        Peer::Group(id) => permission.user_id_group_pairs.push(UserIdGroupPair {
            group_id: Some(id.to_string()),
            user_id: Some(state.settings.account.clone()),
            description,
            ..UserIdGroupPair::default()
        }),
    }
}
