//! A plain cluster's nodes: machines of the lab's own in the cluster's network, each with a container
//! runtime and a kubelet.

mod files;
mod images;
mod machine;
mod place;

use place::HostPlace;

use super::addons::DNS;
use super::definition::{Definition, NodeDefinition};
use super::{ClusterError, Ground, PORT, VERSION, network};
use crate::cloud::unix_time;
use crate::guests::Appointment;
use crate::internet;
use ::image::{NodeImages, Registries};
use ::runtime::{NodeOptions, NodeRuntime};
use cri::Dns;
use fabric::HostId;
use images::{LabImages, NodeDial};
use kernel::guest::GuestFile;
use kube::certificates::Subject;
use kube_client::{Client, Config, Credential};
use kubelet::{Eviction, Identity, Kubelet, KubeletConfig, Means, Pace};
use serde_json::json;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// What is the kubelet's of a node's directory.
const KUBELET: &str = "kubelet";

/// A node at work. When it is dropped its kubelet is gone at once.
pub(super) struct Node {
    runtime: Arc<NodeRuntime>,
    _kubelet: Kubelet,
}

impl Node {
    /// What runs its containers.
    pub(super) fn runtime(&self) -> &Arc<NodeRuntime> {
        &self.runtime
    }
}

/// Puts a cluster's nodes into its network and starts them.
pub(super) fn start(
    ground: &Ground,
    definition: &Definition,
) -> Result<BTreeMap<String, Node>, ClusterError> {
    let (layout, nodes) = (definition.layout(), definition.nodes.clone());
    for node in &nodes {
        let host = layout.node(&node.name);
        ground.guests.appoint(host, appointment(node));
    }
    let arranging = ground.cloud.arrange("nodes", move |fabric| {
        for node in &nodes {
            layout.add_node(fabric, &node.name, node.number);
            layout.switch_node(fabric, &node.name, !node.stopped);
        }
    });
    ground.runtime.block_on(arranging)?;
    let begin = |node: &NodeDefinition| Ok((node.name.clone(), begin(ground, definition, node)?));
    let nodes = definition.nodes.iter().filter(|node| !node.stopped);
    nodes.map(begin).collect()
}

/// Switches a node on: its machine boots, and its runtime and kubelet start.
pub(super) fn switch_on(
    ground: &Ground,
    definition: &Definition,
    node: &NodeDefinition,
) -> Result<Node, ClusterError> {
    switch(ground, definition, node, true)?;
    begin(ground, definition, node)
}

/// Switches a node off, as when its power fails: nobody is told, and its disk stays.
pub(super) fn switch_off(
    ground: &Ground,
    definition: &Definition,
    node: &NodeDefinition,
) -> Result<(), ClusterError> {
    let host = definition.layout().node(&node.name);
    ground.guests.halt(&host);
    kubelet::power_failure(&directory(&host).join(KUBELET), &files::LabMemory);
    switch(ground, definition, node, false)
}

/// What the lab keeps for a node while it runs.
fn directory(host: &HostId) -> PathBuf {
    let name = format!("node-{}", host.as_str().replace('/', "-"));
    kernel::launch::runtime_directory().join(name)
}

fn switch(
    ground: &Ground,
    definition: &Definition,
    node: &NodeDefinition,
    on: bool,
) -> Result<(), ClusterError> {
    let (layout, name) = (definition.layout(), node.name.clone());
    let switching = ground.cloud.arrange("nodes", move |fabric| {
        layout.switch_node(fabric, &name, on);
    });
    Ok(ground.runtime.block_on(switching)?)
}

/// Ends a cluster's nodes and takes them out of its network.
pub(super) fn dismiss(ground: &Ground, definition: &Definition) -> Result<(), ClusterError> {
    let (layout, nodes) = (definition.layout(), definition.nodes.clone());
    for node in &nodes {
        let host = layout.node(&node.name);
        ground.guests.dismiss(&host);
        // What it pulled is nobody's any more; if that fails it only takes room.
        if let Err(error) = ground.images.forget_node(host.as_str()) {
            tracing::warn!(%host, %error, "its images stay");
        }
    }
    let leaving = ground.cloud.arrange("nodes", move |fabric| {
        for node in &nodes {
            layout.remove_node(fabric, &node.name);
        }
    });
    Ok(ground.runtime.block_on(leaving)?)
}

/// The machine of a node, with the network plugins set up.
fn appointment(node: &NodeDefinition) -> Appointment {
    let network = json!({
        "cniVersion": "1.1.0", "name": "skylab",
        "plugins": [{
            "type": "skylab-ptp",
            "range": network::pods_of(node.number).to_string(),
            "mtu": network::MTU,
        }, {
            "type": "skylab-portmap",
            "capabilities": {"portMappings": true},
        }],
    });
    let file = |path: &str, contents: String, mode| GuestFile {
        path: path.into(),
        contents: contents.into_bytes(),
        mode,
    };
    let plugin = |name: &str| {
        let path = format!("/opt/cni/bin/skylab-{name}");
        file(&path, format!("#!/bin/sh\nexec skylab cni-{name}\n"), 0o755)
    };
    Appointment {
        hostname: node.name.clone(),
        address: network::node_address(node.number),
        files: vec![
            file(
                "/etc/cni/net.d/10-skylab.conflist",
                network.to_string(),
                0o600,
            ),
            plugin("ptp"),
            plugin("portmap"),
        ],
    }
}

/// Starts a node's runtime and kubelet.
fn begin(
    ground: &Ground,
    definition: &Definition,
    node: &NodeDefinition,
) -> Result<Node, ClusterError> {
    let host = definition.layout().node(&node.name);
    let machine = |error: &dyn std::fmt::Display| {
        ClusterError::Start(io::Error::other(format!("node {}: {error}", node.name)))
    };
    let guest = ground
        .guests
        .guest(&host)
        .map_err(|error| machine(&error))?;
    let place = ground.runtime.block_on(ground.cloud.host(host.clone()));
    let place = HostPlace(place.ok_or_else(|| machine(&"its place is not there"))?);
    let dial = NodeDial {
        network: place.0.clone(),
        cloud: ground.cloud.clone(),
    };
    let registries = Registries::new(ground.bundle.as_bytes(), Vec::new());
    let registries = registries.map_err(|error| machine(&error))?;
    let images = NodeImages::new(
        ground.images.clone(),
        host.as_str(),
        Arc::new(dial),
        registries,
    );
    let images = Arc::new(LabImages(images));
    let directory = directory(&host);
    let runtime = Arc::new(NodeRuntime::new(NodeOptions {
        guest: guest.clone(),
        address: Some(network::node_address(node.number)),
        directory: directory.join("sandboxes"),
        images: images.clone(),
        environment: crate::guests::environment(),
        hub: ground.hub.clone(),
        limits: ground.limits.clone(),
    }));
    let means = Means {
        runtime: runtime.clone(),
        images,
        client: client(definition, node, &place)?,
        place: Arc::new(place),
        files: Arc::new(files::GuestFiles(guest)),
        memory: Arc::new(files::LabMemory),
    };
    let config = config(ground, definition, node, &directory)?;
    let _runtime = ground.runtime.enter();
    Ok(Node {
        runtime,
        _kubelet: Kubelet::start(config, means),
    })
}

/// The API as the node's own user calls it, from the node's network.
fn client(
    definition: &Definition,
    node: &NodeDefinition,
    place: &HostPlace,
) -> Result<Client, ClusterError> {
    let subject = Subject {
        user: format!("system:node:{}", node.name),
        groups: vec!["system:nodes".to_owned()],
    };
    let issued = definition.certificates.issue(&subject, unix_time());
    let issued = issued.map_err(ClusterError::keys)?;
    Client::new(Config {
        host: network::API.to_string(),
        port: PORT,
        authority: definition.certificates.authority.clone(),
        credential: Credential::Certificate {
            certificate: issued.certificate,
            key: issued.key,
        },
        agent: format!("kubelet/v{VERSION}.0 (linux) skylab"),
        dial: Arc::new(place.clone()),
    })
    .map_err(ClusterError::keys)
}

fn config(
    ground: &Ground,
    definition: &Definition,
    node: &NodeDefinition,
    directory: &std::path::Path,
) -> Result<KubeletConfig, ClusterError> {
    let address = network::node_address(node.number);
    let certificates = &definition.certificates;
    let served = certificates.issue_server(&node.name, address, unix_time());
    let served = served.map_err(ClusterError::keys)?;
    let capacity = machine::capacity();
    Ok(KubeletConfig {
        name: node.name.clone(),
        hostname: node.name.clone(),
        address,
        addresses: Vec::new(),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        taints: Vec::new(),
        provider_id: None,
        capacity,
        allocatable: capacity,
        machine: machine::machine(&format!("{}-{}", definition.name, node.name), VERSION),
        cluster_dns: vec![DNS],
        cluster_domain: "cluster.local".to_owned(),
        node_dns: Dns {
            servers: vec![internet::RESOLVER.to_string()],
            ..Dns::default()
        },
        directory: directory.join(KUBELET),
        logs: directory.join("logs"),
        volumes: ground.volumes.join(&definition.name),
        pace: match ground.pace {
            kube::api::Pace::Fast => Pace {
                timers: 10,
                probes: 1,
            },
            kube::api::Pace::Real => Pace::REAL,
        },
        identity: Some(Identity {
            certificate: served.certificate,
            key: served.key,
            authority: certificates.authority.clone(),
        }),
        port: kubelet::PORT,
        eviction: Eviction::default(),
    })
}
