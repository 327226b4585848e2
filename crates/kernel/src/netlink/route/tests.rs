//! Bytes on the wire, read against linux/rtnetlink.h and its companions by hand (little-endian, as
//! the numbers here are in the machine's order).

use super::route::{Action, KernelRoute};
use super::rule::{KernelRule, Selector};
use super::{address, link, neighbour};
use crate::netlink::Message;
use crate::netlink::message::{attributes, received};
use fabric::Mac;
use std::net::Ipv4Addr;

fn payload(message: Message) -> Vec<u8> {
    let bytes = message.finish(1, false);
    received(&bytes)[0].payload.to_vec()
}

#[test]
fn a_veth_carries_its_peer() {
    let end = |name, index| link::VethEnd {
        name,
        index,
        mac: Mac([2, 0, 0, 0, 0, 1]),
    };
    let bytes = payload(link::veth_add(&end("p7", 7), &end("eth0", 8), 5, 1500));
    assert_eq!(bytes[4..8], 7u32.to_ne_bytes());
    assert_eq!(bytes[8..16], [1, 0, 0, 0, 1, 0, 0, 0], "up");
    let outer = attributes(&bytes[16..]);
    let find = |list: &[(u16, Vec<u8>)], kind| {
        let found = list.iter().find(|(have, _)| *have == kind);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let own = |list: Vec<(u16, &[u8])>| -> Vec<(u16, Vec<u8>)> {
        list.into_iter()
            .map(|(kind, value)| (kind, value.to_vec()))
            .collect()
    };
    let outer = own(outer);
    assert_eq!(find(&outer, libc::IFLA_IFNAME), b"p7\0");
    let info = own(attributes(&find(&outer, libc::IFLA_LINKINFO)));
    assert_eq!(find(&info, libc::IFLA_INFO_KIND), b"veth");
    let data = own(attributes(&find(&info, libc::IFLA_INFO_DATA)));
    let peer = find(&data, 1);
    assert_eq!(peer[4..8], 8u32.to_ne_bytes());
    let peer = own(attributes(&peer[16..]));
    assert_eq!(find(&peer, libc::IFLA_IFNAME), b"eth0\0");
    assert_eq!(find(&peer, libc::IFLA_NET_NS_FD), 5u32.to_ne_bytes());
    assert_eq!(find(&peer, libc::IFLA_MTU), 1500u32.to_ne_bytes());
}

#[test]
fn routes() {
    let route = |action| KernelRoute {
        table: 1000,
        prefix: "10.1.0.0/16".parse().unwrap_or_default(),
        metric: 3,
        action,
    };
    let via = Action::Via {
        link: 9,
        via: Ipv4Addr::new(169, 254, 0, 1),
        source: None,
    };
    let bytes = payload(route(via).put());
    // AF_INET, /16, static, universe, unicast, onlink.
    assert_eq!(bytes[..12], [2, 16, 0, 0, 0, 4, 0, 1, 4, 0, 0, 0]);
    assert_eq!(
        attributes(&bytes[12..]),
        vec![
            (libc::RTA_TABLE, &1000u32.to_ne_bytes()[..]),
            (libc::RTA_PRIORITY, &3u32.to_ne_bytes()),
            (libc::RTA_DST, &[10, 1, 0, 0]),
            (libc::RTA_OIF, &9u32.to_ne_bytes()),
            (libc::RTA_GATEWAY, &[169, 254, 0, 1]),
        ]
    );
    for (action, kind) in [(Action::Blackhole, 6), (Action::Throw, 9)] {
        assert_eq!(payload(route(action).put())[7], kind);
    }
}

#[test]
fn rules_addresses_and_neighbours() {
    let rule = KernelRule {
        priority: 5,
        table: 7,
        selector: Selector::Mark(7),
    };
    let bytes = payload(rule.add());
    assert_eq!(bytes[..12], [2, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
    assert_eq!(
        attributes(&bytes[12..]),
        vec![
            (6, &5u32.to_ne_bytes()[..]),
            (15, &7u32.to_ne_bytes()),
            (10, &7u32.to_ne_bytes()),
            (16, &u32::MAX.to_ne_bytes()),
        ]
    );
    let ip = Ipv4Addr::new(10, 0, 0, 5);
    let bytes = payload(address::add(4, ip, 24));
    assert_eq!(bytes[..8], [2, 24, 0, 0, 4, 0, 0, 0]);
    // IFA_F_NOPREFIXROUTE.
    let flags = (libc::IFA_FLAGS, &0x200u32.to_ne_bytes()[..]);
    assert!(attributes(&bytes[8..]).contains(&flags));
    let bytes = payload(neighbour::put(4, ip, Mac([2, 0, 0, 0, 0, 9])));
    // NUD_PERMANENT.
    assert_eq!(bytes[..12], [2, 0, 0, 0, 4, 0, 0, 0, 0x80, 0, 0, 0]);
    assert!(attributes(&bytes[12..]).contains(&(libc::NDA_LLADDR, &[2, 0, 0, 0, 0, 9])));
}
