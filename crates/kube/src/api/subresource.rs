//! What lies below objects.

use super::admission::{Operation, What};
use super::read::{find, shown};
use super::status::Status;
use super::write::{self, Owners, Part};
use super::{Answer, Call, Method, Target, body, connect, delete, patch, webhook};
use crate::custom::{ScalePaths, path};
use crate::object;
use crate::resource::{Resource, Subresource};
use crate::store::Key;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) fn answer(
    call: &mut Call<'_>,
    resource: &Resource,
    target: Target,
    subresource: Subresource,
) -> Result<Answer, Status> {
    let name = target.name.clone().unwrap_or_default();
    match subresource {
        Subresource::Status => part(call, resource, &target, &name, Part::Status),
        Subresource::EphemeralContainers | Subresource::Finalize => {
            part(call, resource, &target, &name, Part::Chosen)
        }
        Subresource::Approval => part(call, resource, &target, &name, Part::Approval),
        Subresource::Scale => scale(call, resource, &target, &name),
        Subresource::Binding => bind(call, resource, &target, &name),
        Subresource::Eviction => evict(call, resource, &target, &name),
        Subresource::Token => token(call, resource, &target, &name),
        Subresource::Log
        | Subresource::Exec
        | Subresource::Attach
        | Subresource::PortForward
        | Subresource::Proxy => connect::answer(call, resource, &target, subresource),
    }
}

fn part(
    call: &mut Call<'_>,
    resource: &Resource,
    target: &Target,
    name: &str,
    part: Part,
) -> Result<Answer, Status> {
    match call.request.method {
        Method::Get => super::read::get(call, resource, target, name),
        Method::Patch => patch::patch_part(call, resource, target, name, part),
        Method::Put => {
            let live = find(call, resource, target, name)?;
            let object = body::object_of(call, resource)?;
            let kept = write::update(call, resource, target, &live, object, (part, Owners::Track))?;
            Ok(shown(call, resource, 200, &kept))
        }
        _ => Err(Status::method_not_allowed()),
    }
}

/// How many of an object's replicas there shall be, as an object of its own.
fn scale(
    call: &mut Call<'_>,
    resource: &Resource,
    target: &Target,
    name: &str,
) -> Result<Answer, Status> {
    let live = find(call, resource, target, name)?;
    let view = Arc::new(scale_of(resource, &live));
    let mut wanted = match call.request.method {
        Method::Get => return Ok(Answer::document(200, view.as_ref().clone())),
        Method::Put => body::parse(&call.request.content_type, &call.request.body)?,
        Method::Patch => {
            let of = scale_resource();
            patch::patched(call, &of, &view)?
        }
        _ => return Err(Status::method_not_allowed()),
    };
    let asked = object::text(&wanted, &["metadata", "resourceVersion"]);
    if !asked.is_empty() && asked != object::text(&live, &["metadata", "resourceVersion"]) {
        return Err(Status::modified(resource, name));
    }
    let what = What {
        operation: Operation::Update,
        resource,
        subresource: "scale",
        namespace: object::namespace(&live),
        name,
    };
    webhook::mutate(call, what, &mut wanted, Some(&view))?;
    webhook::validate(call, what, Some(&wanted), Some(&view))?;
    let replicas = object::number(&wanted, &["spec", "replicas"]).unwrap_or(0);
    let mut object = live.as_ref().clone();
    match scale_paths(resource) {
        Some(paths) => path::set(&mut object, &paths.wanted, json!(replicas)),
        None => object["spec"]["replicas"] = json!(replicas),
    }
    let kept = write::update(
        call,
        resource,
        target,
        &live,
        object,
        (Part::Rest, Owners::Track),
    )?;
    Ok(Answer::document(200, scale_of(resource, &kept)))
}

fn scale_resource() -> Resource {
    Resource {
        group: "autoscaling".into(),
        version: "v1".into(),
        plural: "scales".into(),
        singular: "scale".into(),
        kind: "Scale".into(),
        short_names: Vec::new(),
        namespaced: true,
        categories: Vec::new(),
        subresources: Vec::new(),
        kept: false,
        custom: None,
    }
}

fn scale_paths(resource: &Resource) -> Option<&ScalePaths> {
    resource.custom.as_ref()?.scale.as_ref()
}

fn scale_of(resource: &Resource, object: &Value) -> Value {
    let number = |path: &str| {
        path::find(object, path)
            .and_then(Value::as_i64)
            .unwrap_or(0)
    };
    let paths = scale_paths(resource);
    let (wanted, current) = match paths {
        Some(paths) => (number(&paths.wanted), number(&paths.current)),
        None => (number(".spec.replicas"), number(".status.replicas")),
    };
    let own = paths.and_then(|paths| path::find(object, paths.selector.as_deref()?)?.as_str());
    let metadata = &object["metadata"];
    let mut selector = Vec::new();
    let labels: &[&str] = if resource.kind == "ReplicationController" {
        &["spec", "selector"]
    } else {
        &["spec", "selector", "matchLabels"]
    };
    for (key, value) in object::entries(object, labels) {
        selector.push(format!("{key}={}", value.as_str().unwrap_or_default()));
    }
    let selector = own.map_or_else(|| selector.join(","), str::to_owned);
    json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"],
            "creationTimestamp": metadata["creationTimestamp"],
        },
        "spec": {"replicas": wanted},
        "status": {
            "replicas": current,
            "selector": selector,
        },
    })
}

fn created() -> Answer {
    Answer::document(
        201,
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}),
    )
}

/// Asks who may be against something that is made below an object.
fn made(
    call: &mut Call<'_>,
    resource: &Resource,
    live: &Value,
    subresource: &str,
    object: &Value,
) -> Result<(), Status> {
    let what = What {
        operation: Operation::Create,
        resource,
        subresource,
        namespace: object::namespace(live),
        name: object::name(live),
    };
    webhook::consult(call, what, Some(object), None)
}

/// Places a pod on a node.
fn bind(
    call: &mut Call<'_>,
    resource: &Resource,
    target: &Target,
    name: &str,
) -> Result<Answer, Status> {
    let binding = body::parse(&call.request.content_type, &call.request.body)?;
    let node = object::text(&binding, &["target", "name"]);
    let live = find(call, resource, target, name)?;
    let placed = object::text(&live, &["spec", "nodeName"]);
    if !placed.is_empty() {
        let why = format!("pod {name} is already assigned to node {placed:?}");
        return Err(Status::conflict(resource, name, why));
    }
    if object::is_terminating(&live) {
        let why = format!("pod {name} is being deleted, cannot be assigned to a host");
        return Err(Status::conflict(resource, name, why));
    }
    made(call, resource, &live, "binding", &binding)?;
    let mut object = live.as_ref().clone();
    object["spec"]["nodeName"] = json!(node);
    let condition = json!({
        "type": "PodScheduled", "status": "True",
        "lastProbeTime": null, "lastTransitionTime": call.now(),
    });
    set_condition(&mut object, condition);
    call.store.put(super::key(resource, target, name), object);
    Ok(created())
}

/// Puts a condition in the place of the one of its type.
fn set_condition(object: &mut Value, condition: Value) {
    let status = object::map_mut(object, "status");
    let held = status.entry("conditions").or_insert_with(|| json!([]));
    if let Value::Array(held) = held {
        held.retain(|other| other["type"] != condition["type"]);
        held.push(condition);
    }
}

/// Deletes a pod if no disruption budget is against it.
/// <https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/>
fn evict(
    call: &mut Call<'_>,
    resource: &Resource,
    target: &Target,
    name: &str,
) -> Result<Answer, Status> {
    let live = find(call, resource, target, name)?;
    let eviction = body::parse(&call.request.content_type, &call.request.body)?;
    made(call, resource, &live, "eviction", &eviction)?;
    let namespace = object::namespace(&live).to_owned();
    let phase = object::text(&live, &["status", "phase"]);
    let ended =
        ["Succeeded", "Failed", "Pending"].contains(&phase) || object::is_terminating(&live);
    let budgets: Vec<Arc<Value>> = call
        .store
        .list("poddisruptionbudgets.policy", Some(&namespace))
        .map(|(_, budget)| budget.clone())
        .filter(|budget| {
            let selector = crate::selector::Selector::of_labels(&budget["spec"]["selector"]);
            selector.is_some_and(|selector| selector.selects(&live))
        })
        .collect();
    if let (Some(budget), false) = (budgets.first(), ended) {
        if budgets.len() > 1 {
            return Err(Status::internal(
                "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
            ));
        }
        let count = |field| object::number(budget, &["status", field]).unwrap_or(0);
        let conditions = object::list(&live, &["status", "conditions"]).iter();
        let ready = conditions
            .filter(|c| c["type"] == "Ready")
            .any(|c| c["status"] == "True");
        let (healthy, wanted) = (count("currentHealthy"), count("desiredHealthy"));
        let always = budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow";
        if !ready && (always || (healthy >= wanted && wanted > 0)) {
            // Who isn't healthy is not missed.
            gone(call, resource, &live, &eviction);
            return Ok(created());
        }
        let generation = object::number(budget, &["metadata", "generation"]).unwrap_or(0);
        if count("observedGeneration") < generation {
            return Err(Status::new(
                429,
                "TooManyRequests",
                format!(
                    "Cannot evict pod as it would violate the pod's disruption budget. The disruption budget {} is still being processed by the server.",
                    object::name(budget)
                ),
            ));
        }
        let allowed = count("disruptionsAllowed");
        if allowed < 1 {
            let mut status = Status::new(
                429,
                "TooManyRequests",
                "Cannot evict pod as it would violate the pod's disruption budget.",
            );
            let told = format!(
                "The disruption budget {} needs {} healthy pods and has {} currently",
                object::name(budget),
                object::number(budget, &["status", "desiredHealthy"]).unwrap_or(0),
                object::number(budget, &["status", "currentHealthy"]).unwrap_or(0),
            );
            status.details =
                Some(json!({"causes": [{"reason": "DisruptionBudget", "message": told}]}));
            return Err(status);
        }
        let mut spent = budget.as_ref().clone();
        spent["status"]["disruptionsAllowed"] = json!(allowed - 1);
        spent["status"]["disruptedPods"][name] = json!(call.now());
        let key = crate::store::Key::new(
            "poddisruptionbudgets.policy",
            &namespace,
            object::name(budget),
        );
        call.store.put(key, spent);
    }
    gone(call, resource, &live, &eviction);
    Ok(created())
}

/// Deletes a pod as its eviction says.
fn gone(call: &mut Call<'_>, resource: &Resource, live: &Arc<Value>, eviction: &Value) {
    let grace = eviction["deleteOptions"]["gracePeriodSeconds"].as_i64();
    delete::evict(call, resource, live, grace);
}

fn token(
    call: &mut Call<'_>,
    resource: &Resource,
    target: &Target,
    name: &str,
) -> Result<Answer, Status> {
    let account = find(call, resource, target, name)?;
    let mut request = body::parse(&call.request.content_type, &call.request.body)?;
    object::default(
        object::map_mut(&mut request, "spec"),
        "expirationSeconds",
        3600,
    );
    made(call, resource, &account, "token", &request)?;
    let node = bound_to(call, &request, &account)?;
    Ok(Answer::Token {
        request,
        account,
        node,
    })
}

/// Looks at what a token is to be bound to, and gives the node where that is.
fn bound_to(call: &Call<'_>, request: &Value, account: &Value) -> Result<Value, Status> {
    let reference = &request["spec"]["boundObjectRef"];
    if reference.is_null() {
        return Ok(Value::Null);
    }
    let text = |field| object::text(reference, &[field]);
    let (kind, name) = (text("kind"), text("name"));
    let (plural, namespace) = match (text("apiVersion"), kind) {
        ("v1", "Pod") => ("pods", object::namespace(account)),
        ("v1", "Secret") => ("secrets", object::namespace(account)),
        (version, kind) => {
            let message = format!("cannot bind token to object of type {version}, Kind={kind}");
            return Err(Status::bad_request(message));
        }
    };
    let resource = crate::client::resource(plural).ok_or_else(Status::no_such_path)?;
    let found = call.store.get(&Key::new(plural, namespace, name));
    let found = found.ok_or_else(|| Status::not_found(resource, name))?;
    let uid = text("uid");
    if !uid.is_empty() && uid != object::uid(found) {
        let why = format!(
            "the UID in the bound object reference ({uid}) does not match the UID in record. The object might have been deleted and then recreated"
        );
        return Err(Status::conflict(resource, name, why));
    }
    if kind == "Pod"
        && object::text(found, &["spec", "serviceAccountName"]) != object::name(account)
    {
        let why = format!(
            "cannot bind token for serviceaccount {:?} to pod running with different serviceaccount name.",
            object::name(account)
        );
        return Err(Status::bad_request(why));
    }
    let node = object::text(found, &["spec", "nodeName"]);
    if node.is_empty() {
        return Ok(Value::Null);
    }
    let uid = call.store.get(&Key::new("nodes", "", node));
    let mut told = json!({"name": node});
    if let Some(node) = uid {
        told["uid"] = json!(object::uid(node));
    }
    Ok(told)
}
