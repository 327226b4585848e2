//! The fabric: one cloud-neutral network, into which every cloud compiles.
//!
//! A [`Fabric`] is a value: networks, segments, hosts, ports, route tables, filters, address sets
//! and gateways, each found by its id. It does no I/O. Three readers give it meaning:
//!
//! * [`walk`](mod@walk) tells one packet's way, out and back, and names what decided at every step;
//! * the kernel back end forwards packets through Linux as `walk` says they go;
//! * differential tests hold the two together.
//!
//! What is modelled: IPv4 unicast; TCP, UDP, ICMP and other protocols by number; stateful and
//! stateless filters; longest-prefix routing with a table per segment; 1:1 and port translation;
//! Kubernetes' nodes with services, network policies and pods; balancers.
//! What is not: IPv6, multicast, the inside of a guest's own firewall (see [`host::Host`]).

pub mod balancer;
pub mod delta;
pub mod filter;
pub mod flow;
pub mod gateway;
pub mod host;
pub mod id;
pub mod network;
pub mod node;
pub mod port;
pub mod route;
pub mod service;
pub mod trace;
pub mod walk;

use imbl::OrdMap;
use std::sync::Arc;

pub use delta::{Change, Delta};
pub use filter::{
    AddressMatch, AddressSet, AddressTerm, Filter, FilterAction, FilterKind, FilterRule, Layer,
    NumberRange, Protocol, ProtocolMatch, Tracking,
};
pub use flow::{Flow, Origin, Transport};
pub use gateway::{Gateway, GatewayKind, InternetGateway};
pub use host::{Host, HostRoute, SourceTranslation};
pub use id::{
    AddressSetId, BalancerId, CertificateId, FilterId, GatewayId, HostId, ListenerId, NetworkId,
    PoolId, PortId, RouteTableId, RuleId, SegmentId, ServiceId,
};
pub use network::{Network, Segment};
pub use node::{Isolation, Node, Policies, SourceNat};
pub use port::{Mac, Port};
pub use route::{DropCause, Route, RouteOrigin, RouteTable, Target};
pub use service::{Backend, Frontend, Pool, Service, Services, TrafficPolicy};
pub use trace::{
    BalancerDrop, Choice, Chosen, Direction, DropReason, Hop, HopAction, NodeDrop, Trace, Verdict,
    Way,
};
pub use walk::walk;

/// A whole network as a value. Cloning is cheap: the maps share their structure, so a snapshot
/// costs a few reference counts and two snapshots can be compared by what differs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fabric {
    /// Isolated address spaces.
    pub networks: OrdMap<NetworkId, Arc<Network>>,
    /// Subnets of networks.
    pub segments: OrdMap<SegmentId, Arc<Segment>>,
    /// Network stacks.
    pub hosts: OrdMap<HostId, Arc<Host>>,
    /// Attachments of hosts to networks.
    pub ports: OrdMap<PortId, Arc<Port>>,
    /// Route tables, used by segments and gateways.
    pub route_tables: OrdMap<RouteTableId, Arc<RouteTable>>,
    /// Packet filters, used by ports and segments.
    pub filters: OrdMap<FilterId, Arc<Filter>>,
    /// Named address sets, used as operands of filter rules.
    pub address_sets: OrdMap<AddressSetId, Arc<AddressSet>>,
    /// What joins networks.
    pub gateways: OrdMap<GatewayId, Arc<Gateway>>,
    /// What hosts do as nodes of clusters, by host.
    pub nodes: OrdMap<HostId, Arc<Node>>,
    /// What spreads flows over pools of members.
    pub balancers: OrdMap<BalancerId, Arc<balancer::Balancer>>,
}
