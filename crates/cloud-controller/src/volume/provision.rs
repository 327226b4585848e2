//! What a claim asks for, as a volume of EBS's and as a PersistentVolume.

use super::{DRIVER, IN_TREE, PROVISIONED_BY};
use crate::Home;
use kube::object;
use kube::store::{Key, Store};
use serde_json::{Value, json};

/// What tells a provisioner that a claim is its own.
const ASKED: &str = "volume.kubernetes.io/storage-provisioner";
/// The node that the scheduler chose for the first pod of a claim.
const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
/// The labels of nodes with their zone and region.
const ZONE: &str = "topology.kubernetes.io/zone";
const REGION: &str = "topology.kubernetes.io/region";
const GIB: f64 = (1_u64 << 30) as f64;

/// A claim that waits for a volume.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wanted {
    pub(super) claim: Value,
    class: Value,
    zone: String,
    region: String,
}

/// The claims that wait for a volume of this driver's: those of classes that wait for a pod have a node by then.
pub(super) fn wanted(store: &Store) -> Vec<Wanted> {
    let claims = store.list("persistentvolumeclaims", None);
    let waiting = claims.map(|(_, claim)| claim).filter(|claim| {
        object::text(claim, &["metadata", "annotations", ASKED]) == DRIVER
            && object::text(claim, &["spec", "volumeName"]).is_empty()
            && !object::is_terminating(claim)
    });
    waiting.filter_map(|claim| of(store, claim)).collect()
}

fn of(store: &Store, claim: &Value) -> Option<Wanted> {
    let name = object::text(claim, &["spec", "storageClassName"]);
    let class = store.get(&Key::new("storageclasses.storage.k8s.io", "", name))?;
    let waits = class["volumeBindingMode"] == "WaitForFirstConsumer";
    let node = match object::text(claim, &["metadata", "annotations", SELECTED_NODE]) {
        "" if waits => None,
        // No pod says where: a zone that has a node.
        "" => store
            .list("nodes", None)
            .next()
            .map(|(_, node)| node.clone()),
        node => store.get(&Key::new("nodes", "", node)).cloned(),
    }?;
    let label = |key: &str| object::text(&node, &["metadata", "labels", key]).to_owned();
    let (zone, region) = (label(ZONE), label(REGION));
    (!zone.is_empty()).then(|| Wanted {
        claim: claim.clone(),
        class: class.as_ref().clone(),
        zone,
        region,
    })
}

impl Wanted {
    /// The name of the PersistentVolume to be.
    pub(super) fn name(&self) -> String {
        format!("pvc-{}", object::text(&self.claim, &["metadata", "uid"]))
    }

    /// How large it has to be, in GiB: EBS counts in whole ones.
    fn size(&self) -> i64 {
        let asked = object::text(&self.claim, &["spec", "resources", "requests", "storage"]);
        let bytes = kube::quantity::parse(asked).unwrap_or_default();
        // A float of so few GiB is exact.
        ((bytes / GIB).ceil() as i64).max(1)
    }

    fn parameters(&self) -> Vec<(&str, &str)> {
        let entries = object::entries(&self.class, &["parameters"]);
        entries
            .filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
            .collect()
    }

    /// The parameters of CreateVolume.
    ///
    /// # Errors
    /// What of the class no volume can have, in words.
    pub(super) fn volume(&self, home: &Home) -> Result<Value, String> {
        let number = |key: &str, text: &str| {
            let parsed = text.parse::<i64>();
            parsed.map_err(|_| format!("invalid parameter {key}: {text:?} is no number"))
        };
        let mut made = json!({
            "AvailabilityZone": self.zone,
            "Size": self.size(),
            "VolumeType": if self.class["provisioner"] == IN_TREE { "gp2" } else { "gp3" },
            "ClientToken": object::text(&self.claim, &["metadata", "uid"]),
            "TagSpecification": [{"ResourceType": "volume", "Tag": self.tags(home)}],
        });
        for (key, value) in self.parameters() {
            match key.to_ascii_lowercase().as_str() {
                "type" => made["VolumeType"] = json!(value),
                "encrypted" => made["Encrypted"] = json!(value == "true"),
                "iops" => made["Iops"] = json!(number(key, value)?),
                "throughput" => made["Throughput"] = json!(number(key, value)?),
                // What the file system is nobody sees: a node keeps a volume's files in a directory.
                "fstype" | "csi.storage.k8s.io/fstype" => {}
                _ => return Err(format!("invalid parameter {key} in storage class")),
            }
        }
        Ok(made)
    }

    fn tags(&self, home: &Home) -> Value {
        let claim = &self.claim;
        let tags = [
            ("Name", format!("{}-dynamic-{}", home.cluster, self.name())),
            (&*home.tag(), "owned".to_owned()),
            (
                "kubernetes.io/created-for/pvc/namespace",
                object::namespace(claim).to_owned(),
            ),
            (
                "kubernetes.io/created-for/pvc/name",
                object::name(claim).to_owned(),
            ),
            ("kubernetes.io/created-for/pv/name", self.name()),
        ];
        let tags = tags.map(|(key, value)| json!({"Key": key, "Value": value}));
        json!(tags)
    }

    /// The PersistentVolume for an EBS volume that was made.
    pub(super) fn persistent(&self, id: &str) -> Value {
        let spec = &self.claim["spec"];
        let policy = match object::text(&self.class, &["reclaimPolicy"]) {
            "" => "Delete",
            policy => policy,
        };
        let mut volume = json!({
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {
                "name": self.name(),
                "labels": {ZONE: self.zone, REGION: self.region},
                "annotations": {PROVISIONED_BY: DRIVER},
            },
            "spec": {
                "capacity": {"storage": format!("{}Gi", self.size())},
                "accessModes": spec["accessModes"],
                "persistentVolumeReclaimPolicy": policy,
                "storageClassName": object::name(&self.class),
                "volumeMode": "Filesystem",
                "claimRef": {
                    "apiVersion": "v1", "kind": "PersistentVolumeClaim",
                    "namespace": object::namespace(&self.claim), "name": object::name(&self.claim),
                    "uid": self.claim["metadata"]["uid"],
                },
                "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                    {"key": ZONE, "operator": "In", "values": [self.zone]},
                ]}]}},
            },
        });
        if self.class["provisioner"] == IN_TREE {
            let at = format!("aws://{}/{id}", self.zone);
            volume["spec"]["awsElasticBlockStore"] = json!({"volumeID": at, "fsType": "ext4"});
        } else {
            volume["spec"]["csi"] = json!({"driver": DRIVER, "volumeHandle": id, "fsType": "ext4"});
        }
        volume
    }
}

/// The PersistentVolumes of this driver's that nobody claims any more and that are to go.
pub(super) fn released(store: &Store) -> Vec<Value> {
    let volumes = store.list("persistentvolumes", None);
    let released = volumes.map(|(_, volume)| volume).filter(|volume| {
        let phase = object::text(volume, &["status", "phase"]);
        object::text(volume, &["metadata", "annotations", PROVISIONED_BY]) == DRIVER
            && volume["spec"]["persistentVolumeReclaimPolicy"] == "Delete"
            && ["Released", "Failed"].contains(&phase)
    });
    released.map(|volume| volume.as_ref().clone()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn wanted(provisioner: &str, parameters: Value) -> Wanted {
        Wanted {
            claim: json!({
                "metadata": {"name": "data-db-0", "namespace": "default", "uid": "1-2"},
                "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": "1500Mi"}},
                },
            }),
            class: json!({
                "metadata": {"name": "gp2"}, "provisioner": provisioner, "parameters": parameters,
            }),
            zone: "us-west-2a".to_owned(),
            region: "us-west-2".to_owned(),
        }
    }

    fn home() -> Home {
        Home {
            cluster: "demo".to_owned(),
            vpc: "vpc-1".to_owned(),
        }
    }

    /// AWS-EBS: a claim's volume has whole GiB, its class's type and the tags that the clean-up looks for.
    #[test]
    fn a_claim_becomes_a_tagged_volume() {
        let of = wanted(IN_TREE, json!({"type": "gp2", "fsType": "ext4"}));
        let asked = of.volume(&home()).unwrap();
        assert_eq!(
            (
                &asked["Size"],
                &asked["VolumeType"],
                &asked["AvailabilityZone"]
            ),
            (&json!(2), &json!("gp2"), &json!("us-west-2a"))
        );
        let tags = &asked["TagSpecification"][0]["Tag"];
        for (key, value) in [
            ("kubernetes.io/created-for/pv/name", "pvc-1-2"),
            ("kubernetes.io/created-for/pvc/name", "data-db-0"),
            ("kubernetes.io/cluster/demo", "owned"),
        ] {
            let tag = json!({"Key": key, "Value": value});
            assert!(tags.as_array().unwrap().contains(&tag), "{key}");
        }
        let volume = of.persistent("vol-1");
        assert_eq!(super::super::disk(&volume), Some("vol-1"));
        assert_eq!(volume["spec"]["capacity"]["storage"], "2Gi");
        let by_driver = wanted(DRIVER, json!({})).persistent("vol-2");
        assert_eq!(super::super::disk(&by_driver), Some("vol-2"));
    }

    #[test]
    fn classes_that_ask_for_more_are_refused() {
        let of = wanted(DRIVER, json!({"blockExpress": "true"}));
        let told = of.volume(&home()).unwrap_err();
        assert!(told.contains("blockExpress"), "{told}");
    }
}
