//! `skylab capacity`: what regions can launch.

use crate::args::{self, CapacityChange as Asked};
use crate::failure::Failure;
use aws::model::capacity::{Capacity, TypeLimit, VCPUS};
use lab::control::{self, CapacityChange, ControlError, Reply, Request};
use lab::paths::StateDir;
use std::collections::BTreeMap;
use std::fmt::Write;

pub(crate) fn run(state: &StateDir, args: args::Capacity) -> Result<u8, Failure> {
    let change = args.change.map(change);
    let reply = control::connect(state)?.ask(&Request::Capacity(change))?;
    let Reply::Capacity(set) = reply else {
        return Err(ControlError::Version.into());
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&set).unwrap_or_default());
    } else {
        print!("{}", told(&set));
    }
    Ok(0)
}

fn change(asked: Asked) -> CapacityChange {
    match asked {
        Asked::Quota { vcpus, region } => CapacityChange::Vcpus { region, vcpus },
        Asked::Reset { region } => CapacityChange::Reset { region },
        Asked::Limit {
            instance_type,
            instances,
            zone,
            region,
        } => CapacityChange::Limit {
            // A zone's name is its region's and a letter.
            region: zone.as_deref().map_or(region, |zone| {
                zone.trim_end_matches(|letter: char| letter.is_ascii_lowercase())
                    .to_owned()
            }),
            limit: TypeLimit {
                instance_type,
                zone,
                instances,
            },
        },
    }
}

fn told(set: &BTreeMap<String, Capacity>) -> String {
    let mut text = String::new();
    for (region, capacity) in set {
        if let Some(vcpus) = capacity.vcpus {
            // Writing to a string can't fail.
            let _ = writeln!(text, "{region}  at most {vcpus} vCPUs in use");
        }
        for limit in &capacity.limits {
            let place = limit.zone.clone();
            let place = place.unwrap_or_else(|| format!("each zone of {region}"));
            let TypeLimit {
                instance_type,
                instances,
                ..
            } = limit;
            let _ = writeln!(text, "{place}  at most {instances} of {instance_type}");
        }
    }
    if text.is_empty() {
        let _ = writeln!(
            text,
            "Nothing is set: each region has {VCPUS} vCPUs (none counted with --quotas none) and every type."
        );
    }
    text
}
