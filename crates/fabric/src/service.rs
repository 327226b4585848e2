//! Services: what a cluster's node does with packets to addresses that stand for many backends.
//!
//! The rules are those of kube-proxy's nftables mode. A packet that opens a flow to a frontend gets
//! one of the service's backends for its destination, before the node routes it; the flow's later
//! packets follow the first. What a frontend's traffic policy leaves without backends is dropped;
//! a service without any refuses.
//! <https://kubernetes.io/docs/reference/networking/virtual-ips/>
//!
//! What is modelled: cluster addresses, external addresses, load balancers' addresses with source
//! ranges, node ports; traffic policies; the short cuts that pods and the node itself take past the
//! external policy Local; masquerading. What is not: SCTP (`walk` answers *unknown*), and which
//! backend a flow gets (`walk` tells all of them).

use crate::filter::Protocol;
use crate::id::ServiceId;
use imbl::OrdMap;
use ipnet::Ipv4Net;
use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// The services of a cluster as one node serves them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Services {
    /// The services. Where two claim one frontend, the first that has backends has it.
    pub services: OrdMap<ServiceId, Arc<Service>>,
    /// The addresses of the node that take node ports.
    pub node_addresses: Vec<Ipv4Addr>,
    /// The ranges of all pods' addresses, if the node knows them: it then tells pods from the outside.
    pub pods: Option<Vec<Ipv4Net>>,
    /// Whether what goes to a cluster address always gets the node's address for its source.
    pub masquerade_all: bool,
    /// The ranges that cluster addresses come from: what is for an address here that no service has is
    /// dropped.
    pub ranges: Vec<Ipv4Net>,
}

/// One port of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its id: `namespace/name:port`.
    pub id: ServiceId,
    /// TCP, UDP or SCTP.
    pub protocol: Protocol,
    /// Where it takes packets.
    pub frontends: Vec<Frontend>,
    /// Its backends under the traffic policy Cluster. Without any the service has no backends at all.
    pub backends: Vec<Backend>,
    /// Its backends under the traffic policy Local: those on this node.
    pub local: Vec<Backend>,
    /// Backends that get no new flows and keep those they have.
    pub lingering: Vec<Backend>,
    /// Which backends packets to the cluster address get.
    pub internal: TrafficPolicy,
    /// Which backends packets to all other frontends get.
    pub external: TrafficPolicy,
    /// For how many seconds a client stays with the backend it had last, if it does.
    pub affinity: Option<u32>,
}

/// An address and port at which a service takes packets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Frontend {
    /// The cluster address.
    Cluster {
        /// The address.
        address: Ipv4Addr,
        /// The port.
        port: u16,
    },
    /// An external address.
    External {
        /// The address.
        address: Ipv4Addr,
        /// The port.
        port: u16,
    },
    /// The address of a load balancer that passes packets on as they are.
    LoadBalancer {
        /// The address.
        address: Ipv4Addr,
        /// The port.
        port: u16,
        /// Who may send; empty for everybody.
        sources: Vec<Ipv4Net>,
    },
    /// A port of each of [`Services::node_addresses`].
    Node {
        /// The port.
        port: u16,
    },
    /// A pod's port on its own node: at one address, or at each of [`Services::node_addresses`].
    Host {
        /// The address.
        address: Option<Ipv4Addr>,
        /// The port.
        port: u16,
    },
}

/// Which backends take packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TrafficPolicy {
    /// All.
    #[default]
    Cluster,
    /// Those on the node that got the packet.
    Local,
}

/// Where packets of a service end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Backend {
    /// Its address.
    pub address: Ipv4Addr,
    /// Its port.
    pub port: u16,
    /// Who it is, in words: `namespace/pod`, or empty.
    pub name: String,
}

/// Whose backends a packet gets, and why nobody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool<'a> {
    /// One of these.
    Of(&'a [Backend]),
    /// The traffic policy leaves none: the packet is dropped.
    NoneHere,
    /// There are none at all: the caller is told so.
    None,
}

impl Frontend {
    /// Whether packets to an address and port are for it.
    pub fn takes(&self, node_addresses: &[Ipv4Addr], address: Ipv4Addr, port: u16) -> bool {
        match self {
            Self::Cluster {
                address: own,
                port: at,
            }
            | Self::External {
                address: own,
                port: at,
            }
            | Self::LoadBalancer {
                address: own,
                port: at,
                ..
            } => *own == address && *at == port,
            Self::Host {
                address: Some(own),
                port: at,
            } => *own == address && *at == port,
            Self::Node { port: at }
            | Self::Host {
                address: None,
                port: at,
            } => *at == port && node_addresses.contains(&address),
        }
    }

    /// The addresses and the port at which it takes packets.
    pub fn places(&self, node_addresses: &[Ipv4Addr]) -> Vec<(Ipv4Addr, u16)> {
        match self {
            Self::Cluster { address, port }
            | Self::External { address, port }
            | Self::LoadBalancer { address, port, .. }
            | Self::Host {
                address: Some(address),
                port,
            } => vec![(*address, *port)],
            Self::Node { port }
            | Self::Host {
                address: None,
                port,
            } => node_addresses.iter().map(|own| (*own, *port)).collect(),
        }
    }

    /// Whether it is the cluster address: the internal traffic policy is its.
    pub fn is_internal(&self) -> bool {
        matches!(self, Self::Cluster { .. })
    }

    /// Kubernetes' word for its kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Cluster { .. } => "clusterIP",
            Self::External { .. } => "externalIP",
            Self::LoadBalancer { .. } => "loadBalancer",
            Self::Node { .. } => "nodePort",
            Self::Host { .. } => "hostPort",
        }
    }
}

impl Service {
    /// A pod's port on its own node. It is as if the pod were a service of its own under the policy
    /// Local: clients are seen as they are, except the node itself and the pod.
    /// <https://www.cni.dev/plugins/current/meta/portmap/>
    pub fn host_port(
        id: ServiceId,
        protocol: Protocol,
        (address, port): (Option<Ipv4Addr>, u16),
        pod: Backend,
    ) -> Self {
        Self {
            id,
            protocol,
            frontends: vec![Frontend::Host { address, port }],
            backends: vec![pod.clone()],
            local: vec![pod],
            lingering: Vec::new(),
            internal: TrafficPolicy::Local,
            external: TrafficPolicy::Local,
            affinity: None,
        }
    }

    /// The traffic policy of a frontend.
    pub fn policy(&self, frontend: &Frontend) -> TrafficPolicy {
        if frontend.is_internal() {
            self.internal
        } else {
            self.external
        }
    }

    /// The backends under a traffic policy.
    pub fn pool(&self, policy: TrafficPolicy) -> Pool<'_> {
        let backends = match policy {
            TrafficPolicy::Cluster => &self.backends,
            TrafficPolicy::Local => &self.local,
        };
        if self.backends.is_empty() {
            Pool::None
        } else if backends.is_empty() {
            Pool::NoneHere
        } else {
            Pool::Of(backends)
        }
    }

    /// Whether a frontend sends any packet on: under the external policy Local those that take the
    /// short cut, even where no backend is on the node.
    pub fn translates(&self, frontend: &Frontend) -> bool {
        match self.pool(self.policy(frontend)) {
            Pool::Of(_) => true,
            Pool::NoneHere => !frontend.is_internal(),
            Pool::None => false,
        }
    }
}

impl Services {
    /// Whether an address is known to be a pod's.
    pub fn is_pod(&self, address: Ipv4Addr) -> bool {
        self.pods
            .iter()
            .flatten()
            .any(|range| range.contains(&address))
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.address, self.port)?;
        if self.name.is_empty() {
            Ok(())
        } else {
            write!(f, " ({})", self.name)
        }
    }
}
