//! Security groups and their rules.

use super::*;
use serde::{Deserialize, Serialize};

use ipnet::IpNet;

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
