//! What can't be, field by field, as upstream says it.

mod admission;
mod metadata;
mod network;
mod pod;
mod shape;
mod signing;
mod storage;
mod workload;

use super::status::Cause;
use crate::object;
use crate::resource::Resource;
use serde_json::{Value, json};

/// What is wrong with a new object.
pub(super) fn create(resource: &Resource, object: &Value) -> Vec<Cause> {
    let mut causes = metadata::check(resource, object);
    causes.extend(content(resource, object));
    if causes.is_empty() {
        causes.extend(rules(resource, object, None));
    }
    causes
}

/// What a user's kind's own rules forbid; they see what its schema lets in.
fn rules(resource: &Resource, object: &Value, live: Option<&Value>) -> Vec<Cause> {
    let custom = resource.custom.as_ref();
    custom.map_or_else(Vec::new, |custom| {
        crate::custom::rules::check(object, live, &custom.schema)
    })
}

/// What is wrong with a change. `chosen`: it comes by a subresource that may change what is fixed.
pub(super) fn update(
    resource: &Resource,
    live: &Value,
    object: &Value,
    chosen: bool,
) -> Vec<Cause> {
    let mut causes = metadata::check(resource, object);
    causes.extend(content(resource, object));
    if causes.is_empty() {
        causes.extend(rules(resource, object, Some(live)));
    }
    if causes.is_empty() && !chosen {
        causes.extend(fixed(resource, live, object));
    }
    causes
}

fn content(resource: &Resource, object: &Value) -> Vec<Cause> {
    if let Some(custom) = &resource.custom {
        return crate::custom::schema::check(object, &custom.schema);
    }
    let mut causes = shape::check(resource, object);
    match &*resource.kind {
        "Pod" => pod::spec(&object["spec"], "spec", &mut causes),
        "Service" => network::service(object, &mut causes),
        "Ingress" => network::ingress(object, &mut causes),
        "NetworkPolicy" => network::policy(object, &mut causes),
        "ReplicationController" => workload::replication_controller(object, &mut causes),
        "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" | "Job" | "CronJob" => {
            workload::check(&resource.kind, object, &mut causes);
        }
        "CustomResourceDefinition" => causes.extend(crate::custom::definition::check(object)),
        "ConfigMap" | "Secret" => keys(object, &mut causes),
        "PersistentVolumeClaim" => storage::claim(&object["spec"], "spec", &mut causes),
        "PersistentVolume" => storage::volume(object, &mut causes),
        "PriorityClass" => priority_class(object, &mut causes),
        "RuntimeClass" => {
            let handler = object::text(object, &["handler"]);
            causes.extend(metadata::label("handler", handler));
        }
        "StorageClass" => storage::class(object, &mut causes),
        "HorizontalPodAutoscaler" => workload::autoscaler(&object["spec"], &mut causes),
        "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration" => {
            admission::webhooks(object, &mut causes);
        }
        "ValidatingAdmissionPolicy" => admission::policy(object, &mut causes),
        "ValidatingAdmissionPolicyBinding" => admission::binding(object, &mut causes),
        "CertificateSigningRequest" => signing::request(object, &mut causes),
        _ => {}
    }
    causes
}

/// Classes of the system's own are made with the cluster.
fn priority_class(object: &Value, causes: &mut Vec<Cause>) {
    const HIGHEST: i64 = 1_000_000_000;
    let own = ["system-cluster-critical", "system-node-critical"];
    let name = object::name(object);
    if name.starts_with("system-") && !own.contains(&name) {
        let detail = "priority class names with 'system-' prefix are reserved for system use only";
        causes.push(Cause::forbidden("metadata.name", detail));
    } else if object["value"]
        .as_i64()
        .is_some_and(|value| value > HIGHEST)
        && !own.contains(&name)
    {
        let detail = format!("maximum allowed value of a user defined priority is {HIGHEST}");
        causes.push(Cause::forbidden("value", detail));
    }
}

/// Names of files: the keys of config maps and secrets.
fn keys(object: &Value, causes: &mut Vec<Cause>) {
    for field in ["data", "binaryData"] {
        for (key, _) in object::entries(object, &[field]) {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            if key.is_empty() || key.len() > 253 || !key.chars().all(plain) {
                let detail = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
                causes.push(Cause::invalid(
                    format!("{field}[{key}]"),
                    &json!(key),
                    detail,
                ));
            }
        }
    }
    let size: usize = object::entries(object, &["data"])
        .map(|(_, v)| v.as_str().map_or(0, str::len))
        .sum();
    if size > 1_048_576 {
        causes.push(Cause {
            reason: "FieldValueTooLong",
            field: "data".to_owned(),
            message: "Too long: may not be more than 1048576 bytes".to_owned(),
        });
    }
}

/// Fields that don't change once they are set.
fn fixed(resource: &Resource, live: &Value, object: &Value) -> Vec<Cause> {
    let paths: &[&[&str]] = match &*resource.kind {
        "Deployment" | "ReplicaSet" | "DaemonSet" => &[&["spec", "selector"]],
        "Job" => &[
            &["spec", "selector"],
            &["spec", "completionMode"],
            &["spec", "template"],
        ],
        "RoleBinding" | "ClusterRoleBinding" => &[&["roleRef"]],
        "StorageClass" => &[&["provisioner"], &["parameters"], &["reclaimPolicy"]],
        "Secret" => &[&["type"]],
        "PriorityClass" => &[&["value"]],
        "CertificateSigningRequest" => &[&["spec"]],
        "CustomResourceDefinition" => &[
            &["spec", "group"],
            &["spec", "scope"],
            &["spec", "names", "plural"],
            &["spec", "names", "kind"],
        ],
        _ => &[],
    };
    let mut causes = Vec::new();
    for path in paths {
        let (before, after) = (object::at(live, path), object::at(object, path));
        if before != after {
            causes.push(Cause::invalid(path.join("."), after, "field is immutable"));
        }
    }
    match &*resource.kind {
        "Pod" => pod::update(live, object, &mut causes),
        "PersistentVolumeClaim" => storage::claim_update(live, object, &mut causes),
        "PersistentVolume" => storage::volume_update(live, object, &mut causes),
        "Service" => network::service_update(live, object, &mut causes),
        "StatefulSet" => workload::stateful_set_update(live, object, &mut causes),
        "ConfigMap" | "Secret" if live["immutable"] == true => {
            for field in ["data", "binaryData", "stringData", "immutable"] {
                if live[field] != object[field] {
                    causes.push(Cause::forbidden(
                        field,
                        "field is immutable when `immutable` is set",
                    ));
                }
            }
        }
        _ => {}
    }
    causes
}
