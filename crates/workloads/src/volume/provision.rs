//! Volumes that are made for claims: directories on one node.

use serde_json::{Value, json};

use super::claim::{change, reference};
use super::matching::size;
use super::{CLAIMS, PROVISIONED_BY, SELECTED_NODE, VOLUMES, class, tell, waits};
use crate::condition;
use crate::{Action, EventKind, Outcome, Resource, View, object};

/// The provisioner of classes whose volumes are directories of nodes.
pub const PROVISIONER: &str = "skylab.local/host-path";
/// Where a node has the directories: a volume's is named after it.
pub const FOLDER: &str = "/var/lib/skylab/volumes";
/// What tells provisioners that a claim is theirs; both names are in use.
const ASKED: [&str; 2] = [
    "volume.kubernetes.io/storage-provisioner",
    "volume.beta.kubernetes.io/storage-provisioner",
];

/// Makes a volume for a claim that has none, or says who should.
pub(super) fn volume(view: &dyn View, claim: &Value, outcome: &mut Outcome) {
    let name = class(claim);
    let Some(class) = view.get(Resource::StorageClasses, "", name) else {
        let told = format!("storageclass.storage.k8s.io {name:?} not found");
        return failed(claim, told, outcome);
    };
    let provisioner = migrated(object::text(&class, "/provisioner"));
    if provisioner.starts_with("kubernetes.io/") {
        let told = format!("no volume plugin matched name: {provisioner}");
        return failed(claim, told, outcome);
    }
    if object::annotation(claim, ASKED[0]) != Some(provisioner) {
        let mut patch = json!({});
        for key in ASKED {
            object::put(
                &mut patch,
                &["metadata", "annotations", key],
                provisioner.into(),
            );
        }
        outcome.push(change(CLAIMS, claim, patch));
        let told = format!(
            "Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered."
        );
        tell(
            outcome,
            claim,
            EventKind::Normal,
            "ExternalProvisioning",
            told,
        );
        return;
    }
    if provisioner == PROVISIONER {
        match directory(view, claim, &class) {
            Ok(made) => make(claim, made, outcome),
            Err(Refusal::Told(told)) => {
                let told = format!("failed to provision volume with StorageClass {name:?}: {told}");
                failed(claim, told, outcome);
            }
            Err(Refusal::NodeIsGone) => {
                let patch = json!({"metadata": {"annotations": {SELECTED_NODE: null}}});
                outcome.push(change(CLAIMS, claim, patch));
            }
        }
    }
}

/// The provisioner that does the work of one that Kubernetes itself had once.
/// <https://kubernetes.io/docs/concepts/storage/volumes/#aws-ebs-csi-migration>
fn migrated(provisioner: &str) -> &str {
    match provisioner {
        "kubernetes.io/aws-ebs" => "ebs.csi.aws.com",
        other => other,
    }
}

fn failed(claim: &Value, told: String, outcome: &mut Outcome) {
    tell(
        outcome,
        claim,
        EventKind::Warning,
        "ProvisioningFailed",
        told,
    );
}

fn make(claim: &Value, volume: Value, outcome: &mut Outcome) {
    let (namespace, name) = (object::namespace(claim), object::name(claim));
    let told =
        format!("External provisioner is provisioning volume for claim \"{namespace}/{name}\"");
    tell(outcome, claim, EventKind::Normal, "Provisioning", told);
    let made = object::name(&volume).to_owned();
    outcome.push(Action::Create {
        resource: VOLUMES,
        object: volume,
    });
    let told = format!("Successfully provisioned volume {made}");
    tell(
        outcome,
        claim,
        EventKind::Normal,
        "ProvisioningSucceeded",
        told,
    );
}

/// Why there is no volume for a claim.
enum Refusal {
    /// It can't be as it is asked for.
    Told(&'static str),
    /// The node that was chosen is gone: the scheduler has to choose again.
    NodeIsGone,
}

/// A volume that is a directory of a node: the one that the scheduler chose or, where the class does not
/// wait for it, the first one that is ready.
fn directory(view: &dyn View, claim: &Value, class: &Value) -> Result<Value, Refusal> {
    let single = ["ReadWriteOnce", "ReadWriteOncePod"];
    let modes = object::list(claim, "/spec/accessModes");
    if modes
        .iter()
        .any(|mode| !mode.as_str().is_some_and(|m| single.contains(&m)))
    {
        return Err(Refusal::Told(
            "a directory of one node supports the access modes ReadWriteOnce and ReadWriteOncePod only",
        ));
    }
    if object::text(claim, "/spec/volumeMode") == "Block" {
        return Err(Refusal::Told("block volume provisioning is not supported"));
    }
    if claim
        .pointer("/spec/selector")
        .is_some_and(|s| !s.is_null())
    {
        return Err(Refusal::Told("claim.Spec.Selector is not supported"));
    }
    let node = match object::annotation(claim, SELECTED_NODE) {
        Some(node) => {
            let found = view.get(Resource::Nodes, "", node);
            found.ok_or(Refusal::NodeIsGone)?
        }
        None if waits(view, claim) => return Err(Refusal::Told("no node is selected")),
        None => {
            let nodes = view.list(Resource::Nodes, None);
            let ready = nodes.into_iter().find(|node| {
                let conditions = object::list(node, "/status/conditions");
                condition::is_true(conditions, "Ready")
                    && !object::flag(node, "/spec/unschedulable")
            });
            ready.ok_or(Refusal::Told("no node is ready"))?
        }
    };
    let host = object::label(&node, "kubernetes.io/hostname").unwrap_or(object::name(&node));
    let name = format!("pvc-{}", object::uid(claim));
    let requested = claim.pointer("/spec/resources/requests/storage");
    let affinity = json!({"required": {"nodeSelectorTerms": [{"matchExpressions": [
        {"key": "kubernetes.io/hostname", "operator": "In", "values": [host]},
    ]}]}});
    let policy = match object::text(class, "/reclaimPolicy") {
        "" => "Delete",
        policy => policy,
    };
    Ok(json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {PROVISIONED_BY: PROVISIONER}},
        "spec": {
            "capacity": {"storage": requested},
            "accessModes": modes,
            "persistentVolumeReclaimPolicy": policy,
            "storageClassName": object::name(class),
            "volumeMode": "Filesystem",
            "claimRef": reference(claim),
            "hostPath": {"path": format!("{FOLDER}/{name}"), "type": "DirectoryOrCreate"},
            "nodeAffinity": affinity,
        },
    }))
}

/// Gives a volume of ours the size that its claim asks for by now; whether it does so.
pub(super) fn grow(volume: &Value, claim: &Value, outcome: &mut Outcome) -> bool {
    let ours = object::annotation(volume, PROVISIONED_BY) == Some(PROVISIONER);
    let wanted = "/spec/resources/requests/storage";
    if !ours || size(claim, wanted) <= size(volume, "/spec/capacity/storage") {
        return false;
    }
    let patch = json!({"spec": {"capacity": {"storage": claim.pointer(wanted)}}});
    outcome.push(change(VOLUMES, volume, patch));
    true
}
