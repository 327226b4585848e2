//! The link between a node and a pod, as a network plugin on the node makes it: a routed veth.
//!
//! The pod's end is `eth0` with the pod's address alone (/32); its default route goes to 169.254.1.1,
//! which is nobody's address and has the node's end for a permanent neighbour. The node has a route to
//! the address by its own end. No bridge, no ARP.

use crate::namespace::NetNs;
use crate::netlink::route::link::VethEnd;
use crate::netlink::route::route::{Action, KernelRoute};
use crate::netlink::route::{address, link, neighbour};
use crate::netlink::socket::{Family, NetlinkError, Socket};
use fabric::Mac;
use ipnet::Ipv4Net;
use nix::net::if_::if_nametoindex;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd};

/// The next hop that pods know: a link-local address that no host has.
const GATEWAY: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);
/// Linux's main table.
const MAIN: u32 = 254;

/// A link to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodLink<'a> {
    /// The name of the node's end, 15 bytes at most.
    pub node_end: &'a str,
    /// The name of the pod's end, `eth0`.
    pub pod_end: &'a str,
    /// The link-layer address of the node's end.
    pub node_mac: Mac,
    /// The link-layer address of the pod's end.
    pub pod_mac: Mac,
    /// The pod's address.
    pub address: Ipv4Addr,
    /// The largest packet, in bytes.
    pub mtu: u16,
}

/// Why a link can't be made or looked at.
#[derive(Debug, thiserror::Error)]
pub enum PodLinkError {
    /// Netlink refused.
    #[error("{what}: {source}")]
    Netlink {
        /// What.
        what: &'static str,
        /// What the kernel said.
        source: NetlinkError,
    },
    /// A namespace can't be entered, or a link isn't there.
    #[error("{what}: {source}")]
    System {
        /// What.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

fn netlink(what: &'static str) -> impl FnOnce(NetlinkError) -> PodLinkError {
    move |source| PodLinkError::Netlink { what, source }
}

fn system(what: &'static str) -> impl FnOnce(io::Error) -> PodLinkError {
    move |source| PodLinkError::System { what, source }
}

impl PodLink<'_> {
    /// Makes the link from the caller's own network namespace, the node's, to a pod's. What is there of
    /// an earlier try makes way.
    ///
    /// # Errors
    /// The kernel refuses; nothing is left then.
    pub fn attach(&self, pod: &NetNs) -> Result<(), PodLinkError> {
        let mut socket = Socket::open_here(Family::Route).map_err(netlink("rtnetlink"))?;
        // One of an earlier try; that there is none is fine.
        let _ = socket.request_all(vec![link::delete_named(self.node_end)]);
        let made = self.make(&mut socket, pod);
        if made.is_err() {
            let _ = socket.request_all(vec![link::delete_named(self.node_end)]);
        }
        made
    }

    fn make(&self, socket: &mut Socket, pod: &NetNs) -> Result<(), PodLinkError> {
        // The kernel chooses both indexes.
        let here = VethEnd {
            name: self.node_end,
            index: 0,
            mac: self.node_mac,
        };
        let there = VethEnd {
            name: self.pod_end,
            index: 0,
            mac: self.pod_mac,
        };
        let veth = link::veth_add(&here, &there, pod.as_fd().as_raw_fd(), self.mtu);
        socket
            .request_all(vec![veth])
            .map_err(netlink("making the veth"))?;
        pod.run(|| self.set_up_inside())
            .map_err(system("entering the pod's network"))??;
        let index = index_of(self.node_end)?;
        let requests = vec![
            neighbour::put(index, self.address, self.pod_mac),
            self.route(index).put(),
        ];
        socket
            .request_all(requests)
            .map_err(netlink("the route to the pod"))
    }

    /// The node's way to the pod.
    fn route(&self, index: u32) -> KernelRoute {
        KernelRoute {
            table: MAIN,
            prefix: Ipv4Net::from(self.address),
            metric: 0,
            action: Action::On { link: index },
        }
    }

    fn set_up_inside(&self) -> Result<(), PodLinkError> {
        let index = index_of(self.pod_end)?;
        let mut socket = Socket::open_here(Family::Route).map_err(netlink("rtnetlink"))?;
        let route = |prefix, action| KernelRoute {
            table: MAIN,
            prefix,
            metric: 0,
            action,
        };
        let default = Action::Through {
            link: index,
            via: GATEWAY,
        };
        let requests = vec![
            address::add(index, self.address, 32),
            link::up(index),
            neighbour::put(index, GATEWAY, self.node_mac),
            route(Ipv4Net::from(GATEWAY), Action::On { link: index }).put(),
            route(Ipv4Net::default(), default).put(),
        ];
        socket
            .request_all(requests)
            .map_err(netlink("the pod's end"))
    }

    /// Whether both ends are there, seen from the node's namespace.
    ///
    /// # Errors
    /// Which one isn't.
    pub fn check(&self, pod: &NetNs) -> Result<(), PodLinkError> {
        index_of(self.node_end)?;
        pod.run(|| index_of(self.pod_end).map(drop))
            .map_err(system("entering the pod's network"))?
    }
}

/// Removes the link with this end in the caller's own namespace; none is fine.
///
/// # Errors
/// The kernel refuses.
pub fn detach(node_end: &str) -> Result<(), PodLinkError> {
    let mut socket = Socket::open_here(Family::Route).map_err(netlink("rtnetlink"))?;
    if if_nametoindex(node_end).is_err() {
        return Ok(());
    }
    socket
        .request_all(vec![link::delete_named(node_end)])
        .map_err(netlink("removing the veth"))
}

fn index_of(name: &str) -> Result<u32, PodLinkError> {
    if_nametoindex(name).map_err(|errno| PodLinkError::System {
        what: "a link of the pod is not there",
        source: errno.into(),
    })
}
