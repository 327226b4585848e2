//! Classic balancers' tags on the wire.

use super::super::{Call, Outcome};
use crate::model::Refusal;
use crate::model::classic_load_balancer as classic;
use crate::model::load_balancer::tags;
use std::collections::BTreeMap;
use wire::elb::{
    AddTagsInput, AddTagsOutput, DescribeTagsInput, DescribeTagsOutput, RemoveTagsInput,
    RemoveTagsOutput, Tag, TagDescription,
};

/// Reads tags.
///
/// # Errors
/// `DuplicateTagKeys`, `TooManyTags`, `ValidationError`.
pub(super) fn read(tags: Vec<Tag>) -> Result<BTreeMap<String, String>, Refusal> {
    let pair = |tag: Tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default());
    tags::read(tags.into_iter().map(pair))
}

pub(super) fn add(call: &mut Call<'_>, request: AddTagsInput) -> Outcome<AddTagsOutput> {
    let added = read(request.tags)?;
    for name in &request.load_balancer_names {
        let more = added.clone();
        classic::change(&mut call.state, call.context, name, |_, balancer| {
            balancer.tags.extend(more);
            tags::check_count(&balancer.tags)
        })?;
    }
    Ok(AddTagsOutput {})
}

pub(super) fn remove(call: &mut Call<'_>, request: RemoveTagsInput) -> Outcome<RemoveTagsOutput> {
    let named = |key: &String| request.tags.iter().any(|of| of.key.as_ref() == Some(key));
    for name in &request.load_balancer_names {
        classic::change(&mut call.state, call.context, name, |_, balancer| {
            balancer.tags.retain(|key, _| !named(key));
            Ok(())
        })?;
    }
    Ok(RemoveTagsOutput {})
}

pub(super) fn describe(
    call: &mut Call<'_>,
    request: DescribeTagsInput,
) -> Outcome<DescribeTagsOutput> {
    let mut tag_descriptions = Vec::with_capacity(request.load_balancer_names.len());
    for name in request.load_balancer_names {
        let balancer = classic::find(&call.state, call.context, &name)?;
        let tag = |(key, value): (&String, &String)| Tag {
            key: Some(key.clone()),
            value: Some(value.clone()),
        };
        tag_descriptions.push(TagDescription {
            tags: balancer.tags.iter().map(tag).collect(),
            load_balancer_name: Some(name),
        });
    }
    Ok(DescribeTagsOutput { tag_descriptions })
}
