//! Patches of the four kinds.
//!
//! <https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/>

use super::read::{find, shown};
use super::status::Status;
use super::write::{self, Owners, Part};
use super::{Answer, Call, Target, body, nesting, operations};
use crate::object;
use crate::resource::{Resource, Subresource};
use serde_json::Value;
use std::sync::Arc;

pub(super) fn patch(
    call: &mut Call<'_>,
    resource: &Resource,
    target: &Target,
    name: &str,
) -> Result<Answer, Status> {
    patch_part(call, resource, target, name, Part::Rest)
}

/// Changes a part of an object by a patch.
pub(super) fn patch_part(
    call: &mut Call<'_>,
    resource: &Resource,
    target: &Target,
    name: &str,
    part: Part,
) -> Result<Answer, Status> {
    let form = call
        .request
        .content_type
        .split(';')
        .next()
        .unwrap_or_default();
    if form == "application/apply-patch+yaml" {
        return apply(call, resource, target, name, part);
    }
    let live = find(call, resource, target, name)?;
    let patched = patched(call, resource, &live)?;
    let patched = body::checked(call, resource, &patched)?;
    if object::name(&patched) != name {
        return Err(Status::bad_request(format!(
            "the name of the object ({}) does not match the name on the URL ({name})",
            object::name(&patched)
        )));
    }
    // A patch that doesn't name a revision means the newest.
    let kept = write::update(
        call,
        resource,
        target,
        &live,
        patched,
        (part, Owners::Track),
    )?;
    Ok(shown(call, resource, 200, &kept))
}

/// An object with the request's patch on it.
pub(super) fn patched(
    call: &Call<'_>,
    resource: &Resource,
    live: &Arc<Value>,
) -> Result<Value, Status> {
    let form = call
        .request
        .content_type
        .split(';')
        .next()
        .unwrap_or_default();
    let patch = body::json(&call.request.body)?;
    let mut object = live.as_ref().clone();
    match form {
        "application/json-patch+json" => {
            let patch: json_patch::Patch = serde_json::from_value(patch)
                .map_err(|error| Status::bad_request(format!("error decoding patch: {error}")))?;
            operations::carry_out(&mut object, &patch)?;
        }
        "application/merge-patch+json" => json_patch::merge(&mut object, &patch),
        "application/strategic-merge-patch+json" => {
            object = strategic(resource, live, &patch)?;
        }
        other => {
            return Err(Status::new(
                415,
                "UnsupportedMediaType",
                format!(
                    "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml, application/strategic-merge-patch+json (found {other:?})"
                ),
            ));
        }
    }
    nesting::check(&object)?;
    Ok(object)
}

fn strategic(resource: &Resource, live: &Value, patch: &Value) -> Result<Value, Status> {
    if resource.custom.is_some() {
        let message = "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml";
        return Err(Status::new(415, "UnsupportedMediaType", message));
    }
    let root = crate::schema::View::of_resource(resource);
    crate::merge::strategic(live, patch, &root)
        .map_err(|error| Status::bad_request(error.to_string()))
}

/// Server-side apply. What isn't there is made.
fn apply(
    call: &mut Call<'_>,
    resource: &Resource,
    target: &Target,
    name: &str,
    part: Part,
) -> Result<Answer, Status> {
    let manager = call
        .request
        .parameter("fieldManager")
        .unwrap_or_default()
        .to_owned();
    if manager.is_empty() {
        return Err(Status::bad_request(
            "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch",
        ));
    }
    let applied = body::parse("application/yaml", &call.request.body)?;
    body::expect_kind(&applied, resource)?;
    let mut applied = body::checked(call, resource, &applied)?;
    if !object::list(&applied, &["metadata", "managedFields"]).is_empty() {
        return Err(Status::bad_request("metadata.managedFields must be nil"));
    }
    only_part(resource, &mut applied, part);
    let live = find(call, resource, target, name).ok();
    let root = crate::schema::View::of_resource(resource);
    let now = call.now();
    let applier = crate::merge::Applier {
        manager: &manager,
        api_version: &resource.api_version(),
        subresource: target.subresource.map(Subresource::as_str),
        now: &now,
        force: call.request.flag("force"),
    };
    let merged = crate::merge::apply(live.as_deref(), &applied, &root, &applier);
    let mut merged = merged.map_err(|error| contested(resource, name, &error))?;
    if manager == "kubectl" {
        keep_last_applied(&mut merged, &applied);
    }
    let (code, kept) = match live {
        Some(live) => {
            let how = (part, Owners::Given);
            (
                200,
                write::update(call, resource, target, &live, merged, how)?,
            )
        }
        None if part == Part::Rest => (
            201,
            write::make(call, resource, target, merged, Owners::Given)?,
        ),
        None => return Err(Status::not_found(resource, name)),
    };
    Ok(shown(call, resource, code, &kept))
}

/// Who applied an object on the client's side before finds there what was applied last. It is nobody's field.
/// <https://kubernetes.io/docs/reference/using-api/server-side-apply/#upgrading-from-client-side-apply-to-server-side-apply>
fn keep_last_applied(merged: &mut Value, applied: &Value) {
    const LAST: &str = "kubectl.kubernetes.io/last-applied-configuration";
    let Some(held) = merged
        .pointer_mut("/metadata/annotations")
        .and_then(|all| all.get_mut(LAST))
    else {
        return;
    };
    let mut applied = applied.clone();
    if let Some(Value::Object(annotations)) = applied.pointer_mut("/metadata/annotations") {
        annotations.remove(LAST);
    }
    *held = format!("{applied}\n").into();
}

/// Of what is applied only the part counts that the path names.
fn only_part(resource: &Resource, applied: &mut Value, part: Part) {
    if !resource.has(Subresource::Status) {
        return;
    }
    let map = object::object_mut(applied);
    match part {
        Part::Status => map.retain(|field, _| {
            ["apiVersion", "kind", "metadata", "status"].contains(&field.as_str())
        }),
        Part::Rest => drop(map.remove("status")),
        Part::Approval | Part::Chosen => {}
    }
}

fn contested(resource: &Resource, name: &str, error: &crate::merge::ApplyError) -> Status {
    let crate::merge::ApplyError::Conflicts(conflicts) = error;
    let causes = conflicts.iter().map(|conflict| {
        serde_json::json!({
            "reason": "FieldManagerConflict",
            "message": conflict.to_string(),
            "field": conflict.field,
        })
    });
    let mut status = Status::conflict(resource, name, "");
    status.message = error.to_string();
    if let Some(details) = &mut status.details {
        details["causes"] = causes.collect();
    }
    status
}
