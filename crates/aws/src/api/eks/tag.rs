//! Tags of EKS's resources.

use super::{Call, Outcome, Tags};
use crate::model::eks::tags;
use wire::eks::*;

pub(super) fn add(
    call: &mut Call<'_>,
    request: TagResourceRequest,
) -> Outcome<TagResourceResponse> {
    let arn = &request.resource_arn;
    tags::change(&mut call.state, call.context, arn, |tags: &mut Tags| {
        tags.extend(request.tags);
    })?;
    Ok(TagResourceResponse {})
}

pub(super) fn remove(
    call: &mut Call<'_>,
    request: UntagResourceRequest,
) -> Outcome<UntagResourceResponse> {
    let arn = &request.resource_arn;
    tags::change(&mut call.state, call.context, arn, |tags: &mut Tags| {
        tags.retain(|key, _| !request.tag_keys.contains(key));
    })?;
    Ok(UntagResourceResponse {})
}

pub(super) fn list(
    call: &mut Call<'_>,
    request: ListTagsForResourceRequest,
) -> Outcome<ListTagsForResourceResponse> {
    Ok(ListTagsForResourceResponse {
        tags: tags::of(&call.state, call.context, &request.resource_arn)?,
    })
}
