//! Whether a node may ask for something at all.

use super::references;
use crate::api::User;
use crate::api::rbac::{Access, permits};
use crate::store::Store;
use serde_json::{Value, json};
use std::sync::OnceLock;

/// What every node may do with what is not divided among them: upstream's role `system:node`.
pub(crate) fn rules() -> &'static [Value] {
    static RULES: OnceLock<Vec<Value>> = OnceLock::new();
    RULES.get_or_init(|| {
        let rule = |group: &str, resources: &[&str], verbs: &[&str]| {
            json!({"apiGroups": [group], "resources": resources, "verbs": verbs})
        };
        let read = ["get", "list", "watch"];
        let keep = ["create", "delete", "get", "patch", "update"];
        vec![
            rule("authentication.k8s.io", &["tokenreviews"], &["create"]),
            rule(
                "authorization.k8s.io",
                &["localsubjectaccessreviews", "subjectaccessreviews"],
                &["create"],
            ),
            rule("", &["services"], &read),
            rule("", &["nodes"], &["create", "get", "list", "watch"]),
            rule("", &["nodes", "nodes/status"], &["patch", "update"]),
            rule("", &["events"], &["create", "patch", "update"]),
            rule("", &["pods"], &read),
            rule("", &["pods"], &["create", "delete"]),
            rule("", &["pods/status"], &["patch", "update"]),
            rule("", &["pods/eviction"], &["create"]),
            rule("", &["configmaps", "secrets"], &read),
            rule(
                "",
                &["persistentvolumeclaims", "persistentvolumes"],
                &["get"],
            ),
            rule(
                "",
                &["persistentvolumeclaims/status"],
                &["get", "patch", "update"],
            ),
            rule("", &["endpoints"], &["get"]),
            rule("", &["serviceaccounts/token"], &["create"]),
            rule(
                "certificates.k8s.io",
                &["certificatesigningrequests"],
                &["create", "get", "list", "watch"],
            ),
            rule("coordination.k8s.io", &["leases"], &keep),
            rule("storage.k8s.io", &["volumeattachments"], &["get"]),
            rule("storage.k8s.io", &["csidrivers"], &read),
            rule("storage.k8s.io", &["csinodes"], &keep),
            rule("node.k8s.io", &["runtimeclasses"], &read),
        ]
    })
}

/// Whether a user is a node that may do something.
pub(crate) fn allows(store: &Store, user: &User, access: &Access) -> bool {
    let Some(node) = super::name(user).filter(|node| !node.is_empty()) else {
        return false;
    };
    let (resource, below) = access
        .resource
        .split_once('/')
        .unwrap_or((&access.resource, ""));
    let verb = access.verb.as_str();
    let name = access.name.as_str();
    let concerns =
        || !name.is_empty() && references::concerns(store, node, resource, &access.namespace, name);
    let reads = ["get", "list", "watch"].contains(&verb);
    let keeps = ["create", "delete", "get", "patch", "update"].contains(&verb);
    match (access.group.as_str(), resource) {
        ("", "configmaps" | "secrets") => {
            reads && below.is_empty() && !access.namespace.is_empty() && concerns()
        }
        ("", "persistentvolumeclaims") if below == "status" => {
            ["patch", "update"].contains(&verb) && concerns()
        }
        ("", "persistentvolumeclaims" | "persistentvolumes")
        | ("storage.k8s.io", "volumeattachments") => {
            verb == "get" && below.is_empty() && concerns()
        }
        ("", "serviceaccounts") => verb == "create" && below == "token" && concerns(),
        ("coordination.k8s.io", "leases") => {
            keeps
                && access.namespace == super::restriction::LEASES
                && (verb == "create" || name == node)
        }
        ("storage.k8s.io", "csinodes") => {
            keeps && below.is_empty() && (verb == "create" || name == node)
        }
        ("", "nodes") => match below {
            "" => ["create", "patch", "update"].contains(&verb) || (reads && name == node),
            "status" => ["patch", "update"].contains(&verb),
            _ => false,
        },
        ("", "pods") => match (below, verb) {
            ("", "get") => concerns(),
            ("", "list" | "watch") => selects(&access.fields, node) || concerns(),
            ("", "create" | "delete") | ("eviction", "create") => true,
            ("status", "patch" | "update") => true,
            _ => false,
        },
        _ => rules().iter().any(|rule| permits(rule, access)),
    }
}

/// Whether a selection by fields takes a node's pods only.
fn selects(fields: &str, node: &str) -> bool {
    fields.split(',').any(|part| {
        let (field, value) = part.split_once('=').unwrap_or_default();
        field.trim() == "spec.nodeName" && value.trim_start_matches('=').trim() == node
    })
}
