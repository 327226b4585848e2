//! Limit ranges: what containers get that ask for nothing, and how little or much is let in.
//!
//! <https://kubernetes.io/docs/concepts/policy/limit-range/>

use super::super::Call;
use super::super::status::Status;
use crate::object::{self, default, list, text};
use crate::quantity::Amount;
use crate::quota::{Amounts, amounts};
use crate::resource::Resource;
use serde_json::Value;
use std::sync::Arc;

fn ranges(call: &Call<'_>, namespace: &str) -> Vec<Arc<Value>> {
    let all = call.store.list("limitranges", Some(namespace));
    all.map(|(_, range)| range.clone()).collect()
}

/// A range's limits of a type.
fn of_type<'r>(range: &'r Value, kind: &'r str) -> impl Iterator<Item = &'r Value> {
    let limits = list(range, &["spec", "limits"]).iter();
    limits.filter(move |limit| limit["type"] == kind)
}

/// Gives a pod's containers what its namespace's ranges say, and refuses what they don't let in.
pub(super) fn pod(call: &Call<'_>, resource: &Resource, pod: &mut Value) -> Result<(), Status> {
    let ranges = ranges(call, object::namespace(pod));
    for range in &ranges {
        let told = fill(range, pod);
        if !told.is_empty() {
            let told = format!("LimitRanger plugin set: {}", told.join("; "));
            let notes = object::map_mut(&mut pod["metadata"], "annotations");
            notes.insert("kubernetes.io/limit-ranger".to_owned(), told.into());
        }
    }
    let mut wrong = Vec::new();
    for range in &ranges {
        for limit in of_type(range, "Container") {
            let all = list(pod, &["spec", "containers"]).iter();
            for container in all.chain(list(pod, &["spec", "initContainers"])) {
                let of = |kind| amounts(&container["resources"][kind]);
                check(limit, &of("requests"), &of("limits"), &mut wrong);
            }
        }
        for limit in of_type(range, "Pod") {
            let of = |kind| crate::quota::asked(pod, kind);
            check(limit, &of("requests"), &of("limits"), &mut wrong);
        }
    }
    refuse(resource, pod, &wrong)
}

/// Refuses a claim that asks for more or less than its namespace's ranges let in.
pub(super) fn claim(call: &Call<'_>, resource: &Resource, claim: &Value) -> Result<(), Status> {
    let mut wrong = Vec::new();
    for range in ranges(call, object::namespace(claim)) {
        for limit in of_type(&range, "PersistentVolumeClaim") {
            let requests = amounts(&claim["spec"]["resources"]["requests"]);
            check(limit, &requests, &Amounts::new(), &mut wrong);
        }
    }
    refuse(resource, claim, &wrong)
}

fn refuse(resource: &Resource, object: &Value, wrong: &[String]) -> Result<(), Status> {
    let why = match wrong {
        [] => return Ok(()),
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    };
    Err(Status::forbidden(resource, object::name(object), why))
}

/// Fills in what a range gives containers; what was given to whom.
fn fill(range: &Value, pod: &mut Value) -> Vec<String> {
    let mut told = Vec::new();
    for limit in of_type(range, "Container") {
        for (kind, word) in [
            ("containers", "container"),
            ("initContainers", "init container"),
        ] {
            let containers = pod["spec"].get_mut(kind).and_then(Value::as_array_mut);
            for container in containers.into_iter().flatten() {
                let name = text(container, &["name"]).to_owned();
                for (given, part, what) in [
                    ("defaultRequest", "requests", "request"),
                    ("default", "limits", "limit"),
                ] {
                    let mut names = Vec::new();
                    let resources = object::map_mut(container, "resources");
                    for (of, amount) in object::entries(limit, &[given]) {
                        let part = resources
                            .entry(part)
                            .or_insert_with(|| Value::Object(serde_json::Map::new()));
                        let part = object::object_mut(part);
                        if !part.contains_key(of) {
                            default(part, of, amount.clone());
                            names.push(of.as_str());
                        }
                    }
                    if !names.is_empty() {
                        told.push(format!("{} {what} for {word} {name}", names.join(", ")));
                    }
                }
            }
        }
    }
    told
}

/// What of requests and limits a range's limit doesn't let in.
fn check(limit: &Value, requests: &Amounts, limits: &Amounts, wrong: &mut Vec<String>) {
    let kind = text(limit, &["type"]);
    let of_claims = kind == "PersistentVolumeClaim";
    let told = |map: &str, of: &str| text(limit, &[map, of]).to_owned();
    for (of, least) in amounts(&limit["min"]) {
        let least_told = told("min", &of);
        let begin = format!("minimum {of} usage per {kind} is {least_told}");
        match (requests.get(&of), limits.get(&of)) {
            (None, _) => wrong.push(format!("{begin}.  No request is specified")),
            (Some(request), _) if least.exceeds(*request) => {
                wrong.push(format!("{begin}, but request is {request}"));
            }
            (_, Some(limit)) if least.exceeds(*limit) => {
                wrong.push(format!("{begin}, but limit is {limit}"));
            }
            _ => {}
        }
    }
    for (of, most) in amounts(&limit["max"]) {
        let begin = format!("maximum {of} usage per {kind} is {}", told("max", &of));
        let request = requests.get(&of).filter(|request| request.exceeds(most));
        match limits.get(&of) {
            None if !of_claims => wrong.push(format!("{begin}.  No limit is specified")),
            Some(limit) if limit.exceeds(most) => {
                wrong.push(format!("{begin}, but limit is {limit}"));
            }
            _ => {
                if let Some(request) = request {
                    wrong.push(format!("{begin}, but request is {request}"));
                }
            }
        }
    }
    for (of, most) in amounts(&limit["maxLimitRequestRatio"]) {
        let told = told("maxLimitRequestRatio", &of);
        let begin = format!("{of} max limit to request ratio per {kind} is {told}");
        let request = requests
            .get(&of)
            .copied()
            .filter(|request| !request.is_zero());
        let ratio = request.and_then(|request| limits.get(&of)?.ratio(request));
        let allowed = most.ratio(Amount::count(1)).unwrap_or(0.0);
        match (request, ratio) {
            (None, _) => {
                wrong.push(format!(
                    "{begin}, but no request is specified or request is 0"
                ));
            }
            (_, None) => wrong.push(format!("{begin}, but no limit is specified or limit is 0")),
            (_, Some(ratio)) if ratio > allowed => {
                wrong.push(format!("{begin}, but provided ratio is {ratio:.6}"));
            }
            _ => {}
        }
    }
}
