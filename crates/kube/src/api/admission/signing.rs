//! Requests for certificates: who made one, who may approve and who may sign it.
//!
//! <https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/>

use super::super::Call;
use super::super::rbac::{Access, allows};
use super::super::status::Status;
use crate::object;
use crate::resource::Resource;
use serde_json::{Value, json};

/// Notes who made a request.
pub(super) fn request(call: &Call<'_>, object: &mut Value) {
    let user = call.context.user;
    let spec = object::map_mut(object, "spec");
    spec.insert("username".to_owned(), json!(user.name));
    spec.insert("groups".to_owned(), json!(user.groups));
    for field in ["uid", "extra"] {
        spec.remove(field);
    }
    if !user.uid.is_empty() {
        spec.insert("uid".to_owned(), json!(user.uid));
    }
    if !user.extra.is_empty() {
        spec.insert("extra".to_owned(), json!(user.extra));
    }
    object::object_mut(object).insert("status".to_owned(), json!({}));
}

/// Refuses who may not approve or deny a request.
pub(in crate::api) fn approval(
    call: &Call<'_>,
    resource: &Resource,
    request: &Value,
) -> Result<(), Status> {
    permitted(call, resource, request, "approve")
}

/// Refuses who may not sign a request.
pub(in crate::api) fn signature(
    call: &Call<'_>,
    resource: &Resource,
    request: &Value,
) -> Result<(), Status> {
    permitted(call, resource, request, "sign")
}

fn permitted(
    call: &Call<'_>,
    resource: &Resource,
    request: &Value,
    verb: &str,
) -> Result<(), Status> {
    let signer = object::text(request, &["spec", "signerName"]);
    let domain = signer.split('/').next().unwrap_or_default();
    let may = |name: &str| {
        let access = Access {
            verb: verb.to_owned(),
            group: "certificates.k8s.io".to_owned(),
            resource: "signers".to_owned(),
            name: name.to_owned(),
            ..Access::default()
        };
        allows(&call.store, call.context.user, &access)
    };
    if may(signer) || may(&format!("{domain}/*")) {
        return Ok(());
    }
    let why = format!("user not permitted to {verb} requests with signerName {signer:?}");
    Err(Status::forbidden(resource, object::name(request), why))
}
