//! Whether a node may make an object what it wants to make it.

use super::references::{claims, config_maps, placed, secrets};
use crate::api::admission::{Attributes, Operation};
use crate::api::status::Status;
use crate::object;
use crate::store::{Key, Store};
use serde_json::Value;
use std::collections::BTreeSet;

/// Where nodes' leases are.
pub(super) const LEASES: &str = "kube-node-lease";
/// What pods have that a kubelet mirrors.
const MIRROR: &str = "kubernetes.io/config.mirror";
/// Labels below these are Kubernetes' own.
const OWN: [&str; 2] = ["kubernetes.io", "k8s.io"];
/// Labels that nodes may set all the same, and the beginnings of such.
const KUBELETS: [&str; 14] = [
    "kubernetes.io/hostname",
    "kubernetes.io/arch",
    "kubernetes.io/os",
    "beta.kubernetes.io/arch",
    "beta.kubernetes.io/os",
    "beta.kubernetes.io/instance-type",
    "node.kubernetes.io/instance-type",
    "node.kubernetes.io/windows-build",
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
    "kubelet.kubernetes.io",
    "node.kubernetes.io",
];

/// Refuses a node what concerns others.
pub(in crate::api) fn restrict(store: &Store, of: &Attributes<'_>) -> Result<(), Status> {
    let Some(node) = super::name(of.user) else {
        return Ok(());
    };
    let check = Check { store, of, node };
    let told = match (&*of.what.resource.group, &*of.what.resource.plural) {
        _ if node.is_empty() => Err(format!(
            "could not determine node from user {:?}",
            of.user.name
        )),
        ("", "pods") => check.pod(),
        ("", "nodes") => check.node(),
        ("", "persistentvolumeclaims") => check.claim(),
        ("", "serviceaccounts") if of.what.subresource == "token" => check.token(),
        ("coordination.k8s.io", "leases") if of.what.namespace != LEASES => Err(format!(
            "can only access leases in the {LEASES:?} system namespace"
        )),
        ("coordination.k8s.io", "leases") if of.what.name != node => {
            Err("can only access node lease with the same name as the requesting node".to_owned())
        }
        ("storage.k8s.io", "csinodes") if of.what.name != node => {
            Err("can only access CSINode with the same name as the requesting node".to_owned())
        }
        _ => Ok(()),
    };
    told.map_err(|why| Status::forbidden(of.what.resource, of.what.name, why))
}

struct Check<'a> {
    store: &'a Store,
    of: &'a Attributes<'a>,
    node: &'a str,
}

type Told = Result<(), String>;

fn unless(held: bool, why: impl FnOnce() -> String) -> Told {
    if held { Ok(()) } else { Err(why()) }
}

impl Check<'_> {
    fn pod(&self) -> Told {
        let node = self.node;
        let live = self.of.old;
        let own = |pod: Option<&Value>| pod.is_some_and(|pod| placed(pod) == node);
        match (self.of.what.subresource, self.of.what.operation) {
            ("", Operation::Create) => self.mirror(),
            ("", Operation::Delete) => unless(own(live), || {
                format!("node {node:?} can only delete pods with spec.nodeName set to itself")
            }),
            ("", operation) => Err(format!(
                "unexpected operation {:?}, node {node:?} can only create and delete mirror pods",
                operation.as_str()
            )),
            ("status", Operation::Update) => {
                unless(own(live), || {
                    format!(
                        "node {node:?} can only update pod status for pods with spec.nodeName set to itself"
                    )
                })?;
                let labels = |pod: Option<&Value>| {
                    pod.map(|pod| pod["metadata"]["labels"].clone())
                        .unwrap_or_default()
                };
                unless(labels(live) == labels(self.of.object), || {
                    format!("node {node:?} cannot update labels through pod status")
                })
            }
            ("eviction", Operation::Create) => {
                let key = Key::new("pods", self.of.what.namespace, self.of.what.name);
                unless(own(self.store.get(&key).map(|pod| &**pod)), || {
                    format!("node {node} can only evict pods with spec.nodeName set to itself")
                })
            }
            (other, _) => Err(format!(
                "unexpected pod subresource {other:?}, only 'status' and 'eviction' are allowed"
            )),
        }
    }

    /// A pod that stands for one that the node runs by itself.
    fn mirror(&self) -> Told {
        let node = self.node;
        let pod = self.of.object.unwrap_or(&Value::Null);
        unless(!pod["metadata"]["annotations"][MIRROR].is_null(), || {
            format!(
                "pod does not have {MIRROR:?} annotation, node {node:?} can only create mirror pods"
            )
        })?;
        unless(placed(pod) == node, || {
            format!("node {node:?} can only create pods with spec.nodeName set to itself")
        })?;
        self.owner(object::list(pod, &["metadata", "ownerReferences"]))?;
        let nothing = |found: bool, what: &str| {
            unless(!found, || {
                format!("node {node:?} can not create pods that reference {what}")
            })
        };
        let account = object::text(pod, &["spec", "serviceAccountName"]);
        nothing(!account.is_empty(), "a service account")?;
        nothing(!secrets(pod).is_empty(), "secrets")?;
        nothing(!config_maps(pod).is_empty(), "configmaps")?;
        nothing(!claims(pod).is_empty(), "persistentvolumeclaims")
    }

    fn owner(&self, owners: &[Value]) -> Told {
        let node = self.node;
        let [owner] = owners else {
            let with = if owners.is_empty() { "an" } else { "a single" };
            return Err(format!(
                "node {node:?} can only create pods with {with} owner reference set to itself"
            ));
        };
        let itself =
            owner["apiVersion"] == "v1" && owner["kind"] == "Node" && owner["name"] == node;
        unless(itself, || {
            format!("node {node:?} can only create pods with an owner reference set to itself")
        })?;
        unless(owner["controller"] == true, || {
            format!(
                "node {node:?} can only create pods with a controller owner reference set to itself"
            )
        })?;
        unless(owner["blockOwnerDeletion"] != true, || {
            format!("node {node:?} must not set blockOwnerDeletion on an owner reference")
        })?;
        let known = self.store.get(&Key::new("nodes", "", node));
        let known = known.map(|known| object::uid(known)).unwrap_or_default();
        let told = object::text(owner, &["uid"]);
        unless(known == told, || {
            format!("node {node} UID mismatch: expected {told} got {known}")
        })
    }

    fn node(&self) -> Told {
        let (node, of) = (self.node, self.of);
        unless(of.what.name == node, || {
            format!(
                "node {node:?} is not allowed to modify node {:?}",
                of.what.name
            )
        })?;
        let (Some(object), old) = (of.object, of.old) else {
            return Ok(());
        };
        let label = |of: Option<&Value>, name: &str| {
            of.map(|of| of["metadata"]["labels"][name].clone())
                .unwrap_or_default()
        };
        let changed: BTreeSet<&str> = [Some(object), old]
            .into_iter()
            .flatten()
            .flat_map(|of| object::entries(of, &["metadata", "labels"]))
            .map(|(name, _)| name.as_str())
            .filter(|name| label(Some(object), name) != label(old, name) && is_forbidden(name))
            .collect();
        let changed: Vec<&str> = changed.into_iter().collect();
        let changed = changed.join(", ");
        let Some(old) = old else {
            return unless(changed.is_empty(), || {
                format!("node {node:?} is not allowed to set the following labels: {changed}")
            });
        };
        unless(
            object::list(object, &["spec", "taints"]) == object::list(old, &["spec", "taints"]),
            || format!("node {node:?} is not allowed to modify taints"),
        )?;
        unless(changed.is_empty(), || {
            format!("is not allowed to modify labels: {changed}")
        })
    }

    fn claim(&self) -> Told {
        let (Some(object), Some(old), "status") =
            (self.of.object, self.of.old, self.of.what.subresource)
        else {
            return Err("may only update PVC status".to_owned());
        };
        let rest = |claim: &Value| {
            let mut claim = claim.clone();
            for field in [
                "capacity",
                "conditions",
                "allocatedResources",
                "allocatedResourceStatuses",
            ] {
                object::map_mut(&mut claim, "status").remove(field);
            }
            for field in ["resourceVersion", "managedFields"] {
                object::metadata(&mut claim).remove(field);
            }
            claim
        };
        unless(rest(object) == rest(old), || {
            format!(
                "node {:?} is not allowed to update fields other than status.capacity and status.conditions",
                self.node
            )
        })
    }

    /// A token of an account, which has to be bound to a pod of the node's.
    fn token(&self) -> Told {
        let request = self.of.object.unwrap_or(&Value::Null);
        let reference = &request["spec"]["boundObjectRef"];
        let text = |field| object::text(reference, &[field]);
        let to_pod =
            text("apiVersion") == "v1" && text("kind") == "Pod" && !text("name").is_empty();
        unless(to_pod, || {
            "node requested token not bound to a pod".to_owned()
        })?;
        unless(!text("uid").is_empty(), || {
            "node requested token with a pod binding without a uid".to_owned()
        })?;
        let key = Key::new("pods", self.of.what.namespace, text("name"));
        // A pod that isn't there is refused where the token is made.
        let pod = self.store.get(&key);
        unless(pod.is_none_or(|pod| placed(pod) == self.node), || {
            "node requested token bound to a pod scheduled on a different node".to_owned()
        })
    }
}

/// Whether nodes may not set a label.
fn is_forbidden(label: &str) -> bool {
    let Some((namespace, _)) = label.split_once('/') else {
        return false;
    };
    let below = |parent: &str| {
        namespace == parent
            || namespace
                .strip_suffix(parent)
                .is_some_and(|before| before.ends_with('.'))
    };
    if below("node-restriction.kubernetes.io") {
        return true;
    }
    let known =
        KUBELETS.contains(&label) || below("kubelet.kubernetes.io") || below("node.kubernetes.io");
    OWN.into_iter().any(below) && !known
}
