//! Kubernetes clusters of a lab: each has a state, keys and an address of its own, and comes back
//! with the lab.

mod certificate;
mod journal;
mod kubeconfig;

pub use kubeconfig::Kubeconfig;

use crate::cloud::{Cloud, Failure, unix_time};
use crate::store::{Record, Store, StoreError};
use crate::{entropy, internet, socket};
use aws::model::RecordChange;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use certificate::Certificates;
use fabric::HostId;
use journal::Journal;
use kube::api::Settings;
use kube::cluster::{Cluster, Parts};
use kube::serve::{Authenticator, Keys, Server};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// The table of clusters' definitions.
const DEFINITIONS: &str = "kube-cluster";
/// What the tables of clusters begin with.
pub(crate) const TABLES: &str = "kube";
/// The port of a cluster's API.
pub const PORT: u16 = 6443;
/// The version that clusters say they have.
const VERSION: &str = "1.32";
/// Clusters that a lab holds; each has an address of its own among the lab's services.
const MOST: u8 = 100;
/// The address of the first cluster's API.
const FIRST: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 100);
/// A caller has so long for a TLS handshake.
const PATIENCE: Duration = Duration::from_secs(15);

/// What is fixed when a cluster is made.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Definition {
    name: String,
    created: i64,
    address: Ipv4Addr,
    admin: String,
    signing: String,
    certificates: Certificates,
}

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

/// Why a cluster can't be made, found or ended.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The name can't be one.
    #[error(
        "{0:?} can't be a cluster's name: use lower-case letters, digits and hyphens, 40 at most"
    )]
    Name(String),
    /// There is one already.
    #[error("there is a cluster {0:?} already; its kubeconfig: skylab env kube")]
    Exists(String),
    /// There is none.
    #[error("there is no cluster {name:?}; {known}")]
    Missing {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// No packets, no addresses.
    #[error("this lab was started with --packets none: a cluster's API has no address in it")]
    NoPackets,
    /// Enough is enough.
    #[error("a lab holds {MOST} clusters at most")]
    Full,
    /// The lab's store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The lab is ending.
    #[error(transparent)]
    Lab(#[from] Failure),
    /// A key or certificate can't be made.
    #[error("the cluster's keys: {0}")]
    Keys(String),
    /// Its thread or socket can't be made.
    #[error("the cluster can't start: {0}")]
    Start(#[from] io::Error),
}

/// A cluster at work.
struct Running {
    definition: Definition,
    cluster: Cluster,
    serving: JoinHandle<()>,
    controllers: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.serving.abort();
        self.controllers.abort();
    }
}

/// All clusters of a lab. Its functions block; call them from a thread of their own.
#[derive(Clone)]
pub struct Clusters {
    inner: Arc<Inner>,
}

struct Inner {
    cloud: Cloud,
    store: Arc<Store>,
    runtime: Handle,
    proxy: Option<String>,
    running: Mutex<BTreeMap<String, Running>>,
}

fn host(name: &str) -> HostId {
    HostId::from(format!("kube-{name}"))
}

impl Clusters {
    /// The lab's clusters as its store has them, started. `proxy` is the URL by which host programs
    /// reach the lab's internet.
    ///
    /// # Errors
    /// The store can't be read or a cluster can't start.
    pub fn restore(
        cloud: Cloud,
        store: Arc<Store>,
        runtime: Handle,
        proxy: Option<String>,
    ) -> Result<Self, ClusterError> {
        let clusters = Self {
            inner: Arc::new(Inner {
                cloud,
                store,
                runtime,
                proxy,
                running: Mutex::default(),
            }),
        };
        let records = clusters.inner.store.load()?;
        for record in records.iter().filter(|record| record.table == DEFINITIONS) {
            let definition: Definition =
                serde_json::from_slice(&record.value).map_err(io::Error::other)?;
            clusters.start(definition, &records)?;
        }
        Ok(clusters)
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<String, Running>> {
        self.inner
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// What there is.
    pub fn list(&self) -> Vec<ClusterInfo> {
        self.running().values().map(info).collect()
    }

    /// Makes a cluster and starts it.
    ///
    /// # Errors
    /// Its name is taken or can't be one, or it can't start.
    pub fn create(&self, name: &str) -> Result<ClusterInfo, ClusterError> {
        if !self.inner.cloud.packets() {
            return Err(ClusterError::NoPackets);
        }
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let fits = (1..=40).contains(&name.len()) && name.chars().all(plain);
        if !fits || name.starts_with('-') || name.ends_with('-') {
            return Err(ClusterError::Name(name.to_owned()));
        }
        let address = {
            let running = self.running();
            if running.contains_key(name) {
                return Err(ClusterError::Exists(name.to_owned()));
            }
            (0..MOST)
                .map(|index| Ipv4Addr::from(u32::from(FIRST) + u32::from(index)))
                .find(|address| running.values().all(|r| r.definition.address != *address))
                .ok_or(ClusterError::Full)?
        };
        let definition = define(name, address)?;
        self.inner.store.commit(&[RecordChange {
            table: DEFINITIONS.into(),
            key: name.to_owned(),
            value: Some(serde_json::to_vec(&definition).map_err(io::Error::other)?),
        }])?;
        self.start(definition, &[])?;
        let running = self.running();
        running
            .get(name)
            .map(info)
            .ok_or_else(|| missing(&running, name))
    }

    /// Ends a cluster and forgets it.
    ///
    /// # Errors
    /// There is none, or the store failed.
    pub fn delete(&self, name: &str) -> Result<(), ClusterError> {
        let gone = {
            let mut running = self.running();
            running
                .remove(name)
                .ok_or_else(|| missing(&running, name))?
        };
        let mut changes = journal::forget(name, &gone.cluster.now().store);
        changes.push(RecordChange {
            table: DEFINITIONS.into(),
            key: name.to_owned(),
            value: None,
        });
        drop(gone);
        self.inner.store.commit(&changes)?;
        let leaving = self.inner.cloud.remove_site(host(name));
        self.inner.runtime.block_on(leaving)?;
        Ok(())
    }

    /// The file by which clients reach a cluster.
    ///
    /// # Errors
    /// There is none.
    pub fn kubeconfig(&self, name: &str) -> Result<Kubeconfig, ClusterError> {
        let running = self.running();
        let found = running.get(name).ok_or_else(|| missing(&running, name))?;
        let definition = &found.definition;
        Ok(Kubeconfig {
            name: name.to_owned(),
            server: server(definition),
            proxy: self.inner.proxy.clone(),
            authority: definition.certificates.authority.clone(),
            token: definition.admin.clone(),
        })
    }

    fn start(&self, definition: Definition, records: &[Record]) -> Result<(), ClusterError> {
        let name = definition.name.clone();
        let keys = |error: &dyn std::fmt::Display| ClusterError::Keys(error.to_string());
        let signing = STANDARD
            .decode(&definition.signing)
            .map_err(|error| keys(&error))?;
        let authenticator = Authenticator::new(Keys {
            admin: definition.admin.clone(),
            signing,
            issuer: "https://kubernetes.default.svc.cluster.local".to_owned(),
        });
        let tls = definition
            .certificates
            .acceptor()
            .map_err(|error| keys(&error))?;
        let parts = Parts {
            settings: Settings {
                service_cidr: (Ipv4Addr::new(10, 96, 0, 0), 12),
                node_ports: 30_000..=32_767,
                authority: definition.certificates.authority.clone(),
                version: VERSION.to_owned(),
            },
            store: journal::restore(&name, records)?,
            journal: Box::new(Journal::new(&name, self.inner.store.clone())),
            entropy: entropy::bytes,
            clock: unix_time,
        };
        let (cluster, _thread) = Cluster::start(parts)?;
        let server = Arc::new(Server {
            cluster: cluster.clone(),
            authenticator: authenticator.map_err(|error| keys(&error))?,
        });
        let cloud = self.inner.cloud.clone();
        let (site, address) = (host(&name), definition.address);
        let listener = self.inner.runtime.block_on(async move {
            cloud.site(site.clone(), address).await?;
            let place = cloud.host(site).await;
            let place = place.ok_or_else(|| io::Error::other("its place is not there"))?;
            Ok::<_, ClusterError>(socket::listen(place, (address, PORT).into()).await?)
        })?;
        let controllers = self.inner.runtime.spawn({
            let cluster = cluster.clone();
            async move {
                let scheduler = kube::scheduler::run(cluster.clone());
                tokio::join!(kube::controllers::run(cluster), scheduler);
            }
        });
        let serving = self.inner.runtime.spawn(serve(listener, tls, server));
        tracing::info!(cluster = name, %address, "a cluster serves");
        self.running().insert(
            name,
            Running {
                definition,
                cluster,
                serving,
                controllers,
            },
        );
        Ok(())
    }
}

fn define(name: &str, address: Ipv4Addr) -> Result<Definition, ClusterError> {
    let keys = |error: &dyn std::fmt::Display| ClusterError::Keys(error.to_string());
    Ok(Definition {
        name: name.to_owned(),
        created: unix_time(),
        address,
        admin: entropy::text::<32>(TOKEN)?,
        signing: STANDARD.encode(Keys::new_signing().map_err(|error| keys(&error))?),
        certificates: Certificates::make(name, address).map_err(|error| keys(&error))?,
    })
}

/// The letters of tokens.
const TOKEN: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";

fn server(definition: &Definition) -> String {
    format!("https://{}:{PORT}", definition.address)
}

fn info(running: &Running) -> ClusterInfo {
    let store = &running.cluster.now().store;
    ClusterInfo {
        name: running.definition.name.clone(),
        server: server(&running.definition),
        version: format!("v{VERSION}"),
        created: running.definition.created,
        nodes: store.list("nodes", None).count(),
        pods: store.list("pods", None).count(),
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

/// Takes connections until the task is ended.
async fn serve(listener: TcpListener, tls: TlsAcceptor, server: Arc<Server>) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "can't accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let (tls, server) = (tls.clone(), server.clone());
        tokio::spawn(async move {
            match timeout(PATIENCE, tls.accept(stream)).await {
                Ok(Ok(stream)) => {
                    if let Err(error) = kube::serve::converse(server, stream).await {
                        tracing::debug!(%error, "connection ended");
                    }
                }
                Ok(Err(error)) => tracing::debug!(%error, "no TLS"),
                Err(_) => {}
            }
        });
    }
}

// The internet's own services and the clusters' APIs share a range.
const _: () = assert!(internet::ENDPOINTS.octets()[3] < FIRST.octets()[3]);
