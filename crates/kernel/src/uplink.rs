//! A host that takes packets for whatever address: the lab's end of a way to the real internet.
//!
//! TCP and UDP that come in for addresses that are not the host's own are given to two sockets there,
//! which see the addresses that were meant (transparent proxying). The sockets' owner does the rest
//! from outside the lab's networks, so nothing is set up on the machine itself.

use crate::namespace::NetNs;
use crate::netlink::NetlinkError;
use crate::netlink::nftables::{
    self, Base, Compare, Expression, Hook, MetaKey, Register, Verdict, transaction,
};
use crate::netlink::route::route::{Action, KernelRoute};
use crate::netlink::route::rule::{KernelRule, Selector};
use crate::netlink::socket::{Family, Socket};
use ipnet::Ipv4Net;
use std::io;
use std::net::Ipv4Addr;

/// The table of rules.
const TABLE: &str = "uplink";
/// The chain in it.
const CHAIN: &str = "intercept";
/// Packets with this mark are taken whatever their destination.
const MARK: u32 = 1;
/// The table that takes them.
const ROUTES: u32 = 100;
/// The priority of the rule that asks it.
const RULE: u32 = 100;
/// The loopback link's index.
const LOOPBACK: u32 = 1;
/// Before conntrack would translate and after it has defragmented.
const PRIORITY: i32 = -150;

/// Makes a host's namespace take every TCP and UDP packet that comes in by `eth0`, for sockets on these
/// ports. The sockets have to be transparent ones (`IP_TRANSPARENT`).
///
/// # Errors
/// The namespace can't be entered, or the kernel lacks transparent proxying.
pub fn intercept(namespace: &NetNs, tcp: u16, udp: u16) -> io::Result<()> {
    namespace.run(|| install(tcp, udp).map_err(io::Error::other))?
}

fn install(tcp: u16, udp: u16) -> Result<(), NetlinkError> {
    let everything = KernelRoute {
        table: ROUTES,
        prefix: Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0),
        metric: 0,
        action: Action::Local { link: LOOPBACK },
    };
    let marked = KernelRule {
        priority: RULE,
        table: ROUTES,
        selector: Selector::Mark(MARK),
    };
    Socket::open_here(Family::Route)?.request_all(vec![everything.put(), marked.add()])?;
    let base = Base {
        hook: Hook::Prerouting,
        priority: PRIORITY,
        translates: false,
        passes: true,
    };
    let batch = vec![
        nftables::table_add(TABLE),
        nftables::chain_add(TABLE, CHAIN, Some(base)),
        nftables::rule_append(TABLE, CHAIN, &rule(libc::IPPROTO_TCP, tcp)),
        nftables::rule_append(TABLE, CHAIN, &rule(libc::IPPROTO_UDP, udp)),
    ];
    Socket::open_here(Family::Netfilter)?.transaction(transaction(batch))
}

/// Packets of a protocol go to the socket on a port.
fn rule(protocol: i32, port: u16) -> Vec<Expression> {
    let (first, second) = (Register(0), Register(1));
    vec![
        Expression::Meta(MetaKey::Protocol, first),
        // The protocols' numbers are below 256.
        Expression::Compare(first, Compare::Equal, vec![protocol as u8]),
        Expression::Constant(second, port.to_be_bytes().to_vec()),
        Expression::Intercept(second),
        Expression::Constant(first, MARK.to_ne_bytes().to_vec()),
        Expression::SetMark(first),
        Expression::Verdict(Verdict::Accept),
    ]
}
