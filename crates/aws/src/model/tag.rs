//! Tags.

use serde::{Deserialize, Serialize};

use std::collections::BTreeMap;

/// The tags of one resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TagSet {
    /// The resource's region.
    pub region: String,
    /// The resource's type as in TagSpecification (`vpc`, `subnet`, `instance`, …).
    pub resource_type: String,
    /// Keys and values.
    pub tags: BTreeMap<String, String>,
}
