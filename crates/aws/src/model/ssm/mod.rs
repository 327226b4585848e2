//! Parameters of AWS Systems Manager: those that AWS publishes, and the account's own.
//!
//! <https://docs.aws.amazon.com/systems-manager/latest/userguide/systems-manager-parameter-store.html>

mod public;

use super::*;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The most letters of a value.
const LONGEST: usize = 4096;

/// A parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    /// The region.
    pub region: String,
    /// Its name.
    pub name: String,
    /// What its value is.
    pub kind: Kind,
    /// Its value.
    pub value: String,
    /// `text`, or `aws:ec2:image` for an image's id.
    pub data_type: String,
    /// How often it was set.
    pub version: i64,
    /// When it was set last, in seconds since 1970.
    pub modified: i64,
    /// What it is for.
    pub description: Option<String>,
    /// Its tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// What a parameter's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// A text.
    String,
    /// Texts with commas between them.
    StringList,
}

impl Parameter {
    /// Its ARN; AWS's own parameters belong to no account.
    pub fn arn(&self, account: &str) -> String {
        let (region, name) = (&self.region, self.name.trim_start_matches('/'));
        let account = if is_public(&self.name) { "" } else { account };
        format!("arn:aws:ssm:{region}:{account}:parameter/{name}")
    }
}

fn is_public(name: &str) -> bool {
    name.starts_with("/aws/")
}

fn key(region: &str, name: &str) -> String {
    format!("{region}/{name}")
}

pub(crate) fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("ValidationException", message)
}

/// The parameter of a name in the region asked, if there is one.
pub fn lookup<'s>(state: &'s State, context: &Context, name: &str) -> Option<Cow<'s, Parameter>> {
    if is_public(name) {
        let value = public::all().get(name)?;
        return Some(Cow::Owned(published(&context.region, name, value)));
    }
    let found = state.ssm_parameters.get(&key(&context.region, name))?;
    Some(Cow::Borrowed(found))
}

fn published(region: &str, name: &str, value: &public::Value) -> Parameter {
    Parameter {
        region: region.to_owned(),
        name: name.to_owned(),
        kind: Kind::String,
        value: value.text.clone(),
        data_type: if value.is_image {
            "aws:ec2:image"
        } else {
            "text"
        }
        .to_owned(),
        version: 1,
        modified: public::PUBLISHED,
        description: None,
        tags: BTreeMap::new(),
    }
}

/// The parameter of a name.
///
/// # Errors
/// `ParameterNotFound`.
pub fn find<'s>(
    state: &'s State,
    context: &Context,
    name: &str,
) -> Result<Cow<'s, Parameter>, Refusal> {
    lookup(state, context, name).ok_or_else(|| Refusal::new("ParameterNotFound", ""))
}

/// The parameters below a path, right below it only unless `recursive`.
///
/// # Errors
/// `ValidationException` for what is no path.
pub fn below<'s>(
    state: &'s State,
    context: &Context,
    path: &str,
    recursive: bool,
) -> Result<Vec<Cow<'s, Parameter>>, Refusal> {
    if !path.starts_with('/') {
        return Err(invalid(
            "The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash \"/\".",
        ));
    }
    let prefix = match path.trim_end_matches('/') {
        "" => "/".to_owned(),
        path => format!("{path}/"),
    };
    let wanted = |name: &str| {
        let rest = name.strip_prefix(&prefix);
        rest.is_some_and(|rest| recursive || !rest.contains('/'))
    };
    if is_public(&prefix) {
        let all = public::all().iter().filter(|(name, _)| wanted(name));
        let told = |(name, value): (&String, &public::Value)| {
            Cow::Owned(published(&context.region, name, value))
        };
        return Ok(all.map(told).collect());
    }
    let own = state.ssm_parameters.values().map(Arc::as_ref);
    let own = own.filter(|of| of.region == context.region && wanted(&of.name));
    Ok(own.map(Cow::Borrowed).collect())
}

/// What a parameter is to be.
#[derive(Clone, Debug)]
pub struct NewParameter {
    /// Its name.
    pub name: String,
    /// What its value is; needed where there is none of the name yet.
    pub kind: Option<Kind>,
    /// Its value.
    pub value: String,
    /// `text`, or `aws:ec2:image`.
    pub data_type: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Its tags, if it is a new one.
    pub tags: BTreeMap<String, String>,
    /// Whether one of the same name may be set anew.
    pub overwrite: bool,
}

fn check_name(name: &str) -> Result<(), Refusal> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-/".contains(&byte);
    let reserved = name.trim_start_matches('/').to_lowercase();
    if reserved.starts_with("aws") || reserved.starts_with("ssm") {
        return Err(invalid(format!(
            "Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive): {name}."
        )));
    }
    let slashed = !name.contains('/') || name.starts_with('/');
    if name.is_empty() || name.len() > 1011 || !name.bytes().all(fits) || !slashed {
        return Err(invalid(
            "Parameter name must be a fully qualified name; only a mix of letters, numbers and the following 3 symbols .-_ are allowed.",
        ));
    }
    Ok(())
}

/// Sets a parameter: its version.
///
/// # Errors
/// `ParameterAlreadyExists`, `ValidationException`.
pub fn put(state: &mut State, context: &Context, new: NewParameter) -> Result<i64, Refusal> {
    check_name(&new.name)?;
    if new.value.is_empty() || new.value.len() > LONGEST {
        return Err(invalid(format!(
            "Standard tier parameters support a maximum parameter value of {LONGEST} characters, and at least one."
        )));
    }
    let key = key(&context.region, &new.name);
    let before = state.ssm_parameters.get(&key);
    if before.is_some() && !new.overwrite {
        return Err(Refusal::new(
            "ParameterAlreadyExists",
            "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.",
        ));
    }
    let kind = new.kind.or_else(|| before.map(|of| of.kind));
    let kind =
        kind.ok_or_else(|| invalid("A parameter type is required when you create a parameter."))?;
    let version = before.map_or(1, |of| of.version + 1);
    let parameter = Parameter {
        region: context.region.clone(),
        name: new.name,
        kind,
        value: new.value,
        data_type: new.data_type.unwrap_or_else(|| "text".to_owned()),
        version,
        modified: context.now,
        description: new
            .description
            .or_else(|| before.and_then(|of| of.description.clone())),
        tags: before.map_or(new.tags, |of| of.tags.clone()),
    };
    state.ssm_parameters.insert(key, Arc::new(parameter));
    Ok(version)
}

/// Deletes a parameter; says whether there was one.
pub fn delete(state: &mut State, context: &Context, name: &str) -> bool {
    let key = key(&context.region, name);
    state.ssm_parameters.remove(&key).is_some()
}

/// The account's own parameters in the region asked.
pub fn own<'s>(state: &'s State, context: &Context) -> impl Iterator<Item = &'s Parameter> {
    let region = context.region.clone();
    let all = state.ssm_parameters.values().map(Arc::as_ref);
    all.filter(move |of| of.region == region)
}

/// Changes the tags of a parameter of the account's.
///
/// # Errors
/// `InvalidResourceId`.
pub fn change_tags(
    state: &mut State,
    context: &Context,
    name: &str,
    change: impl FnOnce(&mut BTreeMap<String, String>),
) -> Result<(), Refusal> {
    let key = key(&context.region, name);
    let found = state.ssm_parameters.get_mut(&key);
    let found = found.ok_or_else(|| {
        Refusal::new(
            "InvalidResourceId",
            "The resource ID is not valid. Verify that you entered the correct ID and try again.",
        )
    })?;
    change(&mut Arc::make_mut(found).tags);
    Ok(())
}
