//! A node's kubelet: its tasks, and a task for each of its pods.

use crate::admission::{self, Ground};
use crate::config::{KubeletConfig, Means};
use crate::pod::{Pod, Wanted};
use crate::roster::Roster;
use crate::shared::Shared;
use crate::worker::Worker;
use crate::{events, eviction, housekeeping, logs, node, reports, server};
use cri::Event;
use kube_client::{Mirror, Objects};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

/// How often the thread that waits for the runtime looks whether its kubelet is still there.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often a node that is shut down looks whether its pods have ended.
const LOOK: Duration = Duration::from_millis(50);
/// So long the API may take to hear of their end.
const LAST_REPORTS: Duration = Duration::from_secs(5);
/// How often logs are looked at.
const ROTATION: Duration = Duration::from_secs(10);
/// How often what nobody needs any more is looked for.
const HOUSEKEEPING: Duration = Duration::from_secs(60);

/// A running kubelet. When it is dropped it is gone at once, as with the machine that it ran on:
/// containers stay as they are, and nobody is told.
#[derive(Debug)]
pub struct Kubelet {
    task: JoinHandle<()>,
    shared: Arc<Shared>,
    roster: Roster,
}

impl Kubelet {
    /// Starts a node's kubelet. Must be called on a runtime.
    pub fn start(config: KubeletConfig, means: Means) -> Self {
        let (recorder, events) = events::Recorder::new();
        let (reporter, reports) = reports::Reporter::new();
        let shared = Arc::new(Shared::new(config, means, recorder, reporter));
        let roster = Roster::default();
        let (client, name) = (shared.means.client.clone(), shared.config.name.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(events::run(client.clone(), name, events));
        tasks.spawn(reports::run(client, reports));
        tasks.spawn(node::keep(shared.clone()));
        tasks.spawn(node::renew(shared.clone()));
        tasks.spawn(rotate_logs(shared.clone()));
        tasks.spawn(eviction::watch(shared.clone(), roster.clone()));
        if let Some(identity) = shared.config.identity.clone() {
            tasks.spawn(server::serve(shared.clone(), roster.clone(), identity));
        }
        listen(&shared);
        Self {
            task: tokio::spawn(keep_house(shared.clone(), roster.clone(), tasks)),
            shared,
            roster,
        }
    }

    /// Where the node's server listens, once it does.
    pub async fn served_at(&self) -> SocketAddr {
        let mut served = self.shared.served.subscribe();
        loop {
            if let Some(at) = *served.borrow_and_update() {
                return at;
            }
            if served.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Shuts the node down: it takes no more pods, and those it has end within this time. Then the
    /// kubelet is gone.
    /// <https://kubernetes.io/docs/concepts/cluster-administration/node-shutdown/>
    pub async fn stop(self, grace: Duration) {
        self.shared.closing.send_replace(Some(grace.as_secs()));
        let ended = async {
            while self.roster.runs() {
                sleep(LOOK).await;
            }
            self.shared.reporter.flush().await;
        };
        if timeout(grace + LAST_REPORTS, ended).await.is_err() {
            let node = &self.shared.config.name;
            tracing::warn!(node, "not all pods ended before their node");
        }
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Gives each of the node's pods a task. All tasks of a kubelet are this one's, and end with it.
async fn keep_house(shared: Arc<Shared>, roster: Roster, _others: JoinSet<()>) {
    let path = format!(
        "/api/v1/pods?fieldSelector=spec.nodeName%3D{}",
        shared.config.name
    );
    let mut pods = Mirror::start(shared.means.client.clone(), path);
    let mut house = House {
        shared,
        roster,
        pods: HashMap::new(),
        workers: JoinSet::new(),
    };
    let mut objects = pods.ready().await;
    let mut sweep = tokio::time::interval(HOUSEKEEPING);
    loop {
        house.take(&objects).await;
        tokio::select! {
            changed = pods.changed() => objects = changed,
            Some(ended) = house.workers.join_next() => house.forget(ended.ok()),
            _ = sweep.tick() => house.sweep(),
        }
    }
}

/// Looks for logs that have grown too long.
async fn rotate_logs(shared: Arc<Shared>) {
    loop {
        sleep(ROTATION).await;
        shared
            .blocking(|means| logs::rotate(&*means.runtime, SystemTime::now()))
            .await;
    }
}

/// Hears the runtime on a thread that ends soon after the kubelet.
fn listen(shared: &Arc<Shared>) {
    let happenings = shared.means.runtime.events();
    let shared = Arc::downgrade(shared);
    let thread = thread::Builder::new()
        .name("kubelet-events".to_owned())
        .stack_size(64 * 1024)
        .spawn(move || hear(&happenings, &shared));
    if let Err(error) = thread {
        tracing::error!(%error, "no thread to hear the runtime on");
    }
}

fn hear(happenings: &Receiver<Event>, shared: &Weak<Shared>) {
    loop {
        let heard = happenings.recv_timeout(PATIENCE);
        let Some(shared) = shared.upgrade() else {
            return;
        };
        match heard {
            Ok(_) => shared.happenings.send_modify(|count| *count += 1),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// A node's pods and their tasks.
struct House {
    shared: Arc<Shared>,
    roster: Roster,
    pods: HashMap<String, Lodger>,
    /// Tasks that say whose they were when they end.
    workers: JoinSet<String>,
}

/// A pod with a task.
struct Lodger {
    wanted: Wanted,
    wish: watch::Sender<Option<Wanted>>,
}

impl House {
    /// Takes in what the API wants.
    async fn take(&mut self, objects: &Objects) {
        let mut there = BTreeMap::new();
        for object in objects.values() {
            let uid = object["metadata"]["uid"].as_str().unwrap_or_default();
            there.insert(uid, object);
        }
        for (uid, lodger) in &self.pods {
            if !there.contains_key(uid.as_str()) && lodger.wish.borrow().is_some() {
                lodger.wish.send_replace(None);
            }
        }
        let mut new = Vec::new();
        for (uid, object) in there {
            let known = self.pods.get(uid);
            if known.is_some_and(|lodger| Arc::ptr_eq(&lodger.wanted.object, object)) {
                continue;
            }
            let Some(wanted) = read(object) else { continue };
            match self.pods.get_mut(uid) {
                Some(lodger) => {
                    lodger.wanted = wanted.clone();
                    lodger.wish.send_replace(Some(wanted));
                }
                None => new.push(wanted),
            }
        }
        // Those that were there first have the first claim.
        new.sort_by_key(|wanted| {
            let created = wanted.object["metadata"]["creationTimestamp"].as_str();
            (wanted.pod.started().is_none(), created.map(str::to_owned))
        });
        for wanted in new {
            self.lodge(wanted).await;
        }
    }

    /// Gives a pod a task.
    async fn lodge(&mut self, wanted: Wanted) {
        let uid = wanted.pod.metadata.uid.clone();
        let settled = wanted.pod.finished() || wanted.pod.deleted();
        let closing = self.shared.closing.borrow().is_some();
        let rejected = if settled {
            None
        } else if closing {
            let why = "Pod was rejected as the node is shutting down.";
            Some(("NodeShutdown".to_owned(), why.to_owned()))
        } else {
            self.admit(&wanted.pod).await.err()
        };
        let (wish, hearing) = watch::channel(Some(wanted.clone()));
        let worker = Worker::new(
            self.shared.clone(),
            self.roster.clone(),
            wanted.clone(),
            hearing,
            rejected,
        );
        let whose = uid.clone();
        self.workers.spawn(async move {
            worker.run().await;
            whose
        });
        self.pods.insert(uid, Lodger { wanted, wish });
    }

    async fn admit(&self, pod: &Pod) -> Result<(), admission::Rejection> {
        eviction::admits(pod, *self.shared.pressure.borrow())?;
        let finished = self.roster.finished();
        let others: Vec<&Pod> = self
            .pods
            .iter()
            .filter(|(uid, lodger)| !lodger.wanted.pod.finished() && !finished.contains(*uid))
            .map(|(_, lodger)| &*lodger.wanted.pod)
            .collect();
        let admitted = |node: Option<Arc<Value>>| {
            let config = &self.shared.config;
            let labels = labels(node.as_deref(), config);
            let ground = Ground {
                name: &config.name,
                labels: &labels,
                allocatable: config.allocatable,
            };
            admission::admit(pod, &others, &ground)
        };
        let known = self.shared.node.borrow().clone();
        match admitted(known) {
            Err((reason, message)) if reason == admission::AFFINITY => {
                // The labels may have changed since.
                let path = node::path(&self.shared.config.name);
                match self.shared.means.client.get(&path).await {
                    Ok(node) => admitted(Some(Arc::new(node))),
                    Err(_) => Err((reason, message)),
                }
            }
            other => other,
        }
    }

    /// A task ended.
    fn forget(&mut self, uid: Option<String>) {
        let Some(uid) = uid else {
            tracing::error!("a pod's task failed");
            return;
        };
        self.pods.remove(&uid);
        self.roster.remove(&uid);
    }

    /// Looks for what nobody needs any more.
    fn sweep(&self) {
        let known = self.pods.keys().cloned().collect();
        let shared = self.shared.clone();
        tokio::task::spawn_blocking(move || {
            housekeeping::sweep(&shared.means, &shared.config, &known);
        });
    }
}

/// A pod, if it can be read and its names are names.
fn read(object: &Arc<Value>) -> Option<Wanted> {
    let pod = match Pod::read(object) {
        Ok(pod) => pod,
        Err(error) => {
            let name = &object["metadata"]["name"];
            tracing::error!(%name, %error, "a pod is left alone");
            return None;
        }
    };
    if !well_named(&pod) {
        tracing::error!(%pod, "a pod with names that are none is left alone");
        return None;
    }
    Some(Wanted {
        pod: Arc::new(pod),
        object: object.clone(),
    })
}

fn well_named(pod: &Pod) -> bool {
    let metadata = &pod.metadata;
    let containers = pod.containers().map(|(_, container)| &container.name);
    let volumes = pod.spec.volumes.iter().map(|volume| &volume.name);
    let names = [&metadata.uid, &metadata.namespace, &metadata.name];
    let mut names = names.into_iter().chain(containers).chain(volumes);
    names.all(|name| is_name(name))
}

/// Whether a text can be a part of a path. The API takes care of that; a kubelet doesn't rely on it.
fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    !text.is_empty() && !text.starts_with('.') && text.chars().all(plain)
}

fn labels(node: Option<&Value>, config: &KubeletConfig) -> BTreeMap<String, String> {
    let Some(node) = node else {
        return config.labels.clone();
    };
    let labels = node["metadata"]["labels"].as_object().into_iter().flatten();
    labels
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// OPS-SAFE: no name leads out of the kubelet's directories.
    #[test]
    fn names_are_names() {
        for name in ["web", "web-0.a", "123e4567-e89b-12d3-a456-426614174000"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", ".", "..", "a/b", "../a", "a\0"] {
            assert!(!is_name(name), "{name:?}");
        }
    }
}
