//! A `DaemonSet`'s status.

use serde_json::{Value, json};

use super::Daemons;
use crate::{object, pod};

/// The numbers of nodes that have, or should have, the set's pods.
pub(super) fn of(daemons: &Daemons, collisions: Option<i64>) -> Value {
    let (mut desired, mut current, mut misscheduled) = (0, 0, 0);
    let (mut ready, mut available, mut updated) = (0, 0, 0);
    for place in &daemons.places {
        let first = place.pods.first();
        if !place.fit.run {
            misscheduled += i64::from(first.is_some());
            continue;
        }
        desired += 1;
        let Some(first) = first else { continue };
        current += 1;
        let live = place.pods.iter().filter(|pod| !object::terminating(pod));
        let live: Vec<_> = live.collect();
        ready += i64::from(live.iter().any(|pod| pod::ready(pod)));
        available += i64::from(live.iter().any(|pod| daemons.available(pod)));
        updated += i64::from(daemons.updated(live.first().copied().unwrap_or(first)));
    }
    let mut status = object::counts(&[
        ("observedGeneration", object::generation(daemons.set)),
        ("updatedNumberScheduled", updated),
        ("numberAvailable", available),
        ("numberUnavailable", desired - available),
    ]);
    for (field, number) in [
        ("desiredNumberScheduled", desired),
        ("currentNumberScheduled", current),
        ("numberMisscheduled", misscheduled),
        ("numberReady", ready),
    ] {
        status.insert(field.to_owned(), json!(number));
    }
    if let Some(collisions) = collisions {
        status.insert("collisionCount".to_owned(), collisions.into());
    }
    status.into()
}
