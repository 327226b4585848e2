//! Limits of containers: what is left out follows from what is there.

use super::{below, each};
use crate::object::default;
use serde_json::{Map, Value};

/// Fills in a limit range's spec.
pub(super) fn apply(spec: &mut Map<String, Value>) {
    for limit in each(spec, "limits") {
        if limit.get("type").is_some_and(|kind| kind == "Container") {
            follow(limit, "max", "default");
            follow(limit, "default", "defaultRequest");
            follow(limit, "min", "defaultRequest");
        }
    }
}

/// What a map lacks is taken from another.
fn follow(limit: &mut Map<String, Value>, from: &str, to: &str) {
    let Some(amounts) = limit.get(from).and_then(Value::as_object).cloned() else {
        return;
    };
    let to = below(limit, to);
    for (name, amount) in amounts {
        default(to, &name, amount);
    }
}
