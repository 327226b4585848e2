//! Claims and volumes.

use super::super::Call;
use super::super::status::Status;
use crate::object;
use crate::resource::Resource;
use crate::store::Key;
use serde_json::{Value, json};

/// Claims grow if their class lets them.
/// <https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#persistentvolumeclaimresize>
pub(super) fn resize(
    call: &Call<'_>,
    resource: &Resource,
    live: &Value,
    object: &Value,
) -> Result<(), Status> {
    let size = |claim: &Value| {
        let text = object::text(claim, &["spec", "resources", "requests", "storage"]);
        crate::quantity::parse(text).unwrap_or(0.0)
    };
    if size(object) <= size(live) {
        return Ok(());
    }
    let class = object::text(live, &["spec", "storageClassName"]);
    let key = Key::new("storageclasses.storage.k8s.io", "", class);
    let allowed = call
        .store
        .get(&key)
        .is_some_and(|class| class["allowVolumeExpansion"] == true);
    if allowed {
        return Ok(());
    }
    let why = "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize";
    Err(Status::forbidden(resource, object::name(object), why))
}

/// What is in use doesn't go.
/// <https://kubernetes.io/docs/concepts/storage/persistent-volumes/#storage-object-in-use-protection>
pub(super) fn protect(object: &mut Value, finalizer: &str) {
    let held = object::metadata(object)
        .entry("finalizers")
        .or_insert_with(|| json!([]));
    if let Value::Array(held) = held
        && !held.iter().any(|name| name == finalizer)
    {
        held.push(finalizer.into());
    }
}

/// A claim without a class gets the default one.
pub(super) fn claim(call: &Call<'_>, object: &mut Value) {
    const DEFAULT: &str = "storageclass.kubernetes.io/is-default-class";
    if !object["spec"]["storageClassName"].is_null() {
        return;
    }
    let classes = call.store.list("storageclasses.storage.k8s.io", None);
    let class = classes
        .map(|(_, class)| class)
        .filter(|class| class["metadata"]["annotations"][DEFAULT] == "true")
        .max_by_key(|class| object::text(class, &["metadata", "creationTimestamp"]));
    if let Some(class) = class {
        object["spec"]["storageClassName"] = object::name(class).into();
    }
}
