//! The volumes that a pod needs: nodes that can use those that are bound, and a choice for claims that wait
//! for one.
//!
//! <https://kubernetes.io/docs/concepts/storage/storage-classes/#volume-binding-mode>

use crate::api::Status;
use crate::client::{Client, resource};
use crate::controllers::view::Objects;
use crate::object;
use crate::store::{Key, Store};
use serde_json::{Value, json};
use std::sync::Arc;

/// The annotation that gives a claim's volume its node.
const SELECTED: &str = "volume.kubernetes.io/selected-node";
/// The provisioner of classes whose volumes people make.
const NOBODY: &str = "kubernetes.io/no-provisioner";

/// What a pod's claims ask of its node.
#[derive(Debug, Default)]
pub(super) struct Volumes {
    /// Volumes that are bound.
    bound: Vec<Arc<Value>>,
    /// Claims that are bound when a node is chosen.
    waiting: Vec<Arc<Value>>,
}

/// What is done for a claim once its pod's node is chosen.
#[derive(Debug, PartialEq, Eq)]
enum Decision {
    /// A volume that is there.
    Bind { volume: String },
    /// A volume that is made on the node.
    Provision,
    /// One that is being made there.
    Wait,
}

/// The names of a pod's claims, and whether the claim is the pod's own.
fn names(pod: &Value) -> impl Iterator<Item = (String, bool)> {
    object::list(pod, &["spec", "volumes"])
        .iter()
        .filter_map(|volume| {
            if !volume["ephemeral"].is_null() {
                let own = format!("{}-{}", object::name(pod), object::text(volume, &["name"]));
                return Some((own, true));
            }
            let name = volume["persistentVolumeClaim"]["claimName"].as_str()?;
            Some((name.to_owned(), false))
        })
}

impl Volumes {
    /// The volumes and claims of a pod.
    ///
    /// # Errors
    /// Why no node would do.
    pub(super) fn of(pod: &Value, store: &Store) -> Result<Self, String> {
        let mut volumes = Self::default();
        for (name, own) in names(pod) {
            let key = Key::new("persistentvolumeclaims", object::namespace(pod), &name);
            let Some(claim) = store.get(&key) else {
                return Err(if own {
                    format!(
                        "waiting for ephemeral volume controller to create the persistentvolumeclaim {name:?}"
                    )
                } else {
                    format!("persistentvolumeclaim {name:?} not found")
                });
            };
            if object::is_terminating(claim) {
                return Err(format!("persistentvolumeclaim {name:?} is being deleted"));
            }
            alone(pod, claim, store)?;
            let volume = object::text(claim, &["spec", "volumeName"]);
            let complete = &claim["metadata"]["annotations"]["pv.kubernetes.io/bind-completed"];
            if !volume.is_empty() && !complete.is_null() {
                let found = store.get(&Key::new("persistentvolumes", "", volume));
                let lost = || {
                    format!(
                        "persistentvolumeclaim {name:?} bound to non-existent persistentvolume {volume:?}"
                    )
                };
                volumes.bound.push(found.ok_or_else(lost)?.clone());
            } else if class(claim, store)
                .is_some_and(|class| class["volumeBindingMode"] == "WaitForFirstConsumer")
            {
                volumes.waiting.push(claim.clone());
            } else {
                return Err("pod has unbound immediate PersistentVolumeClaims".to_owned());
            }
        }
        Ok(volumes)
    }

    /// What is against a node.
    pub(super) fn reason(&self, node: &Value, store: &Store) -> Option<&'static str> {
        if !self
            .bound
            .iter()
            .all(|volume| workloads::volume_allows(volume, node))
        {
            return Some("node(s) had volume node affinity conflict");
        }
        let fits = self
            .waiting
            .iter()
            .all(|claim| decision(claim, node, store).is_some());
        (!fits).then_some("node(s) didn't find available persistent volumes to bind")
    }

    /// Has the claims bound that wait for the pod's node; whether all are bound already.
    ///
    /// # Errors
    /// Kubernetes' own.
    pub(super) async fn settle(&self, client: &Client, node: &str) -> Result<bool, Status> {
        let now = client.cluster().now();
        let key = Key::new("nodes", "", node);
        let Some(at) = now.store.get(&key) else {
            return Ok(self.waiting.is_empty());
        };
        for claim in &self.waiting {
            match decision(claim, at, &now.store) {
                Some(Decision::Bind { volume }) => bind(client, &volume, claim).await?,
                Some(Decision::Provision) => select(client, claim, node).await?,
                Some(Decision::Wait) | None => {}
            }
        }
        Ok(self.waiting.is_empty())
    }
}

fn class<'s>(claim: &Value, store: &'s Store) -> Option<&'s Arc<Value>> {
    let name = object::text(claim, &["spec", "storageClassName"]);
    store.get(&Key::new("storageclasses.storage.k8s.io", "", name))
}

/// A claim for one pod alone is not another's.
fn alone(pod: &Value, claim: &Value, store: &Store) -> Result<(), String> {
    let modes = object::list(claim, &["spec", "accessModes"]);
    if !modes.iter().any(|mode| mode == "ReadWriteOncePod") {
        return Ok(());
    }
    let mut others = store.list("pods", Some(object::namespace(pod)));
    let taken = others.any(|(_, other)| {
        object::uid(other) != object::uid(pod)
            && !object::text(other, &["spec", "nodeName"]).is_empty()
            && !super::ended(other)
            && names(other).any(|(name, _)| name == object::name(claim))
    });
    if taken {
        return Err("node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode".to_owned());
    }
    Ok(())
}

/// What would be done for a claim on a node; nothing if it can't have a volume there.
fn decision(claim: &Value, node: &Value, store: &Store) -> Option<Decision> {
    let selected = object::text(claim, &["metadata", "annotations", SELECTED]);
    if !selected.is_empty() {
        return (selected == object::name(node)).then_some(Decision::Wait);
    }
    if let Some(volume) = workloads::matching_volume(&Objects(store), claim, Some(node)) {
        let volume = object::name(&volume).to_owned();
        return Some(Decision::Bind { volume });
    }
    let class = class(claim, store)?;
    let made = object::text(class, &["provisioner"]) != NOBODY;
    (made && allowed(class, node)).then_some(Decision::Provision)
}

/// Whether a class' `allowedTopologies` have a node.
fn allowed(class: &Value, node: &Value) -> bool {
    let terms = object::list(class, &["allowedTopologies"]);
    terms.is_empty()
        || terms.iter().any(|term| {
            object::list(term, &["matchLabelExpressions"])
                .iter()
                .all(|of| {
                    let value = &node["metadata"]["labels"][object::text(of, &["key"])];
                    object::list(of, &["values"]).contains(value)
                })
        })
}

async fn bind(client: &Client, volume: &str, claim: &Value) -> Result<(), Status> {
    let volumes = resource("persistentvolumes").ok_or_else(Status::no_such_path)?;
    let patch = json!({
        "metadata": {"annotations": {"pv.kubernetes.io/bound-by-controller": "yes"}},
        "spec": {"claimRef": {
            "kind": "PersistentVolumeClaim", "apiVersion": "v1", "uid": object::uid(claim),
            "namespace": object::namespace(claim), "name": object::name(claim),
        }},
    });
    client.patch(volumes, "", volume, &patch).await.map(drop)
}

async fn select(client: &Client, claim: &Value, node: &str) -> Result<(), Status> {
    let claims = resource("persistentvolumeclaims").ok_or_else(Status::no_such_path)?;
    let patch = json!({"metadata": {"annotations": {SELECTED: node}}});
    let (namespace, name) = (object::namespace(claim), object::name(claim));
    client
        .patch(claims, namespace, name, &patch)
        .await
        .map(drop)
}
