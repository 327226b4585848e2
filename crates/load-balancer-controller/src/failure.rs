//! Why something is not as it should be.

use crate::model::BuildError;
use wire::error::ApiError;

/// Why something is not as it should be. The words stand in events.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// AWS refuses a call.
    #[error("operation error {service}: {operation}, api error {}: {}", .error.code, .error.message)]
    Aws {
        /// The service.
        service: &'static str,
        /// The operation.
        operation: String,
        /// What AWS says.
        error: ApiError,
    },
    /// Kubernetes' API refuses.
    #[error(transparent)]
    Kubernetes(#[from] kube_client::Error),
    /// What is asked for can't be.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// It can't be done.
    #[error("{0}")]
    Other(String),
    /// It takes time: it is looked at again soon, and nobody is told.
    #[error("{0}")]
    Waiting(String),
}

impl Failure {
    /// AWS's code, if AWS refused.
    pub(crate) fn code(&self) -> Option<&str> {
        match self {
            Self::Aws { error, .. } => Some(&error.code),
            _ => None,
        }
    }

    /// Whether somebody else changed the object meanwhile; it is simply looked at again.
    pub(crate) fn is_conflict(&self) -> bool {
        matches!(self, Self::Kubernetes(error) if error.is_conflict())
    }
}
