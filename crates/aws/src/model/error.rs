//! How AWS says no.

use std::fmt;

/// A refusal: AWS's error code and a message. Nothing was changed.
///
/// Codes are those of
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>; each resource's
/// file has the constructors of its own refusals, so that a code stands in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The code, such as `InvalidVpcID.NotFound`.
    pub code: &'static str,
    /// The message, in AWS's words where they are known.
    pub message: String,
}

impl Refusal {
    /// A refusal.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// A parameter's value that can't be.
    pub fn invalid_value(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterValue", message)
    }

    /// Parameters that can't be together.
    pub fn invalid_combination(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterCombination", message)
    }

    /// A parameter that is missing here.
    pub fn missing(parameter: &str) -> Self {
        Self::new(
            "MissingParameter",
            format!("The request must contain the parameter {parameter}"),
        )
    }

    /// Something else depends on what was to go.
    pub fn dependency(what: &str, id: &dyn fmt::Display) -> Self {
        Self::new(
            "DependencyViolation",
            format!("The {what} '{id}' has dependencies and cannot be deleted."),
        )
    }

    /// AWS has it, Skylab doesn't.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new("UnsupportedOperation", message)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Refusal {}
