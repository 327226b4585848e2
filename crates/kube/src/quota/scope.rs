//! Quotas of some pods alone.
//!
//! <https://kubernetes.io/docs/concepts/policy/resource-quotas/#quota-scopes>

use crate::object::{self, list, text};
use serde_json::Value;

/// Whether a quota has no scopes: then it counts objects of all kinds.
pub(super) fn is_plain(quota: &Value) -> bool {
    list(quota, &["spec", "scopes"]).is_empty()
        && list(quota, &["spec", "scopeSelector", "matchExpressions"]).is_empty()
}

/// Whether all scopes of a quota hold of a pod.
pub(super) fn holds(quota: &Value, pod: &Value) -> bool {
    let named = list(quota, &["spec", "scopes"]).iter();
    let selected = list(quota, &["spec", "scopeSelector", "matchExpressions"]).iter();
    named
        .filter_map(Value::as_str)
        .all(|name| of_pod(name, "Exists", &[], pod))
        && selected.into_iter().all(|expression| {
            let values = list(expression, &["values"]);
            let operator = text(expression, &["operator"]);
            of_pod(text(expression, &["scopeName"]), operator, values, pod)
        })
}

fn of_pod(name: &str, operator: &str, values: &[Value], pod: &Value) -> bool {
    let terminating = pod["spec"]["activeDeadlineSeconds"].as_i64().is_some();
    let best_effort = pod["status"]["qosClass"] == "BestEffort";
    match name {
        "Terminating" => terminating,
        "NotTerminating" => !terminating,
        "BestEffort" => best_effort,
        "NotBestEffort" => !best_effort,
        "PriorityClass" => {
            let class = &pod["spec"]["priorityClassName"];
            let set = !text(pod, &["spec", "priorityClassName"]).is_empty();
            match operator {
                "In" => values.contains(class),
                "NotIn" => !values.contains(class),
                "DoesNotExist" => !set,
                _ => set,
            }
        }
        "CrossNamespacePodAffinity" => crosses(pod),
        _ => false,
    }
}

/// Whether a pod wants to be near or far from pods of other namespaces.
fn crosses(pod: &Value) -> bool {
    ["podAffinity", "podAntiAffinity"].iter().any(|kind| {
        let affinity = object::at(pod, &["spec", "affinity", kind]);
        let required = list(
            affinity,
            &["requiredDuringSchedulingIgnoredDuringExecution"],
        )
        .iter();
        let preferred = list(
            affinity,
            &["preferredDuringSchedulingIgnoredDuringExecution"],
        )
        .iter();
        required
            .chain(preferred.map(|term| &term["podAffinityTerm"]))
            .any(|term| {
                !list(term, &["namespaces"]).is_empty() || !term["namespaceSelector"].is_null()
            })
    })
}
