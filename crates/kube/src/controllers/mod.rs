//! What makes objects come true: the controller manager.
//!
//! One task looks at every change, finds which objects' controllers it concerns, and runs them one
//! after another. A controller sees the cluster and gives actions; they go through the API like
//! anybody's.

mod accounts;
mod act;
mod definitions;
pub mod events;
mod garbage;
mod namespaces;
mod quotas;
mod route;
#[cfg(test)]
mod tests;
pub(crate) mod view;

use crate::api::{Settings, Status};
use crate::client::Client;
use crate::cluster::{Cluster, Published};
use crate::metrics::OfPods;
use crate::store::{Key, Store};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;
use workloads::{
    ApiFront, Controller, Evictions, NodeHealth, Orphanage, Outcome, Resource, ScaleHistory, View,
};

/// How long after a failure a controller runs again, in seconds; it doubles with each failure.
const RETRY: i64 = 1;
/// It doubles no further.
const SLOWEST: i64 = 300;
/// How often old events are looked for, in seconds.
const SWEEP: i64 = 60;

/// A controller's work on one object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Task {
    /// A namespace's account and certificate.
    Accounts(String),
    /// A namespace that goes.
    Namespace(String),
    /// A definition that goes.
    Definition(String),
    /// A quota, and what is used of it.
    Quota(Key),
    /// What the object with this uid owned.
    Owned(String),
    /// An object with a finalizer of the garbage collector, or whose owners may be gone.
    Finalize(Key),
    /// A workload or service.
    Workload(Controller),
    /// A node's signs of life.
    Node(String),
    /// The addresses of a node's pods.
    Range(String),
    /// A pod on a node with taints that evict.
    Evict(String, String),
    /// The API's own service.
    Front,
    /// Events that are old.
    Sweep,
    /// Pods that nobody ends.
    Orphans,
}

/// Runs a cluster's controllers until it ends.
pub async fn run(cluster: Cluster) {
    let manager = Manager {
        client: Client::of_control_plane(cluster, "kube-controller-manager"),
        queue: BTreeSet::new(),
        timers: BTreeMap::new(),
        failures: BTreeMap::new(),
        seen: 0,
        health: NodeHealth::new(),
        evictions: Evictions::new(),
        orphanage: Orphanage::new(),
        scales: ScaleHistory::new(),
    };
    manager.run().await;
}

struct Manager {
    client: Client,
    queue: BTreeSet<Task>,
    /// When tasks are due again, in seconds since 1970.
    timers: BTreeMap<Task, i64>,
    failures: BTreeMap<Task, u32>,
    /// Changes up to this revision have been looked at.
    seen: u64,
    /// When nodes gave signs of life.
    health: NodeHealth,
    /// Since when pods wait on tainted nodes.
    evictions: Evictions,
    /// Since when nodes are missing.
    orphanage: Orphanage,
    /// What autoscalers did.
    scales: ScaleHistory,
}

impl Manager {
    async fn run(mut self) {
        let mut follow = self.client.cluster().follow();
        let first = follow.borrow_and_update().clone();
        self.everything(&first);
        self.timers
            .insert(Task::Sweep, self.client.cluster().clock() + SWEEP);
        self.queue.insert(Task::Orphans);
        self.queue.insert(Task::Front);
        loop {
            let now = follow.borrow_and_update().clone();
            self.look(&now);
            self.due();
            match self.queue.pop_first() {
                Some(task) => self.work(task).await,
                None => {
                    let wait = self.patience();
                    tokio::select! {
                        changed = follow.changed() => if changed.is_err() { return },
                        () = sleep(wait) => {}
                    }
                }
            }
        }
    }

    /// Looks at everything there is.
    fn everything(&mut self, now: &Published) {
        for key in now.store.keys() {
            if let Some(object) = now.store.get(key) {
                route::concerned(&now.store, key, None, Some(object), &mut self.queue);
            }
        }
        self.seen = now.store.revision();
    }

    /// Looks at what has changed.
    fn look(&mut self, now: &Published) {
        if self.seen < now.forgotten {
            return self.everything(now);
        }
        let seen = self.seen;
        let new = now
            .history
            .iter()
            .rev()
            .take_while(|change| change.revision > seen)
            .count();
        for change in now.history.iter().skip(now.history.len() - new) {
            let (before, after) = (change.before.as_ref(), change.after.as_ref());
            route::concerned(&now.store, &change.key, before, after, &mut self.queue);
        }
        self.seen = now.store.revision();
    }

    /// Queues what is due.
    fn due(&mut self) {
        let now = self.client.cluster().clock();
        let due = self.timers.iter().filter(|(_, at)| **at <= now);
        let due: Vec<Task> = due.map(|(task, _)| task.clone()).collect();
        for task in due {
            self.timers.remove(&task);
            self.queue.insert(task);
        }
    }

    fn patience(&self) -> Duration {
        let now = self.client.cluster().clock();
        let next = self.timers.values().min().copied().unwrap_or(now + SWEEP);
        Duration::from_secs(u64::try_from(next - now).unwrap_or(0)).max(Duration::from_millis(50))
    }

    async fn work(&mut self, task: Task) {
        let outcome = match &task {
            Task::Accounts(namespace) => accounts::reconcile(&self.client, namespace).await,
            Task::Namespace(name) => namespaces::reconcile(&self.client, name).await,
            Task::Definition(name) => definitions::reconcile(&self.client, name).await,
            Task::Quota(key) => quotas::reconcile(&self.client, key).await,
            Task::Owned(uid) => garbage::collect(&self.client, uid).await,
            Task::Finalize(key) => garbage::finalize(&self.client, key).await,
            Task::Workload(_)
            | Task::Node(_)
            | Task::Range(_)
            | Task::Evict(..)
            | Task::Front
            | Task::Orphans => self.reconcile(&task).await,
            Task::Sweep => {
                self.again(Task::Sweep, SWEEP);
                events::sweep(&self.client).await
            }
        };
        match outcome {
            Ok(()) => drop(self.failures.remove(&task)),
            Err(_) => {
                // A conflict, most often: the next look is at newer objects.
                let failures = self.failures.entry(task.clone()).or_default();
                let wait = (RETRY << (*failures).min(10)).min(SLOWEST);
                *failures += 1;
                self.again(task, wait);
            }
        }
    }

    /// Lets a task run again after some seconds, or earlier if it is due earlier.
    fn again(&mut self, task: Task, seconds: i64) {
        let at = self.client.cluster().clock() + seconds;
        let timer = self.timers.entry(task).or_insert(at);
        *timer = (*timer).min(at);
    }

    /// Runs a task whose controller is a function, and does what it asks for.
    async fn reconcile(&mut self, task: &Task) -> Result<(), Status> {
        let published: Arc<Published> = self.client.cluster().now();
        let outcome = self.outcome(task, &published.store);
        if let Some(seconds) = outcome.again_in {
            let seconds = i64::try_from(seconds).unwrap_or(SLOWEST);
            self.again(task.clone(), seconds);
        }
        act::perform(&self.client, outcome.actions).await
    }

    fn outcome(&mut self, task: &Task, store: &Store) -> Outcome {
        let view = &view::Objects(store);
        let now = self.client.cluster().clock();
        let settings = self.client.cluster().settings();
        match task {
            Task::Workload(Controller {
                resource: Resource::HorizontalPodAutoscalers,
                namespace,
                name,
            }) => {
                let metrics = OfPods {
                    metrics: self.client.cluster().metrics(),
                    store,
                };
                let scales = &mut self.scales;
                workloads::horizontal_pod_autoscaler(
                    view,
                    &metrics,
                    scales,
                    (namespace, name),
                    settings.pace,
                    now,
                )
            }
            Task::Workload(controller) => workload(view, controller, now),
            Task::Node(name) => {
                workloads::node_lifecycle(view, &mut self.health, settings.pace, name, now)
            }
            Task::Range(name) => settings.pod_range.map_or_else(Outcome::default, |range| {
                workloads::pod_range(view, range, name)
            }),
            Task::Evict(namespace, name) => {
                workloads::taint_eviction(view, &mut self.evictions, namespace, name, now)
            }
            Task::Front => front(settings).map_or_else(Outcome::default, |front| {
                workloads::api_service(view, &front)
            }),
            Task::Orphans => workloads::pod_garbage(view, &mut self.orphanage, settings.pace, now),
            _ => Outcome::default(),
        }
    }
}

/// Where the API and its service are; none where the lab doesn't say.
fn front(settings: &Settings) -> Option<ApiFront> {
    let port = settings.api_endpoints.first()?.port();
    let addresses = settings.api_endpoints.iter().map(|at| *at.ip());
    Some(ApiFront {
        service: Ipv4Addr::from(u32::from(settings.service_cidr.0) + 1),
        addresses: addresses.collect(),
        port,
    })
}

/// Runs an object's controller.
fn workload(view: &dyn View, controller: &Controller, now: i64) -> Outcome {
    let Controller {
        resource,
        namespace,
        name,
    } = controller;
    let run = match resource {
        Resource::Deployments => workloads::deployment,
        Resource::ReplicaSets => workloads::replica_set,
        Resource::ReplicationControllers => workloads::replication_controller,
        Resource::StatefulSets => workloads::stateful_set,
        Resource::DaemonSets => workloads::daemon_set,
        Resource::Jobs => workloads::job,
        Resource::CronJobs => workloads::cron_job,
        Resource::PodDisruptionBudgets => workloads::pod_disruption_budget,
        Resource::Services => workloads::endpoint_slice,
        Resource::Endpoints => workloads::endpoint_slice_mirror,
        Resource::PersistentVolumeClaims => workloads::persistent_volume_claim,
        Resource::PersistentVolumes => workloads::persistent_volume,
        Resource::Pods => workloads::ephemeral_claims,
        _ => return Outcome::default(),
    };
    run(view, namespace, name, now)
}
