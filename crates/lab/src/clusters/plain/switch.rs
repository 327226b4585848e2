//! Nodes that are switched off and on.

use super::definition::{Definition, NodeDefinition};
use super::nodes;
use crate::clusters::node::Node;
use crate::clusters::running::{Kind, Running};
use crate::clusters::{ClusterError, ClusterInfo, Clusters, missing};
use std::io;

impl Clusters {
    /// Switches a node off, as when its power fails, or on again; it stays so when the lab is started
    /// anew. What its pods had on its disk stays, what ran doesn't.
    ///
    /// # Errors
    /// There is no such cluster or node, it is so already, or it can't boot.
    pub fn switch_node(
        &self,
        cluster: &str,
        name: &str,
        on: bool,
    ) -> Result<ClusterInfo, ClusterError> {
        let (definition, node, gone) = {
            let mut running = self.running();
            match running.get_mut(cluster) {
                Some(found) => found.switch(name, on)?,
                None => return Err(missing(&running, cluster)),
            }
        };
        // Its kubelet and its runtime's tasks end here, before its machine.
        drop(gone);
        let record = serde_json::to_vec(&definition).map_err(io::Error::other)?;
        self.record(cluster, Some(record))?;
        if on {
            let begun = nodes::switch_on(&self.ground, &definition, &node)?;
            let mut running = self.running();
            let found = running.get_mut(cluster);
            let found = found.ok_or_else(|| ClusterError::NodeIsSo(node.name.clone(), false))?;
            found.nodes.insert(node.name, begun);
            return Ok(found.info());
        }
        nodes::switch_off(&self.ground, &definition, &node)?;
        let running = self.running();
        let found = running.get(cluster);
        Ok(found.ok_or_else(|| missing(&running, cluster))?.info())
    }
}

impl Running {
    /// Notes that a node is to be on or off; what there is of it, if it is to be off.
    fn switch(
        &mut self,
        name: &str,
        on: bool,
    ) -> Result<(Definition, NodeDefinition, Option<Node>), ClusterError> {
        let Kind::Plain(definition) = &mut self.kind else {
            return Err(ClusterError::NotOurs(name.to_owned()));
        };
        let known: Vec<&str> = definition.nodes.iter().map(|of| &*of.name).collect();
        let error = ClusterError::NoNode {
            cluster: definition.name.clone(),
            name: name.to_owned(),
            known: match known.as_slice() {
                [] => "none".to_owned(),
                names => names.join(", "),
            },
        };
        let mut nodes = definition.nodes.iter_mut();
        let node = nodes.find(|node| node.name == name).ok_or(error)?;
        if node.stopped != on {
            return Err(ClusterError::NodeIsSo(name.to_owned(), on));
        }
        node.stopped = !on;
        let node = node.clone();
        let gone = if on { None } else { self.nodes.remove(name) };
        Ok((definition.clone(), node, gone))
    }
}
