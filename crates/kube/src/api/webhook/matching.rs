//! Which requests a webhook is asked about.
//!
//! <https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#matching-requests-rules>

use super::hooks::Hook;
use crate::api::admission::{Attributes, Operation, What};
use crate::object;
use crate::registry;
use crate::resource::Resource;
use crate::selector::Selector;
use crate::store::{Key, Store};
use serde_json::Value;
use std::sync::Arc;

/// The resource as a webhook is shown it: in the version that was asked for, or an equivalent one.
pub(super) enum Shown {
    /// As it was asked for.
    Same,
    /// In the version that the webhook knows.
    Other(Arc<Resource>),
}

/// How a request is shown to a webhook, if it concerns it.
pub(super) fn shown(store: &Store, hook: &Hook, of: &Attributes<'_>) -> Option<Shown> {
    let value = hook.value();
    if !in_namespace(store, &value["namespaceSelector"], of)
        || !is_selected(&value["objectSelector"], of)
    {
        return None;
    }
    let rules = object::list(value, &["rules"]);
    let matches = |resource: &Resource| rules.iter().any(|rule| applies(rule, of.what, resource));
    if matches(of.what.resource) {
        return Some(Shown::Same);
    }
    if value["matchPolicy"] == "Exact" || of.what.resource.custom.is_none() {
        return None;
    }
    let mut others = registry::custom(store).filter(|other| {
        other.group == of.what.resource.group && other.plural == of.what.resource.plural
    });
    others.find(|other| matches(other)).map(Shown::Other)
}

/// Whether a policy's constraints are about a request; `rules` names the field of its rules, empty where all
/// requests are meant.
pub(in crate::api) fn concerns(
    store: &Store,
    constraints: &Value,
    rules: &str,
    of: &Attributes<'_>,
) -> bool {
    let applies_of = |field: &str| {
        object::list(constraints, &[field]).iter().any(|rule| {
            let names = object::list(rule, &["resourceNames"]);
            let named = names.is_empty() || names.iter().any(|name| name == of.what.name);
            named && applies(rule, of.what, of.what.resource)
        })
    };
    in_namespace(store, &constraints["namespaceSelector"], of)
        && is_selected(&constraints["objectSelector"], of)
        && !applies_of("excludeResourceRules")
        && (rules.is_empty() || applies_of(rules))
}

fn applies(rule: &Value, what: What<'_>, resource: &Resource) -> bool {
    let has = |field: &str, wanted: &str| {
        let mut list = object::list(rule, &[field]).iter();
        list.any(|value| value == "*" || value == wanted)
    };
    let scope = match object::text(rule, &["scope"]) {
        // Namespaces are cluster-wide themselves.
        "Namespaced" => resource.namespaced,
        "Cluster" => !resource.namespaced,
        _ => true,
    };
    let named = object::list(rule, &["resources"])
        .iter()
        .filter_map(Value::as_str)
        .any(|pattern| {
            let (name, below) = pattern.split_once('/').unwrap_or((pattern, ""));
            (name == "*" || name == resource.plural) && (below == "*" || below == what.subresource)
        });
    scope
        && named
        && has("apiGroups", &resource.group)
        && has("apiVersions", &resource.version)
        && has("operations", what.operation.as_str())
}

/// Whether a request is in a namespace that a webhook concerns.
fn in_namespace(store: &Store, selector: &Value, of: &Attributes<'_>) -> bool {
    let Some(selector) = selector_of(selector) else {
        return true;
    };
    let what = of.what;
    if what.resource.kind == "Namespace" && what.resource.group.is_empty() {
        let itself = match what.operation {
            Operation::Delete => of.old,
            _ => of.object,
        };
        return itself.is_none_or(|namespace| selector.selects(namespace));
    }
    if what.namespace.is_empty() {
        return true;
    }
    let namespace = store.get(&Key::new("namespaces", "", what.namespace));
    namespace.is_some_and(|namespace| selector.selects(namespace))
}

/// Whether an object, as it is or would be, is one that a webhook concerns.
fn is_selected(selector: &Value, of: &Attributes<'_>) -> bool {
    let Some(selector) = selector_of(selector) else {
        return true;
    };
    let selected = |object: Option<&Value>| object.is_some_and(|object| selector.selects(object));
    selected(of.object) || selected(of.old)
}

/// A selector, if it selects at all.
fn selector_of(value: &Value) -> Option<Selector> {
    let empty = value.as_object().is_none_or(serde_json::Map::is_empty);
    if empty {
        None
    } else {
        Selector::of_labels(value)
    }
}
