//! What a node's pods send beyond the cluster leaves under the node's address.

use crate::netlink::nftables::set::Keys;
use crate::netlink::nftables::{Base, Data, DataKind, Expression, Hook};
use crate::plan::dispatch::*;
use crate::plan::object::Place;
use crate::plan::unit::View;
use fabric::HostId;
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

/// Whose sources are translated.
const SOURCES: &str = "sources";
/// Destinations that see them as they are.
const EXCEPT: &str = "except";

pub(in crate::plan) fn plan_source_nat(view: &mut View<'_>, host: &HostId) -> Option<()> {
    let nat = view.source_nat(host)?;
    let place = &Place::Node(host.clone());
    for (set, ranges) in [(SOURCES, &nat.sources), (EXCEPT, &nat.except)] {
        view.want_set(place, &name(set), shape(4, DataKind::Nothing, true));
        for range in Ipv4Net::aggregate(ranges) {
            let end = |address: Ipv4Addr| address.octets().to_vec();
            let keys = Keys::Range(end(range.network()), end(range.broadcast()));
            view.want_element(place, &name(set), keys, Data::Nothing);
        }
    }
    let mut rule = vec![
        source(R0),
        found(SOURCES, R0),
        destination(R0),
        missing(EXCEPT, R0),
    ];
    match nat.address {
        Some(address) => rule.extend([
            Expression::Constant(R0, address.octets().to_vec()),
            Expression::SourceNat {
                address: R0,
                ports: None,
                flags: 0,
            },
        ]),
        None => rule.push(Expression::Masquerade),
    }
    let base = Base {
        hook: Hook::Postrouting,
        // After services, whose masquerading goes before.
        priority: 110,
        translates: true,
        passes: true,
    };
    view.want_chain(place, &name("postrouting"), Some(base), vec![rule]);
    Some(())
}
