//! Values that upstream fills in when users leave them out.
//!
//! Each rule is a field's "Defaults to …" in <https://kubernetes.io/docs/reference/kubernetes-api/>.

mod admission;
mod limits;
mod network;
mod pod;
mod workload;

use crate::object::default;
use crate::resource::Resource;
use serde_json::{Map, Value};

/// Fills in an object's defaults.
pub(super) fn apply(resource: &Resource, object: &mut Value) {
    if let Some(custom) = &resource.custom {
        return crate::custom::schema::fill(object, &custom.schema);
    }
    let map = crate::object::object_mut(object);
    match &*resource.kind {
        "Pod" => pod::spec(spec(map)),
        "PodTemplate" => template(map),
        "Deployment"
        | "ReplicaSet"
        | "ReplicationController"
        | "StatefulSet"
        | "DaemonSet"
        | "Job"
        | "CronJob"
        | "HorizontalPodAutoscaler"
        | "PodDisruptionBudget" => {
            workload::apply(&resource.kind, map);
        }
        "Service" | "Endpoints" | "EndpointSlice" | "NetworkPolicy" | "Ingress" => {
            network::apply(&resource.kind, map);
        }
        "LimitRange" => limits::apply(spec(map)),
        "Secret" => default(map, "type", "Opaque"),
        "PersistentVolumeClaim" => default(spec(map), "volumeMode", "Filesystem"),
        "PersistentVolume" => {
            default(spec(map), "volumeMode", "Filesystem");
            default(spec(map), "persistentVolumeReclaimPolicy", "Retain");
        }
        "PriorityClass" => default(map, "preemptionPolicy", "PreemptLowerPriority"),
        "StorageClass" => {
            default(map, "reclaimPolicy", "Delete");
            default(map, "volumeBindingMode", "Immediate");
        }
        "RoleBinding" | "ClusterRoleBinding" => bindings(map),
        "CustomResourceDefinition" => definition(map),
        "MutatingWebhookConfiguration" => admission::webhooks(map, true),
        "ValidatingWebhookConfiguration" => admission::webhooks(map, false),
        "ValidatingAdmissionPolicy" => admission::policy(spec(map)),
        "ValidatingAdmissionPolicyBinding" => admission::constraints(spec(map), "matchResources"),
        _ => {}
    }
}

/// The map at `spec`.
fn spec(map: &mut Map<String, Value>) -> &mut Map<String, Value> {
    below(map, "spec")
}

/// The map at a name, made if there is none.
fn below<'m>(map: &'m mut Map<String, Value>, name: &str) -> &'m mut Map<String, Value> {
    crate::object::object_mut(map.entry(name).or_insert(Value::Null))
}

/// The map at a name, if there is one.
fn there<'m>(map: &'m mut Map<String, Value>, name: &str) -> Option<&'m mut Map<String, Value>> {
    map.get_mut(name).and_then(Value::as_object_mut)
}

/// The maps in the list at a name.
fn each<'m>(
    map: &'m mut Map<String, Value>,
    name: &str,
) -> impl Iterator<Item = &'m mut Map<String, Value>> + use<'m> {
    let list = map.get_mut(name).and_then(Value::as_array_mut);
    list.into_iter().flatten().filter_map(Value::as_object_mut)
}

/// A pod template's defaults.
fn template(map: &mut Map<String, Value>) {
    let template = below(map, "template");
    crate::object::default(
        below(template, "metadata"),
        "creationTimestamp",
        Value::Null,
    );
    pod::spec(below(template, "spec"));
    below(template, "metadata").remove("creationTimestamp");
}

fn bindings(map: &mut Map<String, Value>) {
    const GROUP: &str = "rbac.authorization.k8s.io";
    default(below(map, "roleRef"), "apiGroup", GROUP);
    for subject in each(map, "subjects") {
        if subject
            .get("kind")
            .is_some_and(|kind| kind != "ServiceAccount")
        {
            default(subject, "apiGroup", GROUP);
        }
    }
}

fn definition(map: &mut Map<String, Value>) {
    let spec = spec(map);
    default(spec, "conversion", serde_json::json!({"strategy": "None"}));
    let names = below(spec, "names");
    let kind = names
        .get("kind")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    default(names, "singular", kind.to_lowercase());
    default(names, "listKind", format!("{kind}List"));
}
