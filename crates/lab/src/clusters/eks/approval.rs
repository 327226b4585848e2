//! Approves the certificates that nodes' kubelets serve with, as EKS does for nodes that are instances.
//!
//! Upstream leaves it to whoever can tell whether a machine is what it says; EKS can.
//! <https://kubernetes.io/docs/reference/access-authn-authz/kubelet-tls-bootstrapping/#client-and-serving-certificates>

use crate::cloud::Cloud;
use aws::model::State;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube::api::Method;
use kube::certificates::{AlternativeName, Request};
use kube::client::{Client, path, resource};
use kube::cluster::Cluster;
use kube::object;
use serde_json::{Value, json};
use std::net::IpAddr;

const REQUESTS: &str = "certificatesigningrequests.certificates.k8s.io";
const SERVING: &str = "kubernetes.io/kubelet-serving";

/// Approves a cluster's requests until the task is ended.
pub(super) async fn run(cluster: Cluster, cloud: Cloud) {
    let client = Client::of_control_plane(cluster, "eks-certificates-controller");
    let mut follow = client.cluster().follow();
    loop {
        let now = follow.borrow_and_update().clone();
        for (_, request) in now.store.list(REQUESTS, None) {
            if is_waiting(request) && is_true(&cloud.snapshot().state, request) {
                approve(&client, request).await;
            }
        }
        if follow.changed().await.is_err() {
            return;
        }
    }
}

fn is_waiting(request: &Value) -> bool {
    let decided = object::list(request, &["status", "conditions"]);
    request["spec"]["signerName"] == SERVING && decided.is_empty()
}

/// Whether a request names what its sender is: a running instance's name and addresses.
fn is_true(state: &State, request: &Value) -> bool {
    let decoded = STANDARD.decode(object::text(request, &["spec", "request"]));
    let text = String::from_utf8(decoded.unwrap_or_default()).unwrap_or_default();
    let (Ok(asked), Some(node)) = (
        Request::from_pem(&text),
        object::text(request, &["spec", "username"]).strip_prefix("system:node:"),
    ) else {
        return false;
    };
    let named = |interface: &aws::model::network_interface::NetworkInterface| {
        let own = interface.addresses.first();
        // Fargate's machines have names of their own.
        let node = node.strip_prefix("fargate-").unwrap_or(node);
        own.is_some_and(|own| crate::names::private_name(&interface.region, own.ip) == node)
    };
    let addresses: Vec<IpAddr> = state
        .network_interfaces
        .values()
        .filter(|interface| named(interface) && interface.attachment.is_some())
        .flat_map(|interface| &interface.addresses)
        .map(|address| IpAddr::V4(address.ip))
        .collect();
    asked.names.iter().all(|name| match name {
        AlternativeName::Dns(name) => name == node,
        AlternativeName::Address(address) => addresses.contains(address),
        _ => false,
    })
}

async fn approve(client: &Client, request: &Value) {
    let Some(resource) = resource(REQUESTS) else {
        return;
    };
    let mut approved = request.clone();
    approved["status"]["conditions"] = json!([{
        "type": "Approved", "status": "True", "reason": "AutoApproved",
        "message": "Auto approving self kubelet server certificate after SubjectAccessReview.",
    }]);
    let path = path(resource, "", object::name(request), "approval");
    let sent = client.send(Method::Put, &path, "application/json", &approved);
    // Whoever changed it meanwhile makes it be looked at again.
    if let Err(error) = sent.await {
        tracing::debug!(%error, "a request for a certificate has changed");
    }
}
