//! Certificates of AWS Certificate Manager.
//!
//! Imported ones are issued at once; those that are asked for wait until somebody shows that the name is theirs.
//! <https://docs.aws.amazon.com/acm/latest/userguide/acm-overview.html>

mod import;
mod pem;
mod request;
pub mod tags;
mod x509;

pub use import::{NewImport, import};
pub use request::{NewRequest, Validation, request};
pub use x509::{KeyAlgorithm, X509};

use super::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A certificate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Certificate {
    /// Its ARN.
    pub arn: String,
    /// The region.
    pub region: String,
    /// Its name.
    pub domain: String,
    /// All its names, its own first.
    pub names: Vec<String>,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// Where it comes from.
    pub origin: Origin,
    /// The certificate itself, once there is one.
    pub issued: Option<Issued>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// Where a certificate comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Origin {
    /// The user brought it, at this time last.
    Imported(i64),
    /// The user asked for it.
    Requested {
        /// How the names are to be shown to be the user's.
        validation: Validation,
        /// The algorithm of its key.
        key: KeyAlgorithm,
        /// Whether certificate transparency logs have it.
        logged: bool,
    },
}

/// A certificate with its key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Issued {
    /// The certificate, in PEM.
    pub body: String,
    /// Its issuers' certificates, in PEM.
    pub chain: Option<String>,
    /// Its private key, in PEM.
    pub private_key: String,
    /// What it says.
    pub x509: X509,
}

/// ACM's word for a value that can't be.
pub(crate) fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("ValidationException", message)
}

fn prefix(region: &str, account: &str) -> String {
    format!("arn:aws:acm:{region}:{account}:certificate/")
}

/// A new ARN.
fn fresh_arn(state: &mut State, region: &str) -> String {
    let uuid = auto_scaling::uuid(state);
    format!("{}{uuid}", prefix(region, &state.settings.account))
}

/// The certificate of an ARN in the region asked.
///
/// # Errors
/// `ResourceNotFoundException`, `InvalidArnException`.
pub fn find<'s>(
    state: &'s State,
    context: &Context,
    arn: &str,
) -> Result<&'s Certificate, Refusal> {
    if !arn.starts_with("arn:aws:acm:") || !arn.contains(":certificate/") {
        return Err(Refusal::new(
            "InvalidArnException",
            format!("Value '{arn}' is not a valid certificate ARN"),
        ));
    }
    let found = state.certificates.get(arn).map(Arc::as_ref);
    found
        .filter(|certificate| certificate.region == context.region)
        .ok_or_else(|| {
            Refusal::new(
                "ResourceNotFoundException",
                format!(
                    "Could not find certificate {arn} in account {}.",
                    state.settings.account
                ),
            )
        })
}

/// The certificate of an ARN as load balancing sees it.
///
/// # Errors
/// `CertificateNotFound`, `UnsupportedCertificate` for one that isn't issued.
pub(crate) fn usable<'s>(
    state: &'s State,
    context: &Context,
    arn: &str,
) -> Result<&'s Issued, Refusal> {
    let certificate = find(state, context, arn).map_err(|_| {
        Refusal::new(
            "CertificateNotFound",
            format!("Certificate '{arn}' not found"),
        )
    })?;
    certificate.issued.as_ref().ok_or_else(|| {
        Refusal::new(
            "UnsupportedCertificate",
            format!(
                "The certificate '{arn}' must have a fully-qualified domain name, a supported signature, and a supported key size."
            ),
        )
    })
}

/// The balancers that use a certificate.
pub fn users(state: &State, arn: &str) -> Vec<String> {
    let uses = |certificates: &[String]| certificates.iter().any(|of| of == arn);
    let newer = state
        .listeners
        .values()
        .filter(|listener| uses(&listener.certificates))
        .map(|listener| listener.balancer.clone());
    let classic = state
        .classic_load_balancers
        .values()
        .filter(|balancer| {
            let mut certificates = balancer.listeners.values();
            certificates.any(|listener| listener.certificate.as_deref() == Some(arn))
        })
        .map(|balancer| {
            let (region, account) = (&balancer.region, &state.settings.account);
            let name = &balancer.name;
            format!("arn:aws:elasticloadbalancing:{region}:{account}:loadbalancer/{name}")
        });
    let mut users: Vec<String> = newer.chain(classic).collect();
    users.sort();
    users.dedup();
    users
}

/// Deletes a certificate.
///
/// # Errors
/// `ResourceNotFoundException`, `ResourceInUseException` while a balancer uses it.
pub fn delete(state: &mut State, context: &Context, arn: &str) -> Result<(), Refusal> {
    find(state, context, arn)?;
    if !users(state, arn).is_empty() {
        return Err(Refusal::new(
            "ResourceInUseException",
            format!(
                "Certificate {arn} in account {} is in use.",
                state.settings.account
            ),
        ));
    }
    state.certificates.remove(arn);
    Ok(())
}

/// A word that is always the same for the same things.
fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    format!("{:x}", hash.finalize())[..32].to_owned()
}

/// The record that shows a name to be the user's: its name and what it points to.
pub fn validation_record(certificate: &Certificate, name: &str) -> (String, String) {
    let name = name.strip_prefix("*.").unwrap_or(name);
    let account = certificate.arn.split(':').nth(4).unwrap_or_default();
    let (left, right) = (
        digest(&["name", account, name]),
        digest(&["value", account, name]),
    );
    (
        format!("_{left}.{name}."),
        format!("_{right}.acm-validations.aws."),
    )
}
