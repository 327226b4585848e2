//! Tags on the wire.

use super::super::{Call, Outcome};
use super::balancer::pairs;
use crate::model::load_balancer::{invalid, tags};
use wire::elbv2::{
    AddTagsInput, AddTagsOutput, DescribeTagsInput, DescribeTagsOutput, RemoveTagsInput,
    RemoveTagsOutput, Tag, TagDescription,
};

/// The most resources of one request.
const MOST: usize = 20;

pub(super) fn add(call: &mut Call<'_>, request: AddTagsInput) -> Outcome<AddTagsOutput> {
    let added = tags::read(pairs(request.tags))?;
    for arn in &request.resource_arns {
        let more = added.clone();
        tags::change(&mut call.state, call.context, arn, |tags| tags.extend(more))?;
    }
    Ok(AddTagsOutput {})
}

pub(super) fn remove(call: &mut Call<'_>, request: RemoveTagsInput) -> Outcome<RemoveTagsOutput> {
    for arn in &request.resource_arns {
        tags::change(&mut call.state, call.context, arn, |tags| {
            tags.retain(|key, _| !request.tag_keys.contains(key));
        })?;
    }
    Ok(RemoveTagsOutput {})
}

pub(super) fn describe(
    call: &mut Call<'_>,
    request: DescribeTagsInput,
) -> Outcome<DescribeTagsOutput> {
    if request.resource_arns.len() > MOST {
        return Err(invalid(format!("At most '{MOST}' resources can be specified")).into());
    }
    let mut tag_descriptions = Vec::with_capacity(request.resource_arns.len());
    for arn in request.resource_arns {
        let tags = tags::of(&call.state, call.context, &arn)?;
        let tag = |(key, value)| Tag {
            key: Some(key),
            value: Some(value),
        };
        tag_descriptions.push(TagDescription {
            resource_arn: Some(arn),
            tags: tags.into_iter().map(tag).collect(),
        });
    }
    Ok(DescribeTagsOutput { tag_descriptions })
}
