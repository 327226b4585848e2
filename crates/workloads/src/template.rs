//! Pods from pod templates.

use serde_json::{Map, Value, json};

use crate::{Resource, claim, object};

/// Sets the pod-template hash in names, labels and selectors.
pub(crate) const HASH_LABEL: &str = "pod-template-hash";
/// Tells pods of one revision of a `DaemonSet` or `StatefulSet`.
pub(crate) const REVISION_LABEL: &str = "controller-revision-hash";

/// A pod as its template asks for it, owned by `owner` and without a name.
pub(crate) fn pod(template: &Value, resource: Resource, owner: &Value) -> Value {
    let mut metadata = Map::new();
    for field in ["labels", "annotations", "finalizers"] {
        let value = template.pointer("/metadata").and_then(|m| m.get(field));
        if let Some(value) = value.filter(|v| !v.is_null()) {
            metadata.insert(field.to_owned(), value.clone());
        }
    }
    metadata.insert("namespace".to_owned(), object::namespace(owner).into());
    metadata.insert(
        "ownerReferences".to_owned(),
        json!([claim::reference(resource, owner)]),
    );
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": template.get("spec").cloned().unwrap_or_else(|| json!({})),
    })
}

/// [`pod`] under a name that begins with the owner's and that the API server completes.
pub(crate) fn generated_pod(template: &Value, resource: Resource, owner: &Value) -> Value {
    let mut pod = pod(template, resource, owner);
    let prefix = format!("{}-", object::name(owner));
    object::put(&mut pod, &["metadata", "generateName"], prefix.into());
    pod
}

/// `spec.template` of a controller's object.
pub(crate) fn of(owner: &Value) -> &Value {
    owner.pointer("/spec/template").unwrap_or(&Value::Null)
}

/// Whether two templates ask for the same pods; the hash that a `ReplicaSet`'s has in its labels
/// does not count (`EqualIgnoreHash`).
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    object::same(&without_hash(a), &without_hash(b))
}

fn without_hash(template: &Value) -> Value {
    let mut template = template.clone();
    let labels = template.pointer_mut("/metadata/labels");
    if let Some(labels) = labels.and_then(Value::as_object_mut) {
        labels.remove(HASH_LABEL);
    }
    template
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_label_does_not_make_templates_differ() {
        let a = json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": []}});
        let mut b = a.clone();
        object::put(&mut b, &["metadata", "labels", HASH_LABEL], "x".into());
        object::put(&mut b, &["metadata", "creationTimestamp"], Value::Null);
        assert!(same(&a, &b));
        object::put(&mut b, &["spec", "hostNetwork"], true.into());
        assert!(!same(&a, &b));
    }
}
