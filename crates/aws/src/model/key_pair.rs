//! Key pairs.

use super::*;
use serde::{Deserialize, Serialize};

/// A key pair's public half.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyPair {
    /// Its id.
    pub id: KeyPairId,
    /// The region.
    pub region: String,
    /// Its name, unique in the region.
    pub name: String,
    /// `rsa` or `ed25519`.
    pub kind: String,
    /// The fingerprint as AWS shows it.
    pub fingerprint: String,
    /// The public key in OpenSSH's form.
    pub public_key: String,
    /// When it was made, in seconds since 1970.
    pub created: i64,
}
