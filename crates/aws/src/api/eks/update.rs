//! Operations on changes under way and over.

use super::{Call, Outcome, page};
use crate::model::eks::update as updates;
use crate::model::eks::{Update as Of, UpdateStatus as Status, find, not_found};
use wire::Timestamp;
use wire::eks::*;

pub(super) fn wire_update(of: &Of) -> Update {
    let param = |(kind, value): &(String, String)| UpdateParam {
        type_: kind.parse().ok(),
        value: Some(value.clone()),
    };
    let error = |(code, message, ids): &(String, String, Vec<String>)| ErrorDetail {
        error_code: code.parse().ok(),
        error_message: Some(message.clone()),
        resource_ids: ids.clone(),
    };
    Update {
        id: Some(of.key.name.clone()),
        status: Some(match of.status {
            Status::InProgress => UpdateStatus::InProgress,
            Status::Successful => UpdateStatus::Successful,
            Status::Failed => UpdateStatus::Failed,
        }),
        type_: of.kind.parse().ok(),
        params: of.params.iter().map(param).collect(),
        created_at: Some(Timestamp(of.created)),
        errors: of.errors.iter().map(error).collect(),
    }
}

pub(super) fn describe(
    call: &mut Call<'_>,
    request: DescribeUpdateRequest,
) -> Outcome<DescribeUpdateResponse> {
    let id = &request.update_id;
    let update = updates::find(&call.state, call.context, &request.name, id)?;
    let about = (&update.nodegroup, &update.addon);
    if about != (&request.nodegroup_name, &request.addon_name) {
        return Err(not_found(format!("No update found for ID: {id}")).into());
    }
    Ok(DescribeUpdateResponse {
        update: Some(wire_update(update)),
    })
}

pub(super) fn list(
    call: &mut Call<'_>,
    request: ListUpdatesRequest,
) -> Outcome<ListUpdatesResponse> {
    let cluster = find(&call.state, call.context, &request.name)?;
    let (nodegroup, addon) = (request.nodegroup_name, request.addon_name);
    let all = updates::of(
        &call.state,
        &cluster.key,
        nodegroup.as_deref(),
        addon.as_deref(),
    );
    let ids = all.into_iter().map(|of| of.key.name.clone()).collect();
    let (update_ids, next_token) = page(ids, request.max_results, request.next_token.as_deref())?;
    Ok(ListUpdatesResponse {
        update_ids,
        next_token,
    })
}
