//! Quotas: what a namespace's objects use of what they may.
//!
//! <https://kubernetes.io/docs/concepts/policy/resource-quotas/>

mod measure;
mod scope;

pub(crate) use measure::{Amounts, amounts, asked, of, unspecified};

use crate::object;
use crate::quantity::Amount;
use crate::registry;
use crate::store::Store;
use serde_json::{Value, json};

/// The quotas' own resource.
pub(crate) const QUOTAS: &str = "resourcequotas";

/// What a quota allows.
pub(crate) fn hard(quota: &Value) -> Amounts {
    amounts(&quota["spec"]["hard"])
}

/// Whether a quota counts an object at all.
pub(crate) fn counts(quota: &Value, resource: &str, object: &Value) -> bool {
    resource != "pods" && scope::is_plain(quota)
        || resource == "pods" && scope::holds(quota, object)
}

/// What the objects of a quota's namespace use of what it limits.
pub(crate) fn used(store: &Store, quota: &Value) -> Amounts {
    let mut used: Amounts = hard(quota)
        .into_keys()
        .map(|name| (name, Amount::default()))
        .collect();
    let namespace = object::namespace(quota);
    for resource in measured(store, &used) {
        for (_, object) in store.list(&resource, Some(namespace)) {
            if !counts(quota, &resource, object) {
                continue;
            }
            for (name, amount) in of(&resource, object) {
                if let Some(sum) = used.get_mut(&name) {
                    *sum = *sum + amount;
                }
            }
        }
    }
    used
}

/// The resources whose objects use something of what is limited.
fn measured(store: &Store, limited: &Amounts) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for name in limited.keys() {
        let resource = match name.strip_prefix("count/") {
            Some(counted) => counted,
            None => measure::resource_of(name),
        };
        if !found.iter().any(|other| other == resource)
            && registry::by_name(store, resource).is_some()
        {
            found.push(resource.to_owned());
        }
    }
    found
}

/// A quota's status as it is now.
pub(crate) fn status(store: &Store, quota: &Value) -> Value {
    let used: serde_json::Map<String, Value> = used(store, quota)
        .into_iter()
        .map(|(name, amount)| (name, json!(amount.to_string())))
        .collect();
    json!({"hard": quota["spec"]["hard"], "used": used})
}
