//! What can be wrong with a template.

/// Why CloudFormation doesn't take a template or its parameters. The message is AWS's, as far as its words
/// are known; its code is `ValidationError`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It is neither JSON nor YAML, or not of a template's form.
    #[error("Template format error: {0}")]
    Format(String),
    /// A function is used as it can't be.
    #[error("Template error: {0}")]
    Function(String),
    /// Resources need each other in a ring.
    #[error("Circular dependency between resources: [{0}]")]
    Circle(String),
    /// A parameter's value, or that there is none.
    #[error("{0}")]
    Parameter(String),
    /// What Skylab doesn't have.
    #[error("{0} is not implemented by Skylab")]
    Unsupported(String),
}

impl TemplateError {
    pub(crate) fn format(message: impl Into<String>) -> Self {
        Self::Format(message.into())
    }

    pub(crate) fn function(message: impl Into<String>) -> Self {
        Self::Function(message.into())
    }
}
