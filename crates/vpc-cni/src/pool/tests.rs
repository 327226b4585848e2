//! The tables of upstream's documentation, by playing the agent until nothing changes.

use super::*;

const COUNTED: Targets = Targets {
    warm_enis: 1,
    warm_ips: None,
    minimum_ips: None,
    warm_prefixes: 0,
    prefixes: false,
};
/// Interfaces and addresses of each, the primary ones among them.
const T3_SMALL: (usize, usize) = (3, 4);
const P3DN: (usize, usize) = (15, 50);

fn capacity((interfaces, addresses): (usize, usize)) -> Capacity {
    Capacity {
        units_per_interface: addresses - 1,
        interfaces,
        pods: interfaces * (addresses - 1) + 2,
    }
}

/// What so many pods end with: the units of each interface. Pods come one by one, and the agent acts
/// after each, as long as it has something to do.
fn settled(targets: Targets, capacity: Capacity, pods: usize) -> Vec<usize> {
    let mut interfaces = vec![0];
    let stock = |interfaces: &[usize], assigned: usize| {
        let units: usize = interfaces.iter().sum();
        let prefixes = if targets.prefixes { units } else { 0 };
        Stock {
            total: units * targets.unit(),
            assigned,
            prefixes,
            // Pods fill one prefix after another.
            free_prefixes: prefixes.saturating_sub(assigned.div_ceil(PREFIX_SIZE)),
            interfaces: interfaces.len(),
        }
    };
    // At its start the agent fills the primary interface without asking whether the pool is low.
    interfaces[0] = targets.units_on(&stock(&interfaces, 0), capacity.units_per_interface);
    for assigned in 0..=pods {
        while targets.is_low(&stock(&interfaces, assigned), &capacity) {
            let now = stock(&interfaces, assigned);
            let full = capacity.units_per_interface;
            if let Some(units) = interfaces.iter_mut().find(|units| **units < full) {
                let more = targets.units_on(&now, full - *units);
                *units += more;
            } else if interfaces.len() < capacity.interfaces {
                interfaces.push(targets.units_on_new(&now, &capacity));
            } else {
                break;
            }
        }
        let now = stock(&interfaces, assigned);
        assert_eq!(targets.over(&now), 0, "{targets:?} {interfaces:?}");
    }
    interfaces
}

/// AWS-CNI: docs/eni-and-ip-target.md.
#[test]
fn pools_are_as_large_as_documented() {
    let with = |warm_ips, minimum_ips| Targets {
        warm_ips,
        minimum_ips,
        ..COUNTED
    };
    let default = with(None, None);
    let one = with(Some(1), Some(1));
    let two = with(Some(2), Some(5));
    let five = with(Some(5), Some(10));
    for (targets, kind, pods, interfaces, total) in [
        (default, T3_SMALL, 0, 1, 3),
        (default, T3_SMALL, 5, 3, 9),
        (default, T3_SMALL, 9, 3, 9),
        (one, T3_SMALL, 0, 1, 1),
        (one, T3_SMALL, 5, 2, 6),
        (one, T3_SMALL, 9, 3, 9),
        (two, T3_SMALL, 0, 2, 5),
        (two, T3_SMALL, 5, 3, 7),
        (two, T3_SMALL, 9, 3, 9),
        (default, P3DN, 0, 1, 49),
        (default, P3DN, 3, 2, 98),
        (default, P3DN, 95, 3, 147),
        (five, P3DN, 0, 1, 10),
        (five, P3DN, 7, 1, 12),
        (five, P3DN, 15, 1, 20),
        (five, P3DN, 45, 2, 50),
    ] {
        let units = settled(targets, capacity(kind), pods);
        let got = (units.len(), units.iter().sum());
        assert_eq!(
            got,
            (interfaces, total),
            "{targets:?}, {pods} pods: {units:?}"
        );
    }
    assert_eq!(settled(five, capacity(P3DN), 45), [49, 1]);
}

/// AWS-CNI: docs/prefix-and-ip-target.md.
#[test]
fn prefixes_are_as_many_as_documented() {
    let targets = Targets {
        prefixes: true,
        warm_prefixes: 1,
        ..COUNTED
    };
    let capacity = Capacity {
        pods: 110,
        ..capacity(T3_SMALL)
    };
    for (pods, prefixes) in [(0, 1), (5, 2), (16, 2), (17, 3), (58, 5)] {
        let units: usize = settled(targets, capacity, pods).iter().sum();
        assert_eq!(units, prefixes, "{pods} pods");
    }
    assert_eq!(settled(targets, capacity, 58), [3, 2]);
}

/// AWS-CNI: with counted addresses a unit is a prefix all the same, and what is over is whole prefixes.
#[test]
fn prefixes_over_are_given_back_whole() {
    let targets = Targets {
        prefixes: true,
        warm_ips: Some(7),
        minimum_ips: Some(20),
        ..COUNTED
    };
    let stock = |prefixes, assigned, free_prefixes| Stock {
        total: prefixes * PREFIX_SIZE,
        assigned,
        prefixes,
        free_prefixes,
        interfaces: 1,
    };
    assert_eq!(targets.units_on(&stock(0, 0, 0), 9), 2);
    assert_eq!(targets.over(&stock(2, 0, 2)), 0);
    assert_eq!(targets.over(&stock(4, 0, 4)), 2);
    // 26 pods and 7 to spare need three prefixes, and one free prefix is not more than that.
    assert_eq!(targets.over(&stock(3, 26, 1)), 0);
    assert_eq!(targets.over(&stock(4, 26, 1)), 1);
}

/// AWS-MAXPODS, AWS-CNI: the pool never grows beyond the pods that the node takes.
#[test]
fn max_pods_stops_growth() {
    let stock = Stock {
        total: 27,
        assigned: 27,
        interfaces: 3,
        ..Stock::default()
    };
    let few = Capacity {
        units_per_interface: 9,
        interfaces: 8,
        pods: 20,
    };
    assert!(!COUNTED.is_low(&stock, &few));
    assert!(COUNTED.is_low(&stock, &Capacity { pods: 110, ..few }));
}

/// AWS-CNI: an interface is given back when a whole one would still be to spare, or, with counted
/// addresses, when the others meet the targets.
#[test]
fn interfaces_are_given_back_when_others_do() {
    let capacity = capacity((3, 10));
    let stock = |total, assigned| Stock {
        total,
        assigned,
        ..Stock::default()
    };
    assert!(!COUNTED.may_free_interface(&stock(27, 10), &capacity));
    assert!(COUNTED.may_free_interface(&stock(27, 9), &capacity));
    let counted = Targets {
        warm_ips: Some(2),
        minimum_ips: Some(5),
        ..COUNTED
    };
    assert!(counted.may_free_interface(&stock(5, 1), &capacity));
    assert!(counted.met_without(&stock(9, 3)));
    assert!(!counted.met_without(&stock(9, 8)));
    assert!(!counted.met_without(&stock(4, 0)));
}
