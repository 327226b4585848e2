//! What the back end puts into the kernel, as values: a key says which thing, an object how it is.

use crate::netlink::nftables::set::Keys;
use crate::netlink::nftables::timeout::Timeout;
use crate::netlink::nftables::{Base, Data, Name, Rule, SetShape};
use crate::netlink::route::route::Action;
use crate::netlink::route::rule::Selector;
use fabric::{GatewayId, HostId, Mac, NetworkId, PortId};
use ipnet::Ipv4Net;
use std::fmt;
use std::net::Ipv4Addr;

/// A network namespace of the lab.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// A network's router.
    Network(NetworkId),
    /// A gateway.
    Gateway(GatewayId),
    /// What stands between an unguarded port's host and its network: the port's filters with a
    /// connection tracking of their own, since the same flow may cross the network twice.
    Nic(PortId),
    /// A host's stack.
    Host(HostId),
    /// The stack of a cluster's node, in which its own programs work; the engine never does.
    Node(HostId),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(id) => write!(f, "network {id}"),
            Self::Gateway(id) => write!(f, "gateway {id}"),
            Self::Nic(id) => write!(f, "the nic of port {id}"),
            Self::Host(id) => write!(f, "host {id}"),
            Self::Node(id) => write!(f, "node {id}"),
        }
    }
}

/// Which thing in the kernel. The order is that of places, so that one place's things are together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) place: Place,
    pub(crate) thing: Thing,
}

/// Which thing in a place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Thing {
    /// The namespace itself.
    Namespace,
    /// A file under `/proc/sys/net`.
    Setting(&'static str),
    /// A veth, by the index of its end here.
    Link(u32),
    /// An address of a link.
    Address(u32, Ipv4Addr),
    /// A neighbour on a link.
    Neighbour(u32, Ipv4Addr),
    /// A route of a table, by prefix and metric.
    Route(u32, Ipv4Net, u32),
    /// A routing rule by its priority.
    Rule(u32),
    /// A chain.
    Chain(Name),
    /// A set or map.
    Set(Name),
    /// An element of a set.
    Element(Name, Keys),
    /// A policy of when flows are forgotten.
    Timeout(Name),
    /// All of nftables in a host, whose root may have changed it: always replaced as a whole.
    Ruleset,
}

/// How a thing is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Object {
    /// A namespace.
    Namespace,
    /// A setting's value.
    Setting(String),
    /// A veth.
    Link(Link),
    /// An address with its prefix length.
    Address(u8),
    /// A permanent neighbour's link-layer address.
    Neighbour(Mac),
    /// What a route does.
    Route(Action),
    /// A routing rule.
    Rule {
        /// The table it asks.
        table: u32,
        /// For which packets.
        selector: Selector,
    },
    /// A chain and its rules.
    Chain(Chain),
    /// A set or map.
    Set(SetShape),
    /// What an element keeps.
    Element(Data),
    /// A policy, which never changes.
    Timeout(Timeout),
    /// A host's chains.
    Ruleset(Vec<(Name, Chain)>),
}

/// A chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chain {
    /// Where it is hooked in, if it is.
    pub(crate) base: Option<Base>,
    /// Its rules.
    pub(crate) rules: Vec<Rule>,
}

/// A veth from the place of its key to another. Except for the MTU nothing of it ever changes:
/// a link that is otherwise another one has another index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// This end's name.
    pub(crate) name: String,
    /// This end's link-layer address.
    pub(crate) mac: Mac,
    /// Where the other end is.
    pub(crate) far: Place,
    /// The other end's index there.
    pub(crate) far_index: u32,
    /// The other end's name.
    pub(crate) far_name: String,
    /// The other end's link-layer address.
    pub(crate) far_mac: Mac,
    /// The largest packet, in bytes.
    pub(crate) mtu: u16,
    /// The full id of what it realises.
    pub(crate) id: String,
}
