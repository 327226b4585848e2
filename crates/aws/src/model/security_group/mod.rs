//! Security groups and their rules.
//!
//! <https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html>

mod lifecycle;
mod rule;
mod rule_count;
mod traffic;

pub use lifecycle::{create, create_default, delete, forget};
pub(crate) use rule::unknown_rule;
pub use rule::{
    ModifiedRule, NewRule, Revoked, RuleReference, authorize, check_description, describe_rule,
    find_rule, modify, revoke, revoke_by_id, set_description,
};
pub(crate) use rule_count::check_resized_list;

use super::network_interface::NetworkInterface;
use super::*;
use serde::{Deserialize, Serialize};

use ipnet::IpNet;
use std::sync::Arc;

/// A security group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SecurityGroup {
    /// Its id.
    pub id: SecurityGroupId,
    /// The region.
    pub region: String,
    /// Its VPC.
    pub vpc: VpcId,
    /// Its name, unique in the VPC; `default` is the VPC's default group.
    pub name: String,
    /// Its description, never changed.
    pub description: String,
    /// Its rules, in the order they were made.
    pub rules: Vec<SecurityGroupRule>,
}

/// A rule: it allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityGroupRule {
    /// Its id.
    pub id: SecurityGroupRuleId,
    /// Whether it is for what leaves.
    pub egress: bool,
    /// Protocols and ports.
    pub traffic: Traffic,
    /// The other end: the source of what arrives, the destination of what leaves.
    pub peer: Peer,
    /// The user's words.
    pub description: Option<String>,
}

/// Protocols and ports of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Traffic {
    /// Everything (protocol -1).
    All,
    /// TCP or UDP (protocol 6 or 17) to these destination ports, inclusive.
    Ports {
        /// 6 or 17.
        protocol: u8,
        /// The lowest port.
        from: u16,
        /// The highest port.
        to: u16,
    },
    /// ICMP (1) or ICMPv6 (58), of one type and code or all.
    Icmp {
        /// 1 or 58.
        protocol: u8,
        /// The type; `None` is -1.
        kind: Option<u8>,
        /// The code; `None` is -1.
        code: Option<u8>,
    },
    /// Another protocol by number.
    Protocol(u8),
}

/// The other end of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Peer {
    /// An IPv4 or IPv6 range. IPv6 ones are kept and shown; no IPv6 packet exists to match them.
    Cidr(IpNet),
    /// The members of a security group.
    Group(SecurityGroupId),
    /// The ranges of a prefix list.
    PrefixList(PrefixListId),
}

/// The name of the group that every VPC has from the beginning.
pub const DEFAULT_NAME: &str = "default";

/// An unknown or malformed id.
pub(crate) fn unknown(id: &str) -> Refusal {
    if SecurityGroupId::well_formed(id) {
        Refusal::new(
            "InvalidGroup.NotFound",
            format!("The security group '{id}' does not exist"),
        )
    } else {
        Refusal::new(
            "InvalidGroupId.Malformed",
            format!("Invalid id: \"{id}\" (expecting \"sg-...\")"),
        )
    }
}

/// The group of that id in the region asked.
///
/// # Errors
/// `InvalidGroup.NotFound`, `InvalidGroupId.Malformed`.
pub fn find<'s>(
    state: &'s State,
    context: &Context,
    id: &str,
) -> Result<&'s SecurityGroup, Refusal> {
    context
        .find(&state.security_groups, id)
        .ok_or_else(|| unknown(id))
}

/// The group of that name in the region's default VPC: only there names do instead of ids.
///
/// # Errors
/// `InvalidGroup.NotFound`, `VPCIdNotSpecified` without a default VPC.
pub fn find_by_name<'s>(
    state: &'s State,
    context: &Context,
    name: &str,
) -> Result<&'s SecurityGroup, Refusal> {
    let vpc = default_vpc(state, context)?;
    named(state, &vpc, name).ok_or_else(|| {
        Refusal::new(
            "InvalidGroup.NotFound",
            format!("The security group '{name}' does not exist in default VPC '{vpc}'"),
        )
    })
}

/// The group of that name in a VPC.
pub fn named<'s>(state: &'s State, vpc: &VpcId, name: &str) -> Option<&'s SecurityGroup> {
    state
        .security_groups
        .values()
        .map(Arc::as_ref)
        .find(|group| group.vpc == *vpc && group.name == name)
}

/// A VPC's default group.
pub fn default_of<'s>(state: &'s State, vpc: &VpcId) -> Option<&'s SecurityGroup> {
    named(state, vpc, DEFAULT_NAME)
}

/// The region's default VPC.
pub(crate) fn default_vpc(state: &State, context: &Context) -> Result<VpcId, Refusal> {
    state
        .vpcs
        .values()
        .find(|vpc| vpc.is_default && vpc.region == context.region)
        .map(|vpc| vpc.id.clone())
        .ok_or_else(|| Refusal::new("VPCIdNotSpecified", "No default VPC for this user"))
}

/// The group to change.
fn edit<'s>(state: &'s mut State, id: &SecurityGroupId) -> Result<&'s mut SecurityGroup, Refusal> {
    state
        .security_groups
        .get_mut(id)
        .map(Arc::make_mut)
        .ok_or_else(|| unknown(id.as_str()))
}

/// The interfaces in a group: what a rule that names it means.
pub fn members<'s>(
    state: &'s State,
    id: &'s SecurityGroupId,
) -> impl Iterator<Item = &'s NetworkInterface> {
    state
        .network_interfaces
        .values()
        .map(Arc::as_ref)
        .filter(move |interface| interface.groups.contains(id))
}

/// The groups with a rule that names this group.
pub fn referring<'s>(
    state: &'s State,
    id: &'s SecurityGroupId,
) -> impl Iterator<Item = &'s SecurityGroup> {
    state
        .security_groups
        .values()
        .map(Arc::as_ref)
        .filter(move |group| {
            let mut rules = group.rules.iter();
            rules.any(|rule| matches!(&rule.peer, Peer::Group(peer) if peer == id))
        })
}
