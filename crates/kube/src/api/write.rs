//! Creating and replacing.

use super::admission::{Operation, What};
use super::read::shown;
use super::status::Status;
use super::{Answer, Call, Target, admission, body, defaults, key, validation, webhook};
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
    let metadata = object::metadata(&mut object);
    for field in [
        "resourceVersion",
        "selfLink",
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ] {
        metadata.remove(field);
    }
    if resource.has(Subresource::Status) {
        object::object_mut(&mut object).remove("status");
    }
    defaults::apply(resource, &mut object);
    admission::admit(call, resource, &mut object)?;
    let given = object::name(&object).to_owned();
    let namespace = object::namespace(&object).to_owned();
    let what = |name| What {
        operation: Operation::Create,
        resource,
        subresource: "",
        namespace: &namespace,
        name,
    };
    webhook::mutate(call, what(&given), &mut object, None)?;
    identify(call, resource, &mut object);
    admission::prepare(call, resource, &mut object)?;
    let name = object::name(&object).to_owned();
    let causes = validation::create(resource, &object);
    if !causes.is_empty() {
        return Err(Status::invalid(resource, &name, &causes));
    }
    if owners == Owners::Track {
        track(call, resource, target, None, &mut object);
    }
    webhook::validate(call, what(&name), Some(&object), None)?;
    let key = key(resource, target, &name);
    if call.store.get(&key).is_some() {
        return Err(Status::already_exists(resource, &name));
    }
    admission::quota::check(call, resource, None, &object)?;
    Ok(call.store.put(key, object))
}

/// Gives a new object what tells it from others.
fn identify(call: &mut Call<'_>, resource: &Resource, object: &mut Value) {
    let (now, uid) = (call.now(), call.uid());
    let metadata = object::metadata(object);
    if metadata.get("name").is_none_or(|name| name == "")
        && let Some(prefix) = metadata.get("generateName").and_then(Value::as_str)
    {
        let name = format!("{prefix}{}", call.suffix());
        metadata.insert("name".to_owned(), name.into());
    }
    metadata.insert("uid".to_owned(), uid.into());
    metadata.insert("creationTimestamp".to_owned(), now.into());
    if has_generation(resource) {
        metadata.insert("generation".to_owned(), 1.into());
    }
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
    /// What was decided on a request for a certificate.
    Approval,
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
        Part::Approval => {
            let conditions = object["status"]["conditions"].take();
            object = live.as_ref().clone();
            decide(&mut object, conditions, &call.now());
        }
        Part::Rest | Part::Chosen => {}
    }
    if part == Part::Approval {
        admission::approval(call, resource, live)?;
    }
    if resource.kind == "CertificateSigningRequest" && part == Part::Status {
        admission::signature(call, resource, live)?;
    }
    defaults::apply(resource, &mut object);
    if ![Part::Status, Part::Approval].contains(&part) {
        admission::update(call, resource, live, &mut object)?;
    }
    let what = What {
        operation: Operation::Update,
        resource,
        subresource: target.subresource.map_or("", Subresource::as_str),
        namespace: object::namespace(live),
        name: &name,
    };
    // Webhooks have seen how many there shall be as an object of its own.
    let shown = target.subresource != Some(Subresource::Scale);
    if shown {
        webhook::mutate(call, what, &mut object, Some(live))?;
    }
    if ![Part::Status, Part::Approval].contains(&part) {
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
    if part == Part::Status && resource.custom.is_some() {
        let causes = validation::update(resource, live, &object, true);
        if !causes.is_empty() {
            return Err(Status::invalid(resource, &name, &causes));
        }
    }
    if owners == Owners::Track {
        track(call, resource, target, Some(live), &mut object);
    }
    if shown {
        webhook::validate(call, what, Some(&object), Some(live))?;
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

/// Notes what was decided on a request for a certificate, and when.
fn decide(object: &mut Value, mut conditions: Value, now: &str) {
    for condition in conditions.as_array_mut().into_iter().flatten() {
        if let Value::Object(condition) = condition {
            for field in ["lastUpdateTime", "lastTransitionTime"] {
                object::default(condition, field, now);
            }
        }
    }
    object::map_mut(object, "status").insert("conditions".to_owned(), conditions);
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
