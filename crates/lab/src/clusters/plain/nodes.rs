//! A plain cluster's nodes: machines of the lab's own in the cluster's network.

use super::definition::{Definition, NodeDefinition};
use super::network;
use crate::caller::Lookup;
use crate::cloud::unix_time;
use crate::clusters::node::{self, HostPlace, Node, Spec};
use crate::clusters::{ClusterError, Ground, PORT, VERSION};
use crate::guests::Appointment;
use crate::internet;
use cri::Dns;
use kernel::guest::GuestFile;
use kube::certificates::Subject;
use kube_client::{Client, Config, Credential};
use kubelet::Identity;
use serde_json::json;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

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
    node::power_failure(&host);
    switch(ground, definition, node, false)
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
        node::forget_images(ground, &host);
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
        servers: vec![internet::RESOLVER],
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
    let guest = ground.guests.guest(&host).map_err(|error| {
        ClusterError::Start(io::Error::other(format!("node {}: {error}", node.name)))
    })?;
    let place = ground.runtime.block_on(node::place(ground, &host))?;
    let client = client(definition, node, &place)?;
    let spec = spec(ground, definition, node)?;
    node::begin(ground, spec, (guest, place), client)
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

fn spec(
    ground: &Ground,
    definition: &Definition,
    node: &NodeDefinition,
) -> Result<Spec, ClusterError> {
    let address = network::node_address(node.number);
    let certificates = &definition.certificates;
    let served = certificates.issue_server(&node.name, address, unix_time());
    let served = served.map_err(ClusterError::keys)?;
    let capacity = node::capacity();
    Ok(Spec {
        cluster: definition.name.clone(),
        host: definition.layout().node(&node.name),
        name: node.name.clone(),
        address,
        addresses: Vec::new(),
        labels: BTreeMap::new(),
        taints: Vec::new(),
        provider_id: None,
        capacity,
        allocatable: capacity,
        version: format!("{VERSION}.0"),
        machine_id: format!("{}-{}", definition.name, node.name),
        cluster_dns: vec![network::DNS],
        node_dns: Dns {
            servers: vec![internet::RESOLVER.to_string()],
            ..Dns::default()
        },
        lookup: Lookup::Internet(ground.cloud.clone()),
        login: None,
        one_pod: false,
        identity: Identity {
            certificate: served.certificate,
            key: served.key,
            authority: certificates.authority.clone(),
        },
    })
}
