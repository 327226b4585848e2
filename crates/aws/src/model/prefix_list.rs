//! Managed prefix lists.

use super::*;
use serde::{Deserialize, Serialize};

use ipnet::Ipv4Net;

/// A customer-managed prefix list of IPv4 ranges.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PrefixList {
    /// Its id.
    pub id: PrefixListId,
    /// The region.
    pub region: String,
    /// Its name.
    pub name: String,
    /// How many entries it may have; what refers to it counts that many rules or routes.
    pub max_entries: u32,
    /// Its version, one more with every change.
    pub version: i64,
    /// Its entries, version by version; the last is the current.
    pub versions: Vec<Vec<PrefixListEntry>>,
}

/// An entry of a prefix list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrefixListEntry {
    /// The range.
    pub cidr: Ipv4Net,
    /// The user's words.
    pub description: Option<String>,
}
