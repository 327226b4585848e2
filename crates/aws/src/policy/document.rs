//! A policy document, parsed.

use super::syntax;
use super::{Condition, Keys, Principals, pattern};
use std::str::FromStr;

/// What a document is attached to, which decides what it must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// To an identity: resources and no principals.
    Identity,
    /// To a role, saying who may take it: principals and no resources.
    Trust,
}

/// A policy document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its statements.
    pub statements: Vec<Statement>,
}

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Whether it allows or denies.
    pub effect: Effect,
    /// Whom it is about, in a trust policy.
    pub principals: Option<Principals>,
    /// The actions.
    pub actions: Scope,
    /// The resources, but in a trust policy.
    pub resources: Option<Scope>,
    /// All must be met.
    pub conditions: Vec<Condition>,
}

/// What a statement does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It allows.
    Allow,
    /// It denies, whatever else allows.
    Deny,
}

/// Patterns of actions or resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// `Action`, `Resource`.
    Only(Vec<String>),
    /// `NotAction`, `NotResource`.
    AllBut(Vec<String>),
}

/// Why a text is no policy document, in IAM's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

impl Scope {
    pub(super) fn covers(&self, is: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::Only(patterns) => patterns.iter().any(|pattern| is(pattern)),
            Self::AllBut(patterns) => !patterns.iter().any(|pattern| is(pattern)),
        }
    }
}

impl Statement {
    /// Whether it is about an action on a resource.
    pub(super) fn concerns(&self, action: &str, resource: &str, keys: &Keys) -> bool {
        self.actions
            .covers(|pattern| pattern::action(pattern, action))
            && self.resources.as_ref().is_none_or(|resources| {
                resources.covers(|pattern| pattern::arn(pattern, resource, keys))
            })
            && self
                .conditions
                .iter()
                .all(|condition| condition.holds(keys))
    }
}

impl Document {
    /// Reads a document of a kind.
    ///
    /// # Errors
    /// It isn't one, in IAM's words.
    pub fn parse(text: &str, kind: Kind) -> Result<Self, Malformed> {
        syntax::document(text, kind)
    }
}

impl FromStr for Effect {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "Allow" => Ok(Self::Allow),
            "Deny" => Ok(Self::Deny),
            _ => Err(()),
        }
    }
}
