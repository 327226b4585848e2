//! EBS volumes, as far as instances' root devices need them.

use super::*;
use serde::{Deserialize, Serialize};

/// A volume.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Volume {
    /// Its id.
    pub id: VolumeId,
    /// The region.
    pub region: String,
    /// Its zone's name.
    pub zone: String,
    /// Its size in GiB.
    pub size: i32,
    /// `gp3` and the like.
    pub kind: String,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// The instance it is attached to.
    pub instance: Option<InstanceId>,
    /// The device's name there.
    pub device: String,
    /// Whether it goes with its instance.
    pub delete_on_termination: bool,
}
