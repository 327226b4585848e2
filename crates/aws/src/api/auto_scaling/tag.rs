//! Groups' tags: each says whether instances get it too.

use super::super::{Call, Outcome as Answered};
use super::page;
use crate::model::auto_scaling::{self, AutoScalingGroup, GroupTag};
use crate::model::{Refusal, tag};
use std::collections::BTreeMap;
use std::sync::Arc;
use wire::autoscaling::{
    CreateOrUpdateTagsType, DeleteTagsType, DescribeTagsType, Filter, Tag, TagDescription, TagsType,
};
use wire::error::ApiError;
use wire::shape::Nothing;

/// The only resource that Auto Scaling tags.
const RESOURCE: &str = "auto-scaling-group";

/// Reads tags; those in a group's creation needn't name it.
pub(super) fn read(tags: Vec<Tag>) -> Result<BTreeMap<String, GroupTag>, Refusal> {
    tags.into_iter()
        .map(|of| {
            let value = of.value.unwrap_or_default();
            tag::check(&of.key, &value)
                .map_err(|refusal| auto_scaling::invalid(refusal.message))?;
            let propagate = of.propagate_at_launch.unwrap_or(false);
            Ok((of.key, GroupTag { value, propagate }))
        })
        .collect()
}

fn group_name(tag: &Tag) -> Result<String, Refusal> {
    if tag.resource_type.as_deref().unwrap_or(RESOURCE) != RESOURCE {
        return Err(auto_scaling::invalid(format!(
            "Invalid resource type: the only one is {RESOURCE}"
        )));
    }
    tag.resource_id
        .clone()
        .ok_or_else(|| auto_scaling::invalid("The tag's ResourceId is missing"))
}

pub(super) fn create_or_update(
    call: &mut Call<'_>,
    request: CreateOrUpdateTagsType,
) -> Answered<Nothing> {
    for tag in request.tags {
        let name = group_name(&tag)?;
        let key = auto_scaling::find(&call.state, call.context, &name)?
            .key
            .clone();
        let read = read(vec![tag])?;
        auto_scaling::edit(&mut call.state, &key, |group| group.tags.extend(read));
    }
    Ok(Nothing {})
}

pub(super) fn delete(call: &mut Call<'_>, request: DeleteTagsType) -> Answered<Nothing> {
    for tag in request.tags {
        let name = group_name(&tag)?;
        let key = auto_scaling::find(&call.state, call.context, &name)?
            .key
            .clone();
        auto_scaling::edit(&mut call.state, &key, |group| {
            group.tags.remove(&tag.key);
        });
    }
    Ok(Nothing {})
}

pub(super) fn describe(call: &mut Call<'_>, request: DescribeTagsType) -> Answered<TagsType> {
    let here = call
        .state
        .auto_scaling_groups
        .values()
        .map(Arc::as_ref)
        .filter(|group| group.key.region == call.context.region);
    let mut tags = Vec::new();
    for of in here.flat_map(view) {
        if passes(&of, &request.filters)? {
            tags.push(of);
        }
    }
    let (tags, next_token) = page(tags, request.max_records, request.next_token.as_deref())?;
    Ok(TagsType { tags, next_token })
}

/// A group's tags.
pub(super) fn view(group: &AutoScalingGroup) -> Vec<TagDescription> {
    let of = |(key, tag): (&String, &GroupTag)| TagDescription {
        key: Some(key.clone()),
        propagate_at_launch: Some(tag.propagate),
        resource_id: Some(group.key.name.clone()),
        resource_type: Some(RESOURCE.to_owned()),
        value: Some(tag.value.clone()),
    };
    group.tags.iter().map(of).collect()
}

fn passes(tag: &TagDescription, filters: &[Filter]) -> Result<bool, ApiError> {
    for filter in filters {
        let propagates = tag
            .propagate_at_launch
            .map(|propagate| propagate.to_string());
        let value = match filter.name.as_deref().unwrap_or_default() {
            "auto-scaling-group" => &tag.resource_id,
            "key" => &tag.key,
            "value" => &tag.value,
            "propagate-at-launch" => &propagates,
            other => return Err(unknown_filter(other)),
        };
        if !value
            .as_ref()
            .is_some_and(|value| filter.values.contains(value))
        {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The refusal of a filter that an operation doesn't have.
pub(super) fn unknown_filter(name: &str) -> ApiError {
    ApiError::new(
        "ValidationError",
        format!("Filter type {name} is not correct."),
    )
}
