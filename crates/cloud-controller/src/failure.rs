//! Why a service has no load balancer.

use wire::error::ApiError;

/// Why a service's load balancer is not as it should be. The words stand in the service's events.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// AWS refuses a call.
    #[error("{doing}: operation error {operation}: api error {code}: {message}")]
    Refused {
        /// What was being done.
        doing: &'static str,
        /// The operation.
        operation: String,
        /// AWS's code.
        code: String,
        /// AWS's words.
        message: String,
    },
    /// The service can't be served like that.
    #[error("{0}")]
    Service(String),
    /// Another controller looks after the service.
    #[error("implemented by alternate to cloud providers")]
    Elsewhere,
    /// Kubernetes' API refuses.
    #[error("{0}")]
    Kubernetes(String),
}

impl Failure {
    /// The service asks for something that can't be.
    pub(crate) fn service(words: impl Into<String>) -> Self {
        Self::Service(words.into())
    }

    /// A refusal of AWS's.
    pub(crate) fn refused(doing: &'static str, operation: &str, error: ApiError) -> Self {
        Self::Refused {
            doing,
            operation: operation.to_owned(),
            code: error.code,
            message: error.message,
        }
    }

    /// AWS's code, if AWS refused.
    pub(crate) fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            _ => None,
        }
    }
}

impl From<kube::api::Status> for Failure {
    fn from(status: kube::api::Status) -> Self {
        Self::Kubernetes(status.message)
    }
}
