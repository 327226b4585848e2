//! A pod's link and its ways, as the plugin makes them on the node.

use crate::ways;
use cni::PluginError;
use fabric::Mac;
use kernel::NetNs;
use kernel::pod_link::{PodLink, PodLinkError, detach};
use kernel::routing::Routing;
use sha1::{Digest, Sha1};
use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::path::Path;

/// A pod to attach.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pod<'a> {
    pub(super) container: &'a str,
    pub(super) node_end: &'a str,
    pub(super) pod_end: &'a str,
    pub(super) address: Ipv4Addr,
    pub(super) table: u32,
    pub(super) mtu: u16,
}

/// Why it can't be.
#[derive(Debug, thiserror::Error)]
pub(super) enum PodError {
    #[error("failed to open netns {0:?}: {1}")]
    Namespace(String, io::Error),
    #[error(transparent)]
    Link(#[from] PodLinkError),
    #[error("rules of the pod: {0}")]
    Rules(#[from] kernel::NetlinkError),
}

impl From<PodError> for PluginError {
    fn from(error: PodError) -> Self {
        Self::new(Self::KERNEL, error)
    }
}

/// A locally administered address of an end; the same for the same container, so that a second try finds
/// what the first one left.
fn mac(container: &str, end: &str) -> Mac {
    let digest = Sha1::digest(format!("{container} {end}"));
    let mut bytes = [0; 6];
    bytes.copy_from_slice(&digest[..6]);
    bytes[0] = bytes[0] & 0xfc | 2;
    Mac(bytes)
}

fn open(netns: &Path) -> Result<NetNs, PodError> {
    let file = File::open(netns)
        .map_err(|error| PodError::Namespace(netns.display().to_string(), error))?;
    Ok(NetNs::from_fd(file.into()))
}

impl Pod<'_> {
    /// Makes the link and the rules; nothing is left if it can't.
    pub(super) fn attach(&self, netns: &Path) -> Result<(), PodError> {
        let namespace = open(netns)?;
        let link = PodLink {
            node_end: self.node_end,
            pod_end: self.pod_end,
            node_mac: mac(self.container, self.node_end),
            pod_mac: mac(self.container, self.pod_end),
            address: self.address,
            mtu: self.mtu,
        };
        link.attach(&namespace)?;
        let made = Routing::here()
            .and_then(|mut routing| ways::add_pod(&mut routing, self.address, self.table));
        made.inspect_err(|_| {
            // The first error is the one to tell.
            let _ = detach(self.node_end);
            let _ = forget(self.address);
        })?;
        Ok(())
    }
}

/// Removes a pod's rules.
pub(super) fn forget(address: Ipv4Addr) -> Result<(), PodError> {
    Ok(ways::remove_pod(&mut Routing::here()?, address)?)
}

/// Removes a pod's link from inside: the node's end may have the name of a younger pod's by now. A pod's
/// network that is gone has taken its link along.
pub(super) fn unlink(netns: &Path, pod_end: &str) -> Result<(), PodError> {
    let Ok(namespace) = open(netns) else {
        return Ok(());
    };
    let removed = namespace.run(|| detach(pod_end));
    removed.map_err(|error| PodError::Namespace(netns.display().to_string(), error))??;
    Ok(())
}
