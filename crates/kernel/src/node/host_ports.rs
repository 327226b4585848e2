//! Pods' ports on their node.

use super::flows::Touched;
use super::table::Table;
use super::{Applied, NodeError, alone};
use crate::netlink::nftables::{NFPROTO_IPV4, table_names};
use crate::netlink::socket::{Family, Socket};
use fabric::{Node, Services};

/// What the tables' names begin with.
const BASE: &str = "skylab-hostport";

/// The hands of what a node's network plugin is: a program that does one thing and ends.
#[derive(Debug)]
pub struct HostPorts {
    table: Table,
}

impl HostPorts {
    /// In the network namespace that the calling thread is in.
    ///
    /// # Errors
    /// nftables can't be opened.
    pub fn here() -> Result<Self, NodeError> {
        let table = Table::here(BASE)?;
        Ok(Self { table })
    }

    /// Puts these ports in the place of all that there were; when this returns, new flows obey. UDP
    /// flows that came by a port of either and go elsewhere now are cut.
    ///
    /// # Errors
    /// The kernel refused something.
    pub fn replace(mut self, before: &Services, after: &Services) -> Result<Applied, NodeError> {
        let changes = self.table.apply(&alone(Node {
            services: if after.services.is_empty() {
                Services::default()
            } else {
                after.clone()
            },
            ..Node::default()
        }))?;
        let mut touched = Touched::default();
        touched.between(&Services::default(), before);
        touched.between(before, after);
        let flows_cut = touched.cut(after, self.table.socket())?;
        Ok(Applied { changes, flows_cut })
    }

    /// Whether a namespace has ports of pods: that of the calling thread.
    ///
    /// # Errors
    /// nftables doesn't say.
    pub fn are_here() -> Result<bool, NodeError> {
        let mut socket = Socket::open_here(Family::Netfilter).map_err(NodeError::Open)?;
        let tables = table_names(&mut socket, Some(NFPROTO_IPV4)).map_err(NodeError::Open)?;
        Ok(tables.iter().any(|table| table.starts_with(BASE)))
    }
}
