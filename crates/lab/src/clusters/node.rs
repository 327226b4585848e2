//! A plain cluster's nodes: machines of the lab's own in the cluster's network.

use super::definition::{Definition, NodeDefinition};
use super::{ClusterError, Ground, network};
use crate::guests::Appointment;

/// Puts a cluster's nodes into its network and appoints their machines.
pub(super) fn arrange(ground: &Ground, definition: &Definition) -> Result<(), ClusterError> {
    let (layout, nodes) = (definition.layout(), definition.nodes.clone());
    for NodeDefinition { name, number } in &nodes {
        let appointment = Appointment {
            hostname: name.clone(),
            address: network::node_address(*number),
            files: Vec::new(),
        };
        ground.guests.appoint(layout.node(name), appointment);
    }
    let arranging = ground.cloud.arrange("nodes", move |fabric| {
        for node in &nodes {
            layout.add_node(fabric, &node.name, node.number);
        }
    });
    Ok(ground.runtime.block_on(arranging)?)
}

/// Ends a cluster's nodes and takes them out of its network.
pub(super) fn dismiss(ground: &Ground, definition: &Definition) -> Result<(), ClusterError> {
    let (layout, nodes) = (definition.layout(), definition.nodes.clone());
    for node in &nodes {
        ground.guests.dismiss(&layout.node(&node.name));
    }
    let leaving = ground.cloud.arrange("nodes", move |fabric| {
        for node in &nodes {
            layout.remove_node(fabric, &node.name);
        }
    });
    Ok(ground.runtime.block_on(leaving)?)
}
