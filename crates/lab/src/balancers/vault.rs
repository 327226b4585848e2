//! Keys and secrets of balancers.

use crate::cloud::Cloud;
use crate::private_file;
use balancer::means::{SigningKey, Vault};
use fabric::{BalancerId, CertificateId};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// What the lab's balancers have of their own: the key that signs what members are told of users. All
/// cookies' keys are derived from it.
pub(crate) struct Secrets {
    pkcs8: Vec<u8>,
    public: String,
}

impl Secrets {
    /// The state's; made when it has none.
    ///
    /// # Errors
    /// The file can't be read or written, or holds no key.
    pub(crate) fn load_or_make(path: &Path) -> io::Result<Self> {
        let key = match private_file::read(path)? {
            Some(stored) => rcgen::KeyPair::try_from(stored.as_slice()),
            None => {
                let made = rcgen::KeyPair::generate().map_err(io::Error::other)?;
                private_file::write(path, made.serialized_der())?;
                Ok(made)
            }
        };
        let key = key.map_err(io::Error::other)?;
        Ok(Self {
            pkcs8: key.serialized_der().to_vec(),
            public: key.public_key_pem(),
        })
    }

    /// The signing key's id, in the form of AWS's.
    fn id(&self) -> String {
        let hex = hex(&Sha256::digest(self.public.as_bytes())[..16]);
        let at = |from, to| hex.get(from..to).unwrap_or_default();
        let parts = [at(0, 8), at(8, 12), at(12, 16), at(16, 20), at(20, 32)];
        parts.join("-")
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What one balancer may see.
pub(super) struct OfBalancer {
    pub(super) cloud: Cloud,
    pub(super) secrets: Arc<Secrets>,
    pub(super) balancer: BalancerId,
}

impl Vault for OfBalancer {
    fn certificate(&self, id: &CertificateId) -> Option<Arc<CertifiedKey>> {
        let snapshot = self.cloud.snapshot();
        let found = snapshot.state.certificates.get(id.as_str())?;
        let issued = found.issued.as_ref()?;
        let chain = issued.chain.as_deref().unwrap_or_default();
        let mut certificates = Vec::new();
        for text in [issued.body.as_str(), chain] {
            let parsed = CertificateDer::pem_slice_iter(text.as_bytes());
            certificates.extend(parsed.filter_map(Result::ok));
        }
        let key = PrivateKeyDer::from_pem_slice(issued.private_key.as_bytes()).ok()?;
        let key = any_supported_type(&key).ok()?;
        Some(Arc::new(CertifiedKey::new(certificates, key)))
    }

    fn secret(&self, name: &str) -> Option<String> {
        let snapshot = self.cloud.snapshot();
        aws::compile::load_balancer::secret(&snapshot.state, name).map(str::to_owned)
    }

    fn cookie_key(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update(b"cookies of a balancer\0");
        digest.update(&self.secrets.pkcs8);
        digest.update(self.balancer.as_str());
        digest.finalize().into()
    }

    fn signing_key(&self) -> Option<SigningKey> {
        Some(SigningKey {
            id: self.secrets.id(),
            pkcs8: self.secrets.pkcs8.clone(),
        })
    }
}
