//! Disks of EBS: a kubelet gives one to a pod when its node's status says that it is attached.
//!
//! A guest has no block devices. What a disk holds is a directory named after its id, the same on whichever node it is
//! attached to.

use super::{Failure, Making};
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

/// The driver whose volumes are disks of EBS.
const DRIVER: &str = "ebs.csi.aws.com";
/// How long a kubelet waits for a volume to be attached before it says so (`podAttachAndMountTimeout`), in seconds.
const PATIENCE: u32 = 123;
/// How often it looks.
const LOOK: Duration = Duration::from_millis(100);

/// A disk that a persistent volume is.
pub(super) struct Disk {
    /// The volume's name.
    volume: String,
    /// The disk's id: letters, digits and hyphens.
    id: String,
}

impl Disk {
    /// The disk, if the volume is one.
    pub(super) fn of(volume: &Value) -> Option<Self> {
        let csi = &volume["spec"]["csi"];
        let id = if csi["driver"] == DRIVER {
            csi["volumeHandle"].as_str()?
        } else {
            // `aws://us-west-2a/vol-…`, or the id alone.
            let source = &volume["spec"]["awsElasticBlockStore"];
            source["volumeID"].as_str()?.rsplit('/').next()?
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        (id.starts_with("vol-") && id.chars().all(plain)).then(|| Self {
            volume: volume["metadata"]["name"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            id: id.to_owned(),
        })
    }

    /// Its name in nodes' statuses.
    fn unique_name(&self) -> String {
        format!("kubernetes.io/csi/{DRIVER}^{}", self.id)
    }
}

impl Making<'_> {
    /// The directory of a disk, once it is attached to this node.
    pub(super) async fn attached(&self, disk: &Disk) -> Result<PathBuf, Failure> {
        let config = &self.shared.config;
        let path = format!("/api/v1/nodes/{}", config.name);
        let name = disk.unique_name();
        let patience = Duration::from_secs(u64::from(PATIENCE)) / config.pace.timers.max(1);
        let until = tokio::time::Instant::now() + patience;
        loop {
            let node = self.shared.means.client.get(&path).await;
            let node = node.map_err(|error| Failure::SetUp(error.to_string()))?;
            let attached = node["status"]["volumesAttached"].as_array();
            if attached.is_some_and(|all| all.iter().any(|of| of["name"] == name.as_str())) {
                return Ok(config.disks.join(&disk.id));
            }
            if tokio::time::Instant::now() >= until {
                return Err(Failure::SetUp(format!(
                    "volume {:?} is not attached to the node: timed out waiting for the condition",
                    disk.volume
                )));
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    /// AWS-EBS, OPS-SAFE: a disk is known by its id, and no id leads out of the disks' folder.
    #[test]
    fn disks_are_known_by_their_ids() {
        let csi = |id: &str| json!({"spec": {"csi": {"driver": DRIVER, "volumeHandle": id}}});
        let disk = Disk::of(&csi("vol-0a1")).unwrap();
        assert_eq!(
            disk.unique_name(),
            "kubernetes.io/csi/ebs.csi.aws.com^vol-0a1"
        );
        let named =
            json!({"spec": {"awsElasticBlockStore": {"volumeID": "aws://us-west-2a/vol-2"}}});
        assert_eq!(Disk::of(&named).unwrap().id, "vol-2");
        for other in ["vol-/../x", "..", "", "vol-1/.."] {
            assert!(Disk::of(&csi(other)).is_none(), "{other}");
        }
        assert!(Disk::of(&json!({"spec": {"hostPath": {"path": "/"}}})).is_none());
    }
}
