//! Volumes, claims and classes.

use super::super::status::Cause;
use crate::object::{self, list, text};
use serde_json::{Value, json};

/// The access modes there are.
const MODES: [&str; 4] = [
    "ReadOnlyMany",
    "ReadWriteMany",
    "ReadWriteOnce",
    "ReadWriteOncePod",
];
/// What of a volume's spec is not where its data is.
const NO_SOURCE: [&str; 9] = [
    "accessModes",
    "capacity",
    "claimRef",
    "mountOptions",
    "nodeAffinity",
    "persistentVolumeReclaimPolicy",
    "storageClassName",
    "volumeAttributesClassName",
    "volumeMode",
];

fn modes(spec: &Value, path: &str, detail: &str, causes: &mut Vec<Cause>) {
    let modes = list(spec, &["accessModes"]);
    let field = format!("{path}.accessModes");
    if modes.is_empty() {
        causes.push(Cause::required(field, detail));
        return;
    }
    for mode in modes {
        if !mode.as_str().is_some_and(|mode| MODES.contains(&mode)) {
            causes.push(Cause::unsupported(&field, mode, &MODES));
        }
    }
    let alone = modes.iter().any(|mode| mode == "ReadWriteOncePod");
    if alone && modes.len() > 1 {
        let detail = "may not use ReadWriteOncePod with other access modes";
        causes.push(Cause::forbidden(field, detail));
    }
}

/// What is wrong with a claim's spec.
pub(super) fn claim(spec: &Value, path: &str, causes: &mut Vec<Cause>) {
    modes(spec, path, "at least 1 access mode is required", causes);
    let size = &spec["resources"]["requests"]["storage"];
    let field = format!("{path}.resources[storage]");
    if size.is_null() {
        causes.push(Cause::required(field, ""));
    } else if size
        .as_str()
        .and_then(crate::quantity::parse)
        .is_some_and(|n| n <= 0.0)
    {
        causes.push(Cause::invalid(field, size, "must be greater than zero"));
    }
}

/// What is wrong with a volume.
pub(super) fn volume(object: &Value, causes: &mut Vec<Cause>) {
    let spec = &object["spec"];
    modes(spec, "spec", "", causes);
    if object::entries(spec, &["capacity"]).next().is_none() {
        causes.push(Cause::required("spec.capacity", ""));
    } else if spec["capacity"]["storage"].is_null() {
        let found = &spec["capacity"];
        causes.push(Cause::unsupported("spec.capacity", found, &["storage"]));
    }
    match sources(spec).count() {
        0 => causes.push(Cause::required("spec", "must specify a volume type")),
        1 => {}
        _ => {
            let second = sources(spec).nth(1).map_or("", |(name, _)| name.as_str());
            let detail = "may not specify more than 1 volume type";
            causes.push(Cause::forbidden(format!("spec.{second}"), detail));
        }
    }
    if !spec["local"].is_null() && spec["nodeAffinity"]["required"].is_null() {
        let detail = "Local volume requires node affinity";
        causes.push(Cause::required("spec.nodeAffinity", detail));
    }
    let policy = &spec["persistentVolumeReclaimPolicy"];
    let policies = ["Delete", "Recycle", "Retain"];
    if policy
        .as_str()
        .is_some_and(|policy| !policies.contains(&policy))
    {
        let field = "spec.persistentVolumeReclaimPolicy";
        causes.push(Cause::unsupported(field, policy, &policies));
    }
}

fn sources(spec: &Value) -> impl Iterator<Item = (&String, &Value)> {
    object::entries(spec, &[])
        .filter(|(name, value)| !NO_SOURCE.contains(&name.as_str()) && !value.is_null())
}

/// Where a volume's data is stays as it is.
pub(super) fn volume_update(live: &Value, object: &Value, causes: &mut Vec<Cause>) {
    let (before, after) = (&live["spec"], &object["spec"]);
    if !sources(before).eq(sources(after)) {
        let detail = "spec.persistentvolumesource is immutable after creation";
        causes.push(Cause::forbidden("spec.persistentvolumesource", detail));
    }
    for field in ["volumeMode", "nodeAffinity"] {
        if !before[field].is_null() && before[field] != after[field] {
            let value = &after[field];
            let field = format!("spec.{field}");
            causes.push(Cause::invalid(field, value, "field is immutable"));
        }
    }
}

/// Of a claim's spec only the size of a bound one may grow.
pub(super) fn claim_update(live: &Value, object: &Value, causes: &mut Vec<Cause>) {
    let fixed = |spec: &Value| {
        let mut spec = spec.clone();
        let map = object::object_mut(&mut spec);
        for field in ["resources", "volumeAttributesClassName"] {
            map.remove(field);
        }
        // These are set once.
        for field in ["volumeName", "storageClassName"] {
            if live["spec"][field].is_null() {
                map.remove(field);
            }
        }
        spec
    };
    let sizes =
        [live, object].map(|claim| text(claim, &["spec", "resources", "requests", "storage"]));
    let bound = live["status"]["phase"] == "Bound";
    if fixed(&live["spec"]) != fixed(&object["spec"]) || (sizes[0] != sizes[1] && !bound) {
        let detail = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
        causes.push(Cause::forbidden("spec", detail));
        return;
    }
    let [before, after] = sizes.map(|size| crate::quantity::parse(size).unwrap_or(0.0));
    let field = "spec.resources.requests.storage";
    if after < before {
        let detail = "field can not be less than status.capacity";
        causes.push(Cause::forbidden(field, detail));
    }
}

/// What is wrong with a class.
pub(super) fn class(object: &Value, causes: &mut Vec<Cause>) {
    if text(object, &["provisioner"]).is_empty() {
        causes.push(Cause::required("provisioner", ""));
    }
    let closed: [(&str, &[&str]); 2] = [
        ("reclaimPolicy", &["Delete", "Retain"]),
        ("volumeBindingMode", &["Immediate", "WaitForFirstConsumer"]),
    ];
    for (field, values) in closed {
        let value = &object[field];
        if value.as_str().is_some_and(|value| !values.contains(&value)) {
            causes.push(Cause::unsupported(field, &json!(value), values));
        }
    }
}
