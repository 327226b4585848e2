//! Changes of links, addresses, neighbours, routes and rules as rtnetlink requests.

use crate::namespace::NetNs;
use crate::netlink::Message;
use crate::netlink::route::link::{self, VethEnd};
use crate::netlink::route::route::KernelRoute;
use crate::netlink::route::rule::{BORN_WITH, KernelRule};
use crate::netlink::route::{address, neighbour};
use crate::plan::object::Link;
use crate::plan::{Change, Object, Place, Thing};
use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;

const LOOPBACK: u32 = 1;

/// A request to rtnetlink.
pub(super) struct Request {
    pub(super) message: Message,
    /// In words, for errors.
    pub(super) what: &'static str,
    /// The link here that it is about, if it is about one.
    pub(super) link: Option<u32>,
    /// Whether it takes something away, so that not finding it is no failure.
    pub(super) removes: bool,
}

fn add(what: &'static str, message: Message) -> Request {
    Request {
        message,
        what,
        link: None,
        removes: false,
    }
}

fn add_on(link: u32, what: &'static str, message: Message) -> Request {
    Request {
        link: Some(link),
        ..add(what, message)
    }
}

fn remove(what: &'static str, message: Message) -> Request {
    Request {
        message,
        what,
        link: None,
        removes: true,
    }
}

/// What every new namespace needs. Only hosts keep the routing rules they are born with.
pub(super) fn newborn(host: bool) -> Vec<Request> {
    let mut requests = vec![add("set the loopback link up", link::up(LOOPBACK))];
    if !host {
        let rules = BORN_WITH.iter();
        requests.extend(rules.map(|rule| remove("remove a rule", rule.delete())));
    }
    requests
}

/// The removal of links only.
pub(super) fn link_removals(changes: &[Change]) -> Vec<Request> {
    changes
        .iter()
        .filter_map(|change| match (&change.key.thing, &change.after) {
            (Thing::Link(index), None) => Some(remove("remove a link", link::delete(*index))),
            _ => None,
        })
        .collect()
}

/// All removals. What a link takes along when it goes is not removed by itself.
pub(super) fn removals(changes: &[Change]) -> Vec<Request> {
    let links: BTreeSet<u32> = changes
        .iter()
        .filter_map(|change| match (&change.key.thing, &change.after) {
            (Thing::Link(index), None) => Some(*index),
            _ => None,
        })
        .collect();
    let mut requests: Vec<Request> = changes
        .iter()
        .filter_map(|change| removal(change, &links))
        .collect();
    requests.extend(link_removals(changes));
    requests
}

fn removal(change: &Change, links: &BTreeSet<u32>) -> Option<Request> {
    let before = change.before.as_ref()?;
    let replaced = change.after.is_some();
    match (&change.key.thing, before) {
        // Two kinds can't be replaced in place.
        (Thing::Rule(priority), Object::Rule { table, selector }) => {
            let rule = KernelRule {
                priority: *priority,
                table: *table,
                selector: selector.clone(),
            };
            Some(remove("remove a rule", rule.delete()))
        }
        (Thing::Address(link, ip), Object::Address(length)) if !links.contains(link) => Some(
            remove("remove an address", address::delete(*link, *ip, *length)),
        ),
        (Thing::Neighbour(link, ip), _) if !replaced && !links.contains(link) => {
            Some(remove("remove a neighbour", neighbour::delete(*link, *ip)))
        }
        (Thing::Route(table, prefix, metric), Object::Route(action)) if !replaced => {
            let route = KernelRoute {
                table: *table,
                prefix: *prefix,
                metric: *metric,
                action: action.clone(),
            };
            Some(remove("remove a route", route.delete()))
        }
        _ => None,
    }
}

/// New links, and other MTUs of old ones. A place that isn't there makes no link.
pub(super) fn links(changes: &[Change], places: &BTreeMap<Place, Arc<NetNs>>) -> Vec<Request> {
    let mut requests = Vec::new();
    for change in changes {
        let (Thing::Link(index), Some(Object::Link(link))) = (&change.key.thing, &change.after)
        else {
            continue;
        };
        if change.before.is_some() {
            requests.push(add_on(
                *index,
                "set a link's MTU",
                link::set_mtu(*index, link.mtu),
            ));
            continue;
        }
        let Some(far) = places.get(&link.far) else {
            continue;
        };
        let here = VethEnd {
            name: &link.name,
            index: *index,
            mac: link.mac,
        };
        let there = VethEnd {
            name: &link.far_name,
            index: link.far_index,
            mac: link.far_mac,
        };
        let namespace = far.as_fd().as_raw_fd();
        requests.push(add_on(
            *index,
            "make a link",
            link::veth_add(&here, &there, namespace, link.mtu),
        ));
        requests.push(add_on(
            *index,
            "name a link",
            link::alternative_name(*index, &link.id),
        ));
    }
    requests
}

/// What a new or changed link needs at its other end.
pub(super) fn far_end(change: &Change) -> Option<(&Place, Request)> {
    let (Thing::Link(_), Some(Object::Link(link))) = (&change.key.thing, &change.after) else {
        return None;
    };
    let request = if change.before.is_some() {
        add("set a link's MTU", link::set_mtu(link.far_index, link.mtu))
    } else {
        add("set a link up", link::up(link.far_index))
    };
    Some((&link.far, request))
}

/// The removal of whatever a guest's root has in the place of a link's far end.
pub(super) fn obstacles(link: &Link) -> [Request; 2] {
    [
        remove("remove a link", link::delete(link.far_index)),
        remove("remove a link", link::delete_named(&link.far_name)),
    ]
}

/// Both ends of new links, by place.
pub(super) fn new_ends<'a>(
    place: &'a Place,
    changes: &'a [Change],
) -> BTreeMap<&'a Place, Vec<u32>> {
    let mut ends: BTreeMap<&Place, Vec<u32>> = BTreeMap::new();
    for change in changes {
        if let (Thing::Link(index), None, Some(Object::Link(link))) =
            (&change.key.thing, &change.before, &change.after)
        {
            ends.entry(place).or_default().push(*index);
            ends.entry(&link.far).or_default().push(link.far_index);
        }
    }
    ends
}

/// Addresses first, then neighbours, then routes, then rules.
pub(super) fn additions(changes: &[Change]) -> Vec<Request> {
    changes.iter().filter_map(addition).collect()
}

fn addition(change: &Change) -> Option<Request> {
    match (&change.key.thing, change.after.as_ref()?) {
        (Thing::Address(link, ip), Object::Address(length)) => {
            let message = address::add(*link, *ip, *length);
            Some(add_on(*link, "add an address", message))
        }
        (Thing::Neighbour(link, ip), Object::Neighbour(mac)) => {
            let message = neighbour::put(*link, *ip, *mac);
            Some(add_on(*link, "add a neighbour", message))
        }
        (Thing::Route(table, prefix, metric), Object::Route(action)) => {
            let route = KernelRoute {
                table: *table,
                prefix: *prefix,
                metric: *metric,
                action: action.clone(),
            };
            let request = add("add a route", route.put());
            Some(Request {
                link: action.link(),
                ..request
            })
        }
        (Thing::Rule(priority), Object::Rule { table, selector }) => {
            let rule = KernelRule {
                priority: *priority,
                table: *table,
                selector: selector.clone(),
            };
            Some(add("add a rule", rule.add()))
        }
        _ => None,
    }
}
