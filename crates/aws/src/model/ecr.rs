//! Repositories of Elastic Container Registry.
//!
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/Repositories.html>

use super::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A repository.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Repository {
    /// The region.
    pub region: String,
    /// Its name.
    pub name: String,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// Whether a tag may be moved to another image.
    pub mutable_tags: bool,
    /// Whether images are to be scanned when they come.
    pub scan_on_push: bool,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// The name of a registry's host.
pub fn registry(account: &str, region: &str) -> String {
    format!("{account}.dkr.ecr.{region}.amazonaws.com")
}

impl Repository {
    /// Its ARN.
    pub fn arn(&self, account: &str) -> String {
        let (region, name) = (&self.region, &self.name);
        format!("arn:aws:ecr:{region}:{account}:repository/{name}")
    }

    /// What images in it are named by, but for their tag.
    pub fn uri(&self, account: &str) -> String {
        format!("{}/{}", registry(account, &self.region), self.name)
    }
}

fn key(region: &str, name: &str) -> String {
    format!("{region}/{name}")
}

/// The repository of a name in the region asked.
///
/// # Errors
/// `RepositoryNotFoundException`.
pub fn find<'s>(
    state: &'s State,
    context: &Context,
    name: &str,
) -> Result<&'s Repository, Refusal> {
    let found = state.ecr_repositories.get(&key(&context.region, name));
    found.map(Arc::as_ref).ok_or_else(|| {
        let account = &state.settings.account;
        Refusal::new(
            "RepositoryNotFoundException",
            format!(
                "The repository with name '{name}' does not exist in the registry with id '{account}'"
            ),
        )
    })
}

/// The repository of an ARN in the region asked.
///
/// # Errors
/// `RepositoryNotFoundException`, `InvalidParameterException`.
pub fn by_arn<'s>(
    state: &'s State,
    context: &Context,
    arn: &str,
) -> Result<&'s Repository, Refusal> {
    let name = arn.split_once(":repository/").map(|(_, name)| name);
    let name = name.filter(|_| arn.starts_with("arn:aws:ecr:"));
    let name = name.ok_or_else(|| {
        Refusal::new(
            "InvalidParameterException",
            format!("Invalid parameter at 'resourceArn' failed to satisfy constraint: 'Invalid ARN': {arn}"),
        )
    })?;
    find(state, context, name)
}

/// Changes a repository's tags.
///
/// # Errors
/// As [`by_arn`].
pub fn change_tags(
    state: &mut State,
    context: &Context,
    arn: &str,
    change: impl FnOnce(&mut BTreeMap<String, String>),
) -> Result<(), Refusal> {
    let mut repository = by_arn(state, context, arn)?.clone();
    change(&mut repository.tags);
    let key = key(&repository.region, &repository.name);
    state.ecr_repositories.insert(key, Arc::new(repository));
    Ok(())
}

/// Makes a repository.
///
/// # Errors
/// `RepositoryAlreadyExistsException`, `InvalidParameterException`.
pub fn create(state: &mut State, new: Repository) -> Result<Repository, Refusal> {
    let fits =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-/".contains(&byte);
    let ends = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    let bytes = new.name.as_bytes();
    let sane = (2..=256).contains(&bytes.len())
        && bytes.iter().copied().all(fits)
        && ends(bytes.first().copied())
        && ends(bytes.last().copied())
        && !new.name.contains("//");
    if !sane {
        return Err(Refusal::new(
            "InvalidParameterException",
            format!(
                "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression '(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*'': {}",
                new.name
            ),
        ));
    }
    let key = key(&new.region, &new.name);
    if state.ecr_repositories.contains_key(&key) {
        let (name, account) = (&new.name, &state.settings.account);
        return Err(Refusal::new(
            "RepositoryAlreadyExistsException",
            format!(
                "The repository with name '{name}' already exists in the registry with id '{account}'"
            ),
        ));
    }
    state.ecr_repositories.insert(key, Arc::new(new.clone()));
    Ok(new)
}

/// Deletes a repository; images are not pushed to repositories here, so each is empty.
///
/// # Errors
/// `RepositoryNotFoundException`.
pub fn delete(state: &mut State, context: &Context, name: &str) -> Result<Repository, Refusal> {
    let gone = find(state, context, name)?.clone();
    state.ecr_repositories.remove(&key(&context.region, name));
    Ok(gone)
}
