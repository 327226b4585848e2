//! What the cluster adds to objects and refuses before they are stored.
//!
//! <https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/>

mod attributes;
mod limits;
mod pod;
pub(super) mod quota;
mod service;
mod signing;
mod storage;

pub(super) use attributes::{Attributes, Operation, What};
pub(super) use signing::{approval, signature};

use super::Call;
use super::status::Status;
use crate::object::{self, default};
use crate::resource::Resource;
use crate::store::Key;
use serde_json::{Value, json};

/// What a new object gets before webhooks see it: upstream's mutating plugins. They run again after webhooks
/// that changed it.
pub(super) fn admit(
    call: &mut Call<'_>,
    resource: &Resource,
    object: &mut Value,
) -> Result<(), Status> {
    namespace_lifecycle(call, resource, object)?;
    match &*resource.kind {
        "Pod" => pod::admit(call, resource, object)?,
        "PersistentVolumeClaim" => {
            storage::claim(call, object);
            limits::claim(call, resource, object)?;
            storage::protect(object, "kubernetes.io/pvc-protection");
        }
        "PersistentVolume" => storage::protect(object, "kubernetes.io/pv-protection"),
        "Node" => node(object),
        "Ingress" => ingress(call, object),
        "PriorityClass" => priority_class(call, resource, object)?,
        _ => {}
    }
    Ok(())
}

/// What a new object gets when everybody has had their say.
pub(super) fn prepare(
    call: &mut Call<'_>,
    resource: &Resource,
    object: &mut Value,
) -> Result<(), Status> {
    match &*resource.kind {
        "Pod" => pod::prepare(object),
        "Service" => service::allocate(call, resource, object)?,
        "Namespace" => namespace(object),
        "Job" => job(object),
        "PersistentVolumeClaim" => object["status"] = json!({"phase": "Pending"}),
        "PersistentVolume" => {
            let now = call.now();
            object["status"] = json!({"phase": "Pending", "lastPhaseTransitionTime": now});
        }
        "CustomResourceDefinition" => definition(call, object),
        "CertificateSigningRequest" => signing::request(call, object),
        _ => {}
    }
    Ok(())
}

/// An ingress without a class gets the default one.
/// <https://kubernetes.io/docs/concepts/services-networking/ingress/#default-ingress-class>
fn ingress(call: &Call<'_>, object: &mut Value) {
    const DEFAULT: &str = "ingressclass.kubernetes.io/is-default-class";
    let named = !object["metadata"]["annotations"]["kubernetes.io/ingress.class"].is_null();
    if named || !object["spec"]["ingressClassName"].is_null() {
        return;
    }
    let classes = call.store.list("ingressclasses.networking.k8s.io", None);
    let class = classes
        .map(|(_, class)| class)
        .filter(|class| class["metadata"]["annotations"][DEFAULT] == "true")
        .max_by_key(|class| object::text(class, &["metadata", "creationTimestamp"]));
    if let Some(class) = class {
        object["spec"]["ingressClassName"] = object::name(class).into();
    }
}

/// At most one class is that of pods that name none.
fn priority_class(call: &Call<'_>, resource: &Resource, object: &Value) -> Result<(), Status> {
    let mut others = call.store.list("priorityclasses.scheduling.k8s.io", None);
    let other = others
        .find(|(key, other)| other["globalDefault"] == true && &*key.name != object::name(object));
    match other {
        Some((key, _)) if object["globalDefault"] == true => {
            let why = format!(
                "PriorityClass {} is already marked as default. Only one default can exist",
                key.name
            );
            Err(Status::forbidden(resource, object::name(object), why))
        }
        _ => Ok(()),
    }
}

/// A new node takes no pods until its kubelet says that it is ready.
/// <https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#taintnodesbycondition>
fn node(object: &mut Value) {
    const NOT_READY: &str = "node.kubernetes.io/not-ready";
    let spec = object::map_mut(object, "spec");
    let taints = spec.entry("taints").or_insert_with(|| json!([]));
    if let Value::Array(taints) = taints
        && !taints
            .iter()
            .any(|t| t["key"] == NOT_READY && t["effect"] == "NoSchedule")
    {
        taints.push(json!({"key": NOT_READY, "effect": "NoSchedule"}));
    }
}

pub(super) fn update(
    call: &mut Call<'_>,
    resource: &Resource,
    live: &Value,
    object: &mut Value,
) -> Result<(), Status> {
    if resource.kind == "Service" {
        // What was allocated stays unless the type has no use for it.
        let headless = object::text(object, &["spec", "type"]) == "ExternalName";
        if object["spec"]["clusterIP"].is_null() && !headless {
            object["spec"]["clusterIP"] = live["spec"]["clusterIP"].clone();
            object["spec"]["clusterIPs"] = live["spec"]["clusterIPs"].clone();
        }
        service::allocate(call, resource, object)?;
    }
    if resource.kind == "PersistentVolumeClaim" {
        storage::resize(call, resource, live, object)?;
    }
    match &*resource.kind {
        "PriorityClass" => priority_class(call, resource, object)?,
        "Namespace" => namespace(object),
        "CustomResourceDefinition" => definition(call, object),
        _ => {}
    }
    Ok(())
}

/// Nothing is made in a namespace that isn't there or goes.
fn namespace_lifecycle(call: &Call<'_>, resource: &Resource, object: &Value) -> Result<(), Status> {
    if !resource.namespaced {
        return Ok(());
    }
    let namespace = object::namespace(object);
    let namespaces = crate::client::resource("namespaces").ok_or_else(Status::no_such_path)?;
    let Some(found) = call.store.get(&Key::new("namespaces", "", namespace)) else {
        return Err(Status::not_found(namespaces, namespace));
    };
    if object::is_terminating(found) && resource.kind != "Event" {
        let why = format!(
            "unable to create new content in namespace {namespace} because it is being terminated"
        );
        return Err(Status::forbidden(resource, object::name(object), why));
    }
    Ok(())
}

fn namespace(object: &mut Value) {
    let name = object::name(object).to_owned();
    let labels = object::map_mut(&mut object["metadata"], "labels");
    labels.insert("kubernetes.io/metadata.name".to_owned(), name.into());
    let terminating = object::is_terminating(object);
    if !terminating {
        default(
            object::map_mut(object, "spec"),
            "finalizers",
            json!(["kubernetes"]),
        );
        object["status"] = json!({"phase": "Active"});
    }
}

/// What goes with a definition before it goes.
pub(crate) const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

fn definition(call: &mut Call<'_>, object: &mut Value) {
    let now = call.now();
    let before = object["status"]["conditions"].clone();
    crate::custom::definition::status(object, &now);
    if before.is_array() {
        object["status"]["conditions"] = before;
    }
    if !object::is_terminating(object) {
        let metadata = object::metadata(object);
        let held = metadata.entry("finalizers").or_insert_with(|| json!([]));
        if let Value::Array(held) = held
            && !held.iter().any(|name| name == CLEANUP)
        {
            held.push(CLEANUP.into());
        }
    }
}

fn job(object: &mut Value) {
    if object["spec"]["manualSelector"] == true || !object["spec"]["selector"].is_null() {
        return;
    }
    let (uid, name) = (
        object::uid(object).to_owned(),
        object::name(object).to_owned(),
    );
    object["spec"]["selector"] =
        json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}});
    let labels = object::map_mut(&mut object["spec"]["template"]["metadata"], "labels");
    for (key, value) in [
        ("batch.kubernetes.io/controller-uid", &uid),
        ("batch.kubernetes.io/job-name", &name),
        ("controller-uid", &uid),
        ("job-name", &name),
    ] {
        labels.insert(key.to_owned(), value.as_str().into());
    }
}
