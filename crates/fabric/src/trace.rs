//! What `walk` answers: hops and a verdict.

use crate::balancer::Exclusion;
use crate::filter::Layer;
use crate::flow::Flow;
use crate::id::{
    BalancerId, FilterId, GatewayId, HostId, ListenerId, NetworkId, PoolId, PortId, RouteTableId,
    RuleId, SegmentId, ServiceId,
};
use crate::route::DropCause;
use crate::service::Backend;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};

/// A connection attempt, told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The flow that was asked about.
    pub flow: Flow,
    /// What happened to it, in order: the way out, then the way back.
    pub hops: Vec<Hop>,
    /// The host that took the packet on the way out, if one did, and the packet as it arrived
    /// there (after translations).
    pub arrived: Option<(HostId, Flow)>,
    /// Where a balancer's node ended the connection: the one that it opens for it, as far as that
    /// one gets.
    pub onward: Option<Box<Trace>>,
    /// The outcome, with all connections that the first one needs: it is delivered only if they are.
    pub verdict: Verdict,
}

impl Trace {
    /// The connection at the end of all: itself, where no balancer's node ended it.
    pub fn last(&self) -> &Self {
        self.onward.as_ref().map_or(self, |onward| onward.last())
    }
}

/// A connection attempt, told for one choice of backends and members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// What was chosen for it, in order.
    pub choices: Vec<Choice>,
    /// What then happens.
    pub trace: Trace,
}

/// A choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The node that chose: a cluster's, or a balancer's.
    pub node: HostId,
    /// What it chose.
    pub chosen: Chosen,
}

/// What a node chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// A service's backend.
    Backend {
        /// The service.
        service: ServiceId,
        /// The backend.
        backend: Backend,
    },
    /// A listener's rule, for a request of which nothing is known.
    Rule {
        /// The listener.
        listener: ListenerId,
        /// The rule.
        rule: RuleId,
    },
    /// One of the pools that a rule shares requests among.
    Pool(PoolId),
    /// A pool's member.
    Member {
        /// The pool.
        pool: PoolId,
        /// Who it is, by the cloud's id.
        name: String,
        /// Where it takes flows.
        place: SocketAddrV4,
    },
}

impl Chosen {
    /// Where the packet goes, if that is what was chosen.
    pub fn place(&self) -> Option<SocketAddrV4> {
        match self {
            Self::Backend { backend, .. } => Some(SocketAddrV4::new(backend.address, backend.port)),
            Self::Member { place, .. } => Some(*place),
            Self::Rule { .. } | Self::Pool(_) => None,
        }
    }

    /// What was chosen, by its name or id; empty where it has none.
    pub fn name(&self) -> &str {
        match self {
            Self::Backend { backend, .. } => &backend.name,
            Self::Member { name, .. } => name,
            Self::Rule { rule, .. } => rule.as_str(),
            Self::Pool(pool) => pool.as_str(),
        }
    }
}

impl fmt::Display for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.place(), self.name()) {
            (None, name) => f.write_str(name),
            (Some(place), "") => write!(f, "{place}"),
            (Some(place), name) => write!(f, "{place} ({name})"),
        }
    }
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// On the way out or back.
    pub direction: Direction,
    /// The place: a port, a segment, a gateway, a host, by id.
    pub at: String,
    /// The resource that decided, by the cloud's id.
    pub resource: Option<String>,
    /// Its rule, by the cloud's id or number.
    pub rule: Option<RuleId>,
    /// What it did.
    pub action: HopAction,
    /// In words.
    pub detail: String,
}

/// Out or back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the caller to the called.
    Out,
    /// The answer.
    Back,
}

/// What a step did; the contract's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HopAction {
    /// A filter let it on.
    Allow,
    /// A filter, a guard or a missing thing stopped it.
    Deny,
    /// A route sent it on.
    Route,
    /// An address was rewritten.
    Translate,
    /// A balancer chose a target.
    Balance,
    /// It arrived.
    Deliver,
}

/// The outcome. Unknown is an answer: `walk` never guesses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The packet arrived and its answer came back.
    Delivered,
    /// It did not, for this reason, on the way out or back.
    Dropped(Direction, DropReason),
    /// The model can't tell, because of this.
    Unknown(String),
}

/// Every way to be dropped, closed: traces, remedies, flow logs and analyses share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// The sending host has no route or doesn't run.
    HostCannotSend {
        /// The host.
        host: HostId,
        /// Why, in words.
        why: String,
    },
    /// The anti-spoofing guard of a port: the source (leaving) or destination (arriving) is not its
    /// own.
    Guard {
        /// The port.
        port: PortId,
        /// The foreign address.
        address: Ipv4Addr,
        /// Whether the packet was arriving.
        ingress: bool,
    },
    /// No rule of a port's layer allowed it, or its deciding rule denied it.
    PortFilter {
        /// The port.
        port: PortId,
        /// The layer consulted.
        layer: Layer,
        /// The denying rule, if one rule did.
        rule: Option<(FilterId, RuleId)>,
        /// Whether the packet was arriving.
        ingress: bool,
        /// The packet as the filter saw it.
        packet: Flow,
    },
    /// A segment's boundary filter.
    BoundaryFilter {
        /// The segment.
        segment: SegmentId,
        /// The filter.
        filter: FilterId,
        /// The denying rule; `None` for the implied last one.
        rule: Option<RuleId>,
        /// Whether the packet was entering the segment.
        ingress: bool,
        /// The packet as the filter saw it.
        packet: Flow,
    },
    /// No route matched.
    NoRoute {
        /// The table.
        table: RouteTableId,
        /// The destination.
        destination: Ipv4Addr,
    },
    /// The matching route drops.
    RouteDrops {
        /// The table.
        table: RouteTableId,
        /// The route.
        route: RuleId,
        /// Why it drops.
        cause: DropCause,
        /// The destination.
        destination: Ipv4Addr,
    },
    /// No port of the network has the destination.
    NoSuchAddress {
        /// The network.
        network: NetworkId,
        /// The destination.
        destination: Ipv4Addr,
    },
    /// The port is attached to no running host.
    HostDown {
        /// The port.
        port: PortId,
        /// The host, if attached to one.
        host: Option<HostId>,
    },
    /// A gateway has no translation for the address.
    NoTranslation {
        /// The gateway.
        gateway: GatewayId,
        /// The private source (leaving) or public destination (arriving).
        address: Ipv4Addr,
    },
    /// A gateway does not join the network the packet is in (a route points at one attached
    /// elsewhere).
    NotAttached {
        /// The gateway.
        gateway: GatewayId,
    },
    /// The host got a packet that is not for it and does not forward.
    NotForwarding {
        /// The host.
        host: HostId,
        /// The packet's destination.
        destination: Ipv4Addr,
    },
    /// A packet came to a host from outside with an address of the host's own for a source. Linux drops
    /// such a martian, unless `accept_local` is set.
    /// <https://docs.kernel.org/networking/ip-sysctl.html>
    FromItself {
        /// The host.
        host: HostId,
        /// The packet.
        packet: Flow,
    },
    /// A managed translator got a packet it has no mapping for.
    NoMapping {
        /// The translator.
        host: HostId,
        /// The packet.
        packet: Flow,
    },
    /// The answer reached the caller from another address than it called, or not the caller at all.
    AnswerMismatch {
        /// The answer the caller waits for.
        expected: Flow,
        /// What came.
        got: Flow,
    },
    /// The packet went round in a circle.
    Loop {
        /// Where it was seen again.
        at: String,
    },
    /// A cluster's node did not pass it on, for what its services or policies say.
    Node {
        /// The node.
        host: HostId,
        /// What of it.
        why: NodeDrop,
    },
    /// A balancer did not pass it on, or no member could take it.
    Balancer {
        /// The balancer.
        balancer: BalancerId,
        /// Its node that the flow came to.
        node: HostId,
        /// Why.
        why: BalancerDrop,
    },
}

/// Why a balancer does not pass a packet on, or no member can take it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BalancerDrop {
    /// No listener takes it.
    NoListener {
        /// The packet.
        packet: Flow,
    },
    /// The pool has no members for this node.
    NoMembers {
        /// The listener.
        listener: ListenerId,
        /// The pool.
        pool: PoolId,
        /// The members that it has, and why they get none.
        excluded: Vec<Exclusion>,
    },
    /// The member is the client itself, which takes no packets from its own address.
    /// <https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-troubleshooting.html#loopback-timeout>
    Loopback {
        /// The packet as it came to the member.
        packet: Flow,
    },
}

impl BalancerDrop {
    /// Whether the caller is told (the connection is refused) rather than left without an answer.
    pub fn refuses(&self) -> bool {
        match self {
            Self::NoListener { .. } => true,
            Self::NoMembers { .. } | Self::Loopback { .. } => false,
        }
    }
}

/// Why a cluster's node does not pass a packet on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeDrop {
    /// The service has no backends.
    NoEndpoints {
        /// The service.
        service: ServiceId,
    },
    /// The traffic policy wants backends on this node, and there are none.
    NoLocalEndpoints {
        /// The service.
        service: ServiceId,
        /// Whether it is the internal policy.
        internal: bool,
    },
    /// The service's load balancer takes packets from other sources only.
    SourceRange {
        /// The service.
        service: ServiceId,
        /// The source.
        source: Ipv4Addr,
    },
    /// A service has this cluster address, but not at this port.
    NoSuchPort {
        /// The packet.
        packet: Flow,
    },
    /// No service has this address, which cluster addresses are taken from.
    Unallocated {
        /// The address.
        address: Ipv4Addr,
    },
    /// No network policy that selects the pod allows the packet.
    Policy {
        /// The pod, `namespace/name`.
        pod: String,
        /// The policies.
        policies: Vec<FilterId>,
        /// Whether the packet was going to the pod.
        ingress: bool,
        /// The packet as the policies saw it.
        packet: Flow,
    },
}

impl NodeDrop {
    /// Whether the caller is told (an ICMP message: the connection is refused) rather than left
    /// without an answer.
    pub fn refuses(&self) -> bool {
        match self {
            Self::NoEndpoints { .. } | Self::NoSuchPort { .. } => true,
            Self::NoLocalEndpoints { .. }
            | Self::SourceRange { .. }
            | Self::Unallocated { .. }
            | Self::Policy { .. } => false,
        }
    }
}
