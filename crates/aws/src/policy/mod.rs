//! IAM's policy language: documents, and what they allow.
//!
//! A document is parsed once ([`Document`]); whether it lets a caller do something is a pure function of the
//! action, the resource and the keys of the request ([`evaluate`]).
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>

mod condition;
mod document;
mod evaluate;
mod pattern;
mod principal;
mod syntax;

pub use condition::{Condition, Keys};
pub use document::{Document, Effect, Kind, Malformed, Scope, Statement};
pub use evaluate::{Asked, Decision, admits, admits_by_name, evaluate};
pub use principal::{Identity, Principal, Principals};
