//! EBS volumes: instances' root devices, and those that are made and attached beside them.
//!
//! A volume is a record: a guest sees no block device of it. What keeps files in one (a cluster's kubelet)
//! does so under its id.
//! <https://docs.aws.amazon.com/ebs/latest/userguide/ebs-volumes.html>

mod lifecycle;
mod spec;

pub use lifecycle::{attach, create, delete, detach, find, unknown};
pub use spec::{SMALLEST_ROOT, VolumeSpec};

use super::*;
use serde::{Deserialize, Serialize};

/// A root volume to make.
#[derive(Clone, Debug, PartialEq)]
pub struct RootVolume {
    /// What it is.
    pub spec: VolumeSpec,
    /// Whether it goes with its instance.
    pub delete_on_termination: bool,
}

impl Default for RootVolume {
    fn default() -> Self {
        Self {
            spec: VolumeSpec::default(),
            delete_on_termination: true,
        }
    }
}

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
    /// Its operations a second, unless its type's own.
    pub iops: Option<i32>,
    /// Its megabytes a second, unless its type's own.
    pub throughput: Option<i32>,
    /// Whether it is encrypted.
    #[serde(default)]
    pub encrypted: bool,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// When it was attached, in seconds since 1970.
    #[serde(default)]
    pub attached: i64,
    /// The instance it is attached to.
    pub instance: Option<InstanceId>,
    /// The device's name there; empty where it is attached to none.
    pub device: String,
    /// Whether it goes with its instance.
    pub delete_on_termination: bool,
}

impl Volume {
    /// Its operations a second: asked for, or its type's own.
    /// <https://docs.aws.amazon.com/ebs/latest/userguide/ebs-volume-types.html>
    pub fn operations(&self) -> Option<i32> {
        let own = match self.kind.as_str() {
            "gp3" => Some(3000),
            "gp2" => Some((self.size * 3).clamp(100, 16_000)),
            _ => None,
        };
        self.iops.or(own)
    }

    /// Its megabytes a second: asked for, or its type's own.
    pub fn megabytes(&self) -> Option<i32> {
        self.throughput.or((self.kind == "gp3").then_some(125))
    }
}
