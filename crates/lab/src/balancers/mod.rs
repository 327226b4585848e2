//! Load balancers at work: each node's listeners and health checks, in the node's place in the network.
//!
//! They follow the fabric as everything does: what a snapshot says of balancers is what nodes do. What
//! health checks find goes back to the account as a change of its own.

mod fetch;
mod health;
mod journal;
mod network;
mod vault;

use crate::authority::Authority;
use crate::cloud::{Cloud, Snapshot};
use aws::model::Pace;
use balancer::health::{Target, check};
use balancer::means::{Means, Network, NoFunctions};
use balancer::{Node, Workers};
use fabric::balancer::Balancer;
use fabric::{BalancerId, HostId};
use journal::{AccessLog, NoLog};
use kernel::NetNs;
use network::NodePlace;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
pub(crate) use vault::Secrets;

/// How long after a failure a node is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How many reports of health checks wait.
const REPORTS: usize = 1024;
/// What AWS's health checks call themselves.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html>
const AGENT: &str = "ELB-HealthChecker/2.0";

/// What runs balancers.
pub(crate) struct Balancers {
    /// The account and its namespaces.
    pub(crate) cloud: Cloud,
    /// Vouches for names inside the lab.
    pub(crate) authority: Arc<Authority>,
    /// What keys and cookies are made from.
    pub(crate) secrets: Arc<Secrets>,
    /// Where access logs are.
    pub(crate) logs: PathBuf,
    /// How fast the cloud's timers run.
    pub(crate) pace: Pace,
}

/// A node at work; it ends when it is dropped.
struct Running {
    balancer: Arc<Balancer>,
    place: Arc<NetNs>,
    node: Node,
    targets: watch::Sender<Arc<Vec<Target>>>,
    _checks: JoinSet<()>,
}

impl Balancers {
    /// Follows the balancers. Runs until the lab ends.
    ///
    /// # Errors
    /// There are no threads for connections.
    pub(crate) async fn follow(self) -> io::Result<()> {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let workers = Workers::start(processors)?;
        let (reports, found) = mpsc::channel(REPORTS);
        tokio::spawn(health::report(self.cloud.clone(), found));
        let mut snapshots = self.cloud.snapshots();
        let mut running = BTreeMap::new();
        loop {
            let snapshot = snapshots.borrow_and_update().clone();
            let settled = self
                .reconcile(&snapshot, &mut running, &workers, &reports)
                .await;
            let changed = if settled {
                snapshots.changed().await
            } else {
                tokio::select! {
                    changed = snapshots.changed() => changed,
                    () = tokio::time::sleep(RETRY) => Ok(()),
                }
            };
            if changed.is_err() {
                return Ok(());
            }
        }
    }

    /// Makes the nodes do as a snapshot says; whether all do.
    async fn reconcile(
        &self,
        snapshot: &Snapshot,
        running: &mut BTreeMap<(BalancerId, HostId), Running>,
        workers: &Workers,
        reports: &mpsc::Sender<balancer::health::Report>,
    ) -> bool {
        let balancers = &snapshot.fabric.balancers;
        running.retain(|(id, host), _| {
            let balancer = balancers.get(id);
            balancer.is_some_and(|balancer| balancer.nodes.contains_key(host))
        });
        let mut settled = true;
        for (id, balancer) in balancers {
            for host in balancer.nodes.keys() {
                let Some(place) = self.cloud.host(host.clone()).await else {
                    settled = false;
                    continue;
                };
                let key = (id.clone(), host.clone());
                // A place that the kernel side made anew has none of its old sockets.
                let moved = |node: &Running| !Arc::ptr_eq(&node.place, &place);
                if running.get(&key).is_some_and(moved) {
                    running.remove(&key);
                }
                let known = running.get(&key).map(|node| &node.balancer);
                if known.is_some_and(|known| Arc::ptr_eq(known, balancer)) {
                    continue;
                }
                let node = match running.remove(&key) {
                    Some(node) => node,
                    None => self.begin(balancer, host, place, workers, reports),
                };
                let (node, applied) = self.apply(node, balancer, host).await;
                settled &= applied;
                running.insert(key, node);
            }
        }
        settled
    }

    /// Starts a node, without listeners.
    fn begin(
        &self,
        balancer: &Arc<Balancer>,
        host: &HostId,
        place: Arc<NetNs>,
        workers: &Workers,
        reports: &mpsc::Sender<balancer::health::Report>,
    ) -> Running {
        let network: Arc<dyn Network> = Arc::new(NodePlace {
            place: place.clone(),
            cloud: self.cloud.clone(),
            authority: self.authority.clone(),
        });
        let means = Means {
            network: network.clone(),
            vault: Arc::new(vault::OfBalancer {
                cloud: self.cloud.clone(),
                secrets: self.secrets.clone(),
                balancer: balancer.id.clone(),
            }),
            functions: Arc::new(NoFunctions),
            journal: self.journal(&balancer.id),
        };
        let (targets, tried) = watch::channel(Arc::new(Vec::new()));
        let mut checks = JoinSet::new();
        checks.spawn(check(network, AGENT, tried, reports.clone()));
        Running {
            balancer: balancer.clone(),
            place,
            node: Node::start(host.clone(), means, workers.clone()),
            targets,
            _checks: checks,
        }
    }

    /// Tells a node what it does from now on; whether it could.
    async fn apply(
        &self,
        mut running: Running,
        balancer: &Arc<Balancer>,
        host: &HostId,
    ) -> (Running, bool) {
        running.balancer = balancer.clone();
        let failures = running.node.apply(balancer).await;
        running
            .targets
            .send_replace(Arc::new(health::targets(balancer, host, self.pace)));
        let at = format!("{host} (load balancer)");
        match failures.first() {
            None => self.cloud.health().good(&at),
            Some((listener, error)) => {
                tracing::warn!(%host, %listener, %error, "a listener can't be opened");
                self.cloud.health().bad(&at, format!("{listener}: {error}"));
            }
        }
        (running, failures.is_empty())
    }

    fn journal(&self, id: &BalancerId) -> Arc<dyn balancer::means::Journal> {
        let name = id.as_str().replace(['/', ':'], "_");
        let path = self.logs.join(format!("{name}.log"));
        match AccessLog::open(&path) {
            Ok(log) => Arc::new(log),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "no access log");
                Arc::new(NoLog)
            }
        }
    }
}
