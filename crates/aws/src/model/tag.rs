//! Tags.

use super::{Context, Refusal, State};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The most tags on a resource, those of AWS's own apart.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions>
const MOST: usize = 50;

/// The tags of one resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TagSet {
    /// The resource's region.
    pub region: String,
    /// The resource's type as in TagSpecification (`vpc`, `subnet`, `instance`, …).
    pub resource_type: String,
    /// Keys and values.
    pub tags: BTreeMap<String, String>,
}

/// A resource's tags, if it has any.
pub fn of<'a>(state: &'a State, id: &str) -> Option<&'a TagSet> {
    state.tags.get(id).map(AsRef::as_ref)
}

/// One tag's value.
pub fn value<'a>(state: &'a State, id: &str, key: &str) -> Option<&'a str> {
    of(state, id)?.tags.get(key).map(String::as_str)
}

/// Adds tags to a resource, or changes their values.
///
/// # Errors
/// A key or value that AWS doesn't take, or too many.
pub fn apply(
    state: &mut State,
    context: &Context,
    id: &str,
    resource_type: &str,
    tags: impl IntoIterator<Item = (String, String)>,
) -> Result<(), Refusal> {
    let mut set = of(state, id).cloned().unwrap_or_else(|| TagSet {
        region: context.region.clone(),
        resource_type: resource_type.to_owned(),
        tags: BTreeMap::new(),
    });
    for (key, value) in tags {
        check(&key, &value)?;
        set.tags.insert(key, value);
    }
    if set.tags.len() > MOST {
        return Err(Refusal::new(
            "TagLimitExceeded",
            format!("The maximum number of Tags for a resource has been reached: {MOST}"),
        ));
    }
    if !set.tags.is_empty() {
        state.tags.insert(id.to_owned(), Arc::new(set));
    }
    Ok(())
}

/// What the tags that only AWS makes begin with.
const RESERVED: &str = "aws:";

/// Adds tags of AWS's own, which users see but can't change.
pub fn mark(
    state: &mut State,
    context: &Context,
    id: &str,
    resource_type: &str,
    tags: impl IntoIterator<Item = (String, String)>,
) {
    let mut set = of(state, id).cloned().unwrap_or_else(|| TagSet {
        region: context.region.clone(),
        resource_type: resource_type.to_owned(),
        tags: BTreeMap::new(),
    });
    set.tags.extend(tags);
    state.tags.insert(id.to_owned(), Arc::new(set));
}

pub(crate) fn check(key: &str, value: &str) -> Result<(), Refusal> {
    if key.is_empty() || key.chars().count() > 127 {
        return Err(Refusal::invalid_value(format!(
            "Tag key exceeds the maximum length of 127 characters or is empty: '{key}'"
        )));
    }
    if value.chars().count() > 255 {
        return Err(Refusal::invalid_value(
            "Tag value exceeds the maximum length of 255 characters",
        ));
    }
    if key.to_lowercase().starts_with(RESERVED) {
        return Err(Refusal::invalid_value(
            "Tag keys starting with 'aws:' are reserved for internal use",
        ));
    }
    Ok(())
}

/// Takes off a tag of AWS's own.
pub(crate) fn unmark(state: &mut State, id: &str, key: &str) {
    if let Some(set) = state.tags.get_mut(id) {
        Arc::make_mut(set).tags.remove(key);
    }
}

/// Takes tags off: those with the key and, where one is given, that value; all of them for no keys.
pub fn remove(state: &mut State, id: &str, tags: &[(String, Option<String>)]) {
    let Some(mut set) = of(state, id).cloned() else {
        return;
    };
    let named = |key: &String, value: &String| {
        !key.starts_with(RESERVED)
            && (tags.is_empty()
                || tags
                    .iter()
                    .any(|(k, v)| k == key && v.as_ref().is_none_or(|v| v == value)))
    };
    set.tags.retain(|key, value| !named(key, value));
    if set.tags.is_empty() {
        state.tags.remove(id);
    } else {
        state.tags.insert(id.to_owned(), Arc::new(set));
    }
}

/// Forgets a resource's tags when it goes.
pub fn remove_all(state: &mut State, id: &str) {
    state.tags.remove(id);
}
