//! The issuers of tokens inside the lab, clusters above all, and the keys that they publish.
//!
//! AWS would fetch an issuer's keys from its address on the internet; the lab's issuers are in this process.

use aws::identity::{Issuers, Jwk};
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

/// Issuers, by their address (`https://…`), and their keys.
#[derive(Debug, Default)]
pub struct IssuerBook {
    keys: RwLock<HashMap<String, Vec<Jwk>>>,
}

impl IssuerBook {
    /// Makes an issuer's keys known, in the place of those that it had.
    pub fn publish(&self, issuer: &str, keys: Vec<Jwk>) {
        let mut all = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(issuer.to_owned(), keys);
    }

    /// Forgets an issuer.
    pub fn withdraw(&self, issuer: &str) {
        let mut all = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        all.remove(issuer);
    }
}

impl Issuers for IssuerBook {
    fn keys(&self, issuer: &str) -> Option<Vec<Jwk>> {
        let all = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        all.get(issuer).cloned()
    }
}
