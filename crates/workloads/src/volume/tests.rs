//! K8S-RUN: claims and volumes find each other, and part.

use serde_json::{Value, json};

use super::*;
use crate::testing::Cluster;
use crate::{Action, Resource};

/// Runs the controllers of all claims and volumes until they only tell what they told before.
fn settle(cluster: &mut Cluster) {
    for _ in 0..20 {
        let mut busy = false;
        for (resource, run) in [
            (
                CLAIMS,
                persistent_volume_claim as fn(&dyn View, &str, &str, i64) -> Outcome,
            ),
            (VOLUMES, persistent_volume),
        ] {
            for object in cluster.stored(resource) {
                cluster.sync();
                let (namespace, name) = (object::namespace(&object), object::name(&object));
                let outcome = run(cluster, namespace, name, cluster.now);
                busy |= outcome
                    .actions
                    .iter()
                    .any(|a| !matches!(a, Action::Event { .. }));
                cluster.perform(outcome.actions);
            }
        }
        cluster.sync();
        if !busy {
            return;
        }
    }
    panic!(
        "claims and volumes never come to rest: {:?}",
        cluster.events()
    );
}

fn volume(name: &str, size: &str, spec: Value) -> Value {
    let mut volume = json!({"metadata": {"name": name}, "spec": {
        "capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"],
        "persistentVolumeReclaimPolicy": "Retain", "storageClassName": "manual",
        "hostPath": {"path": "/data"}}});
    for (key, value) in spec.as_object().unwrap() {
        volume["spec"][key] = value.clone();
    }
    volume
}

fn claim(name: &str, size: &str, class: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "a"}, "spec": {
        "accessModes": ["ReadWriteOnce"], "storageClassName": class,
        "resources": {"requests": {"storage": size}}}})
}

fn class(name: &str, provisioner: &str, mode: &str) -> Value {
    json!({"metadata": {"name": name}, "provisioner": provisioner, "reclaimPolicy": "Delete",
        "volumeBindingMode": mode})
}

/// A claim's phase and volume.
fn state(cluster: &Cluster, claim: &str) -> (String, String) {
    let found = cluster.object(CLAIMS, claim);
    let text = |at| object::text(&found, at).to_owned();
    (text("/status/phase"), text("/spec/volumeName"))
}

fn phase(cluster: &Cluster, volume: &str) -> String {
    object::text(&cluster.object(VOLUMES, volume), "/status/phase").to_owned()
}

fn is(state: &(String, String), phase: &str, volume: &str) -> bool {
    *state == (phase.to_owned(), volume.to_owned())
}

fn told(cluster: &Cluster, text: &str) -> bool {
    cluster.events().iter().any(|event| event.contains(text))
}

#[test]
fn the_smallest_volume_that_suits_is_bound() {
    let mut cluster = Cluster::new();
    cluster.create(VOLUMES, volume("large", "10Gi", json!({})));
    cluster.create(VOLUMES, volume("fits", "2Gi", json!({})));
    cluster.create(VOLUMES, volume("small", "1Gi", json!({})));
    cluster.create(
        VOLUMES,
        volume("other", "2Gi", json!({"storageClassName": "else"})),
    );
    cluster.create(CLAIMS, claim("data", "1500Mi", "manual"));
    settle(&mut cluster);
    assert!(is(&state(&cluster, "data"), "Bound", "fits"));
    let bound = cluster.object(CLAIMS, "data");
    assert_eq!(bound["status"]["capacity"]["storage"], "2Gi");
    assert_eq!(object::annotation(&bound, BIND_COMPLETED), Some("yes"));
    assert_eq!(phase(&cluster, "fits"), "Bound");
    assert_eq!(phase(&cluster, "small"), "Available");
}

#[test]
fn labels_modes_names_and_reservations_decide() {
    let mut cluster = Cluster::new();
    let mut labelled = volume("labelled", "1Gi", json!({}));
    labelled["metadata"]["labels"] = json!({"disk": "fast"});
    cluster.create(VOLUMES, labelled);
    cluster.create(
        VOLUMES,
        volume("shared", "9Gi", json!({"accessModes": ["ReadWriteMany"]})),
    );
    cluster.create(
        VOLUMES,
        volume(
            "kept",
            "1Gi",
            json!({"claimRef": {"namespace": "a", "name": "heir"}}),
        ),
    );
    let mut by_label = claim("by-label", "1Gi", "manual");
    by_label["spec"]["selector"] = json!({"matchLabels": {"disk": "fast"}});
    let mut by_mode = claim("by-mode", "1Gi", "manual");
    by_mode["spec"]["accessModes"] = json!(["ReadWriteMany"]);
    let mut by_name = claim("by-name", "1Gi", "manual");
    by_name["spec"]["volumeName"] = json!("kept");
    for claim in [by_label, by_mode, by_name, claim("heir", "1Gi", "manual")] {
        cluster.create(CLAIMS, claim);
    }
    settle(&mut cluster);
    assert!(is(&state(&cluster, "by-label"), "Bound", "labelled"));
    assert!(is(&state(&cluster, "by-mode"), "Bound", "shared"));
    assert!(is(&state(&cluster, "heir"), "Bound", "kept"));
    assert!(is(&state(&cluster, "by-name"), "Pending", "kept"));
}

#[test]
fn without_a_class_or_with_one_that_is_not_there_a_claim_waits_and_says_so() {
    let mut cluster = Cluster::new();
    cluster.create(CLAIMS, claim("none", "1Gi", ""));
    cluster.create(CLAIMS, claim("gone", "1Gi", "gone"));
    settle(&mut cluster);
    assert!(is(&state(&cluster, "none"), "Pending", ""));
    assert!(told(
        &cluster,
        "FailedBinding no persistent volumes available"
    ));
    assert!(told(
        &cluster,
        "ProvisioningFailed storageclass.storage.k8s.io \"gone\" not found"
    ));
}

#[test]
fn a_class_that_waits_gets_its_volume_on_the_node_that_was_chosen() {
    let mut cluster = Cluster::new();
    let standard = class("standard", PROVISIONER, "WaitForFirstConsumer");
    cluster.create(Resource::StorageClasses, standard);
    cluster.create(
        Resource::Nodes,
        json!({"metadata": {"name": "n1", "labels": {"kubernetes.io/hostname": "n1"}}}),
    );
    cluster.create(CLAIMS, claim("data", "1Gi", "standard"));
    settle(&mut cluster);
    assert!(is(&state(&cluster, "data"), "Pending", ""));
    assert!(told(
        &cluster,
        "WaitForFirstConsumer waiting for first consumer"
    ));
    cluster.edit(CLAIMS, "data", |claim| {
        object::annotate(claim, SELECTED_NODE, "n1");
    });
    settle(&mut cluster);
    let name = format!("pvc-{}", object::uid(&cluster.object(CLAIMS, "data")));
    assert!(is(&state(&cluster, "data"), "Bound", &name));
    let made = cluster.object(VOLUMES, &name);
    assert_eq!(made["spec"]["hostPath"]["path"], format!("{FOLDER}/{name}"));
    assert!(volume_allows(&made, &cluster.object(Resource::Nodes, "n1")));
    assert!(!volume_allows(
        &made,
        &json!({"metadata": {"name": "n2", "labels": {}}})
    ));
    assert!(told(
        &cluster,
        &format!("ProvisioningSucceeded Successfully provisioned volume {name}")
    ));
    // What is made for a claim goes with it.
    cluster.delete(CLAIMS, "data");
    settle(&mut cluster);
    assert!(cluster.find(VOLUMES, &name).is_none());
}

#[test]
fn a_chosen_node_that_is_gone_is_chosen_anew() {
    let mut cluster = Cluster::new();
    let standard = class("standard", PROVISIONER, "WaitForFirstConsumer");
    cluster.create(Resource::StorageClasses, standard);
    cluster.create(CLAIMS, claim("data", "1Gi", "standard"));
    cluster.edit(CLAIMS, "data", |claim| {
        object::annotate(claim, SELECTED_NODE, "n9");
    });
    settle(&mut cluster);
    assert_eq!(
        object::annotation(&cluster.object(CLAIMS, "data"), SELECTED_NODE),
        None
    );
}

#[test]
fn what_a_directory_cannot_be_is_refused() {
    let mut cluster = Cluster::new();
    cluster.create(
        Resource::StorageClasses,
        class("now", PROVISIONER, "Immediate"),
    );
    let mut shared = claim("shared", "1Gi", "now");
    shared["spec"]["accessModes"] = json!(["ReadWriteMany"]);
    cluster.create(CLAIMS, shared);
    cluster.create(CLAIMS, claim("early", "1Gi", "now"));
    settle(&mut cluster);
    assert!(told(&cluster, "supports the access modes ReadWriteOnce"));
    assert!(told(&cluster, "no node is ready"));
    assert!(cluster.stored(VOLUMES).is_empty());
}

#[test]
fn kept_volumes_are_released_and_stay_with_their_data() {
    let mut cluster = Cluster::new();
    cluster.create(VOLUMES, volume("v", "1Gi", json!({})));
    cluster.create(CLAIMS, claim("data", "1Gi", "manual"));
    settle(&mut cluster);
    cluster.delete(CLAIMS, "data");
    cluster.create(CLAIMS, claim("data", "1Gi", "manual"));
    settle(&mut cluster);
    assert_eq!(phase(&cluster, "v"), "Released");
    assert!(!is(&state(&cluster, "data"), "Bound", "v"));
}

#[test]
fn a_claim_whose_volume_is_gone_is_lost() {
    let mut cluster = Cluster::new();
    cluster.create(VOLUMES, volume("v", "1Gi", json!({})));
    cluster.create(CLAIMS, claim("data", "1Gi", "manual"));
    settle(&mut cluster);
    cluster.delete(VOLUMES, "v");
    settle(&mut cluster);
    assert!(is(&state(&cluster, "data"), "Lost", "v"));
    assert!(told(
        &cluster,
        "ClaimLost Bound claim has lost its PersistentVolume"
    ));
}

#[test]
fn claims_in_use_and_bound_volumes_are_protected() {
    let mut cluster = Cluster::new();
    cluster.create(VOLUMES, volume("v", "1Gi", json!({})));
    cluster.create(CLAIMS, claim("data", "1Gi", "manual"));
    settle(&mut cluster);
    let held = |cluster: &Cluster, of, name| {
        let found = cluster.object(of, name);
        object::list(&found, "/metadata/finalizers").len()
    };
    assert_eq!(
        (held(&cluster, CLAIMS, "data"), held(&cluster, VOLUMES, "v")),
        (1, 1)
    );
    cluster.create(
        Resource::Pods,
        json!({"metadata": {"name": "p", "namespace": "a"}, "spec": {"nodeName": "n1",
            "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]}}),
    );
    for (of, name) in [(CLAIMS, "data"), (VOLUMES, "v")] {
        let mut going = cluster.object(of, name);
        going["metadata"]["deletionTimestamp"] = json!("2024-01-01T00:00:00Z");
        cluster.force(of, going);
    }
    settle(&mut cluster);
    assert_eq!(
        (held(&cluster, CLAIMS, "data"), held(&cluster, VOLUMES, "v")),
        (1, 1)
    );
    cluster.delete(Resource::Pods, "p");
    cluster.kubelet();
    settle(&mut cluster);
    assert_eq!(held(&cluster, CLAIMS, "data"), 0);
}

#[test]
fn a_claim_without_a_class_gets_the_default_when_there_is_one() {
    let mut cluster = Cluster::new();
    let mut unset = claim("data", "1Gi", "");
    unset["spec"]
        .as_object_mut()
        .unwrap()
        .remove("storageClassName");
    cluster.create(CLAIMS, unset);
    settle(&mut cluster);
    let mut default = class("std", PROVISIONER, "WaitForFirstConsumer");
    object::annotate(
        &mut default,
        "storageclass.kubernetes.io/is-default-class",
        "true",
    );
    cluster.create(Resource::StorageClasses, default);
    settle(&mut cluster);
    assert_eq!(
        cluster.object(CLAIMS, "data")["spec"]["storageClassName"],
        "std"
    );
}

#[test]
fn a_pods_own_claims_are_made_and_owned() {
    let mut cluster = Cluster::new();
    cluster.create(
        Resource::Pods,
        json!({"metadata": {"name": "p", "namespace": "a"}, "spec": {"volumes": [
            {"name": "scratch", "ephemeral": {"volumeClaimTemplate": {
                "metadata": {"labels": {"k": "v"}}, "spec": {"storageClassName": "x"}}}}]}}),
    );
    cluster.sync();
    let outcome = ephemeral_claims(&cluster, "a", "p", 0);
    assert!(cluster.perform(outcome.actions));
    cluster.sync();
    let made = cluster.object(CLAIMS, "p-scratch");
    assert_eq!(made["metadata"]["ownerReferences"][0]["kind"], "Pod");
    assert_eq!(made["spec"]["storageClassName"], "x");
    assert!(ephemeral_claims(&cluster, "a", "p", 0).actions.is_empty());
}
