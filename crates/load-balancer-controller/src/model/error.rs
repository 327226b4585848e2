//! Why there is no model.

/// What an ingress or service asks for can't be. The words stand in its events.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BuildError(String);

impl BuildError {
    /// With words.
    pub fn new(words: impl Into<String>) -> Self {
        Self(words.into())
    }

    /// With what it is about before it.
    pub fn about(self, what: &str) -> Self {
        Self(format!("{what}: {}", self.0))
    }
}
