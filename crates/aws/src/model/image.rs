//! Machine images.

use super::*;
use serde::{Deserialize, Serialize};

/// A machine image that Skylab offers. All show the machine's own files, copy on write; they differ
/// in name, in how their network is set up, and in what AWS calls them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Image {
    /// Its id, the same in every region.
    pub id: ImageId,
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: String,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    /// Whether it is set up as a NAT instance: it forwards, and writes its own address over the
    /// source.
    pub nat_instance: bool,
    /// When it was made, ISO 8601.
    pub created: String,
}
