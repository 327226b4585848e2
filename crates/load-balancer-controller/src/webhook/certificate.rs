//! The webhooks' certificate: one that this controller makes for itself, in a secret that all of its pods share, and that
//! the webhooks' configurations vouch for.

use crate::failure::Failure;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube_client::{Client, Patch};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// The secret, as upstream's chart calls it.
const SECRET: &str = "/api/v1/namespaces/kube-system/secrets/aws-load-balancer-tls";
/// The webhooks' service.
const SERVICE: &str = "aws-load-balancer-webhook-service.kube-system.svc";
/// The webhooks' configurations.
const CONFIGURATIONS: [&str; 2] = [
    "mutatingwebhookconfigurations",
    "validatingwebhookconfigurations",
];

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::Other(format!("webhooks' certificate: {error}"))
}

/// A new authority's certificate, and a certificate of its with the key, in PEM.
fn make() -> Result<(String, String, String), rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "aws-load-balancer-controller-ca");
    let authority = params.self_signed(&key)?;
    let issuer = Issuer::new(params, key);
    let own = KeyPair::generate()?;
    let names = [SERVICE.to_owned(), format!("{SERVICE}.cluster.local")];
    let certificate = CertificateParams::new(names)?.signed_by(&own, &issuer)?;
    Ok((authority.pem(), certificate.pem(), own.serialize_pem()))
}

/// The secret, made if it isn't there.
async fn secret(client: &Client) -> Result<Value, Failure> {
    match client.get(SECRET).await {
        Err(error) if error.is_not_found() => {}
        other => return Ok(other?),
    }
    let (authority, certificate, key) = make().map_err(failed)?;
    let encode = |text: &str| STANDARD.encode(text);
    let object = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": {"name": "aws-load-balancer-tls", "namespace": "kube-system"},
        "data": {
            "ca.crt": encode(&authority), "tls.crt": encode(&certificate), "tls.key": encode(&key),
        },
    });
    let all = SECRET.rsplit_once('/').map_or(SECRET, |(all, _)| all);
    match client.create(all, &object).await {
        // Another of its pods was first.
        Err(error) if error.is_conflict() => Ok(client.get(SECRET).await?),
        other => Ok(other?),
    }
}

/// What speaks TLS for the webhooks, once their configurations vouch for its certificate.
pub(super) async fn acceptor(client: &Client) -> Result<TlsAcceptor, Failure> {
    let secret = secret(client).await?;
    let decode = |key: &str| {
        let text = secret["data"][key].as_str().unwrap_or_default();
        STANDARD.decode(text).map_err(failed)
    };
    for kind in CONFIGURATIONS {
        vouch(client, kind, &secret["data"]["ca.crt"]).await?;
    }
    let chain = decode("tls.crt")?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&chain).collect();
    let key = PrivateKeyDer::from_pem_slice(&decode("tls.key")?).map_err(failed)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .with_no_client_auth()
        .with_single_cert(chain.map_err(failed)?, key)
        .map_err(failed)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Makes a configuration's webhooks vouch for the authority.
async fn vouch(client: &Client, kind: &str, authority: &Value) -> Result<(), Failure> {
    let path = format!("/apis/admissionregistration.k8s.io/v1/{kind}/aws-load-balancer-webhook");
    let found = match client.get(&path).await {
        // It was installed without webhooks.
        Err(error) if error.is_not_found() => return Ok(()),
        other => other?,
    };
    let webhooks = found["webhooks"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate();
    let patch = webhooks
        .filter(|(_, of)| of["clientConfig"]["caBundle"] != *authority)
        .map(|(index, _)| {
            let path = format!("/webhooks/{index}/clientConfig/caBundle");
            json!({"op": "add", "path": path, "value": authority})
        });
    let patch: Value = patch.collect();
    if patch.as_array().is_some_and(|patch| !patch.is_empty()) {
        client.patch(&path, Patch::Json, &patch).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    /// AWS-LBC: the certificate is one that TLS takes.
    #[test]
    fn a_certificate_is_made() {
        let (authority, certificate, key) = super::make().unwrap();
        assert!(
            authority.contains("BEGIN CERTIFICATE") && certificate.contains("BEGIN CERTIFICATE")
        );
        assert!(key.contains("PRIVATE KEY"));
    }
}
