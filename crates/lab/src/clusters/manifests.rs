//! What clusters begin with in kube-system, as manifests: a service proxy, an engine for network policies, names.
//! They become ordinary objects, made once; what users change or take away stays so.

use kube::api::Status;
use kube::client::Client;
use kube::cluster::Cluster;
use kube::registry;
use serde::Deserialize;
use serde_json::Value;
use std::net::Ipv4Addr;

/// The service proxy.
pub(super) const KUBE_PROXY: &str = include_str!("manifests/kube-proxy.yaml");
/// The engine of network policies.
pub(super) const NETWORK_POLICY: &str = include_str!("manifests/network-policy.yaml");
/// The cluster's names.
pub(super) const COREDNS: &str = include_str!("manifests/coredns.yaml");
/// Plain clusters' class of volumes: directories of nodes.
pub(super) const HOST_PATH: &str = include_str!("manifests/host-path.yaml");
/// EKS's class of volumes.
const GP2: &str = include_str!("manifests/gp2.yaml");

/// EKS's class of volumes, the default one or not.
pub(super) fn gp2(default: bool) -> Vec<Value> {
    documents(&GP2.replace("${DEFAULT}", &default.to_string()))
}

/// What differs between clusters.
#[derive(Clone, Debug)]
pub(super) struct Values {
    /// The API's host, as nodes reach it.
    pub(super) api: String,
    /// Its port.
    pub(super) port: u16,
    /// The address of the cluster's names.
    pub(super) dns: Ipv4Addr,
    /// The range of pods; empty where they have none of their own.
    pub(super) pods: String,
    /// Where images come from.
    pub(super) images: Images,
}

/// Where the images of what clusters begin with come from.
#[derive(Clone, Debug)]
pub(super) enum Images {
    /// They are this machine's files, by the built-in image.
    Host,
    /// A registry of Amazon's has them under their own names, with an add-on's version as their tag.
    Amazon {
        /// The registry.
        registry: String,
        /// The version.
        version: String,
    },
}

impl Images {
    /// The image of a program.
    fn of(&self, program: &str) -> String {
        match self {
            Self::Host => runtime::HOST_IMAGE.to_owned(),
            Self::Amazon { registry, version } => format!("{registry}/eks/{program}:{version}"),
        }
    }
}

/// Makes the objects of a manifest that are not there yet.
///
/// # Errors
/// The API refuses one.
pub(super) async fn install(
    cluster: &Cluster,
    manifest: &str,
    values: &Values,
) -> Result<(), Status> {
    install_all(cluster, objects(manifest, values)).await
}

/// Makes the objects that are not there yet.
///
/// # Errors
/// The API refuses one.
pub(super) async fn install_all(cluster: &Cluster, objects: Vec<Value>) -> Result<(), Status> {
    let client = Client::of_control_plane(cluster.clone(), "addon-manager");
    for object in objects {
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

/// A manifest's objects, with a cluster's values in them.
pub(super) fn objects(manifest: &str, values: &Values) -> Vec<Value> {
    let text = manifest
        .replace("${API}", &values.api)
        .replace("${API_PORT}", &values.port.to_string())
        .replace("${DNS}", &values.dns.to_string())
        .replace("${PODS}", &values.pods)
        .replace("${KUBE_PROXY}", &values.images.of("kube-proxy"))
        .replace("${COREDNS}", &values.images.of("coredns"));
    documents(&text)
}

fn documents(text: &str) -> Vec<Value> {
    let documents = serde_norway::Deserializer::from_str(text).map(Value::deserialize);
    // A test reads them all.
    documents.filter_map(Result::ok).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_document_is_an_object() {
        let values = Values {
            api: "172.18.0.2".to_owned(),
            port: 6443,
            dns: Ipv4Addr::new(10, 96, 0, 10),
            pods: "10.244.0.0/16".to_owned(),
            images: Images::Host,
        };
        for manifest in [KUBE_PROXY, NETWORK_POLICY, COREDNS, HOST_PATH, GP2] {
            let objects = objects(manifest, &values);
            assert_eq!(objects.len(), manifest.split("\n---\n").count());
            for object in objects {
                assert!(object["kind"].is_string(), "{object}");
                let filled = manifest == GP2 || !object.to_string().contains("${");
                assert!(filled, "{object}");
            }
        }
        let class = &gp2(true)[0];
        let default =
            &class["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"];
        assert_eq!(default, "true");
    }
}
