//! Creating and replacing.

use super::read::shown;
use super::status::Status;
use super::{Answer, Call, Target, admission, body, defaults, key, validation};
use crate::object;
use crate::resource::{Resource, Subresource};
use serde_json::Value;
use std::sync::Arc;

pub(super) fn create(
    call: &mut Call<'_>,
    resource: &Resource,
    target: &Target,
) -> Result<Answer, Status> {
    let object = body::object_of(call, resource)?;
    let made = make(call, resource, target, object, Owners::Track)?;
    Ok(shown(call, resource, 201, &made))
}

/// Makes an object.
pub(super) fn make(
    call: &mut Call<'_>,
    resource: &Resource,
    target: &Target,
    mut object: Value,
    owners: Owners,
) -> Result<Arc<Value>, Status> {
    place(resource, target, &mut object)?;
    let (now, uid) = (call.now(), call.uid());
    let metadata = object::metadata(&mut object);
    if metadata.get("name").is_none_or(|name| name == "")
        && let Some(prefix) = metadata.get("generateName").and_then(Value::as_str)
    {
        let name = format!("{prefix}{}", call.suffix());
        metadata.insert("name".to_owned(), name.into());
    }
    for field in [
        "resourceVersion",
        "selfLink",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ] {
        metadata.remove(field);
    }
    metadata.insert("uid".to_owned(), uid.into());
    metadata.insert("creationTimestamp".to_owned(), now.into());
    if has_generation(resource) {
        metadata.insert("generation".to_owned(), 1.into());
    }
    if resource.has(Subresource::Status) {
        object::object_mut(&mut object).remove("status");
    }
    defaults::apply(resource, &mut object);
    admission::create(call, resource, &mut object)?;
    let name = object::name(&object).to_owned();
    let causes = validation::create(resource, &object);
    if !causes.is_empty() {
        return Err(Status::invalid(resource, &name, &causes));
    }
    let key = key(resource, target, &name);
    if call.store.get(&key).is_some() {
        return Err(Status::already_exists(resource, &name));
    }
    admission::quota::check(call, resource, None, &object)?;
    if owners == Owners::Track {
        track(call, resource, target, None, &mut object);
    }
    Ok(call.store.put(key, object))
}

/// Notes who owns the fields that a change made.
fn track(
    call: &Call<'_>,
    resource: &Resource,
    target: &Target,
    live: Option<&Value>,
    object: &mut Value,
) {
    let root = crate::schema::View::of_resource(resource);
    let by = crate::merge::Applier {
        manager: call.request.field_manager(),
        api_version: &resource.api_version(),
        subresource: target.subresource.map(Subresource::as_str),
        now: &call.now(),
        force: false,
    };
    crate::merge::track(live, object, &root, &by);
}

/// Who says which manager owns which field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owners {
    /// The request's manager owns what it changes.
    Track,
    /// The object says it already.
    Given,
}

/// Whether an object's spec is counted.
pub(super) fn has_generation(resource: &Resource) -> bool {
    if resource.custom.is_some() {
        return true;
    }
    !matches!(
        &*resource.kind,
        "ConfigMap"
            | "Secret"
            | "Event"
            | "Endpoints"
            | "Lease"
            | "ServiceAccount"
            | "Namespace"
            | "Node"
            | "Service"
            | "PersistentVolume"
            | "PersistentVolumeClaim"
            | "Role"
            | "RoleBinding"
            | "ClusterRole"
            | "ClusterRoleBinding"
            | "ControllerRevision"
            | "StorageClass"
            | "PodTemplate"
            | "LimitRange"
            | "ResourceQuota"
            | "HorizontalPodAutoscaler"
    ) && &*resource.kind != "Pod"
}

/// The object's namespace is the path's.
fn place(resource: &Resource, target: &Target, object: &mut Value) -> Result<(), Status> {
    let metadata = object::metadata(object);
    let own = metadata
        .get("namespace")
        .and_then(Value::as_str)
        .unwrap_or_default();
    match (&target.namespace, resource.namespaced) {
        (Some(namespace), true) => {
            if !own.is_empty() && own != namespace {
                return Err(Status::bad_request(format!(
                    "the namespace of the provided object does not match the namespace sent on the request ({own:?} != {namespace:?})"
                )));
            }
            metadata.insert("namespace".to_owned(), namespace.clone().into());
        }
        (None, true) => return Err(Status::method_not_allowed()),
        (_, false) => {
            metadata.remove("namespace");
        }
    }
    Ok(())
}

pub(super) fn replace(
    call: &mut Call<'_>,
    resource: &Resource,
    target: &Target,
    name: &str,
) -> Result<Answer, Status> {
    let object = body::object_of(call, resource)?;
    let own = object::name(&object);
    if !own.is_empty() && own != name {
        return Err(Status::bad_request(format!(
            "the name of the object ({own}) does not match the name on the URL ({name})"
        )));
    }
    let live = super::read::find(call, resource, target, name)?;
    let kept = update(
        call,
        resource,
        target,
        &live,
        object,
        (Part::Rest, Owners::Track),
    )?;
    Ok(shown(call, resource, 200, &kept))
}

/// Which part of an object a request changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// All but the status, where that is a subresource.
    Rest,
    /// The status.
    Status,
    /// Whatever a subresource of its own changes.
    Chosen,
}

/// Stores a changed object in the place of the one there is. A change of nothing makes no revision.
pub(super) fn update(
    call: &mut Call<'_>,
    resource: &Resource,
    target: &Target,
    live: &Arc<Value>,
    mut object: Value,
    (part, owners): (Part, Owners),
) -> Result<Arc<Value>, Status> {
    let name = object::name(live).to_owned();
    place(resource, target, &mut object)?;
    check_preconditions(resource, live, &object)?;
    keep_metadata(live, &mut object);
    match part {
        Part::Status => {
            let status = object["status"].take();
            let fields = object["metadata"]["managedFields"].take();
            // Of a status update only the status counts.
            object = live.as_ref().clone();
            if owners == Owners::Given {
                object["metadata"]["managedFields"] = fields;
            }
            if !status.is_null() {
                object::object_mut(&mut object).insert("status".to_owned(), status);
            }
        }
        Part::Rest if resource.has(Subresource::Status) => {
            let map = object::object_mut(&mut object);
            match live.get("status") {
                Some(status) => drop(map.insert("status".to_owned(), status.clone())),
                None => drop(map.remove("status")),
            }
        }
        Part::Rest | Part::Chosen => {}
    }
    defaults::apply(resource, &mut object);
    if part != Part::Status {
        admission::update(call, resource, live, &mut object)?;
        let causes = validation::update(resource, live, &object, part == Part::Chosen);
        if !causes.is_empty() {
            return Err(Status::invalid(resource, &name, &causes));
        }
        admission::quota::check(call, resource, Some(live), &object)?;
        if has_generation(resource) && content(live) != content(&object) {
            let generation = object::number(live, &["metadata", "generation"]).unwrap_or(0) + 1;
            object::metadata(&mut object).insert("generation".to_owned(), generation.into());
        }
    }
    if owners == Owners::Track {
        track(call, resource, target, Some(live), &mut object);
    }
    let key = key(resource, target, &name);
    if object == **live {
        return Ok(live.clone());
    }
    if super::delete::is_released(&object) {
        call.store.remove(&key);
        return Ok(Arc::new(object));
    }
    Ok(call.store.put(key, object))
}

/// What counts as an object's content: everything but its metadata and status.
fn content(object: &Value) -> Vec<(&String, &Value)> {
    object::entries(object, &[])
        .filter(|(name, _)| !["metadata", "status"].contains(&name.as_str()))
        .collect()
}

fn check_preconditions(resource: &Resource, live: &Value, object: &Value) -> Result<(), Status> {
    let name = object::name(live);
    let asked = object::text(object, &["metadata", "resourceVersion"]);
    if !asked.is_empty() && asked != object::text(live, &["metadata", "resourceVersion"]) {
        return Err(Status::modified(resource, name));
    }
    let (asked, is) = (object::uid(object), object::uid(live));
    if !asked.is_empty() && asked != is {
        return Err(Status::conflict(
            resource,
            name,
            format!("Precondition failed: UID in precondition: {asked}, UID in object meta: {is}"),
        ));
    }
    Ok(())
}

/// What of an object's metadata is the system's stays as it is.
fn keep_metadata(live: &Value, object: &mut Value) {
    let metadata = object::metadata(object);
    for field in [
        "name",
        "namespace",
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
        "generateName",
        "resourceVersion",
    ] {
        match live["metadata"].get(field) {
            Some(value) => drop(metadata.insert(field.to_owned(), value.clone())),
            None => drop(metadata.remove(field)),
        }
    }
    metadata.remove("selfLink");
}
