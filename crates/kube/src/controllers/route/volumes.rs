//! What a change of a volume, of a claim, or of a pod that uses one concerns.

use super::Task;
use crate::object;
use crate::store::{Key, Store};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use workloads::{Controller, Resource};

fn task(resource: Resource, namespace: &str, name: &str) -> Task {
    Task::Workload(Controller {
        resource,
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    })
}

/// A pod concerns the claims that it uses; one with claims of its own has them made.
pub(super) fn pod(
    name: &str,
    namespace: &str,
    states: [Option<&Arc<Value>>; 2],
    queue: &mut BTreeSet<Task>,
) {
    for pod in states.into_iter().flatten() {
        for volume in object::list(pod, &["spec", "volumes"]) {
            if let Some(claim) = volume["persistentVolumeClaim"]["claimName"].as_str() {
                queue.insert(task(Resource::PersistentVolumeClaims, namespace, claim));
            }
            if !volume["ephemeral"].is_null() {
                queue.insert(task(Resource::Pods, namespace, name));
                let own = format!("{name}-{}", object::text(volume, &["name"]));
                queue.insert(task(Resource::PersistentVolumeClaims, namespace, &own));
            }
        }
    }
}

/// A claim concerns the volume that it names, and those that name it.
pub(super) fn claim(
    store: &Store,
    key: &Key,
    states: [Option<&Arc<Value>>; 2],
    queue: &mut BTreeSet<Task>,
) {
    for claim in states.into_iter().flatten() {
        let volume = object::text(claim, &["spec", "volumeName"]);
        if !volume.is_empty() {
            queue.insert(task(Resource::PersistentVolumes, "", volume));
        }
    }
    for (at, volume) in store.list("persistentvolumes", None) {
        let named = |field| object::text(volume, &["spec", "claimRef", field]);
        if named("name") == &*key.name && named("namespace") == &*key.namespace {
            queue.insert(task(Resource::PersistentVolumes, "", &at.name));
        }
    }
}

/// A volume concerns the claim that it names; one that is free may be anybody's.
pub(super) fn volume(store: &Store, states: [Option<&Arc<Value>>; 2], queue: &mut BTreeSet<Task>) {
    for volume in states.into_iter().flatten() {
        let named = |field| object::text(volume, &["spec", "claimRef", field]);
        if !named("name").is_empty() {
            let claim = task(
                Resource::PersistentVolumeClaims,
                named("namespace"),
                named("name"),
            );
            queue.insert(claim);
        }
    }
    if states[1].is_some_and(|volume| volume["spec"]["claimRef"].is_null()) {
        unbound(store, queue);
    }
    if states[1].is_none() {
        for (key, claim) in store.list("persistentvolumeclaims", None) {
            let gone = states[0].map_or("", |volume| object::name(volume));
            if object::text(claim, &["spec", "volumeName"]) == gone {
                queue.insert(task(
                    Resource::PersistentVolumeClaims,
                    &key.namespace,
                    &key.name,
                ));
            }
        }
    }
}

/// The claims that have no volume.
pub(super) fn unbound(store: &Store, queue: &mut BTreeSet<Task>) {
    for (key, claim) in store.list("persistentvolumeclaims", None) {
        if claim["metadata"]["annotations"]["pv.kubernetes.io/bind-completed"].is_null() {
            queue.insert(task(
                Resource::PersistentVolumeClaims,
                &key.namespace,
                &key.name,
            ));
        }
    }
}
