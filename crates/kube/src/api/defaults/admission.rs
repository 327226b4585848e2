//! Webhooks, and policies that are expressions.

use super::{each, there};
use crate::object::default;
use serde_json::{Map, Value, json};

pub(super) fn webhooks(map: &mut Map<String, Value>, mutating: bool) {
    for hook in each(map, "webhooks") {
        default(hook, "failurePolicy", "Fail");
        default(hook, "matchPolicy", "Equivalent");
        default(hook, "namespaceSelector", json!({}));
        default(hook, "objectSelector", json!({}));
        default(hook, "timeoutSeconds", 10);
        if mutating {
            default(hook, "reinvocationPolicy", "Never");
        }
        let service = there(hook, "clientConfig").and_then(|client| there(client, "service"));
        if let Some(service) = service {
            default(service, "port", 443);
        }
        for rule in each(hook, "rules") {
            default(rule, "scope", "*");
        }
    }
}

pub(super) fn policy(spec: &mut Map<String, Value>) {
    default(spec, "failurePolicy", "Fail");
    constraints(spec, "matchConstraints");
}

/// Which requests a policy, or its binding, is about.
pub(super) fn constraints(spec: &mut Map<String, Value>, name: &str) {
    let Some(of) = there(spec, name) else { return };
    default(of, "matchPolicy", "Equivalent");
    default(of, "namespaceSelector", json!({}));
    default(of, "objectSelector", json!({}));
    for rules in ["resourceRules", "excludeResourceRules"] {
        for rule in each(of, rules) {
            default(rule, "scope", "*");
        }
    }
}
