//! Accounts, roles, bindings.

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
