//! Pods.

use super::super::status::Cause;
use super::metadata;
use crate::object::{self, at, list, text};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What is wrong with a pod's spec.
pub(super) fn spec(spec: &Value, path: &str, causes: &mut Vec<Cause>) {
    spec_with_claims(spec, &[], path, causes);
}

/// What is wrong with the spec of a pod that gets volumes of these claims' names too.
pub(super) fn spec_with_claims(
    spec: &Value,
    claims: &[Value],
    path: &str,
    causes: &mut Vec<Cause>,
) {
    let claimed = claims
        .iter()
        .map(|claim| text(claim, &["metadata", "name"]));
    let mut volumes = BTreeSet::new();
    for (index, volume) in list(spec, &["volumes"]).iter().enumerate() {
        let field = format!("{path}.volumes[{index}].name");
        let name = text(volume, &["name"]);
        causes.extend(metadata::label(&field, name).filter(|_| !name.is_empty()));
        if !volumes.insert(name) {
            causes.push(Cause::duplicate(field, &json!(name)));
        }
    }
    // A claim takes the place of a volume of its name.
    volumes.extend(claimed);
    let mut names = BTreeSet::new();
    for kind in ["initContainers", "containers", "ephemeralContainers"] {
        for (index, container) in list(spec, &[kind]).iter().enumerate() {
            let field = format!("{path}.{kind}[{index}]");
            let name = text(container, &["name"]);
            causes.extend(
                metadata::label(&format!("{field}.name"), name).filter(|_| !name.is_empty()),
            );
            if !names.insert(name.to_owned()) {
                causes.push(Cause::duplicate(format!("{field}.name"), &json!(name)));
            }
            self::container(container, &field, &volumes, causes);
        }
    }
    if let Some(grace) = spec["terminationGracePeriodSeconds"].as_i64()
        && grace < 0
    {
        let field = format!("{path}.terminationGracePeriodSeconds");
        causes.push(Cause::invalid(
            field,
            &json!(grace),
            "must be greater than or equal to 0",
        ));
    }
    metadata::labels(
        &spec["nodeSelector"],
        &format!("{path}.nodeSelector"),
        causes,
    );
}

fn container(container: &Value, field: &str, volumes: &BTreeSet<&str>, causes: &mut Vec<Cause>) {
    if text(container, &["image"]).is_empty() {
        causes.push(Cause::required(format!("{field}.image"), ""));
    }
    for (index, port) in list(container, &["ports"]).iter().enumerate() {
        for name in ["containerPort", "hostPort"] {
            if let Some(number) = port[name]
                .as_i64()
                .filter(|number| !(1..=65_535).contains(number))
            {
                let field = format!("{field}.ports[{index}].{name}");
                causes.push(Cause::invalid(
                    field,
                    &json!(number),
                    "must be between 1 and 65535, inclusive",
                ));
            }
        }
    }
    for (index, mount) in list(container, &["volumeMounts"]).iter().enumerate() {
        let field = format!("{field}.volumeMounts[{index}]");
        let name = text(mount, &["name"]);
        if !name.is_empty() && !volumes.contains(name) {
            causes.push(Cause::not_found(format!("{field}.name"), &json!(name)));
        }
        if text(mount, &["mountPath"]).is_empty() {
            causes.push(Cause::required(format!("{field}.mountPath"), ""));
        }
    }
    for (index, variable) in list(container, &["env"]).iter().enumerate() {
        let name = text(variable, &["name"]);
        if name.contains('=') || name.chars().any(char::is_control) {
            let field = format!("{field}.env[{index}].name");
            let detail = "a valid environment variable name must consist only of printable ASCII characters other than '='";
            causes.push(Cause::invalid(field, &json!(name), detail));
        }
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let value = &container[probe];
        if !value.is_null() {
            self::probe(value, probe, &format!("{field}.{probe}"), causes);
        }
    }
    resources(
        &container["resources"],
        &format!("{field}.resources"),
        causes,
    );
}

fn probe(probe: &Value, kind: &str, field: &str, causes: &mut Vec<Cause>) {
    let handlers = ["exec", "httpGet", "tcpSocket", "grpc"];
    match handlers
        .iter()
        .filter(|handler| !probe[**handler].is_null())
        .count()
    {
        0 => causes.push(Cause::required(field, "must specify a handler type")),
        1 => {}
        _ => causes.push(Cause::forbidden(
            field,
            "may not specify more than 1 handler type",
        )),
    }
    if kind != "readinessProbe" && probe["successThreshold"].as_i64().is_some_and(|n| n != 1) {
        let field = format!("{field}.successThreshold");
        causes.push(Cause::invalid(
            field,
            &probe["successThreshold"],
            "must be 1",
        ));
    }
}

fn resources(resources: &Value, field: &str, causes: &mut Vec<Cause>) {
    for (name, request) in object::entries(resources, &["requests"]) {
        let limit = at(resources, &["limits", name]);
        let amount = |value: &Value| value.as_str().and_then(crate::quantity::parse);
        if let (Some(request_amount), Some(limit_amount)) = (amount(request), amount(limit))
            && request_amount > limit_amount
        {
            let detail = format!(
                "must be less than or equal to {name} limit of {}",
                limit.as_str().unwrap_or_default()
            );
            causes.push(Cause::invalid(format!("{field}.requests"), request, detail));
        }
    }
}

/// Of a pod's spec only a few fields may change.
pub(super) fn update(live: &Value, object: &Value, causes: &mut Vec<Cause>) {
    const MUTABLE: &str = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
    if fixed_part(&live["spec"]) != fixed_part(&object["spec"]) {
        causes.push(Cause::forbidden("spec", MUTABLE));
        return;
    }
    let tolerations = list(object, &["spec", "tolerations"]);
    if list(live, &["spec", "tolerations"])
        .iter()
        .any(|old| !tolerations.contains(old))
    {
        causes.push(Cause::forbidden(
            "spec.tolerations",
            "existing toleration can not be modified except its tolerationSeconds",
        ));
    }
}

fn fixed_part(spec: &Value) -> Value {
    let mut spec = spec.clone();
    let map = object::object_mut(&mut spec);
    for field in [
        "activeDeadlineSeconds",
        "tolerations",
        "terminationGracePeriodSeconds",
        "ephemeralContainers",
    ] {
        map.remove(field);
    }
    for kind in ["containers", "initContainers"] {
        let containers = map.get_mut(kind).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            let container = object::object_mut(container);
            container.remove("image");
            // The pull policy's default follows the image.
            container.remove("imagePullPolicy");
        }
    }
    spec
}
