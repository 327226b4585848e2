//! Tags: the stack's and the resource's own, in the forms of the services.

use super::ask::{Ask, member};
use crate::parameter::plain;
use crate::step::Step;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use wire::call::Service;

/// A property's tags: a list of keys and values, or an object.
fn own(value: Option<&Value>) -> BTreeMap<String, String> {
    match value {
        Some(Value::Array(items)) => items
            .iter()
            .filter_map(|tag| {
                Some((
                    member(tag, "Key")?,
                    member(tag, "Value").unwrap_or_default(),
                ))
            })
            .collect(),
        Some(Value::Object(members)) => members
            .iter()
            .filter_map(|(key, value)| Some((key.clone(), plain(value)?)))
            .collect(),
        _ => BTreeMap::new(),
    }
}

/// All of a resource's tags: its own go before the stack's.
pub(super) fn all(ask: &Ask<'_>) -> BTreeMap<String, String> {
    let mut tags = ask.stack_tags.clone();
    tags.extend(own(ask.properties.get("Tags")));
    tags
}

/// Those that it had before the change. The stack's own are as they are now: what changes in them alone stays
/// until the resource's own change.
fn before(ask: &Ask<'_>) -> BTreeMap<String, String> {
    let mut tags = ask.stack_tags.clone();
    tags.extend(own(ask.before.and_then(|before| before.get("Tags"))));
    tags
}

/// Tags as a list of keys and values.
pub(super) fn pairs(tags: &BTreeMap<String, String>) -> Value {
    let tags = tags.iter();
    tags.map(|(key, value)| json!({ "Key": key, "Value": value }))
        .collect()
}

/// All tags as a list of keys and values; null for none.
pub(super) fn listed(ask: &Ask<'_>) -> Value {
    match pairs(&all(ask)) {
        Value::Array(tags) if tags.is_empty() => Value::Null,
        tags => tags,
    }
}

/// All tags as an object; null for none.
pub(super) fn object(ask: &Ask<'_>) -> Value {
    let tags = all(ask);
    if tags.is_empty() {
        Value::Null
    } else {
        json!(tags)
    }
}

/// All tags as EC2's create operations take them; null for none.
pub(super) fn specification(ask: &Ask<'_>, resource_type: &str) -> Value {
    match listed(ask) {
        Value::Null => Value::Null,
        tags => json!([{ "ResourceType": resource_type, "Tag": tags }]),
    }
}

/// What a change of tags takes away and gives.
pub(super) struct Difference {
    /// Keys that go.
    pub(super) gone: Vec<String>,
    /// Tags that come or change.
    pub(super) new: BTreeMap<String, String>,
}

/// How the tags change, if they do.
pub(super) fn difference(ask: &Ask<'_>) -> Option<Difference> {
    let (before, after) = (before(ask), all(ask));
    let gone: Vec<String> = before
        .keys()
        .filter(|key| !after.contains_key(*key))
        .cloned()
        .collect();
    let new: BTreeMap<String, String> = after
        .into_iter()
        .filter(|(key, value)| before.get(key) != Some(value))
        .collect();
    (!gone.is_empty() || !new.is_empty()).then_some(Difference { gone, new })
}

/// The steps of a change of tags that EC2 keeps.
pub(super) fn ec2_steps(ask: &Ask<'_>, id: &str) -> Vec<Step> {
    let Some(Difference { gone, new }) = difference(ask) else {
        return Vec::new();
    };
    let mut steps = Vec::new();
    if !gone.is_empty() {
        let tags: Value = gone.iter().map(|key| json!({ "Key": key })).collect();
        let given = json!({ "ResourceId": [id], "Tag": tags });
        steps.push(Step::new(Service::Ec2, "DeleteTags", given));
    }
    if !new.is_empty() {
        let given = json!({ "ResourceId": [id], "Tag": pairs(&new) });
        steps.push(Step::new(Service::Ec2, "CreateTags", given));
    }
    steps
}
