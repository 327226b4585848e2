//! EBS volumes for claims: made when a claim asks for one, attached to the node of the pod that uses it, detached,
//! and deleted with the claim's volume.
//!
//! * `provision`: what a claim asks for as a volume of EBS's, and as a PersistentVolume; pure;
//! * `attachment`: which volumes belong to which nodes, and where they are; pure;
//! * `run`: follows a cluster's claims, volumes, pods and nodes.
//!
//! Claims come as they come to every external provisioner: what volumes of the class `kubernetes.io/aws-ebs` are was
//! handed to the driver `ebs.csi.aws.com`, whose name stands in claims and volumes since. Tags are those of the volumes
//! that clusters themselves make.
//! <https://kubernetes.io/docs/concepts/storage/volumes/#aws-ebs-csi-migration>
//! <https://github.com/kubernetes-sigs/aws-ebs-csi-driver/blob/master/docs/tagging.md>

mod attachment;
mod provision;
mod run;

pub use run::run;

use kube::object;
use serde_json::Value;

/// The driver's name.
pub(crate) const DRIVER: &str = "ebs.csi.aws.com";
/// The name of classes from before there were drivers.
pub(crate) const IN_TREE: &str = "kubernetes.io/aws-ebs";
/// The annotation of volumes that says who made them.
pub(crate) const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";

/// The id of the EBS volume that a PersistentVolume is, if it is one.
pub(crate) fn disk(volume: &Value) -> Option<&str> {
    let csi = &volume["spec"]["csi"];
    let id = if csi["driver"] == DRIVER {
        object::text(csi, &["volumeHandle"])
    } else {
        let id = object::text(volume, &["spec", "awsElasticBlockStore", "volumeID"]);
        // `aws://us-west-2a/vol-…`, or the id alone.
        id.rsplit('/').next().unwrap_or_default()
    };
    (!id.is_empty()).then_some(id)
}
