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
    conversion(&spec["conversion"], &mut causes);
    causes
}

/// Who converts objects is named if, and only if, somebody does, and takes reviews that are known here.
fn conversion(conversion: &Value, causes: &mut Vec<Cause>) {
    const FIELD: &str = "spec.conversion";
    let (strategy, webhook) = (&conversion["strategy"], &conversion["webhook"]);
    match strategy.as_str().unwrap_or("None") {
        "None" => {
            if !webhook.is_null() {
                let detail = "should not be set when strategy is not set to Webhook";
                causes.push(Cause::forbidden(format!("{FIELD}.webhook"), detail));
            }
        }
        "Webhook" => {
            let client = &webhook["clientConfig"];
            let field = format!("{FIELD}.webhook.clientConfig");
            match (&client["url"], &client["service"]) {
                (Value::Null, Value::Null) | (Value::String(_), Value::Object(_)) => {
                    let detail = "exactly one of url or service is required";
                    causes.push(Cause::required(field, detail));
                }
                (Value::String(url), _) if !url.starts_with("https://") => {
                    let detail = "'https' is the only allowed URL scheme";
                    causes.push(Cause::invalid(format!("{field}.url"), &json!(url), detail));
                }
                (Value::Null, service) => {
                    for name in ["namespace", "name"] {
                        if object::text(service, &[name]).is_empty() {
                            causes.push(Cause::required(format!("{field}.service.{name}"), ""));
                        }
                    }
                }
                _ => {}
            }
            let versions = object::list(webhook, &["conversionReviewVersions"]);
            if !versions.iter().any(|version| version == "v1") {
                let field = format!("{FIELD}.webhook.conversionReviewVersions");
                let detail = "must include v1";
                causes.push(Cause::invalid(field, &json!(versions), detail));
            }
        }
        _ => causes.push(Cause::unsupported(
            format!("{FIELD}.strategy"),
            strategy,
            &["None", "Webhook"],
        )),
    }
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
