//! Names and paths.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html#reference_iam-quotas-names>

use super::invalid;
use crate::model::Refusal;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A path: `/` or `/division/team/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Path(String);

impl Path {
    /// The path of a request; `/` if it gives none.
    ///
    /// # Errors
    /// `ValidationError`.
    pub fn read(text: Option<String>) -> Result<Self, Refusal> {
        let text = text.unwrap_or_else(|| "/".to_owned());
        let letters = text.bytes().all(|byte| (0x21..0x7f).contains(&byte));
        if letters && text.len() <= 512 && text.starts_with('/') && text.ends_with('/') {
            return Ok(Self(text));
        }
        Err(invalid(
            "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.",
        ))
    }

    /// A path of AWS's own, which is known to be one.
    pub(super) fn of_aws(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Checks a name; `what` is its member in the request: `roleName`.
///
/// # Errors
/// `ValidationError`.
pub(super) fn check(name: &str, what: &str, most: usize) -> Result<(), Refusal> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte);
    if name.is_empty() || !name.bytes().all(fits) {
        return Err(invalid(format!(
            "The specified value for {what} is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-"
        )));
    }
    if name.len() > most {
        return Err(invalid(format!(
            "1 validation error detected: Value '{name}' at '{what}' failed to satisfy constraint: Member must have length less than or equal to {most}"
        )));
    }
    Ok(())
}
