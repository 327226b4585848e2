//! What a node's pods refer to.

use crate::object;
use crate::store::{Key, Store};
use serde_json::Value;
use std::sync::Arc;

/// A pod's node.
pub(super) fn placed(pod: &Value) -> &str {
    object::text(pod, &["spec", "nodeName"])
}

/// A node's pods, in one namespace or in all.
fn pods<'s>(
    store: &'s Store,
    node: &'s str,
    namespace: Option<&'s str>,
) -> impl Iterator<Item = &'s Arc<Value>> + 's {
    store
        .list("pods", namespace)
        .map(|(_, pod)| pod)
        .filter(move |pod| placed(pod) == node)
}

/// Whether an object concerns a node: because a pod there needs it, or it is the pod.
pub(super) fn concerns(
    store: &Store,
    node: &str,
    resource: &str,
    namespace: &str,
    name: &str,
) -> bool {
    let refers = |names: fn(&Value) -> Vec<String>| {
        let mut pods = pods(store, node, Some(namespace));
        pods.any(|pod| names(pod).iter().any(|found| found == name))
    };
    match resource {
        "pods" => store
            .get(&Key::new("pods", namespace, name))
            .is_some_and(|pod| placed(pod) == node),
        "secrets" => refers(secrets),
        "configmaps" => refers(config_maps),
        "persistentvolumeclaims" => refers(claims),
        "serviceaccounts" => {
            refers(|pod| vec![object::text(pod, &["spec", "serviceAccountName"]).to_owned()])
        }
        "persistentvolumes" => pods(store, node, None).any(|pod| {
            let namespace = object::namespace(pod);
            claims(pod).iter().any(|claim| {
                let key = Key::new("persistentvolumeclaims", namespace, claim);
                let claim = store.get(&key);
                claim.is_some_and(|claim| object::text(claim, &["spec", "volumeName"]) == name)
            })
        }),
        "volumeattachments" => {
            let key = Key::new("volumeattachments.storage.k8s.io", "", name);
            let attachment = store.get(&key);
            attachment.is_some_and(|found| object::text(found, &["spec", "nodeName"]) == node)
        }
        _ => false,
    }
}

/// The containers of a pod, of all kinds.
fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    ["containers", "initContainers", "ephemeralContainers"]
        .into_iter()
        .flat_map(|kind| object::list(pod, &["spec", kind]))
}

fn volumes(pod: &Value) -> &[Value] {
    object::list(pod, &["spec", "volumes"])
}

/// The parts of a pod's projected volumes.
fn projected(pod: &Value) -> impl Iterator<Item = &Value> {
    volumes(pod)
        .iter()
        .flat_map(|volume| object::list(volume, &["projected", "sources"]))
}

/// The names at a path below each value.
fn named<'v>(values: impl Iterator<Item = &'v Value>, path: &[&str]) -> Vec<String> {
    let names = values.map(|value| object::text(value, path));
    names
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The secrets that a pod refers to.
pub(super) fn secrets(pod: &Value) -> Vec<String> {
    let mut names = named(
        object::list(pod, &["spec", "imagePullSecrets"]).iter(),
        &["name"],
    );
    for container in containers(pod) {
        let env = object::list(container, &["env"]);
        names.extend(named(env.iter(), &["valueFrom", "secretKeyRef", "name"]));
        let from = object::list(container, &["envFrom"]);
        names.extend(named(from.iter(), &["secretRef", "name"]));
    }
    names.extend(named(volumes(pod).iter(), &["secret", "secretName"]));
    names.extend(named(volumes(pod).iter(), &["azureFile", "secretName"]));
    let driver = ["csi", "nodePublishSecretRef", "name"];
    names.extend(named(volumes(pod).iter(), &driver));
    for kind in [
        "cephfs",
        "cinder",
        "flexVolume",
        "rbd",
        "scaleIO",
        "iscsi",
        "storageos",
    ] {
        names.extend(named(volumes(pod).iter(), &[kind, "secretRef", "name"]));
    }
    names.extend(named(projected(pod), &["secret", "name"]));
    names
}

/// The config maps that a pod refers to.
pub(super) fn config_maps(pod: &Value) -> Vec<String> {
    let mut names = named(volumes(pod).iter(), &["configMap", "name"]);
    for container in containers(pod) {
        let env = object::list(container, &["env"]);
        names.extend(named(env.iter(), &["valueFrom", "configMapKeyRef", "name"]));
        let from = object::list(container, &["envFrom"]);
        names.extend(named(from.iter(), &["configMapRef", "name"]));
    }
    names.extend(named(projected(pod), &["configMap", "name"]));
    names
}

/// The claims that a pod refers to, or that are made for it.
pub(super) fn claims(pod: &Value) -> Vec<String> {
    let mut names = named(volumes(pod).iter(), &["persistentVolumeClaim", "claimName"]);
    let own = volumes(pod)
        .iter()
        .filter(|volume| !volume["ephemeral"].is_null());
    let pod = object::name(pod);
    names.extend(own.map(|volume| format!("{pod}-{}", object::text(volume, &["name"]))));
    names
}
