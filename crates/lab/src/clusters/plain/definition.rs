//! What is fixed when a cluster is made.

use super::network::{self, Layout};
use crate::cloud::unix_time;
use crate::clusters::certificate::Certificates;
use crate::clusters::{ClusterError, PORT};
use crate::entropy;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube::serve::Keys;
use serde::{Deserialize, Serialize};

/// The letters of tokens.
const TOKEN: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// What is fixed when a cluster is made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::clusters) struct Definition {
    pub(in crate::clusters) name: String,
    pub(in crate::clusters) created: i64,
    /// Which of the lab's clusters it is: its addresses come from it.
    pub(in crate::clusters) slot: u8,
    pub(in crate::clusters) admin: String,
    pub(in crate::clusters) signing: String,
    pub(in crate::clusters) certificates: Certificates,
    pub(in crate::clusters) nodes: Vec<NodeDefinition>,
}

/// What is fixed when a node is made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::clusters) struct NodeDefinition {
    pub(in crate::clusters) name: String,
    /// Which of the cluster's nodes it is: its addresses come from it.
    pub(in crate::clusters) number: u8,
    /// Whether its user stopped it.
    #[serde(default)]
    pub(in crate::clusters) stopped: bool,
}

impl Definition {
    /// A new cluster with so many nodes.
    pub(in crate::clusters) fn make(
        name: &str,
        slot: u8,
        nodes: usize,
    ) -> Result<Self, ClusterError> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let fits = (1..=40).contains(&name.len()) && name.chars().all(plain);
        if !fits || name.starts_with('-') || name.ends_with('-') {
            return Err(ClusterError::Name(name.to_owned()));
        }
        if nodes > network::MOST_NODES {
            return Err(ClusterError::TooManyNodes);
        }
        let public = Layout::new(name, slot).public_api();
        let addresses = [public, network::API, network::API_SERVICE];
        let signing = Keys::new_signing().map_err(ClusterError::keys)?;
        Ok(Self {
            name: name.to_owned(),
            created: unix_time(),
            slot,
            admin: entropy::text::<32>(TOKEN)?,
            signing: STANDARD.encode(signing),
            certificates: Certificates::make(name, &addresses, &[]).map_err(ClusterError::keys)?,
            nodes: (0..=u8::MAX)
                .take(nodes)
                .map(|number| NodeDefinition {
                    name: format!("{name}-node-{}", u16::from(number) + 1),
                    number,
                    stopped: false,
                })
                .collect(),
        })
    }

    pub(in crate::clusters) fn layout(&self) -> Layout {
        Layout::new(&self.name, self.slot)
    }

    /// The URL of its API.
    pub(in crate::clusters) fn server(&self) -> String {
        format!("https://{}:{}", self.layout().public_api(), PORT)
    }
}
