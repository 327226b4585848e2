//! Tags of users, roles, policies, instance profiles and providers.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html>

use super::*;

/// The most tags of a resource.
const MOST: usize = 50;

/// What has tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tagged<'a> {
    /// A user, by name.
    User(&'a str),
    /// A role, by name.
    Role(&'a str),
    /// A policy, by ARN.
    Policy(&'a str),
    /// An instance profile, by name.
    InstanceProfile(&'a str),
    /// An OpenID Connect provider, by ARN.
    OidcProvider(&'a str),
}

/// Reads a request's tags.
///
/// # Errors
/// `ValidationError`, `InvalidInput`, `LimitExceeded`.
pub fn read(tags: impl IntoIterator<Item = (String, String)>) -> Result<Tags, Refusal> {
    let mut read = Tags::new();
    for (key, value) in tags {
        if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
            return Err(invalid(format!(
                "1 validation error detected: Value '{key}' at 'tags.1.member.key' failed to satisfy constraint: Member must have length between 1 and 128, and its value at most 256"
            )));
        }
        if key.to_lowercase().starts_with("aws:") {
            return Err(Refusal::new(
                "InvalidInput",
                "Tag keys that begin with aws: are reserved for system use.",
            ));
        }
        if read.insert(key, value).is_some() {
            return Err(Refusal::new(
                "InvalidInput",
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            ));
        }
    }
    check_count(&read)?;
    Ok(read)
}

fn check_count(tags: &Tags) -> Result<(), Refusal> {
    if tags.len() > MOST {
        return Err(exceeded("TagsPerResource", MOST));
    }
    Ok(())
}

/// A resource's tags.
///
/// # Errors
/// `NoSuchEntity`.
pub fn of<'s>(state: &'s State, what: Tagged<'_>) -> Result<&'s Tags, Refusal> {
    Ok(match what {
        Tagged::User(name) => &user::find(state, name)?.tags,
        Tagged::Role(name) => &role::find(state, name)?.tags,
        Tagged::Policy(arn) => &policy::find(state, arn)?.tags,
        Tagged::InstanceProfile(name) => &instance_profile::find(state, name)?.tags,
        Tagged::OidcProvider(arn) => &oidc_provider::find(state, arn)?.tags,
    })
}

/// Changes a resource's tags.
///
/// # Errors
/// `NoSuchEntity`, `LimitExceeded`, `UnmodifiableEntity`.
pub fn change(
    state: &mut State,
    what: Tagged<'_>,
    change: impl FnOnce(&mut Tags),
) -> Result<(), Refusal> {
    let mut tags = of(state, what)?.clone();
    change(&mut tags);
    check_count(&tags)?;
    // All of them were found above.
    match what {
        Tagged::User(name) => set(&mut state.iam_users, &key(name), |of| of.tags = tags),
        Tagged::Role(name) => {
            role::find(state, name)?.check_own()?;
            set(&mut state.iam_roles, &key(name), |of| of.tags = tags);
        }
        Tagged::Policy(arn) => set(&mut state.iam_policies, arn, |of| of.tags = tags),
        Tagged::InstanceProfile(name) => {
            set(&mut state.iam_instance_profiles, &key(name), |of| {
                of.tags = tags;
            });
        }
        Tagged::OidcProvider(arn) => {
            set(&mut state.iam_oidc_providers, arn, |of| of.tags = tags);
        }
    }
    Ok(())
}

fn set<V: Clone>(table: &mut Table<String, V>, key: &str, change: impl FnOnce(&mut V)) {
    if let Some(record) = table.get_mut(key) {
        change(Arc::make_mut(record));
    }
}
