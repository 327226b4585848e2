//! What goes wrong.

use wire::error::ApiError;

/// Why a command did not do what it was to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A service of AWS refuses.
    #[error("{operation}: {error}")]
    Aws {
        /// The operation.
        operation: String,
        /// Its error.
        error: ApiError,
    },
    /// Kubernetes' API refuses or can't be reached.
    #[error("Kubernetes: {0}")]
    Kubernetes(String),
    /// What is asked for can't be.
    #[error("{0}")]
    Invalid(String),
    /// A stack ended otherwise than it should.
    #[error("waiting for CloudFormation stack {stack:?}: it is {status}: {reason}")]
    Stack {
        /// Its name.
        stack: String,
        /// Its status.
        status: String,
        /// The first thing that failed.
        reason: String,
    },
    /// Something took too long.
    #[error("timed out waiting for {0}")]
    TimedOut(String),
    /// A file can't be read or written.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: String,
        /// What the system says.
        error: std::io::Error,
    },
}

impl Error {
    /// AWS's code, if AWS refuses.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Aws { error, .. } => Some(&error.code),
            _ => None,
        }
    }
}
