//! Pods that must go because their node is short of something, or because they took more disk than they
//! may.
//! <https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/>
//!
//! Modelled: the hard thresholds of `memory.available` and `nodefs.available`, limits of `emptyDir`s and
//! of `ephemeral-storage`. A node of the lab is a machine of its own, whatever else this one does: what
//! is available is what the node has, less what its pods use. Disk is what lies in `emptyDir`s and logs.
//! Not modelled: soft thresholds, inodes, a file system of images, writable layers.

mod disk;
mod rank;
mod signal;
mod words;

pub(crate) use signal::{Pressure, Resource};

use crate::lifecycle::Event;
use crate::node::tell;
use crate::pod::{Pod, Wanted};
use crate::roster::{Resident, Roster};
use crate::shared::Shared;
use crate::usage::{Meter, Spending};
use disk::Held;
use signal::{Signals, Watch};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::sleep;

/// The reason of pods that are evicted.
pub(crate) const REASON: &str = "Evicted";
/// How many seconds containers of an evicted pod have.
pub(crate) const GRACE: u64 = 1;
/// How often a node looks at what its pods use.
const MONITORING: Duration = Duration::from_secs(10);
/// Pods of this priority are the system's own, and stay.
const CRITICAL: i64 = 2_000_000_000;

/// Pods that must go, by their uids, each with why.
pub(crate) type Orders = BTreeMap<String, String>;

/// A pod with what it uses.
struct Tenant {
    wanted: Wanted,
    /// Bytes of memory by container.
    memory: BTreeMap<String, u64>,
    held: Held,
}

impl Tenant {
    fn pod(&self) -> &Pod {
        &self.wanted.pod
    }

    /// Bytes that it uses of something.
    fn uses(&self, resource: Resource) -> u64 {
        match resource {
            Resource::Memory => self.memory.values().sum(),
            Resource::Disk => self.held.total(),
        }
    }
}

/// Watches a node's pods until the task is ended.
pub(crate) async fn watch(shared: Arc<Shared>, roster: Roster) {
    let mut manager = Manager {
        shared,
        roster,
        meter: Meter::default(),
        watch: Watch::default(),
    };
    loop {
        sleep(manager.shared.config.pace.timer(MONITORING)).await;
        manager.look().await;
    }
}

/// Whether a node under pressure takes a pod; if not, why.
pub(crate) fn admits(pod: &Pod, pressure: Pressure) -> Result<(), (String, String)> {
    if pressure == Pressure::default() || is_critical(pod) {
        return Ok(());
    }
    let tolerates = || pod.tolerates("node.kubernetes.io/memory-pressure", "NoSchedule");
    if !pressure.disk && (pod.qos() != crate::pod::Qos::BestEffort || tolerates()) {
        return Ok(());
    }
    Err((REASON.to_owned(), words::conditions(pressure)))
}

fn is_critical(pod: &Pod) -> bool {
    pod.spec
        .priority
        .is_some_and(|priority| priority >= CRITICAL)
}

struct Manager {
    shared: Arc<Shared>,
    roster: Roster,
    meter: Meter,
    watch: Watch,
}

impl Manager {
    async fn look(&mut self) {
        let residents = self.roster.all();
        self.forget(&residents);
        let spending = self.meter.read(&self.shared, &self.roster).await;
        let tenants = self.tenants(residents, &spending).await;
        let config = &self.shared.config;
        let signals = Signals::of(
            config.capacity,
            spending.memory(),
            tenants.iter().map(|tenant| tenant.held.total()).sum(),
        );
        let crossed = signals.crossed(&config.eviction, config.capacity);
        let held = config.pace.timer(signal::TRANSITION);
        let pressure = self.watch.update(&crossed, SystemTime::now(), held);
        self.shared.pressure.send_if_modified(|known| {
            let changed = *known != pressure;
            *known = pressure;
            changed
        });
        let greedy: Vec<(&Tenant, String)> = tenants
            .iter()
            .filter(|tenant| !is_critical(tenant.pod()))
            .filter_map(|tenant| Some((tenant, words::exceeded(tenant)?)))
            .collect();
        let local = !greedy.is_empty();
        for (tenant, why) in greedy {
            self.evict(tenant, why);
        }
        // One after the other, each when the one before is gone.
        if local || !self.shared.orders.borrow().is_empty() {
            return;
        }
        let Some(crossing) = crossed.first() else {
            return;
        };
        let resource = crossing.resource;
        let told = format!("Attempting to reclaim {}", resource.name());
        tell(&self.shared, Event::warning("EvictionThresholdMet", told));
        let all = tenants.iter().filter(|tenant| !is_critical(tenant.pod()));
        if let Some(tenant) = rank::first(all, resource) {
            self.evict(tenant, words::low(tenant, crossing));
        }
    }

    /// Forgets orders that were carried out.
    fn forget(&self, residents: &[Resident]) {
        let runs = |uid: &String| {
            residents.iter().any(|resident| {
                resident.wanted.pod.metadata.uid == *uid && resident.seen.running().next().is_some()
            })
        };
        self.shared.orders.send_if_modified(|orders| {
            let before = orders.len();
            orders.retain(|uid, _| runs(uid));
            orders.len() != before
        });
    }

    /// The pods that run, with what they use.
    async fn tenants(&self, residents: Vec<Resident>, spending: &Spending) -> Vec<Tenant> {
        let mut memory: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
        for spent in &spending.containers {
            let of = memory.entry(spent.uid.clone()).or_default();
            of.insert(spent.container.clone(), spent.usage.memory_bytes);
        }
        let running: Vec<Wanted> = residents
            .into_iter()
            .filter(|resident| matches!(&*resident.status.phase, "Running" | "Pending"))
            .filter(|resident| !resident.wanted.pod.deleted())
            .map(|resident| resident.wanted)
            .collect();
        let config = self.shared.config.clone();
        let measured = self.shared.blocking(move |_| {
            let held = |wanted: Wanted| (disk::held(&config, &wanted.pod), wanted);
            running.into_iter().map(held).collect::<Vec<_>>()
        });
        let measured = measured.await.unwrap_or_default();
        measured
            .into_iter()
            .map(|(held, wanted)| Tenant {
                memory: memory.remove(&wanted.pod.metadata.uid).unwrap_or_default(),
                wanted,
                held,
            })
            .collect()
    }

    fn evict(&self, tenant: &Tenant, why: String) {
        let pod = tenant.pod();
        let uid = pod.metadata.uid.clone();
        if self.shared.orders.borrow().contains_key(&uid) {
            return;
        }
        let about = pod.reference(None);
        self.shared
            .recorder
            .tell(about, Event::warning(REASON, why.clone()));
        self.shared.orders.send_modify(|orders| {
            orders.insert(uid, why);
        });
    }
}
