//! Deleting: at once, after finalizers, after a grace period.
//!
//! <https://kubernetes.io/docs/concepts/architecture/garbage-collection/>

use super::admission::{Operation, What};
use super::read::{Selection, find, shown};
use super::status::Status;
use super::{Answer, Call, Target, body, key, webhook};
use crate::object;
use crate::resource::Resource;
use serde_json::{Value, json};
use std::sync::Arc;

/// Namespaces that no cluster is without.
const IMMORTAL: [&str; 3] = ["default", "kube-system", "kube-public"];

/// What a deletion says of itself.
#[derive(Clone, Debug, Default)]
struct Options {
    grace: Option<i64>,
    propagation: String,
    uid: Option<String>,
    revision: Option<String>,
}

impl Options {
    fn read(call: &Call<'_>) -> Result<Self, Status> {
        let mut body = Value::Null;
        if !call.request.body.is_empty() {
            body = body::parse(&call.request.content_type, &call.request.body)?;
        }
        let text = |path: &[&str]| {
            let text = object::text(&body, path);
            (!text.is_empty()).then(|| text.to_owned())
        };
        let orphan = match body["orphanDependents"].as_bool() {
            Some(true) => Some("Orphan".to_owned()),
            Some(false) => Some("Background".to_owned()),
            None => None,
        };
        let query = call
            .request
            .parameter("propagationPolicy")
            .map(str::to_owned);
        let propagation = text(&["propagationPolicy"]).or(query).or(orphan);
        let propagation = propagation.unwrap_or_else(|| "Background".to_owned());
        if !["Background", "Foreground", "Orphan"].contains(&propagation.as_str()) {
            return Err(Status::bad_request(format!(
                "invalid DeleteOptions: propagationPolicy: Unsupported value: {propagation:?}"
            )));
        }
        Ok(Self {
            grace: body["gracePeriodSeconds"]
                .as_i64()
                .or(call.request.number("gracePeriodSeconds")?),
            propagation,
            uid: text(&["preconditions", "uid"]),
            revision: text(&["preconditions", "resourceVersion"]),
        })
    }

    fn check(&self, resource: &Resource, live: &Value) -> Result<(), Status> {
        let name = object::name(live);
        if let Some(uid) = &self.uid
            && uid != object::uid(live)
        {
            return Err(Status::conflict(
                resource,
                name,
                format!(
                    "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
                    object::uid(live)
                ),
            ));
        }
        match &self.revision {
            Some(revision) if revision != object::text(live, &["metadata", "resourceVersion"]) => {
                Err(Status::modified(resource, name))
            }
            _ => Ok(()),
        }
    }
}

pub(super) fn delete(
    call: &mut Call<'_>,
    resource: &Resource,
    target: &Target,
    name: &str,
) -> Result<Answer, Status> {
    let live = find(call, resource, target, name)?;
    let options = Options::read(call)?;
    options.check(resource, &live)?;
    consult(call, resource, &live)?;
    match remove(call, resource, &live, &options) {
        Some(still) => Ok(shown(call, resource, 200, &still)),
        None => {
            let mut details = json!({
                "name": name, "kind": resource.plural, "uid": object::uid(&live),
            });
            if !resource.group.is_empty() {
                details["group"] = json!(resource.group);
            }
            let body = json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {},
                "status": "Success", "details": details,
            });
            Ok(Answer::document(200, body))
        }
    }
}

pub(super) fn collection(
    call: &mut Call<'_>,
    resource: &Resource,
    target: &Target,
) -> Result<Answer, Status> {
    let selection = Selection::read(call, resource, target)?;
    let options = Options::read(call)?;
    let all = call
        .store
        .list(&selection.resource, selection.namespace.as_deref());
    let chosen: Vec<Arc<Value>> = all
        .map(|(_, object)| object.clone())
        .filter(|object| selection.includes(object))
        .collect();
    for object in &chosen {
        consult(call, resource, object)?;
    }
    for object in &chosen {
        remove(call, resource, object, &options);
    }
    let body = json!({
        "kind": format!("{}List", resource.kind),
        "apiVersion": resource.api_version(),
        "metadata": {"resourceVersion": call.store.revision().to_string()},
        "items": chosen,
    });
    Ok(Answer::document(200, body))
}

/// Asks who may be against a deletion.
fn consult(call: &mut Call<'_>, resource: &Resource, live: &Value) -> Result<(), Status> {
    let name = object::name(live);
    if resource.kind == "Namespace" && IMMORTAL.contains(&name) {
        let why = "this namespace may not be deleted";
        return Err(Status::forbidden(resource, name, why));
    }
    let what = What {
        operation: Operation::Delete,
        resource,
        subresource: "",
        namespace: object::namespace(live),
        name,
    };
    webhook::consult(call, what, None, Some(live))
}

/// Whether nothing holds a deleted object any longer.
pub(super) fn is_released(object: &Value) -> bool {
    let held = object::list(object, &["metadata", "finalizers"]);
    let grace = object::number(object, &["metadata", "deletionGracePeriodSeconds"]);
    let of_namespace = object::list(object, &["spec", "finalizers"]);
    let namespace = object["kind"] == "Namespace" && !of_namespace.is_empty();
    object::is_terminating(object) && held.is_empty() && grace.unwrap_or(0) == 0 && !namespace
}

/// Removes an object or, if something holds it, marks it: then it is given as it is now.
fn remove(
    call: &mut Call<'_>,
    resource: &Resource,
    live: &Arc<Value>,
    options: &Options,
) -> Option<Arc<Value>> {
    let mut object = live.as_ref().clone();
    let grace = grace_period(resource, live, options);
    let now = call.context.now;
    let marked = object::is_terminating(live);
    let shortened = object::number(live, &["metadata", "deletionGracePeriodSeconds"])
        .is_some_and(|before| grace < before);
    if !marked || shortened {
        let at = crate::schema::rfc3339(now + grace);
        let metadata = object::metadata(&mut object);
        metadata.insert("deletionTimestamp".to_owned(), at.into());
        metadata.insert("deletionGracePeriodSeconds".to_owned(), grace.into());
        let generation = metadata.get("generation").and_then(Value::as_i64);
        if let (Some(generation), false) = (generation, marked) {
            metadata.insert("generation".to_owned(), (generation + 1).into());
        }
    }
    finalizer(&mut object, "orphan", options.propagation == "Orphan");
    finalizer(
        &mut object,
        "foregroundDeletion",
        options.propagation == "Foreground",
    );
    if resource.kind == "Namespace" {
        object["status"]["phase"] = json!("Terminating");
    }
    let namespace = object::namespace(live).to_owned();
    let name = object::name(live).to_owned();
    let key = key(
        resource,
        &Target {
            group: resource.group.to_string(),
            version: resource.version.to_string(),
            plural: resource.plural.to_string(),
            namespace: Some(namespace),
            name: None,
            subresource: None,
            rest: String::new(),
        },
        &name,
    );
    if is_released(&object) {
        call.store.remove(&key);
        return None;
    }
    if object == **live {
        return Some(live.clone());
    }
    Some(call.store.put(key, object))
}

/// How long an object's processes may take to end; only pods have any.
fn grace_period(resource: &Resource, live: &Value, options: &Options) -> i64 {
    if resource.kind != "Pod" {
        return 0;
    }
    let phase = object::text(live, &["status", "phase"]);
    let placed = !object::text(live, &["spec", "nodeName"]).is_empty();
    if !placed || ["Succeeded", "Failed"].contains(&phase) {
        return 0;
    }
    let own = object::number(live, &["spec", "terminationGracePeriodSeconds"]);
    options.grace.or(own).unwrap_or(30).max(0)
}

fn finalizer(object: &mut Value, name: &str, wanted: bool) {
    let metadata = object::metadata(object);
    let held = metadata.entry("finalizers").or_insert_with(|| json!([]));
    if let Value::Array(held) = held {
        held.retain(|other| other != name);
        if wanted {
            held.push(name.into());
        }
        if held.is_empty() {
            metadata.remove("finalizers");
        }
    }
}

/// Deletes a pod for an eviction.
pub(super) fn evict(
    call: &mut Call<'_>,
    resource: &Resource,
    live: &Arc<Value>,
    grace: Option<i64>,
) {
    let options = Options {
        grace,
        propagation: "Background".to_owned(),
        ..Options::default()
    };
    remove(call, resource, live, &options);
}
