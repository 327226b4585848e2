//! Identity and Access Management: who may do what in the account. It is the same in all regions.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/introduction.html>
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/welcome.html>

pub mod access_key;
pub mod grants;
pub mod instance_profile;
mod managed;
mod name;
pub mod oidc_provider;
pub mod policy;
pub mod role;
pub mod service_linked;
pub mod tags;
pub mod user;

pub use access_key::AccessKey;
pub use grants::{Grants, Holder};
pub use instance_profile::InstanceProfile;
pub use managed::catalogue;
pub use name::Path;
pub use oidc_provider::OidcProvider;
pub use policy::{Policy, Version};
pub use role::Role;
pub use user::User;

use super::*;
use crate::policy as language;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A resource's tags.
pub type Tags = BTreeMap<String, String>;

/// What names are found by: IAM's names are unique without regard to case.
pub(crate) fn key(name: &str) -> String {
    name.to_lowercase()
}

/// The letters of ids and of keys' ids.
const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Bytes as letters of an id, five bits each.
pub(crate) fn letters(bytes: &[u8], count: usize) -> String {
    let letter = |byte: &u8| char::from(LETTERS[usize::from(byte % 32)]);
    bytes.iter().take(count).map(letter).collect()
}

/// A new unique id: a prefix of four letters that tells the kind, and seventeen more.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids>
fn unique_id(state: &mut State, prefix: &str) -> String {
    format!("{prefix}{}", letters(&state.bytes(), 17))
}

/// The ARN of something in the account: `kind` is `role`, `user`, ….
fn arn(account: &str, kind: &str, path: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:{kind}{path}{name}")
}

/// IAM's word for what is not there.
fn missing(message: impl Into<String>) -> Refusal {
    Refusal::new("NoSuchEntity", message)
}

/// IAM's word for what is there already.
fn taken(message: impl Into<String>) -> Refusal {
    Refusal::new("EntityAlreadyExists", message)
}

/// IAM's word for what something else holds.
fn held(message: impl Into<String>) -> Refusal {
    Refusal::new("DeleteConflict", message)
}

/// IAM's word for too many.
fn exceeded(quota: &str, limit: usize) -> Refusal {
    Refusal::new(
        "LimitExceeded",
        format!("Cannot exceed quota for {quota}: {limit}"),
    )
}

/// IAM's word for a value that can't be.
pub(crate) fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("ValidationError", message)
}

/// Reads a document of a kind, without keeping what was read.
fn check_document(text: &str, kind: language::Kind) -> Result<(), Refusal> {
    let parsed = language::Document::parse(text, kind);
    parsed
        .map(|_| ())
        .map_err(|malformed| Refusal::new("MalformedPolicyDocument", malformed.0))
}

/// A document's length as quotas count it: without white space.
fn length(document: &str) -> usize {
    document.chars().filter(|of| !of.is_whitespace()).count()
}
