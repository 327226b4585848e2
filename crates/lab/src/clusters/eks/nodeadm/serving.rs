//! The certificate of a node's kubelet, asked of the cluster as kubelets do.
//!
//! <https://kubernetes.io/docs/reference/access-authn-authz/kubelet-tls-bootstrapping/#certificate-rotation>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube_client::Client;
use kubelet::Identity;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

const REQUESTS: &str = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
/// How often the request is looked at.
const PERIOD: Duration = Duration::from_millis(50);
/// How often before it is given up.
const ATTEMPTS: usize = 600;

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub(in crate::clusters::eks) enum ServingError {
    /// A key or request can't be made.
    #[error("kubelet serving certificate: {0}")]
    Key(#[from] rcgen::Error),
    /// The API isn't reached or refuses.
    #[error("{0}")]
    Api(#[from] kube_client::Error),
    /// Nobody approves.
    #[error("certificate signing request {0} was not approved and signed")]
    Unsigned(String),
}

/// Asks for a certificate for a node's name and addresses, until it is there.
pub(super) async fn obtain(
    client: &Client,
    node: &str,
    addresses: &[Ipv4Addr],
    authority: &str,
) -> Result<Identity, ServingError> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(vec![node.to_owned()])?;
    let addresses = addresses
        .iter()
        .map(|at| SanType::IpAddress(IpAddr::V4(*at)));
    params.subject_alt_names.extend(addresses);
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, "system:nodes");
    name.push(DnType::CommonName, format!("system:node:{node}"));
    params.distinguished_name = name;
    let request = params.serialize_request(&key)?.pem()?;
    let made = client
        .create(
            REQUESTS,
            &json!({
                "apiVersion": "certificates.k8s.io/v1",
                "kind": "CertificateSigningRequest",
                "metadata": {"generateName": "csr-"},
                "spec": {
                    "request": STANDARD.encode(request),
                    "signerName": "kubernetes.io/kubelet-serving",
                    "usages": ["digital signature", "server auth"],
                },
            }),
        )
        .await?;
    let name = made["metadata"]["name"].as_str().unwrap_or_default();
    let path = format!("{REQUESTS}/{name}");
    for _ in 0..ATTEMPTS {
        tokio::time::sleep(PERIOD).await;
        let now = client.get(&path).await?;
        if let Some(certificate) = certificate(&now) {
            return Ok(Identity {
                certificate,
                key: key.serialize_pem(),
                authority: authority.to_owned(),
            });
        }
    }
    Err(ServingError::Unsigned(name.to_owned()))
}

fn certificate(request: &Value) -> Option<String> {
    let encoded = request["status"]["certificate"].as_str()?;
    String::from_utf8(STANDARD.decode(encoded).ok()?).ok()
}
