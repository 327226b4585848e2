//! DHCP option sets.

use super::*;
use serde::{Deserialize, Serialize};

/// A DHCP option set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DhcpOptions {
    /// Its id.
    pub id: DhcpOptionsId,
    /// The region.
    pub region: String,
    /// Its options: name (`domain-name`, `domain-name-servers`, …) and values.
    pub options: Vec<(String, Vec<String>)>,
    /// Whether it is the one that the region made for its default VPC.
    pub is_default: bool,
}
