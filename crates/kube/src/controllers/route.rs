//! Which controllers a change concerns.

mod nodes;
mod volumes;

use super::Task;
use crate::object;
use crate::quota;
use crate::registry;
use crate::selector::Selector;
use crate::store::{Key, Store};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use workloads::{Controller, Resource};

/// Queues the controllers that a change concerns.
pub(super) fn concerned(
    store: &Store,
    key: &Key,
    before: Option<&Arc<Value>>,
    after: Option<&Arc<Value>>,
    queue: &mut BTreeSet<Task>,
) {
    for object in [before, after].into_iter().flatten() {
        owners(object, queue);
    }
    garbage(store, key, before, after, queue);
    let namespace = &*key.namespace;
    if namespace == "default" && &*key.name == "kubernetes" {
        queue.insert(Task::Front);
    }
    let own = |resource| {
        Task::Workload(Controller {
            resource,
            namespace: namespace.to_owned(),
            name: key.name.to_string(),
        })
    };
    match &*key.resource {
        "pods" => {
            pods(store, namespace, [before, after], queue);
            nodes::pod(store, before, after, queue);
            volumes::pod(&key.name, namespace, [before, after], queue);
        }
        "nodes" => {
            all(store, Resource::DaemonSets, None, queue);
            nodes::node(store, &key.name, before, after, queue);
        }
        "persistentvolumeclaims" => {
            queue.insert(own(Resource::PersistentVolumeClaims));
            volumes::claim(store, key, [before, after], queue);
        }
        "persistentvolumes" => {
            queue.insert(own(Resource::PersistentVolumes));
            volumes::volume(store, [before, after], queue);
        }
        "storageclasses.storage.k8s.io" => volumes::unbound(store, queue),
        // What it finds out itself is no news to an autoscaler.
        "horizontalpodautoscalers.autoscaling"
            if before.map(|o| &o["spec"]) == after.map(|o| &o["spec"]) => {}
        "leases.coordination.k8s.io" if namespace == "kube-node-lease" => {
            queue.insert(Task::Node(key.name.to_string()));
        }
        "namespaces" => {
            queue.insert(Task::Accounts(key.name.to_string()));
            queue.insert(Task::Namespace(key.name.to_string()));
        }
        registry::DEFINITIONS => {
            queue.insert(Task::Definition(key.name.to_string()));
        }
        "serviceaccounts" | "configmaps" => {
            queue.insert(Task::Accounts(namespace.to_owned()));
        }
        "endpoints" | "services" => {
            queue.insert(own(Resource::Services));
            queue.insert(own(Resource::Endpoints));
        }
        "endpointslices.discovery.k8s.io" => slices(namespace, [before, after], queue),
        _ => {
            if let Some(resource) = controlled(&key.resource) {
                queue.insert(own(resource));
            }
        }
    }
    quotas(store, key, before, after, queue);
    // What is left of a definition that goes.
    if after.is_none()
        && store
            .get(&Key::new(registry::DEFINITIONS, "", &key.resource))
            .is_some()
    {
        queue.insert(Task::Definition(key.resource.to_string()));
    }
    // What leaves a namespace that goes lets it go.
    if after.is_none() && !namespace.is_empty() {
        let found = store.get(&Key::new("namespaces", "", namespace));
        if found.is_some_and(|found| object::is_terminating(found)) {
            queue.insert(Task::Namespace(namespace.to_owned()));
        }
    }
}

/// What comes or goes, and what changes in what it uses, concerns its namespace's quotas.
fn quotas(
    store: &Store,
    key: &Key,
    before: Option<&Arc<Value>>,
    after: Option<&Arc<Value>>,
    queue: &mut BTreeSet<Task>,
) {
    let used = |object: Option<&Arc<Value>>| object.map(|object| quota::of(&key.resource, object));
    let own = &*key.resource == quota::QUOTAS;
    if key.namespace.is_empty() || (!own && used(before) == used(after)) {
        return;
    }
    for (quota, _) in store.list(quota::QUOTAS, Some(&key.namespace)) {
        queue.insert(Task::Quota(quota.clone()));
    }
}

/// The resources that have a controller of their own.
fn controlled(qualified: &str) -> Option<Resource> {
    Some(match qualified {
        "deployments.apps" => Resource::Deployments,
        "replicasets.apps" => Resource::ReplicaSets,
        "replicationcontrollers" => Resource::ReplicationControllers,
        "statefulsets.apps" => Resource::StatefulSets,
        "daemonsets.apps" => Resource::DaemonSets,
        "horizontalpodautoscalers.autoscaling" => Resource::HorizontalPodAutoscalers,
        "jobs.batch" => Resource::Jobs,
        "cronjobs.batch" => Resource::CronJobs,
        "poddisruptionbudgets.policy" => Resource::PodDisruptionBudgets,
        _ => return None,
    })
}

/// The controllers that own an object.
fn owners(object: &Value, queue: &mut BTreeSet<Task>) {
    queue.extend(Controller::of(object).map(Task::Workload));
}

/// What the garbage collector has to look at.
fn garbage(
    store: &Store,
    key: &Key,
    before: Option<&Arc<Value>>,
    after: Option<&Arc<Value>>,
    queue: &mut BTreeSet<Task>,
) {
    match (before, after) {
        (Some(gone), None) => {
            queue.insert(Task::Owned(object::uid(gone).to_owned()));
            for owner in object::list(gone, &["metadata", "ownerReferences"]) {
                queue.extend(owner_key(store, owner, &key.namespace).map(Task::Finalize));
            }
        }
        (_, Some(object)) => {
            let owned = !object::list(object, &["metadata", "ownerReferences"]).is_empty();
            let held = object::is_terminating(object)
                && !object::list(object, &["metadata", "finalizers"]).is_empty();
            if held || (owned && before.is_none()) {
                queue.insert(Task::Finalize(key.clone()));
            }
        }
        (None, None) => {}
    }
}

/// The key of an owner, in its dependent's namespace if it has one.
pub(super) fn owner_key(store: &Store, owner: &Value, namespace: &str) -> Option<Key> {
    let (version, kind) = (
        object::text(owner, &["apiVersion"]),
        object::text(owner, &["kind"]),
    );
    let resource = registry::by_kind(store, version, kind)?;
    let namespace = if resource.namespaced { namespace } else { "" };
    Some(Key::new(
        &resource.qualified(),
        namespace,
        object::text(owner, &["name"]),
    ))
}

fn all(store: &Store, resource: Resource, namespace: Option<&str>, queue: &mut BTreeSet<Task>) {
    let qualified = super::view::qualified(resource);
    for (key, _) in store.list(&qualified, namespace) {
        queue.insert(Task::Workload(Controller {
            resource,
            namespace: key.namespace.to_string(),
            name: key.name.to_string(),
        }));
    }
}

/// A pod concerns what selects it: services, budgets, and sets that might adopt it.
fn pods(
    store: &Store,
    namespace: &str,
    states: [Option<&Arc<Value>>; 2],
    queue: &mut BTreeSet<Task>,
) {
    const SELECTING: [(Resource, bool); 6] = [
        (Resource::Services, false),
        (Resource::PodDisruptionBudgets, true),
        (Resource::ReplicaSets, true),
        (Resource::ReplicationControllers, false),
        (Resource::StatefulSets, true),
        (Resource::DaemonSets, true),
    ];
    let states: Vec<&Arc<Value>> = states.into_iter().flatten().collect();
    let owned = states.iter().all(|pod| Controller::of(pod).is_some());
    for (resource, by_labels) in SELECTING {
        let sets = matches!(
            resource,
            Resource::ReplicaSets
                | Resource::ReplicationControllers
                | Resource::StatefulSets
                | Resource::DaemonSets
        );
        if sets && owned {
            continue;
        }
        let qualified = super::view::qualified(resource);
        for (key, object) in store.list(&qualified, Some(namespace)) {
            let selector = &object["spec"]["selector"];
            let selector = if by_labels {
                Selector::of_labels(selector)
            } else {
                Selector::of_map(selector)
            };
            if selector.is_some_and(|selector| states.iter().any(|pod| selector.selects(pod))) {
                queue.insert(Task::Workload(Controller {
                    resource,
                    namespace: namespace.to_owned(),
                    name: key.name.to_string(),
                }));
            }
        }
    }
}

/// An endpoint slice concerns the service that it is of.
fn slices(namespace: &str, states: [Option<&Arc<Value>>; 2], queue: &mut BTreeSet<Task>) {
    for slice in states.into_iter().flatten() {
        let labels = &slice["metadata"]["labels"];
        if let Some(name) = labels["kubernetes.io/service-name"].as_str() {
            for resource in [Resource::Services, Resource::Endpoints] {
                queue.insert(Task::Workload(Controller {
                    resource,
                    namespace: namespace.to_owned(),
                    name: name.to_owned(),
                }));
            }
        }
    }
}
