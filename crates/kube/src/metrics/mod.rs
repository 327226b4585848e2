//! What pods and nodes use: asked of kubelets, kept for two moments, answered as `metrics.k8s.io`.
//!
//! This is upstream's metrics-server: nothing is stored, and what a processor does is the difference between
//! the last two answers. <https://kubernetes.io/docs/tasks/debug/debug-cluster/resource-metrics-pipeline/>

mod kubelets;
mod text;

pub use kubelets::Kubelets;
pub use text::{ContainerName, Point, Summary, parse};

use crate::cluster::Cluster;
use crate::object;
use crate::store::Store;
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use workloads::PodUsage;

/// Seconds between two questions (`--metric-resolution` of the published manifests).
const INTERVAL: i64 = 15;

/// How kubelets are asked.
pub trait Scrape: Send + Sync + 'static {
    /// What a node's kubelet answers on `/metrics/resource`.
    ///
    /// # Errors
    /// It can't be reached or doesn't answer.
    fn scrape(&self, node: &str) -> impl Future<Output = io::Result<String>> + Send;
}

/// What something uses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    /// Processors, in billionths.
    pub cpu: i64,
    /// The working set, in bytes.
    pub memory: i64,
    /// When it was measured last, in seconds since 1970.
    pub at: i64,
    /// Over how many seconds the processors' part was measured.
    pub window: f64,
}

/// A node's last two answers.
#[derive(Debug, Default)]
struct Answers {
    before: Summary,
    last: Summary,
}

/// What pods and nodes use, as it is known now. Clones share.
#[derive(Clone, Debug, Default)]
pub struct Metrics(Arc<Mutex<BTreeMap<String, Answers>>>);

impl Metrics {
    fn nodes(&self) -> MutexGuard<'_, BTreeMap<String, Answers>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a node's answer.
    pub fn record(&self, node: &str, summary: Summary) {
        let mut nodes = self.nodes();
        let known = nodes.entry(node.to_owned()).or_default();
        known.before = std::mem::replace(&mut known.last, summary);
    }

    /// Forgets a node that doesn't answer: old numbers are none.
    pub fn forget(&self, node: &str) {
        self.nodes().remove(node);
    }

    /// Forgets all nodes but these.
    fn keep(&self, names: &[String]) {
        self.nodes().retain(|node, _| names.contains(node));
    }

    /// What a node uses.
    pub fn node(&self, node: &str) -> Option<Usage> {
        let nodes = self.nodes();
        let known = nodes.get(node)?;
        between(known.before.node?, known.last.node?)
    }

    /// What the containers of a pod on a node use, by their names.
    pub fn pod(&self, node: &str, namespace: &str, pod: &str) -> BTreeMap<String, Usage> {
        let nodes = self.nodes();
        let Some(known) = nodes.get(node) else {
            return BTreeMap::new();
        };
        let from = (namespace.to_owned(), pod.to_owned(), String::new());
        let of_pod = known.last.containers.range(from..);
        of_pod
            .take_while(|((n, p, _), _)| n == namespace && p == pod)
            .filter_map(|(name, last)| {
                let before = known.before.containers.get(name)?;
                Some((name.2.clone(), between(*before, *last)?))
            })
            .collect()
    }
}

/// What was used between two moments; nothing if they are in the wrong order, or it began anew between them.
#[allow(clippy::cast_possible_truncation)] // processors and bytes of one machine
fn between(before: Point, last: Point) -> Option<Usage> {
    let window = last.at - before.at;
    if window <= 0.0 || last.cpu < before.cpu {
        return None;
    }
    Some(Usage {
        cpu: ((last.cpu - before.cpu) / window * 1e9).ceil() as i64,
        memory: last.memory as i64,
        at: last.at as i64,
        window,
    })
}

/// What autoscalers see: the pods of a cluster and what they use.
pub(crate) struct OfPods<'s> {
    pub(crate) metrics: &'s Metrics,
    pub(crate) store: &'s Store,
}

impl workloads::Metrics for OfPods<'_> {
    #[allow(clippy::cast_possible_truncation)] // a window is some seconds
    fn pod_usage(&self, namespace: &str, resource: &str) -> Result<Vec<PodUsage>, String> {
        let mut all = Vec::new();
        for (key, pod) in self.store.list("pods", Some(namespace)) {
            let node = object::text(pod, &["spec", "nodeName"]);
            for (container, usage) in self.metrics.pod(node, namespace, &key.name) {
                let milli = match resource {
                    "cpu" => (usage.cpu + 999_999) / 1_000_000,
                    "memory" => usage.memory.saturating_mul(1000),
                    other => return Err(format!("no metrics known for resource {other:?}")),
                };
                all.push(PodUsage {
                    pod: key.name.to_string(),
                    container,
                    milli,
                    at: usage.at,
                    window: usage.window.round() as i64,
                });
            }
        }
        Ok(all)
    }
}

/// Asks a cluster's kubelets again and again until the cluster ends.
pub async fn run(cluster: Cluster, scrape: impl Scrape) {
    let pause = cluster.settings().pace.timer(INTERVAL);
    let pause = Duration::from_secs(u64::try_from(pause).unwrap_or(1));
    loop {
        let nodes: Vec<String> = {
            let now = cluster.now();
            now.store
                .list("nodes", None)
                .map(|(key, _)| key.name.to_string())
                .collect()
        };
        cluster.metrics().keep(&nodes);
        for node in nodes {
            match tokio::time::timeout(pause, scrape.scrape(&node)).await {
                Ok(Ok(text)) => {
                    #[allow(clippy::cast_precision_loss)] // seconds since 1970
                    let summary = parse(&text, cluster.clock() as f64);
                    cluster.metrics().record(&node, summary);
                }
                Ok(Err(_)) | Err(_) => cluster.metrics().forget(&node),
            }
        }
        tokio::time::sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(cpu: f64, memory: f64, at: f64) -> Point {
        Point { cpu, memory, at }
    }

    /// K8S-API: what a processor does is the difference between two answers.
    #[test]
    fn usage_is_what_lies_between_two_answers() {
        let usage =
            between(point(10.0, 1.0, 100.0), point(13.0, 2048.0, 115.0)).map(|u| (u.cpu, u.memory));
        assert_eq!(usage, Some((200_000_000, 2048)));
        // It began anew, or nothing new was said.
        assert_eq!(
            between(point(10.0, 0.0, 100.0), point(1.0, 0.0, 115.0)),
            None
        );
        assert_eq!(
            between(point(1.0, 0.0, 100.0), point(1.0, 0.0, 100.0)),
            None
        );
    }

    /// K8S-API: one answer is not enough, and a node that is silent has no numbers.
    #[test]
    fn two_answers_are_needed_and_silence_is_no_number() {
        let metrics = Metrics::default();
        let said = |cpu, at| Summary {
            node: Some(point(cpu, 5.0, at)),
            containers: BTreeMap::from([(
                ("a".to_owned(), "p".to_owned(), "c".to_owned()),
                point(cpu, 5.0, at),
            )]),
        };
        metrics.record("n1", said(1.0, 10.0));
        assert_eq!(metrics.node("n1"), None);
        metrics.record("n1", said(2.0, 20.0));
        assert_eq!(metrics.node("n1").map(|u| u.cpu), Some(100_000_000));
        assert_eq!(
            metrics.pod("n1", "a", "p").keys().collect::<Vec<_>>(),
            ["c"]
        );
        assert!(metrics.pod("n1", "a", "other").is_empty());
        metrics.forget("n1");
        assert_eq!(metrics.node("n1"), None);
    }
}
