//! `ipamd`, the agent of a node: it keeps interfaces and addresses by EC2's API and gives them to pods.
//!
//! It uses the instance's metadata service, EC2's API with the instance role's keys, and the cluster's API,
//! and nothing else. What it asks of EC2 is what upstream's agent asks:
//! at its start DescribeNetworkInterfaces and, for new interfaces, CreateTags; for addresses
//! AssignPrivateIpAddresses; for an interface DescribeSubnets, CreateNetworkInterface, DescribeInstances,
//! AttachNetworkInterface and ModifyNetworkInterfaceAttribute.
//!
//! Not modelled: IPv6, security groups for pods, several interfaces a pod, network cards beyond the first.

mod backend;
mod grow;
mod inspect;
mod install;
mod kubernetes;
mod reconcile;
mod run;
mod shrink;
mod start;

use crate::checkpoint;
use crate::datastore::{Datastore, Moment};
use crate::ec2::{Ec2, Ec2Error};
use crate::host::{Host, HostError, Link};
use crate::http::HttpError;
use crate::imds::{Attached, Identity, Imds, ImdsError, Surroundings};
use crate::limits::Limits;
use crate::pool::Capacity;
use crate::settings::{Settings, SettingsError};
pub use install::initialize;
use ipnet::Ipv4Net;
pub use kubernetes::{EniConfig, NodeWords, Notice};
pub use run::run;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::{mpsc, watch};

/// Pods on a node that doesn't say.
const DEFAULT_PODS: usize = 110;

/// Why the agent ends, or a step fails.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// A variable ends the program.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The cluster's API can't be found or trusted.
    #[error(transparent)]
    Api(#[from] kube_client::ConfigError),
    /// TLS can't be set up.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// An endpoint can't be asked.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The metadata service doesn't say.
    #[error(transparent)]
    Imds(#[from] ImdsError),
    /// EC2 refuses.
    #[error(transparent)]
    Ec2(#[from] Ec2Error),
    /// The kernel refuses.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The file of assignments can't be used.
    #[error(transparent)]
    Checkpoint(#[from] checkpoint::CheckpointError),
    /// Files of the node can't be written.
    #[error("{what}: {source}")]
    Files {
        /// Which.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Nobody knows how many interfaces the instance may have.
    #[error("{0}: unknown instance type")]
    InstanceType(String),
    /// The instance has no first interface.
    #[error("the instance has no primary interface")]
    NoPrimary,
    /// Pods' interfaces are to be made as an ENIConfig says, and there is none.
    #[error("ENIConfig: the node names none that is there")]
    NoEniConfig,
    /// An attached interface isn't in the metadata in time.
    #[error("{0} was attached, but is not in the instance's metadata")]
    NotInMetadata(String),
    /// An interface stays attached.
    #[error("{0} can't be removed while it is attached")]
    StillAttached(String),
}

/// What the agent found out, beside addresses.
#[derive(Debug, Default)]
struct Known {
    /// Interfaces that are set up, by id.
    links: BTreeMap<String, Link>,
    /// Interfaces that are to be left alone.
    unmanaged: BTreeSet<String>,
    /// The VPC's ranges.
    ranges: Vec<Ipv4Net>,
    /// Security groups of the first interface.
    groups: Vec<String>,
    /// The VPC.
    vpc: String,
    /// Units that were given back, with when: the metadata may show them for a while.
    given_back: BTreeMap<Ipv4Net, Moment>,
    /// When units or an interface were last given back.
    last_decrease: Moment,
    /// Before this EC2 isn't asked for addresses, since a subnet has none.
    exhausted_until: Moment,
}

/// What is counted for metrics.
#[derive(Debug, Default)]
struct Counts {
    added: AtomicU64,
    deleted: AtomicU64,
    without_address: AtomicU64,
    failures: AtomicU64,
}

/// The agent of a node.
pub struct Agent<H> {
    settings: Settings,
    imds: Arc<Imds>,
    ec2: Ec2,
    host: Arc<H>,
    identity: Identity,
    /// The first interface.
    primary: Attached,
    limits: Limits,
    store: Mutex<Datastore>,
    known: Mutex<Known>,
    words: watch::Receiver<NodeWords>,
    notices: mpsc::UnboundedSender<Notice>,
    serving: AtomicBool,
    counts: Counts,
}

impl<H> std::fmt::Debug for Agent<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Agent")
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

/// What an agent talks to.
pub struct Surround<H> {
    /// The metadata service.
    pub imds: Arc<Imds>,
    /// EC2's API.
    pub ec2: Ec2,
    /// The node's network.
    pub host: Arc<H>,
    /// What the cluster says of the node.
    pub words: watch::Receiver<NodeWords>,
    /// Where events go.
    pub notices: mpsc::UnboundedSender<Notice>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Now.
pub(crate) fn now() -> Moment {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn after(moment: Moment, by: Duration) -> Moment {
    moment + u64::try_from(by.as_millis()).unwrap_or(u64::MAX)
}

impl<H: Host> Agent<H> {
    fn store(&self) -> MutexGuard<'_, Datastore> {
        lock(&self.store)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        lock(&self.known)
    }

    /// What the node could have.
    fn capacity(&self) -> Capacity {
        let most = self.limits.interfaces;
        let most = self.settings.max_eni.map_or(most, |max| max.min(most));
        let unmanaged = self.known().unmanaged.len();
        let others = unmanaged + usize::from(self.settings.custom_networking);
        Capacity {
            units_per_interface: self.limits.per_interface(),
            interfaces: most.saturating_sub(others),
            pods: self.words.borrow().max_pods.unwrap_or(DEFAULT_PODS),
        }
    }

    /// Writes who has what, before anybody learns of a change.
    fn keep(&self, store: &Datastore) -> Result<(), checkpoint::CheckpointError> {
        checkpoint::write(&self.settings.checkpoint, store.allocations())
    }

    /// Tells whoever runs the cluster that the instance's role lacks a right.
    fn complain(&self, error: &AgentError) {
        self.counts.failures.fetch_add(1, Ordering::Relaxed);
        if let AgentError::Ec2(error) = error
            && error.code() == Some("UnauthorizedOperation")
        {
            // Without anybody who listens the log has to do.
            let _ = self
                .notices
                .send(Notice::missing_permission(error.operation()));
        }
        tracing::error!(%error, "ipamd");
    }

    /// Learns what the first interface is surrounded by, and makes pods leave accordingly.
    async fn look_around(&self) -> Result<Surroundings, AgentError> {
        let around = self.imds.surroundings(&self.primary.mac).await?;
        self.host
            .set_egress(self.identity.address, &around.ranges, &self.settings)?;
        let mut known = self.known();
        known.ranges.clone_from(&around.ranges);
        known.vpc.clone_from(&around.vpc);
        Ok(around)
    }

    /// The units of an attached interface that are pods'.
    fn units(&self, attached: &Attached) -> Vec<Ipv4Net> {
        if self.settings.targets.prefixes {
            // Single addresses that an interface has from before are used until their pods are gone.
            let prefixes = attached.prefixes.iter().copied();
            return prefixes.chain(attached.secondary()).collect();
        }
        let single = attached.secondary();
        single.chain(attached.prefixes.iter().copied()).collect()
    }

    /// Sets an interface up and takes its addresses in.
    async fn take_in(&self, attached: &Attached, now: Moment) -> Result<(), AgentError> {
        let primary = attached.id == self.primary.id;
        if !primary {
            let address = attached.addresses.first().copied();
            let link = Link {
                mac: attached.mac.clone(),
                device: attached.device,
                address: address.ok_or_else(|| AgentError::NotInMetadata(attached.id.clone()))?,
                subnet: attached.subnet_range,
            };
            self.add_link(&link).await?;
            self.known().links.insert(attached.id.clone(), link);
        } else if self.settings.custom_networking {
            return Ok(());
        }
        let mut store = self.store();
        store.add_interface(&attached.id, attached.device, primary, now);
        for unit in self.units(attached) {
            store.add_unit(&attached.id, unit);
        }
        Ok(())
    }

    /// Sets a link up on a thread of its own: it may have to be waited for.
    async fn add_link(&self, link: &Link) -> Result<(), AgentError> {
        let (host, link, mtu) = (self.host.clone(), link.clone(), self.settings.mtu);
        let added = tokio::task::spawn_blocking(move || host.add_link(&link, mtu));
        let added = added.await.map_err(|error| AgentError::Files {
            what: "set an interface up".to_owned(),
            source: std::io::Error::other(error),
        })?;
        Ok(added?)
    }
}
