//! Accounts, roles, bindings, certificates, webhooks.

use super::{Printer, age, col, num, wide};
use crate::object::{list, text};
use serde_json::{Value, json};

pub(super) const SERVICE_ACCOUNT: Printer = Printer {
    columns: &[num("Secrets"), col("Age")],
    cells: |object, now| {
        vec![
            json!(list(object, &["secrets"]).len()),
            age::of(object, now),
        ]
    },
};

/// Kinds that show when they were made rather than how old they are.
pub(super) const CREATED: Printer = Printer {
    columns: &[("Created At", "date", false)],
    cells: |object, _| vec![json!(text(object, &["metadata", "creationTimestamp"]))],
};

pub(super) const BINDING: Printer = Printer {
    columns: &[
        col("Role"),
        col("Age"),
        wide("Users"),
        wide("Groups"),
        wide("ServiceAccounts"),
    ],
    cells: |object, now| {
        let role = &object["roleRef"];
        let subjects = |kind: &str| {
            let named: Vec<String> = list(object, &["subjects"])
                .iter()
                .filter(|subject| subject["kind"] == kind)
                .map(|subject: &Value| {
                    let name = text(subject, &["name"]);
                    match text(subject, &["namespace"]) {
                        "" => name.to_owned(),
                        namespace => format!("{namespace}/{name}"),
                    }
                })
                .collect();
            json!(named.join(", "))
        };
        vec![
            json!(format!(
                "{}/{}",
                text(role, &["kind"]),
                text(role, &["name"])
            )),
            age::of(object, now),
            subjects("User"),
            subjects("Group"),
            subjects("ServiceAccount"),
        ]
    },
};

pub(super) const WEBHOOKS: Printer = Printer {
    columns: &[num("Webhooks"), col("Age")],
    cells: |object, now| {
        vec![
            json!(list(object, &["webhooks"]).len()),
            age::of(object, now),
        ]
    },
};

pub(super) const SIGNING_REQUEST: Printer = Printer {
    columns: &[
        col("Age"),
        col("SignerName"),
        col("Requestor"),
        col("RequestedDuration"),
        col("Condition"),
    ],
    cells: |object, now| {
        let seconds = object["spec"]["expirationSeconds"].as_i64();
        vec![
            age::of(object, now),
            json!(text(object, &["spec", "signerName"])),
            json!(text(object, &["spec", "username"])),
            json!(seconds.map_or_else(|| "<none>".to_owned(), age::told)),
            json!(decision(object)),
        ]
    },
};

/// What became of a request for a certificate.
fn decision(request: &Value) -> String {
    let conditions = list(request, &["status", "conditions"]);
    let has = |kind: &str| conditions.iter().any(|condition| condition["type"] == kind);
    let mut told = match (has("Denied"), has("Approved")) {
        (true, _) => "Denied",
        (false, true) => "Approved",
        (false, false) => "Pending",
    }
    .to_owned();
    if has("Failed") {
        told.push_str(",Failed");
    }
    if !text(request, &["status", "certificate"]).is_empty() {
        told.push_str(",Issued");
    }
    told
}

pub(super) const POLICY: Printer = Printer {
    columns: &[num("Validations"), col("ParamKind"), col("Age")],
    cells: |object, now| {
        let kind = &object["spec"]["paramKind"];
        let kind = if kind.is_null() {
            "<unset>".to_owned()
        } else {
            format!("{}/{}", text(kind, &["apiVersion"]), text(kind, &["kind"]))
        };
        vec![
            json!(list(object, &["spec", "validations"]).len()),
            json!(kind),
            age::of(object, now),
        ]
    },
};

pub(super) const POLICY_BINDING: Printer = Printer {
    columns: &[col("PolicyName"), col("ParamRef"), col("Age")],
    cells: |object, now| {
        let reference = &object["spec"]["paramRef"];
        let (namespace, name) = (text(reference, &["namespace"]), text(reference, &["name"]));
        let told = match (name, namespace) {
            ("", _) => "<unset>".to_owned(),
            (name, "") => name.to_owned(),
            (name, namespace) => format!("{namespace}/{name}"),
        };
        vec![
            json!(text(object, &["spec", "policyName"])),
            json!(told),
            age::of(object, now),
        ]
    },
};
