//! Which volumes belong to which nodes, and where they are.
//!
//! <https://github.com/kubernetes/kubernetes/tree/master/pkg/controller/volume/attachdetach>

use super::{DRIVER, disk};
use kube::object;
use kube::store::{Key, Store};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A volume on a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Attachment {
    /// The node's name.
    pub(super) node: String,
    /// The EBS volume's id.
    pub(super) disk: String,
}

/// Who wants an attachment: the PersistentVolume's name, and the pod.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wish {
    pub(super) volume: String,
    pub(super) pod: Value,
}

/// The name of a volume in a node's status.
pub(super) fn unique_name(disk: &str) -> String {
    format!("kubernetes.io/csi/{DRIVER}^{disk}")
}

/// What pods want: every EBS volume of a pod that has a node and has not ended.
pub(super) fn wanted(store: &Store) -> BTreeMap<Attachment, Wish> {
    let mut wanted = BTreeMap::new();
    for (_, pod) in store.list("pods", None) {
        let node = object::text(pod, &["spec", "nodeName"]);
        let phase = object::text(pod, &["status", "phase"]);
        if node.is_empty() || ["Succeeded", "Failed"].contains(&phase) {
            continue;
        }
        for volume in object::list(pod, &["spec", "volumes"]) {
            if let Some(persistent) = persistent(store, pod, volume)
                && let Some(disk) = disk(&persistent)
            {
                let attachment = Attachment {
                    node: node.to_owned(),
                    disk: disk.to_owned(),
                };
                let wish = Wish {
                    volume: object::name(&persistent).to_owned(),
                    pod: pod.as_ref().clone(),
                };
                wanted.entry(attachment).or_insert(wish);
            }
        }
    }
    wanted
}

/// The PersistentVolume behind a pod's volume, through its claim.
fn persistent(store: &Store, pod: &Value, volume: &Value) -> Option<Value> {
    let claim = match object::text(volume, &["persistentVolumeClaim", "claimName"]) {
        "" if volume["ephemeral"].is_object() => {
            format!("{}-{}", object::name(pod), object::text(volume, &["name"]))
        }
        "" => return None,
        claim => claim.to_owned(),
    };
    let claim = store.get(&Key::new(
        "persistentvolumeclaims",
        object::namespace(pod),
        &claim,
    ))?;
    let name = object::text(claim, &["spec", "volumeName"]);
    let found = store.get(&Key::new("persistentvolumes", "", name))?;
    Some(found.as_ref().clone())
}

/// What nodes' statuses say is attached.
pub(super) fn told(store: &Store) -> BTreeSet<Attachment> {
    let mut told = BTreeSet::new();
    for (_, node) in store.list("nodes", None) {
        for attached in object::list(node, &["status", "volumesAttached"]) {
            let start = unique_name("");
            if let Some(disk) = object::text(attached, &["name"]).strip_prefix(&start) {
                told.insert(Attachment {
                    node: object::name(node).to_owned(),
                    disk: disk.to_owned(),
                });
            }
        }
    }
    told
}

/// A node's list of attached volumes, with one more or less.
pub(super) fn list(node: &Value, disk: &str, attached: bool) -> Value {
    let name = unique_name(disk);
    let mut volumes = object::list(node, &["status", "volumesAttached"]).to_vec();
    volumes.retain(|volume| volume["name"] != name);
    if attached {
        volumes.push(json!({"name": name, "devicePath": ""}));
    }
    json!(volumes)
}

/// The instance that a node is.
pub(super) fn instance(node: &Value) -> Option<&str> {
    let provider = object::text(node, &["spec", "providerID"]);
    let (_, instance) = provider.strip_prefix("aws://")?.rsplit_once('/')?;
    instance.starts_with("i-").then_some(instance)
}

/// The first device's name that is free, of those that the driver gives: `/dev/xvdaa` and on.
pub(super) fn device(taken: &BTreeSet<String>) -> Option<String> {
    let letters = || 'a'..='z';
    let names = letters().flat_map(|first| letters().map(move |second| (first, second)));
    names
        .map(|(first, second)| format!("/dev/xvd{first}{second}"))
        .find(|name| !taken.contains(name))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// AWS-EBS: devices are named as the driver names them, and none twice.
    #[test]
    fn devices_have_names_of_their_own() {
        let taken = BTreeSet::from(["/dev/xvdaa".to_owned(), "/dev/xvda".to_owned()]);
        assert_eq!(device(&taken).unwrap(), "/dev/xvdab");
    }

    #[test]
    fn a_nodes_list_has_each_volume_once() {
        let mut node = json!({"status": {}});
        node["status"]["volumesAttached"] = list(&node, "vol-1", true);
        let again = list(&node, "vol-1", true);
        assert_eq!(
            again,
            json!([{"name": "kubernetes.io/csi/ebs.csi.aws.com^vol-1", "devicePath": ""}])
        );
        assert_eq!(list(&node, "vol-1", false), json!([]));
        let node = json!({"spec": {"providerID": "aws:///us-west-2a/i-1"}});
        assert_eq!(instance(&node), Some("i-1"));
    }
}
