//! Requests for certificates.
//!
//! <https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/certificate-signing-request-v1/>

use crate::api::status::Cause;
use crate::certificates::Request;
use crate::object;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// The signer of clients' certificates.
const CLIENTS: &str = "kubernetes.io/kube-apiserver-client";

pub(super) fn request(object: &Value, causes: &mut Vec<Cause>) {
    let spec = &object["spec"];
    let encoded = object::text(spec, &["request"]);
    let signer = object::text(spec, &["signerName"]);
    let decoded = STANDARD.decode(encoded).unwrap_or_default();
    match Request::from_pem(&String::from_utf8_lossy(&decoded)) {
        Err(error) => causes.push(Cause::invalid("spec.request", &json!(encoded), error)),
        Ok(request) if signer == CLIENTS => {
            let masters = crate::api::rbac::MASTERS;
            if request.subject.groups.iter().any(|group| group == masters) {
                let detail = format!("use of {CLIENTS} signer with {masters} group is not allowed");
                causes.push(Cause::forbidden("spec.request", detail));
            }
        }
        Ok(_) => {}
    }
    if object::list(spec, &["usages"]).is_empty() {
        causes.push(Cause::required("spec.usages", "usages must be specified"));
    }
    let parts: Vec<&str> = signer.split('/').collect();
    let plain = |part: &&str| {
        !part.is_empty()
            && part
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c))
    };
    if signer.is_empty() {
        causes.push(Cause::required("spec.signerName", ""));
    } else if signer == "kubernetes.io/legacy-unknown" {
        let detail = "the legacy signerName is not allowed via this API version";
        causes.push(Cause::invalid("spec.signerName", &json!(signer), detail));
    } else if parts.len() != 2 || !parts.iter().all(plain) || !parts[0].contains('.') {
        let detail =
            "must be a fully qualified domain and path of the form 'example.com/signer-name'";
        causes.push(Cause::invalid("spec.signerName", &json!(signer), detail));
    }
    let seconds = object::number(spec, &["expirationSeconds"]);
    if seconds.is_some_and(|seconds| seconds < 600) {
        let detail = "may not specify a duration less than 600 seconds (10 minutes)";
        causes.push(Cause::invalid(
            "spec.expirationSeconds",
            &spec["expirationSeconds"],
            detail,
        ));
    }
}
