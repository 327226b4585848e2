//! A segment: its route table and the filter on its boundary, both found by the segment's number,
//! which [`super::port`] gives to its ports' links.
//!
//! A boundary filter is consulted when a packet leaves or enters the segment, never between two
//! ports of one segment. Its chains never mention connection tracking: it is stateless.

use super::dispatch::*;
use super::number::Numbered;
use super::object::Place;
use super::unit::{View, Way};
use super::{filter, route_table};
use crate::netlink::nftables::{Data, DataKind, Expression, Hook, Rule};
use fabric::SegmentId;

/// Segment's number → the chain of its boundary filter, by way.
fn boundary_name(way: Way) -> &'static str {
    match way {
        Way::Egress => "boundary.out",
        Way::Ingress => "boundary.in",
    }
}

pub(super) fn plan(view: &mut View<'_>, id: &SegmentId) -> Option<()> {
    let segment = view.segment(id)?;
    view.network(&segment.network)?;
    let place = &Place::Network(segment.network.clone());
    let number = view.number(Numbered::Segment(id.clone()));
    let table = route_table::selected(view, place, &segment.route_table);
    view.want_element(
        place,
        &name(TABLES),
        one(number_key(number)),
        Data::Value(number_key(table)),
    );
    let boundary = segment.boundary.as_ref()?;
    for way in [Way::Egress, Way::Ingress] {
        view.need_filter(place, boundary, way);
        let map = name(boundary_name(way));
        view.want_set(place, &map, shape(4, DataKind::Verdict, false));
        view.want_element(
            place,
            &map,
            one(number_key(number)),
            go_to(&filter::chain(boundary, way)),
        );
        let priority = match way {
            Way::Egress => 40,
            Way::Ingress => 41,
        };
        view.want_chain(
            place,
            &map,
            base(Hook::Forward, priority, false),
            boundary_rules(way),
        );
    }
    Some(())
}

fn boundary_rules(way: Way) -> Vec<Rule> {
    let (here, there): (_, fn(_) -> Expression) = match way {
        Way::Egress => (input_link(R0), output_link),
        Way::Ingress => (output_link(R0), input_link),
    };
    vec![
        vec![
            here.clone(),
            find(SEGMENTS, R0, R1),
            there(R2),
            found(INSIDE, R1),
            accept(),
        ],
        vec![here, find(SEGMENTS, R0, R1), decide(boundary_name(way), R1)],
        vec![accept()],
    ]
}
