//! Patches of the four kinds.
//!
//! <https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/>

use super::read::{find, shown};
use super::status::Status;
use super::write::{self, Part};
use super::{Answer, Call, Target, body};
use crate::object;
use crate::resource::Resource;
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
        return Err(Status::not_implemented("Server-side apply"));
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
    let kept = write::update(call, resource, target, &live, patched, part)?;
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
            json_patch::patch(&mut object, &patch).map_err(|error| {
                Status::new(
                    422,
                    "Invalid",
                    format!(
                        "the server rejected our request due to an error in our request: {error}"
                    ),
                )
            })?;
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
    Ok(object)
}

fn strategic(resource: &Resource, live: &Value, patch: &Value) -> Result<Value, Status> {
    let root = crate::schema::View::of_resource(resource).ok_or_else(|| {
        Status::new(
            415,
            "UnsupportedMediaType",
            "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
        )
    })?;
    crate::merge::strategic(live, patch, &root)
        .map_err(|error| Status::bad_request(error.to_string()))
}
