//! Packet filters: security groups, network ACLs, network security groups, firewall rules.

use crate::id::{AddressSetId, FilterId, RuleId};
use imbl::OrdSet;
use ipnet::Ipv4Net;
use std::fmt;

/// How a port consults filters at one level.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// Passes when any rule of any of these filters allows (a network interface's security
    /// groups). All must be of kind [`FilterKind::AnyAllow`].
    AnyOf(Vec<FilterId>),
    /// Passes when this first-match filter's deciding rule allows.
    First(FilterId),
}

/// A list of rules in each direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Its id.
    pub id: FilterId,
    /// How its rules combine.
    pub kind: FilterKind,
    /// Whether replies to what it let through pass without asking its rules. Filters in ports'
    /// layers are stateful, filters on segments' boundaries stateless.
    pub stateful: bool,
    /// Which of the flows it lets through are remembered, if it is stateful.
    pub tracking: Tracking,
    /// Rules for what arrives, in order of evaluation.
    pub ingress: Vec<FilterRule>,
    /// Rules for what leaves, in order of evaluation.
    pub egress: Vec<FilterRule>,
}

/// Which flows a stateful filter remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tracking {
    /// Every one: a rule's removal leaves live flows alone.
    Always,
    /// Not TCP or UDP flows that a rule with the peer [`AddressMatch::Any`] (or 0.0.0.0/0) lets in
    /// while the port's filters also let everything of that protocol out to every address on every
    /// port (and the same with the directions exchanged): a rule's removal cuts these at once.
    /// Ports with `always_tracked` at either end of the hop track them all the same.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html>
    UnlessOpen,
}

/// How rules combine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterKind {
    /// Every rule allows; anything that no rule allows is denied.
    AnyAllow,
    /// The first rule that matches decides; without one the packet is denied.
    FirstMatch,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterRule {
    /// The cloud's own id or number of it.
    pub id: RuleId,
    /// What it does with what it matches.
    pub action: FilterAction,
    /// Protocols and ports.
    pub protocol: ProtocolMatch,
    /// The packet's source.
    pub source: AddressMatch,
    /// The packet's destination.
    pub destination: AddressMatch,
}

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterAction {
    /// Lets the packet on.
    Allow,
    /// Drops it.
    Deny,
}

/// An inclusive range of port numbers or of ICMP types or codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NumberRange {
    /// The lowest.
    pub low: u16,
    /// The highest, never below `low`.
    pub high: u16,
}

impl NumberRange {
    /// Every port.
    pub const ALL: Self = Self {
        low: 0,
        high: u16::MAX,
    };

    /// A range; the ends are put in order.
    pub fn new(a: u16, b: u16) -> Self {
        Self {
            low: a.min(b),
            high: a.max(b),
        }
    }

    /// Just one number.
    pub fn one(number: u16) -> Self {
        Self {
            low: number,
            high: number,
        }
    }

    /// Whether a number lies in it.
    pub fn contains(&self, number: u16) -> bool {
        (self.low..=self.high).contains(&number)
    }
}

impl fmt::Display for NumberRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.low == self.high {
            write!(f, "{}", self.low)
        } else {
            write!(f, "{}-{}", self.low, self.high)
        }
    }
}

/// An IP protocol number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Protocol(pub u8);

impl Protocol {
    /// ICMP.
    pub const ICMP: Self = Self(1);
    /// TCP.
    pub const TCP: Self = Self(6);
    /// UDP.
    pub const UDP: Self = Self(17);
}

/// Which packets by protocol, ports and ICMP type a rule matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProtocolMatch {
    /// All of them.
    Any,
    /// TCP or UDP (the protocol says which) between any of these source and any of these
    /// destination ports. An empty list means every port.
    Ports {
        /// [`Protocol::TCP`] or [`Protocol::UDP`].
        protocol: Protocol,
        /// Source ports; empty for all.
        source: Vec<NumberRange>,
        /// Destination ports; empty for all.
        destination: Vec<NumberRange>,
    },
    /// ICMP, of one type or all, and of one code or all.
    Icmp {
        /// The type; `None` for all.
        kind: Option<u8>,
        /// The code; `None` for all.
        code: Option<u8>,
    },
    /// A whole protocol, whatever is inside.
    Whole(Protocol),
}

/// Which addresses a rule's operand matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddressMatch {
    /// Every address.
    Any,
    /// An address in any of these terms; none of them, no address.
    AnyOf(Vec<AddressTerm>),
}

/// A part of an operand.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AddressTerm {
    /// A range.
    Prefix(Ipv4Net),
    /// A named set, whose members change without the rule changing.
    Set(AddressSetId),
}

/// A named, shared set of addresses and ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressSet {
    /// Its id.
    pub id: AddressSetId,
    /// What is in it; single addresses as /32.
    pub members: OrdSet<Ipv4Net>,
}
