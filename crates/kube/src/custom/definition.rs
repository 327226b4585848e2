//! Definitions themselves: what is wrong with one, and what the system says of it.

use crate::api::Cause;
use crate::object;
use serde_json::{Value, json};

/// What is wrong with a definition.
pub fn check(definition: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let spec = &definition["spec"];
    for path in [
        &["group"][..],
        &["names", "plural"],
        &["names", "kind"],
        &["scope"],
    ] {
        if object::text(spec, path).is_empty() {
            causes.push(Cause::required(format!("spec.{}", path.join(".")), ""));
        }
    }
    let scope = &spec["scope"];
    if scope.is_string() && *scope != "Namespaced" && *scope != "Cluster" {
        causes.push(Cause::unsupported(
            "spec.scope",
            scope,
            &["Cluster", "Namespaced"],
        ));
    }
    let wanted = format!(
        "{}.{}",
        object::text(spec, &["names", "plural"]),
        object::text(spec, &["group"])
    );
    if object::name(definition) != wanted {
        let detail = "must be spec.names.plural+\".\"+spec.group";
        causes.push(Cause::invalid(
            "metadata.name",
            &json!(object::name(definition)),
            detail,
        ));
    }
    let versions = object::list(spec, &["versions"]);
    let storing = versions
        .iter()
        .filter(|version| version["storage"] == true)
        .count();
    if storing != 1 {
        let detail = "must have exactly one version marked as storage version";
        causes.push(Cause::invalid(
            "spec.versions",
            &json!(versions.len()),
            detail,
        ));
    }
    for (index, version) in versions.iter().enumerate() {
        let schema = &version["schema"]["openAPIV3Schema"];
        let field = format!("spec.versions[{index}].schema.openAPIV3Schema");
        if schema.is_null() {
            causes.push(Cause::required(field, "schemas are required"));
        } else {
            structural(schema, &field, &mut causes);
        }
    }
    if spec["conversion"]["strategy"]
        .as_str()
        .is_some_and(|strategy| strategy != "None")
    {
        let detail = "conversion by webhook is not implemented by Skylab";
        causes.push(Cause::forbidden("spec.conversion.strategy", detail));
    }
    causes
}

/// A structural schema gives each value a type.
fn structural(schema: &Value, field: &str, causes: &mut Vec<Cause>) {
    let typed = schema["type"].is_string()
        || schema["x-kubernetes-int-or-string"] == true
        || schema["x-kubernetes-preserve-unknown-fields"] == true;
    if !typed {
        let detail = "must not be empty for specified object fields";
        causes.push(Cause::required(format!("{field}.type"), detail));
    }
    super::rules::sound(schema, field, causes);
    for (name, inner) in object::entries(schema, &["properties"]) {
        structural(inner, &format!("{field}.properties[{name}]"), causes);
    }
    for inner in ["items", "additionalProperties"] {
        if schema[inner].is_object() {
            structural(&schema[inner], &format!("{field}.{inner}"), causes);
        }
    }
}

/// What the system says of a definition: its names are accepted and it is served.
pub fn status(definition: &mut Value, now: &str) {
    let storing = object::list(definition, &["spec", "versions"])
        .iter()
        .filter(|version| version["storage"] == true)
        .map(|version| version["name"].clone());
    let mut stored = object::list(definition, &["status", "storedVersions"]).to_vec();
    for version in storing.collect::<Vec<_>>() {
        if !stored.contains(&version) {
            stored.push(version);
        }
    }
    let condition = |kind: &str, reason: &str, message: &str| {
        json!({
            "type": kind, "status": "True", "reason": reason, "message": message,
            "lastTransitionTime": now,
        })
    };
    definition["status"] = json!({
        "acceptedNames": definition["spec"]["names"],
        "storedVersions": stored,
        "conditions": [
            condition("NamesAccepted", "NoConflicts", "no conflicts found"),
            condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        ],
    });
}
