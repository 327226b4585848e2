//! Signs what was approved, as the controller manager's signers do, and approves what nodes ask for
//! themselves.
//!
//! <https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/#kubernetes-signers>

use super::{AlternativeName, Authority, Profile, Request, Usage};
use crate::api::rbac::{Access, allows};
use crate::api::{Method, User};
use crate::client::{Client, path, resource};
use crate::cluster::Cluster;
use crate::object;
use crate::schema::rfc3339;
use crate::store::Store;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The resource of requests.
const REQUESTS: &str = "certificatesigningrequests.certificates.k8s.io";
const CLIENTS: &str = "kubernetes.io/kube-apiserver-client";
const KUBELETS: &str = "kubernetes.io/kube-apiserver-client-kubelet";
const SERVING: &str = "kubernetes.io/kubelet-serving";
/// How long certificates are valid that ask for no time of their own, in seconds.
const YEAR: i64 = 365 * 24 * 60 * 60;

/// Signs a cluster's requests until it ends.
pub async fn run(cluster: Cluster, authority: Arc<Authority>) {
    let client = Client::of_control_plane(cluster, "kube-controller-manager");
    let mut follow = client.cluster().follow();
    // What was looked at already, and in which state.
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    loop {
        let now = follow.borrow_and_update().clone();
        let mut here = BTreeMap::new();
        for (key, request) in now.store.list(REQUESTS, None) {
            let version = object::text(request, &["metadata", "resourceVersion"]);
            let known = seen.get(&*key.name).is_some_and(|known| known == version);
            here.insert(key.name.to_string(), version.to_owned());
            if !known {
                look(&client, &now.store, &authority, request).await;
            }
        }
        seen = here;
        if follow.changed().await.is_err() {
            return;
        }
    }
}

/// What is to be done with a request.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Nothing, or nothing yet.
    Leave,
    /// It is approved.
    Approve,
    /// It is signed.
    Sign(Box<Request>, Vec<Usage>),
    /// Its signer signs no such thing.
    Fail(&'static str),
}

async fn look(client: &Client, store: &Store, authority: &Authority, object: &Value) {
    let now = client.cluster().clock();
    let mut changed = object.clone();
    let below = match verdict(store, object) {
        Verdict::Leave => return,
        Verdict::Approve => {
            let message = "Auto approving kubelet client certificate after SubjectAccessReview.";
            condition(&mut changed, "Approved", "AutoApproved", message, now);
            "approval"
        }
        Verdict::Fail(why) => {
            condition(&mut changed, "Failed", "SignerValidationFailure", why, now);
            "status"
        }
        Verdict::Sign(request, usages) => {
            let asked = object::number(object, &["spec", "expirationSeconds"]);
            let profile = Profile {
                usages: &usages,
                names: &request.names,
                now,
                lifetime: asked.unwrap_or(YEAR).clamp(600, YEAR),
            };
            match authority.sign(&request, profile) {
                Ok(certificate) => {
                    changed["status"]["certificate"] = json!(STANDARD.encode(certificate));
                }
                Err(error) => {
                    tracing::warn!(%error, "a certificate can't be signed");
                    return;
                }
            }
            "status"
        }
    };
    let Some(resource) = resource(REQUESTS) else {
        return;
    };
    let path = path(resource, "", object::name(object), below);
    let sent = client.send(Method::Put, &path, "application/json", &changed);
    // Whoever changed it meanwhile makes it be looked at again.
    if let Err(error) = sent.await {
        tracing::debug!(%error, "a request for a certificate has changed");
    }
}

fn condition(object: &mut Value, kind: &str, reason: &str, message: &str, now: i64) {
    let now = rfc3339(now);
    let status = object::map_mut(object, "status");
    let held = status.entry("conditions").or_insert_with(|| json!([]));
    if let Value::Array(held) = held {
        held.push(json!({
            "type": kind, "status": "True", "reason": reason, "message": message,
            "lastUpdateTime": now, "lastTransitionTime": now,
        }));
    }
}

fn verdict(store: &Store, object: &Value) -> Verdict {
    let conditions = object::list(object, &["status", "conditions"]);
    let has = |kind: &str| {
        let mut conditions = conditions.iter();
        conditions.any(|condition| condition["type"] == kind && condition["status"] != "False")
    };
    let signed = !object::text(object, &["status", "certificate"]).is_empty();
    let signer = object::text(object, &["spec", "signerName"]);
    if signed || has("Denied") || has("Failed") || ![CLIENTS, KUBELETS, SERVING].contains(&signer) {
        return Verdict::Leave;
    }
    let decoded = STANDARD.decode(object::text(object, &["spec", "request"]));
    let text = String::from_utf8(decoded.unwrap_or_default()).unwrap_or_default();
    let Ok(request) = Request::from_pem(&text) else {
        return Verdict::Fail("the request can't be read");
    };
    let usages: Vec<&str> = object::list(object, &["spec", "usages"])
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let fault = match signer {
        CLIENTS => client_fault(&usages),
        KUBELETS => kubelet_fault(&request).or_else(|| client_fault(&usages)),
        _ => serving_fault(&request, &usages),
    };
    match (has("Approved"), fault) {
        (true, Some(why)) => Verdict::Fail(why),
        (true, None) => {
            let usage = if signer == SERVING {
                Usage::Server
            } else {
                Usage::Client
            };
            Verdict::Sign(Box::new(request), vec![usage])
        }
        (false, None) if signer == KUBELETS && asks_for_node(store, object, &request) => {
            Verdict::Approve
        }
        (false, _) => Verdict::Leave,
    }
}

/// What is wrong with the usages of a client's certificate.
fn client_fault(usages: &[&str]) -> Option<&'static str> {
    let known = ["client auth", "digital signature", "key encipherment"];
    if !usages.contains(&"client auth") || usages.iter().any(|usage| !known.contains(usage)) {
        return Some(
            "usages did not match [\"client auth\" \"digital signature\" \"key encipherment\"]",
        );
    }
    None
}

fn of_node(request: &Request) -> bool {
    request.subject.groups == ["system:nodes"] && request.subject.user.starts_with("system:node:")
}

/// What is wrong with a request for a kubelet's certificate as a client.
fn kubelet_fault(request: &Request) -> Option<&'static str> {
    if !of_node(request) {
        return Some(
            "subject organization is not system:nodes, or common name does not begin with system:node:",
        );
    }
    (!request.names.is_empty()).then_some("SANs are not allowed")
}

/// What is wrong with a request for a kubelet's certificate as a server.
fn serving_fault(request: &Request, usages: &[&str]) -> Option<&'static str> {
    if !of_node(request) {
        return Some(
            "subject organization is not system:nodes, or common name does not begin with system:node:",
        );
    }
    let known = ["server auth", "digital signature", "key encipherment"];
    if !usages.contains(&"server auth") || usages.iter().any(|usage| !known.contains(usage)) {
        return Some(
            "usages did not match [\"server auth\" \"digital signature\" \"key encipherment\"]",
        );
    }
    let reached = |name: &AlternativeName| {
        matches!(name, AlternativeName::Dns(_) | AlternativeName::Address(_))
    };
    if request.names.is_empty() {
        return Some("DNS or IP subjectAltName is required");
    }
    (!request.names.iter().all(reached)).then_some("Email and URI subjectAltNames are not allowed")
}

/// Whether whoever made a request may have a node's certificate without anybody's looking.
fn asks_for_node(store: &Store, object: &Value, request: &Request) -> bool {
    let spec = &object["spec"];
    let groups = object::list(spec, &["groups"]).iter();
    let user = User {
        name: object::text(spec, &["username"]).to_owned(),
        groups: groups
            .filter_map(|group| group.as_str().map(str::to_owned))
            .collect(),
        ..User::default()
    };
    let may = |what: &str| {
        let access = Access {
            verb: "create".to_owned(),
            group: "certificates.k8s.io".to_owned(),
            resource: format!("certificatesigningrequests/{what}"),
            ..Access::default()
        };
        allows(store, &user, &access)
    };
    (user.name == request.subject.user && may("selfnodeclient")) || may("nodeclient")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::store::Key;

    fn request(signer: &str, user: &str, groups: &[&str], usages: &[&str]) -> Value {
        let text = super::super::tests::signing_request(user, groups, &[]);
        json!({
            "metadata": {"name": "r"},
            "spec": {
                "request": STANDARD.encode(text), "signerName": signer, "usages": usages,
                "username": "system:bootstrap:x", "groups": ["system:bootstrappers"],
            },
        })
    }

    /// K8S-API: signers sign what is approved and theirs, and nothing else.
    #[test]
    fn signers_sign_what_is_theirs() {
        let store = Store::default();
        let usages = ["client auth", "digital signature"];
        let mut ann = request(CLIENTS, "ann", &["dev"], &usages);
        assert_eq!(verdict(&store, &ann), Verdict::Leave);
        ann["status"]["conditions"] = json!([{"type": "Approved", "status": "True"}]);
        assert!(matches!(verdict(&store, &ann), Verdict::Sign(..)));
        let mut other = ann.clone();
        other["spec"]["signerName"] = json!("example.com/mine");
        assert_eq!(verdict(&store, &other), Verdict::Leave);
        let mut odd = ann.clone();
        odd["spec"]["usages"] = json!(["server auth"]);
        assert!(matches!(verdict(&store, &odd), Verdict::Fail(_)));
        let mut node = ann.clone();
        node["spec"]["signerName"] = json!(KUBELETS);
        assert!(matches!(verdict(&store, &node), Verdict::Fail(_)));
        ann["status"]["conditions"] = json!([{"type": "Denied", "status": "True"}]);
        assert_eq!(verdict(&store, &ann), Verdict::Leave);
    }

    /// K8S-API: nodes that may ask for certificates by themselves need nobody's approval.
    #[test]
    fn nodes_need_no_approval() {
        let mut store = Store::default();
        let usages = ["client auth", "digital signature"];
        let asked = request(KUBELETS, "system:node:n1", &["system:nodes"], &usages);
        assert_eq!(verdict(&store, &asked), Verdict::Leave);
        let role = json!({"rules": [{
            "apiGroups": ["certificates.k8s.io"], "verbs": ["create"],
            "resources": ["certificatesigningrequests/nodeclient"],
        }]});
        store.put(
            Key::new("clusterroles.rbac.authorization.k8s.io", "", "r"),
            role,
        );
        let binding = json!({
            "roleRef": {"kind": "ClusterRole", "name": "r"},
            "subjects": [{"kind": "Group", "name": "system:bootstrappers"}],
        });
        store.put(
            Key::new("clusterrolebindings.rbac.authorization.k8s.io", "", "b"),
            binding,
        );
        assert_eq!(verdict(&store, &asked), Verdict::Approve);
        let other = request(KUBELETS, "system:node:n1", &["system:masters"], &usages);
        assert_eq!(verdict(&store, &other), Verdict::Leave);
    }
}
