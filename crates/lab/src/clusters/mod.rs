//! Kubernetes clusters of a lab: each has a state, keys, a network and nodes of its own, and comes
//! back with the lab.

mod audit;
mod certificate;
mod control_plane;
mod disks;
mod eks;
mod error;
mod journal;
mod kubeconfig;
mod manifests;
mod node;
mod outward;
mod plain;
mod running;
mod view;
mod volumes;

pub use eks::BOOTSTRAP;
pub use error::ClusterError;
pub use kubeconfig::{KubeUser, Kubeconfig};

use crate::cloud::{Cloud, Snapshot};
use crate::guests::Guests;
use crate::http::Keys;
use crate::issuers::IssuerBook;
use crate::store::Store;
use ::runtime::Hub;
use aws::model::RecordChange;
use cri::{ExecSpec, Process, Runtime, Streams};
use image::ImageStore;
use kernel::NetNs;
use kernel::limits::Limits;
use plain::Definition;
use running::{Kind, Running};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::runtime::Handle;

/// The table of clusters' definitions.
const DEFINITIONS: &str = "kube-cluster";
/// What the tables of clusters begin with.
pub(crate) const TABLES: &str = "kube";
/// The port of a cluster's API.
pub const PORT: u16 = 6443;
/// The version that clusters say they have.
const VERSION: &str = "1.32";

/// A cluster, as listings show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterInfo {
    /// Its name.
    pub name: String,
    /// Its API, inside the lab.
    pub server: String,
    /// The version that it says it has.
    pub version: String,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// How many nodes it has.
    pub nodes: usize,
    /// How many pods it has.
    pub pods: usize,
}

/// What clusters stand on.
#[derive(Clone)]
pub struct Ground {
    /// The networks.
    pub cloud: Cloud,
    /// The machines.
    pub guests: Guests,
    /// Where clusters survive.
    pub store: Arc<Store>,
    /// Where they run.
    pub runtime: Handle,
    /// The URL by which host programs reach the lab's internet.
    pub proxy: Option<String>,
    /// Where it is noted who did what.
    pub directory: PathBuf,
    /// The images that users imported, and those that nodes pulled.
    pub images: Arc<ImageStore>,
    /// Watches the containers.
    pub hub: Hub,
    /// Limits what containers use.
    pub limits: Arc<Limits>,
    /// The keys that are good in the account.
    pub keys: Keys,
    /// Where clusters publish the keys of their tokens.
    pub issuers: Arc<IssuerBook>,
    /// Where clusters' volumes survive.
    pub volumes: PathBuf,
    /// The certificates that machines of the lab trust, in PEM.
    pub bundle: Arc<str>,
    /// How fast their control planes' own waiting passes.
    pub pace: kube::api::Pace,
}

/// All clusters of a lab. Its functions block; call them from a thread of their own.
#[derive(Clone)]
pub struct Clusters {
    ground: Ground,
    running: Arc<Mutex<BTreeMap<String, Running>>>,
}

impl Clusters {
    /// The lab's clusters as its store has them, started.
    ///
    /// # Errors
    /// The store can't be read or a cluster can't start.
    pub fn restore(ground: Ground) -> Result<Self, ClusterError> {
        let records = ground.store.load()?;
        node::keep_trust(&ground.bundle)?;
        let mut running = BTreeMap::new();
        for record in records.iter().filter(|record| record.table == DEFINITIONS) {
            let definition: Definition =
                serde_json::from_slice(&record.value).map_err(io::Error::other)?;
            let started = plain::start(&ground, definition, &records)?;
            running.insert(record.key.clone(), started);
        }
        let this = Self {
            ground,
            running: Arc::new(Mutex::new(running)),
        };
        if this.ground.cloud.packets() {
            let following = eks::follow(this.clone(), Arc::new(records));
            this.ground.runtime.spawn(following);
            let folder = this.ground.volumes.join(disks::FOLDER);
            let tidying = disks::tidy(this.ground.cloud.clone(), folder);
            this.ground.runtime.spawn(tidying);
        }
        Ok(this)
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<String, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The images that users imported.
    pub fn images(&self) -> &ImageStore {
        &self.ground.images
    }

    /// What there is.
    pub fn list(&self) -> Vec<ClusterInfo> {
        self.running().values().map(Running::info).collect()
    }

    /// A snapshot with a cluster in its fabric: the one that is named, or the only one. Where several
    /// run and none is named, or none runs, it is refused only if one is needed.
    ///
    /// # Errors
    /// There is no such cluster, or none was chosen.
    pub fn seen(
        &self,
        snapshot: &Snapshot,
        cluster: Option<&str>,
        needed: bool,
    ) -> Result<Snapshot, ClusterError> {
        let mut seen = snapshot.clone();
        let running = self.running();
        match chosen(&running, cluster) {
            Ok(found) => view::add(
                &mut seen.fabric,
                &snapshot.state,
                &found.kind,
                &found.plane.cluster.now().store,
            ),
            Err(error) if needed || cluster.is_some() => return Err(error),
            Err(_) => {}
        }
        Ok(seen)
    }

    /// The network of a running pod.
    ///
    /// # Errors
    /// There is no such cluster or pod, or it doesn't run.
    pub fn pod_network(
        &self,
        cluster: Option<&str>,
        namespace: &str,
        name: &str,
    ) -> Result<Arc<NetNs>, ClusterError> {
        let running = self.running();
        let found = chosen(&running, cluster)?;
        let gone = || ClusterError::NotRunning(format!("{namespace}/{name}"));
        found.pod_network(namespace, name).ok_or_else(gone)
    }

    /// Runs a program in a pod's first container, or the one that its annotation
    /// `kubectl.kubernetes.io/default-container` names.
    ///
    /// # Errors
    /// There is no such cluster or pod, or the program can't be run.
    pub fn exec(
        &self,
        cluster: Option<&str>,
        namespace: &str,
        name: &str,
        spec: &ExecSpec,
    ) -> Result<(Box<dyn Process>, Streams), ClusterError> {
        let (runtime, container) = {
            let running = self.running();
            let found = chosen(&running, cluster)?;
            let gone = || ClusterError::NotRunning(format!("{namespace}/{name}"));
            found.container(namespace, name).ok_or_else(gone)?
        };
        Ok(runtime.exec(&container, spec)?)
    }

    /// Makes a cluster with so many nodes and starts it.
    ///
    /// # Errors
    /// Its name is taken or can't be one, or it can't start.
    pub fn create(&self, name: &str, nodes: usize) -> Result<ClusterInfo, ClusterError> {
        if !self.ground.cloud.packets() {
            return Err(ClusterError::NoPackets);
        }
        let slot = {
            let running = self.running();
            if running.contains_key(name) {
                return Err(ClusterError::Exists(name.to_owned()));
            }
            let plain = || running.values().filter_map(Running::plain);
            let taken = |slot: &u8| plain().any(|of| of.slot == *slot);
            let free = (0..plain::MOST).find(|slot| !taken(slot));
            free.ok_or(ClusterError::Full)?
        };
        let definition = Definition::make(name, slot, nodes)?;
        let record = serde_json::to_vec(&definition).map_err(io::Error::other)?;
        self.record(name, Some(record))?;
        let started = plain::start(&self.ground, definition, &[])?;
        let cluster = started.plane.cluster.clone();
        self.running().insert(name.to_owned(), started);
        if nodes > 0 {
            plain::install(&self.ground, &cluster, nodes)?;
        }
        let running = self.running();
        let made = running.get(name).ok_or_else(|| missing(&running, name))?;
        Ok(made.info())
    }

    fn record(&self, name: &str, value: Option<Vec<u8>>) -> Result<(), ClusterError> {
        let change = RecordChange {
            table: DEFINITIONS.into(),
            key: name.to_owned(),
            value,
        };
        Ok(self.ground.store.commit(&[change])?)
    }

    /// Ends a cluster and forgets it.
    ///
    /// # Errors
    /// There is none, or the store failed.
    pub fn delete(&self, name: &str) -> Result<(), ClusterError> {
        let gone = {
            let mut running = self.running();
            let found = running.get(name);
            if let Kind::Eks(_) = found.ok_or_else(|| missing(&running, name))?.kind {
                return Err(ClusterError::Managed(name.to_owned()));
            }
            running
                .remove(name)
                .ok_or_else(|| missing(&running, name))?
        };
        let Running { kind, nodes, plane } = gone;
        drop(nodes);
        if let Kind::Plain(definition) = kind {
            plain::dismiss(&self.ground, &definition, plane)?;
        }
        self.record(name, None)
    }

    /// The file by which clients reach a cluster.
    ///
    /// # Errors
    /// There is none.
    pub fn kubeconfig(&self, name: &str) -> Result<Kubeconfig, ClusterError> {
        let running = self.running();
        let found = named(&running, name)?;
        let (label, authority, user) = match &found.kind {
            Kind::Plain(of) => {
                let user = KubeUser::Token(of.admin.clone());
                (name.to_owned(), of.certificates.authority.clone(), user)
            }
            Kind::Eks(of) => (of.name(), of.authority.clone(), of.user()),
        };
        Ok(Kubeconfig {
            name: label,
            server: found.info().server,
            proxy: self.ground.proxy.clone(),
            authority,
            user,
        })
    }
}

/// The cluster that is named, or the only one.
fn chosen<'r>(
    running: &'r BTreeMap<String, Running>,
    cluster: Option<&str>,
) -> Result<&'r Running, ClusterError> {
    match cluster {
        Some(name) => named(running, name),
        None => {
            let mut all = running.values();
            match (all.next(), all.next()) {
                (Some(only), None) => Ok(only),
                (Some(_), Some(_)) => {
                    let names: Vec<&str> = running.keys().map(String::as_str).collect();
                    Err(ClusterError::Several(names.join(", ")))
                }
                (None, _) => Err(missing(running, "")),
            }
        }
    }
}

/// The cluster of a name: a plain one's own, or an account's if no other region has one of that name.
fn named<'r>(
    running: &'r BTreeMap<String, Running>,
    name: &str,
) -> Result<&'r Running, ClusterError> {
    if let Some(found) = running.get(name) {
        return Ok(found);
    }
    let mut alike = running.iter().filter(|(_, of)| of.info().name == name);
    match (alike.next(), alike.next()) {
        (Some((_, only)), None) => Ok(only),
        (None, _) => Err(missing(running, name)),
        (Some(_), Some(_)) => {
            let keys = running.iter().filter(|(_, of)| of.info().name == name);
            let keys: Vec<&str> = keys.map(|(key, _)| key.as_str()).collect();
            Err(ClusterError::Several(keys.join(", ")))
        }
    }
}

fn missing(running: &BTreeMap<String, Running>, name: &str) -> ClusterError {
    let known: Vec<&str> = running.keys().map(String::as_str).collect();
    ClusterError::Missing {
        name: name.to_owned(),
        known: if known.is_empty() {
            "there are none; make one with: skylab kube create NAME".to_owned()
        } else {
            format!("there are {}", known.join(", "))
        },
    }
}
