//! The instance role's keys, from the metadata service, asked for again before they end.
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html>

use crate::imds::{Imds, ImdsError};
use serde::Deserialize;
use std::sync::{Arc, Mutex, PoisonError};
use wire::Timestamp;

const PATH: &str = "iam/security-credentials/";
/// Keys are asked for again so long before they end, in seconds.
const EARLY: i64 = 300;

/// Keys with the token that says which session they are of.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Credentials {
    pub(super) access_key_id: String,
    pub(super) secret_access_key: String,
    pub(super) token: String,
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
pub(super) struct Keys {
    imds: Arc<Imds>,
    known: Mutex<Option<Credentials>>,
}

impl Credentials {
    fn lives(&self, now: i64) -> bool {
        Timestamp::parse(&self.expiration).is_some_and(|end| end.0 > now + EARLY)
    }
}

impl Keys {
    pub(super) fn new(imds: Arc<Imds>) -> Self {
        Self {
            imds,
            known: Mutex::new(None),
        }
    }

    pub(super) async fn current(&self, now: i64) -> Result<Credentials, CredentialsError> {
        let known = self.lock().clone();
        if let Some(known) = known.filter(|known| known.lives(now)) {
            return Ok(known);
        }
        let roles = self.imds.text(PATH).await?.unwrap_or_default();
        let role = roles.lines().next().map(str::trim).unwrap_or_default();
        if role.is_empty() {
            return Err(CredentialsError::NoRole);
        }
        let text = self.imds.text(&format!("{PATH}{role}")).await?;
        let text = text.ok_or(CredentialsError::NoRole)?;
        let fresh: Credentials = serde_json::from_str(&text)
            .map_err(|error| CredentialsError::Nonsense(error.to_string()))?;
        *self.lock() = Some(fresh.clone());
        Ok(fresh)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Credentials>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
