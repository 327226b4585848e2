//! The instance role's keys, from the metadata service, asked for again before they end.
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html>

use crate::credentials::{Credentials, EARLY};
use crate::imds::{Imds, ImdsError};
use serde::Deserialize;
use std::sync::{Arc, Mutex, PoisonError};
use wire::Timestamp;

const PATH: &str = "iam/security-credentials/";

/// What the service tells of keys.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Told {
    access_key_id: String,
    secret_access_key: String,
    token: String,
    expiration: String,
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The metadata service doesn't answer.
    #[error(transparent)]
    Imds(#[from] ImdsError),
    /// The instance has no role.
    #[error("no EC2 IMDS role found")]
    NoRole,
    /// The service answered something else.
    #[error("failed to decode EC2 IMDS role credentials: {0}")]
    Nonsense(String),
}

/// The role's keys, as long as they live.
#[derive(Debug)]
pub struct Keys {
    imds: Arc<Imds>,
    known: Mutex<Option<Credentials>>,
}

impl Keys {
    /// The keys of the instance whose service it is.
    pub fn new(imds: Arc<Imds>) -> Self {
        Self {
            imds,
            known: Mutex::new(None),
        }
    }

    /// Keys that are good at a moment.
    ///
    /// # Errors
    /// As [`CredentialsError`] says.
    pub async fn current(&self, now: i64) -> Result<Credentials, CredentialsError> {
        let known = self.lock().clone();
        if let Some(known) = known.filter(|known| known.ends > now + EARLY) {
            return Ok(known);
        }
        let roles = self.imds.text(PATH).await?.unwrap_or_default();
        let role = roles.lines().next().map(str::trim).unwrap_or_default();
        if role.is_empty() {
            return Err(CredentialsError::NoRole);
        }
        let text = self.imds.text(&format!("{PATH}{role}")).await?;
        let text = text.ok_or(CredentialsError::NoRole)?;
        let told: Told = serde_json::from_str(&text)
            .map_err(|error| CredentialsError::Nonsense(error.to_string()))?;
        let fresh = Credentials {
            access_key_id: told.access_key_id,
            secret_access_key: told.secret_access_key,
            token: told.token,
            ends: Timestamp::parse(&told.expiration).map_or(now, |end| end.0),
        };
        *self.lock() = Some(fresh.clone());
        Ok(fresh)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Credentials>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
