//! What webhooks are shown, and what they answer.
//!
//! <https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#webhook-request-and-response>

use super::hooks::Hook;
use super::matching::Shown;
use super::{Digest, Question, callee};
use crate::api::admission::{Attributes, Operation};
use crate::api::read::in_version;
use crate::api::status::Status;
use crate::api::{Call, Context};
use crate::object;
use crate::resource::Resource;
use crate::store::Store;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::Digest as _;

/// The request of a review.
pub(super) fn request(call: &Call<'_>, of: &Attributes<'_>, shown: &Shown) -> Value {
    let what = of.what;
    let resource = match shown {
        Shown::Same => what.resource,
        Shown::Other(other) => other,
    };
    let object = |object: Option<&Value>| match object {
        Some(object) => match shown {
            Shown::Same => object.clone(),
            Shown::Other(other) => in_version(other, object).into_owned(),
        },
        None => Value::Null,
    };
    let mut request = json!({
        "kind": kind_of(resource, of),
        "resource": resource_of(resource),
        "requestKind": kind_of(what.resource, of),
        "requestResource": resource_of(what.resource),
        "operation": what.operation.as_str(),
        "userInfo": call.context.user.value(),
        "object": object(of.object),
        "oldObject": object(of.old),
        "dryRun": call.is_dry_run(),
        "options": options(call, what.operation),
    });
    for (field, text) in [
        ("name", what.name),
        ("namespace", what.namespace),
        ("subResource", what.subresource),
        ("requestSubResource", what.subresource),
    ] {
        if !text.is_empty() {
            request[field] = json!(text);
        }
    }
    if what.resource.kind == "Namespace" && what.resource.group.is_empty() {
        request["namespace"] = json!(what.name);
    }
    request
}

/// The kind of a request's object: what lies below one may be of a kind of its own.
fn kind_of(resource: &Resource, of: &Attributes<'_>) -> Value {
    let own = json!({
        "group": resource.group, "version": resource.version, "kind": resource.kind,
    });
    let Some(object) = of.object.filter(|_| !of.what.subresource.is_empty()) else {
        return own;
    };
    let kind = object::text(object, &["kind"]);
    if kind.is_empty() || kind == resource.kind {
        return own;
    }
    let version = object::text(object, &["apiVersion"]);
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    json!({"group": group, "version": version, "kind": kind})
}

fn resource_of(resource: &Resource) -> Value {
    json!({
        "group": resource.group, "version": resource.version, "resource": resource.plural,
    })
}

/// The request's options, as upstream's types have them.
fn options(call: &Call<'_>, operation: Operation) -> Value {
    let kind = match operation {
        Operation::Create => "CreateOptions",
        Operation::Update => "UpdateOptions",
        Operation::Delete => "DeleteOptions",
        Operation::Connect => return Value::Null,
    };
    let mut options = json!({"kind": kind, "apiVersion": "meta.k8s.io/v1"});
    for field in ["fieldManager", "fieldValidation"] {
        let value = call.request.parameter(field);
        if let Some(value) = value.filter(|_| operation != Operation::Delete) {
            options[field] = json!(value);
        }
    }
    if call.is_dry_run() {
        options["dryRun"] = json!(["All"]);
    }
    options
}

/// What a webhook is asked, or why it can't be.
pub(super) fn question(
    store: &Store,
    context: &Context<'_>,
    hook: &Hook,
    mut request: Value,
) -> Result<Question, String> {
    let seconds = hook.value()["timeoutSeconds"].as_u64().unwrap_or(10);
    let client = &hook.value()["clientConfig"];
    let (url, at) = callee::place(store, client, seconds, context.entropy[1])?;
    let mut hash = sha2::Sha256::new();
    hash.update(hook.configuration());
    hash.update([0]);
    hash.update(&hook.name);
    hash.update([0]);
    hash.update(&url);
    hash.update([0]);
    hash.update(request.to_string());
    let id: Digest = hash.finalize().into();
    request["uid"] = json!(callee::uid(&id, &context.entropy));
    Ok(Question {
        id,
        url,
        at,
        seconds,
        review: json!({
            "kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request,
        }),
    })
}

/// The response in a webhook's answer, if it is one to this question.
pub(super) fn check<'v>(answer: &'v Value, uid: &str, mutates: bool) -> Result<&'v Value, String> {
    let (version, kind) = (
        object::text(answer, &["apiVersion"]),
        object::text(answer, &["kind"]),
    );
    if version != "admission.k8s.io/v1" || kind != "AdmissionReview" {
        return Err(format!(
            "expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got {version}, Kind={kind}"
        ));
    }
    let response = &answer["response"];
    if !response.is_object() {
        return Err("webhook response was absent".to_owned());
    }
    let told = object::text(response, &["uid"]);
    if told != uid {
        return Err(format!("expected response.uid={uid:?}, got {told:?}"));
    }
    let patched = !object::text(response, &["patch"]).is_empty();
    let kind = &response["patchType"];
    match (mutates, patched, kind.as_str()) {
        (false, true, _) => Err("validating webhook may not return response.patch".to_owned()),
        (false, false, Some(_)) => {
            Err("validating webhook may not return response.patchType".to_owned())
        }
        (true, true, None) => {
            Err("webhook returned response.patch but not response.patchType".to_owned())
        }
        (true, false, Some(_)) => {
            Err("webhook returned response.patchType but not response.patch".to_owned())
        }
        (true, true, Some(kind)) if kind != "JSONPatch" => Err(format!(
            "webhook returned invalid response.patchType of {kind:?}"
        )),
        _ => Ok(response),
    }
}

/// The changes that a response asks for.
pub(super) fn patch(response: &Value) -> Result<Option<json_patch::Patch>, Status> {
    let encoded = object::text(response, &["patch"]);
    if encoded.is_empty() {
        return Ok(None);
    }
    let decoded = STANDARD.decode(encoded).map_err(Status::internal)?;
    let patch: json_patch::Patch = serde_json::from_slice(&decoded).map_err(Status::internal)?;
    Ok((!patch.0.is_empty()).then_some(patch))
}

/// A webhook's refusal.
pub(super) fn denied(hook: &str, said: &Value) -> Status {
    let by = format!("admission webhook {hook:?} denied the request");
    let (message, reason) = (
        object::text(said, &["message"]),
        object::text(said, &["reason"]),
    );
    let told = match (message, reason) {
        ("", "") => format!("{by} without explanation"),
        ("", reason) => format!("{by}: {reason}"),
        (message, _) => format!("{by}: {message}"),
    };
    let code = said["code"]
        .as_u64()
        .and_then(|code| u16::try_from(code).ok());
    let code = code.filter(|code| (400..600).contains(code)).unwrap_or(400);
    let mut status = Status::new(code, "", told);
    status.reason = reason.to_owned().into();
    if said["details"].is_object() {
        status.details = Some(said["details"].clone());
    }
    status
}
