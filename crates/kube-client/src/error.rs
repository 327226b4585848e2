//! What a request can end in.

use serde_json::Value;

/// A request that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API refused: Kubernetes' own `Status`.
    #[error("{message}")]
    Refused {
        /// The HTTP status.
        code: u16,
        /// The reason, `NotFound`; empty where the answer was no `Status`.
        reason: String,
        /// What it said.
        message: String,
    },
    /// The API can't be reached, or went away.
    #[error("{0}")]
    Unreachable(String),
    /// The answer makes no sense.
    #[error("the API's answer can't be read: {0}")]
    Nonsense(String),
}

impl Error {
    pub(crate) fn refused(code: u16, body: &[u8]) -> Self {
        let status: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |field: &str| status[field].as_str().unwrap_or_default().to_owned();
        let message = match text("message") {
            said if said.is_empty() => format!("the API answered {code}"),
            said => said,
        };
        Self::Refused {
            code,
            reason: text("reason"),
            message,
        }
    }

    /// The HTTP status of a refusal.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Whether there is no such object.
    pub fn is_not_found(&self) -> bool {
        self.code() == Some(404)
    }

    /// Whether the object is there already, or has changed meanwhile.
    pub fn is_conflict(&self) -> bool {
        self.code() == Some(409)
    }

    /// Whether a watch began too far in the past.
    pub fn is_gone(&self) -> bool {
        self.code() == Some(410)
    }
}
