//! Certificates of a cluster: who has one, and who gets one.
//!
//! A client's certificate says who they are: its common name is the user, its organizations are the groups
//! (<https://kubernetes.io/docs/reference/access-authn-authz/authentication/#x509-client-certificates>).
//! Certificates are written here and not by rcgen, because a name may hold many organizations and a signer
//! has to take over a request's name as it is. Authorities have ECDSA keys on P-256.

mod authority;
mod der;
mod holder;
mod name;
mod request;
pub mod signer;

pub use authority::{Authority, AuthorityError, Issued, Profile, Usage};
pub(crate) use holder::Holder;
pub use name::{Subject, subject_of};
pub use request::{AlternativeName, Request, RequestError};

#[cfg(test)]
pub(crate) use authority::tests;

/// The contents of a PEM text's first section with this label.
pub(crate) fn pem(text: &str, label: &str) -> Option<Vec<u8>> {
    use base64::Engine;
    let begin = format!("-----BEGIN {label}-----");
    let end = format!("-----END {label}-----");
    let (_, rest) = text.split_once(&begin)?;
    let (body, _) = rest.split_once(&end)?;
    let body: String = body.split_whitespace().collect();
    base64::engine::general_purpose::STANDARD.decode(body).ok()
}

/// As PEM.
pub(crate) fn to_pem(label: &str, contents: &[u8]) -> String {
    use base64::Engine;
    let encoded = base64::engine::general_purpose::STANDARD.encode(contents);
    let mut text = format!("-----BEGIN {label}-----\n");
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}
