//! Two hosts, filters, state.

use crate::world::*;
use fabric::{AddressMatch, Target};
use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("two_hosts_and_a_group", two_hosts_and_a_group),
    ]
}

fn trial(name: &str, test: fn()) -> Trial {
    Trial::test(name, move || {
        test();
        Ok(())
    })
}

/// A network with one segment and two hosts in group `sg`, which lets TCP 80 in from group members.
pub(crate) fn pair() -> World {
    let mut world = World::new();
    world.network("vpc-1", 9001);
    world.table("rtb-1", "vpc-1", &[("10.0.0.0/16", Target::Local)]);
    world.segment("subnet-1", "vpc-1", "10.0.1.0/24", "rtb-1");
    world.set("sg", &["10.0.1.10/32", "10.0.1.11/32"]);
    world.filter(group(
        "sg",
        vec![allow("web", members("sg"), tcp(80), true)],
        all_out(),
    ));
    world.host("a", "subnet-1", "10.0.1.10", &["sg"]);
    world.host("b", "subnet-1", "10.0.1.11", &["sg"]);
    world
}

/// AWS-SG: what a group's rule allows arrives, with its answers; the rest doesn't.
fn two_hosts_and_a_group() {
    let mut world = pair();
    world.apply();
    assert_eq!(world.tcp("a", "10.0.1.11", "b", 80), Some(ip("10.0.1.10")));
    assert_eq!(world.tcp("a", "10.0.1.11", "b", 81), None);
    world.set("sg", &["10.0.1.11/32"]);
    world.apply();
    assert_eq!(world.tcp("a", "10.0.1.11", "b", 80), None);
    let _ = AddressMatch::Any;
}
