//! The lab's own keys: made once a state, kept in it, and the only ones it answers to.

use crate::paths::StateDir;
use crate::{entropy, private_file};
use serde::{Deserialize, Serialize};
use std::io;

const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const SECRET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const TOKEN: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// Keys and tokens.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// The AWS access key's id.
    pub aws_access_key_id: String,
    /// The AWS access key's secret.
    pub aws_secret_access_key: String,
    /// The password of the SOCKS5 proxy's user `skylab`.
    pub socks_token: String,
    /// What a reader of the lab's metrics shows.
    #[serde(default)]
    pub metrics_token: String,
}

/// Why the keys can't be had.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The file can't be read or written.
    #[error("the lab's keys ({path}): {source}")]
    File {
        /// The file.
        path: String,
        /// What the kernel says.
        source: io::Error,
    },
    /// The file is not what was written.
    #[error("the lab's keys ({path}) are damaged: {source}; `skylab reset` makes new ones")]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

impl Credentials {
    /// The keys of a state, if it has any.
    ///
    /// # Errors
    /// The file can't be read or is damaged.
    pub fn load(state: &StateDir) -> Result<Option<Self>, CredentialsError> {
        let path = state.credentials();
        let shown = path.display().to_string();
        let contents = private_file::read(&path).map_err(|source| CredentialsError::File {
            path: shown.clone(),
            source,
        })?;
        contents
            .map(|contents| serde_json::from_slice(&contents))
            .transpose()
            .map_err(|source| CredentialsError::Damaged {
                path: shown,
                source,
            })
    }

    /// The keys of a state; made when it has none.
    ///
    /// # Errors
    /// The file can't be read or written, or is damaged.
    pub fn load_or_make(state: &StateDir) -> Result<Self, CredentialsError> {
        let path = state.credentials();
        let stored = Self::load(state)?;
        if let Some(credentials) = &stored
            && !credentials.metrics_token.is_empty()
        {
            return Ok(credentials.clone());
        }
        let write = || -> io::Result<Self> {
            let fresh = Self::generate()?;
            let made = match stored.clone() {
                // An older version made the others.
                Some(stored) => Self {
                    metrics_token: fresh.metrics_token,
                    ..stored
                },
                None => fresh,
            };
            private_file::write(&path, &serde_json::to_vec_pretty(&made)?)?;
            Ok(made)
        };
        write().map_err(|source| CredentialsError::File {
            path: path.display().to_string(),
            source,
        })
    }

    fn generate() -> io::Result<Self> {
        Ok(Self {
            aws_access_key_id: format!("AKIA{}", entropy::text::<16>(UPPER)?),
            aws_secret_access_key: entropy::text::<40>(SECRET)?,
            socks_token: entropy::text::<32>(TOKEN)?,
            metrics_token: entropy::text::<32>(TOKEN)?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// OPS-SAFE: keys are the lab's own, readable by their user only, and stay.
    #[test]
    fn made_once_and_private() {
        let root = std::env::temp_dir().join(format!("skylab-keys-{}", std::process::id()));
        let state = StateDir::choose(Some(&root)).unwrap();
        state.create().unwrap();
        let first = Credentials::load_or_make(&state).unwrap();
        assert!(first.aws_access_key_id.starts_with("AKIA") && first.aws_access_key_id.len() == 20);
        assert_eq!(first.aws_secret_access_key.len(), 40);
        assert!(first == Credentials::load_or_make(&state).unwrap());
        let mode = state.credentials().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let mut older = serde_json::to_value(&first).unwrap();
        older.as_object_mut().unwrap().remove("metrics_token");
        std::fs::write(state.credentials(), older.to_string()).unwrap();
        let completed = Credentials::load_or_make(&state).unwrap();
        assert_eq!(completed.socks_token, first.socks_token);
        assert_eq!(completed.metrics_token.len(), 32);
        std::fs::remove_dir_all(&root).unwrap();
    }
}
