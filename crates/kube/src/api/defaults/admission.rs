//! Webhooks.

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
