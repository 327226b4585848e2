//! The lab's certificate authority: it vouches, inside the lab, for the clouds' own names.
//!
//! Its certificate is constrained to those names (RFC 5280, 4.2.1.10), so that even somebody who
//! trusted it on the whole machine could not be shown anything else with it.

use crate::paths::StateDir;
use crate::private_file;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints,
};
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// The names it may vouch for: these and all below them.
const DOMAINS: [&str; 1] = ["amazonaws.com"];

/// Where distributions keep the bundle of certificates that programs trust.
const SYSTEM_BUNDLES: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];

/// Why the authority can't be had.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A file can't be read or written.
    #[error("the lab's certificate authority: {0}")]
    File(#[from] io::Error),
    /// The key or certificate is damaged, or can't be made.
    #[error("the lab's certificate authority: {0}; `skylab reset` makes a new one")]
    Certificate(#[from] rcgen::Error),
    /// The TLS library refuses the key.
    #[error("the lab's certificate authority: {0}")]
    Tls(#[from] rustls::Error),
}

/// A certificate authority with the certificates it has issued so far.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
    /// One key serves all names; they are all this process.
    key: KeyPair,
    issued: Mutex<HashMap<String, Arc<CertifiedKey>>>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authority")
    }
}

impl Authority {
    /// The state's authority; made when it has none.
    ///
    /// # Errors
    /// Its files can't be read or written, or are damaged.
    pub fn load_or_make(state: &StateDir) -> Result<Self, AuthorityError> {
        let (key_path, certificate_path) = (state.authority_key(), state.authority_certificate());
        let stored = (
            private_file::read(&key_path)?,
            private_file::read(&certificate_path)?,
        );
        let (key, certificate) = match stored {
            (Some(key), Some(certificate)) => (text(key)?, text(certificate)?),
            _ => {
                let key = KeyPair::generate()?;
                let certificate = authority_params().self_signed(&key)?.pem();
                let key = key.serialize_pem();
                private_file::write(&key_path, key.as_bytes())?;
                private_file::write(&certificate_path, certificate.as_bytes())?;
                (key, certificate)
            }
        };
        Ok(Self {
            issuer: Issuer::new(authority_params(), KeyPair::from_pem(&key)?),
            certificate,
            key: KeyPair::generate()?,
            issued: Mutex::default(),
        })
    }

    /// The authority's certificate, in PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// The machine's own bundle of trusted certificates with the lab's added, for guests.
    pub fn bundle(&self) -> String {
        let system = SYSTEM_BUNDLES
            .iter()
            .find_map(|path| std::fs::read_to_string(Path::new(path)).ok())
            .unwrap_or_default();
        format!("{system}\n{}", self.certificate)
    }

    /// A certificate for one name; `None` when the name is not one of a cloud's.
    ///
    /// # Errors
    /// It can't be made.
    pub fn issue(&self, name: &str) -> Result<Option<Arc<CertifiedKey>>, AuthorityError> {
        let name = name.to_ascii_lowercase();
        if !vouches_for(&name) {
            return Ok(None);
        }
        let mut issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = issued.get(&name) {
            return Ok(Some(known.clone()));
        }
        let mut params = CertificateParams::new(vec![name.clone()])?;
        params.distinguished_name = named(&name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&self.key, &self.issuer)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        let signing = ring::sign::any_supported_type(&key)?;
        let certified = Arc::new(CertifiedKey::new(vec![certificate.der().clone()], signing));
        issued.insert(name, certified.clone());
        Ok(Some(certified))
    }
}

impl ResolvesServerCert for Authority {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name()?;
        self.issue(name).unwrap_or_else(|error| {
            tracing::error!(name, %error, "no certificate");
            None
        })
    }
}

fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(io::Error::other)
}

fn vouches_for(name: &str) -> bool {
    // Few names are served; a bound on their length bounds what is kept.
    name.len() <= 253
        && DOMAINS.iter().any(|domain| {
            name.strip_suffix(domain)
                .is_some_and(|rest| rest.ends_with('.'))
        })
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    // A common name holds 64 characters (RFC 5280, ub-common-name).
    distinguished.push(
        DnType::CommonName,
        name.chars().take(64).collect::<String>(),
    );
    distinguished
}

fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named("Skylab lab authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: DOMAINS
            .iter()
            .map(|domain| GeneralSubtree::DnsName((*domain).to_owned()))
            .collect(),
        excluded_subtrees: Vec::new(),
    });
    params
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// OPS-SAFE: the key is private, the authority stays, and vouches for the clouds' names only.
    #[test]
    fn vouches_for_the_clouds_names_only() {
        let root = std::env::temp_dir().join(format!("skylab-ca-{}", std::process::id()));
        let state = StateDir::choose(Some(&root)).unwrap();
        state.create().unwrap();
        let authority = Authority::load_or_make(&state).unwrap();
        let mode = state
            .authority_key()
            .metadata()
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let name = "ec2.us-west-2.amazonaws.com";
        assert!(authority.issue(name).unwrap().is_some());
        assert!(authority.issue("example.com").unwrap().is_none());
        assert!(authority.issue("evilamazonaws.com").unwrap().is_none());
        let again = Authority::load_or_make(&state).unwrap();
        assert_eq!(authority.certificate(), again.certificate());
        assert!(again.bundle().contains(again.certificate()));
        std::fs::remove_dir_all(&root).unwrap();
    }
}
