//! What a plain cluster begins with in kube-system: a service proxy, an engine for network policies,
//! names. They are ordinary objects, made once; what users change or take away stays so.

use super::{PORT, network};
use kube::api::Status;
use kube::client::Client;
use kube::cluster::Cluster;
use kube::registry;
use serde::Deserialize;
use serde_json::Value;
use std::net::Ipv4Addr;

const MANIFESTS: [&str; 3] = [
    include_str!("addons/kube-proxy.yaml"),
    include_str!("addons/network-policy.yaml"),
    include_str!("addons/coredns.yaml"),
];

/// The address of the cluster's names.
pub(super) const DNS: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 10);

/// Makes the objects that are not there yet.
///
/// # Errors
/// The API refuses one.
pub(super) async fn install(cluster: &Cluster) -> Result<(), Status> {
    let client = Client::of_control_plane(cluster.clone(), "addon-manager");
    for object in objects() {
        let kind = object["kind"].as_str().unwrap_or_default();
        let version = object["apiVersion"].as_str().unwrap_or_default();
        let store = cluster.now().store.clone();
        let resource = registry::by_kind(&store, version, kind)
            .ok_or_else(|| Status::internal(format!("there is no {version} {kind}")))?;
        match client.create(&resource, &object).await {
            Err(status) if status.code != 409 => return Err(status),
            _ => {}
        }
    }
    Ok(())
}

/// The objects, with this cluster's addresses in them.
fn objects() -> Vec<Value> {
    let documents = MANIFESTS.iter().flat_map(|manifest| {
        let text = manifest
            .replace("${API}", &network::API.to_string())
            .replace("${API_PORT}", &PORT.to_string())
            .replace("${DNS}", &DNS.to_string())
            .replace("${PODS}", &network::PODS.to_string());
        let documents: Vec<_> = serde_norway::Deserializer::from_str(&text)
            .map(Value::deserialize)
            .collect();
        documents
    });
    // A test reads them all.
    documents.filter_map(Result::ok).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_document_is_an_object() {
        let written: usize = MANIFESTS
            .iter()
            .map(|manifest| manifest.split("\n---\n").count())
            .sum();
        let objects = objects();
        assert_eq!(objects.len(), written);
        for object in objects {
            assert!(object["kind"].is_string(), "{object}");
            assert!(!object.to_string().contains("${"), "{object}");
        }
    }
}
