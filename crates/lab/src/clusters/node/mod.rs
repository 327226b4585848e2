//! Nodes: guests of the lab with a container runtime and a kubelet.

mod files;
mod images;
mod machine;
mod place;

pub(super) use machine::capacity;
pub(super) use place::{HostPlace, NamedPlace};

use super::disks;
use super::{ClusterError, Ground};
use crate::caller::Lookup;
use ::image::{NodeImages, Registries};
use ::runtime::{NodeOptions, NodeRuntime};
use cri::Dns;
use fabric::HostId;
pub(super) use images::RegistryLogin;
use images::{LabImages, NodeDial};
use kernel::guest::Guest;
use kube_client::Client;
use kubelet::{Capacity, Eviction, Identity, Kubelet, KubeletConfig, Means, Pace, Taint};
use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;

/// What is the kubelet's of a node's directory.
const KUBELET: &str = "kubelet";

/// A node at work. When it is dropped its kubelet is gone at once.
pub(super) struct Node {
    host: HostId,
    runtime: Arc<NodeRuntime>,
    _kubelet: Kubelet,
}

impl Node {
    /// Its host in the fabric.
    pub(super) fn host(&self) -> &HostId {
        &self.host
    }

    /// What runs its containers.
    pub(super) fn runtime(&self) -> &Arc<NodeRuntime> {
        &self.runtime
    }
}

/// What a node is.
pub(super) struct Spec {
    /// The cluster that it belongs to, among all of the lab's.
    pub(super) cluster: String,
    /// Its host in the fabric.
    pub(super) host: HostId,
    /// Its name in the API.
    pub(super) name: String,
    /// Its address.
    pub(super) address: Ipv4Addr,
    /// Further addresses: a type and a value.
    pub(super) addresses: Vec<(String, String)>,
    /// Its labels, beside those that every node has.
    pub(super) labels: BTreeMap<String, String>,
    /// What it is registered with.
    pub(super) taints: Vec<Taint>,
    /// The cloud's id of its machine.
    pub(super) provider_id: Option<String>,
    /// What it has.
    pub(super) capacity: Capacity,
    /// What of it pods may have.
    pub(super) allocatable: Capacity,
    /// The kubelet's version, `1.32.0`.
    pub(super) version: String,
    /// The machine's own id.
    pub(super) machine_id: String,
    /// The cluster's names.
    pub(super) cluster_dns: Vec<Ipv4Addr>,
    /// Its own resolver.
    pub(super) node_dns: Dns,
    /// How registries' names are looked up.
    pub(super) lookup: Lookup,
    /// What it shows to registries of its own accord.
    pub(super) login: Option<Arc<dyn RegistryLogin>>,
    /// Whether it has one pod alone, which has its network for its own.
    pub(super) one_pod: bool,
    /// Who its server is.
    pub(super) identity: Identity,
}

/// What the lab keeps for a node while it runs.
fn directory(host: &HostId) -> PathBuf {
    let name = format!("node-{}", host.as_str().replace('/', "-"));
    kernel::launch::runtime_directory().join(name)
}

/// Where the certificates are that containers trust: clouds' endpoints in the lab have such as the lab's own
/// authority vouches for.
fn trust() -> PathBuf {
    kernel::launch::runtime_directory().join("ca-certificates.crt")
}

/// Keeps the certificates that containers trust.
///
/// # Errors
/// The file can't be written.
pub(super) fn keep_trust(bundle: &str) -> io::Result<()> {
    std::fs::write(trust(), bundle)
}

/// Forgets what a node whose power failed had in memory.
pub(super) fn power_failure(host: &HostId) {
    kubelet::power_failure(&directory(host).join(KUBELET), &files::LabMemory);
}

/// Forgets the images that only a node that is gone had.
pub(super) fn forget_images(ground: &Ground, host: &HostId) {
    // What it pulled is nobody's any more; if that fails it only takes room.
    if let Err(error) = ground.images.forget_node(host.as_str()) {
        tracing::warn!(%host, %error, "its images stay");
    }
}

/// A node's network.
pub(super) async fn place(ground: &Ground, host: &HostId) -> io::Result<HostPlace> {
    let place = ground.cloud.host(host.clone()).await;
    let place = place.ok_or_else(|| io::Error::other(format!("{host} has no place")))?;
    Ok(HostPlace(place))
}

/// Starts a node's runtime and kubelet in its guest; `client` is the API as the node's own user calls it.
pub(super) fn begin(
    ground: &Ground,
    spec: Spec,
    (guest, place): (Arc<Guest>, HostPlace),
    client: Client,
) -> Result<Node, ClusterError> {
    let machine = |error: &dyn std::fmt::Display| {
        ClusterError::Start(io::Error::other(format!("node {}: {error}", spec.name)))
    };
    let dial = NodeDial {
        network: place.0.clone(),
        lookup: spec.lookup.clone(),
    };
    let registries = Registries::new(ground.bundle.as_bytes(), Vec::new());
    let registries = registries.map_err(|error| machine(&error))?;
    let images = NodeImages::new(
        ground.images.clone(),
        spec.host.as_str(),
        Arc::new(dial),
        registries,
    );
    let images = Arc::new(LabImages {
        images,
        login: spec.login.clone(),
    });
    let host = spec.host.clone();
    let directory = directory(&host);
    let runtime = Arc::new(NodeRuntime::new(NodeOptions {
        guest: guest.clone(),
        address: Some(spec.address),
        directory: directory.join("sandboxes"),
        images: images.clone(),
        environment: crate::guests::environment(),
        hub: ground.hub.clone(),
        limits: ground.limits.clone(),
        trust: Some(trust()),
        one_pod: spec.one_pod,
    }));
    let means = Means {
        runtime: runtime.clone(),
        images,
        client,
        place: Arc::new(place),
        files: Arc::new(files::GuestFiles(guest)),
        memory: Arc::new(files::LabMemory),
    };
    let config = config(ground, spec, &directory);
    let _runtime = ground.runtime.enter();
    Ok(Node {
        host,
        runtime,
        _kubelet: Kubelet::start(config, means),
    })
}

fn config(ground: &Ground, spec: Spec, directory: &std::path::Path) -> KubeletConfig {
    KubeletConfig {
        hostname: spec.name.clone(),
        name: spec.name,
        address: spec.address,
        addresses: spec.addresses,
        labels: spec.labels,
        annotations: BTreeMap::new(),
        taints: spec.taints,
        provider_id: spec.provider_id,
        capacity: spec.capacity,
        allocatable: spec.allocatable,
        machine: machine::machine(&spec.machine_id, &spec.version),
        cluster_dns: spec.cluster_dns,
        cluster_domain: "cluster.local".to_owned(),
        node_dns: spec.node_dns,
        directory: directory.join(KUBELET),
        logs: directory.join("logs"),
        volumes: ground.volumes.join(&spec.cluster),
        disks: ground.volumes.join(disks::FOLDER),
        pace: match ground.pace {
            kube::api::Pace::Fast => Pace {
                timers: 10,
                probes: 1,
            },
            kube::api::Pace::Real => Pace::REAL,
        },
        identity: Some(spec.identity),
        port: kubelet::PORT,
        eviction: Eviction::default(),
    }
}
