//! Many.

use crate::world::*;
use fabric::*;

crate::trials![
    a_thousand_ports_come_up,
    ten_thousand_rules_are_obeyed,
    many_members,
];

/// OPS: 1,000 ports come up and work, and one more change touches only what it concerns.
fn a_thousand_ports_come_up() {
    let mut world = crate::basics::pair();
    world.segment("subnet-9", "vpc-1", "10.0.16.0/20", "rtb-1");
    let mut everyone = vec!["10.0.1.10/32".to_owned(), "10.0.1.11/32".to_owned()];
    for index in 0..1000u32 {
        let address = std::net::Ipv4Addr::from(0x0a00_1010 + index);
        world.host(
            &format!("h{index}"),
            "subnet-9",
            &address.to_string(),
            &["sg"],
        );
        everyone.push(format!("{address}/32"));
    }
    let everyone: Vec<&str> = everyone.iter().map(String::as_str).collect();
    world.set("sg", &everyone);
    world.apply();
    assert!(world.tcp("h0", "10.0.19.247", "h999", 80).is_some());
    world.set("sg", &everyone[1..]);
    let applied = world.apply();
    assert_eq!(applied.changes, 1);
    assert!(world.tcp("a", "10.0.1.11", "b", 80).is_none());
    world.edit_host("h5", |host| host.running = false);
    let applied = world.apply();
    assert!(applied.changes < 40, "{}", applied.changes);
}

/// AWS-SG: a list of 10,000 rules is installed whole and obeyed, and one rule more is a small change.
fn ten_thousand_rules_are_obeyed() {
    let mut world = crate::basics::pair();
    let rule = |index: u32| {
        let address = std::net::Ipv4Addr::from(0x0a01_0000 + index);
        allow(
            "r",
            from(&format!("{address}/32")),
            tcp(1000 + index as u16),
            true,
        )
    };
    let mut rules: Vec<FilterRule> = (0..10_000).map(rule).collect();
    rules.push(allow("web", members("sg"), tcp(80), true));
    world.filter(group("sg", rules.clone(), all_out()));
    world.apply();
    assert!(world.tcp("a", "10.0.1.11", "b", 80).is_some());
    assert!(world.tcp("a", "10.0.1.11", "b", 81).is_none());
    rules.push(allow("web2", from("10.0.1.10/32"), tcp(81), true));
    world.filter(group("sg", rules, all_out()));
    let applied = world.apply();
    assert!(applied.changes < 10, "{}", applied.changes);
    assert!(world.tcp("a", "10.0.1.11", "b", 81).is_some());
}

/// AWS-SG: sets of ranges and single addresses change one by one.
fn many_members() {
    let mut world = crate::basics::pair();
    for members in [
        &["10.0.1.0/28"][..],
        &["10.0.1.0/28", "10.0.1.16/28"],
        &["10.0.1.8/29", "10.0.1.10/31"],
        &["10.0.1.8/29", "10.0.1.10/32"],
        &["0.0.0.0/0"],
        &["10.0.1.10/31", "10.0.1.0/24", "10.0.0.0/16"],
    ] {
        world.set("sg", members);
        world.apply();
        assert!(
            world.tcp("a", "10.0.1.11", "b", 80).is_some(),
            "{members:?}"
        );
    }
    for members in [&["10.0.1.16/28"][..], &[], &["10.0.1.11/32", "10.0.2.0/24"]] {
        world.set("sg", members);
        world.apply();
        assert!(
            world.tcp("a", "10.0.1.11", "b", 80).is_none(),
            "{members:?}"
        );
    }
}
