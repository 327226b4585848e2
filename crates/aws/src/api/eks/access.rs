//! Operations on access entries.

use super::{Call, Outcome, page};
use crate::model::State;
use crate::model::eks::access::{self, NewEntry};
use crate::model::eks::{AccessEntry as Of, PartKey};
use wire::Timestamp;
use wire::eks::*;

fn wire_entry(state: &State, of: &Of) -> AccessEntry {
    AccessEntry {
        cluster_name: Some(of.key.cluster.name.clone()),
        principal_arn: Some(of.key.name.clone()),
        kubernetes_groups: of.groups.clone(),
        access_entry_arn: Some(of.arn(&state.settings.account)),
        created_at: Some(Timestamp(of.created)),
        modified_at: Some(Timestamp(of.modified)),
        tags: of.tags.clone(),
        username: Some(of.username.clone()),
        type_: Some(of.kind.as_str().to_owned()),
    }
}

fn shown(call: &Call<'_>, key: &PartKey) -> Option<AccessEntry> {
    let entry = call.state.eks_access_entries.get(key)?;
    Some(wire_entry(&call.state, entry))
}

pub(super) fn create(
    call: &mut Call<'_>,
    request: CreateAccessEntryRequest,
) -> Outcome<CreateAccessEntryResponse> {
    let new = NewEntry {
        principal: request.principal_arn,
        groups: request.kubernetes_groups,
        username: request.username.filter(|name| !name.is_empty()),
        kind: request.type_,
        tags: request.tags,
        token: request.client_request_token,
    };
    let key = access::create(&mut call.state, call.context, &request.cluster_name, new)?;
    Ok(CreateAccessEntryResponse {
        access_entry: shown(call, &key),
    })
}

pub(super) fn describe(
    call: &mut Call<'_>,
    request: DescribeAccessEntryRequest,
) -> Outcome<DescribeAccessEntryResponse> {
    let (cluster, principal) = (&request.cluster_name, &request.principal_arn);
    let entry = access::find(&call.state, call.context, cluster, principal)?;
    Ok(DescribeAccessEntryResponse {
        access_entry: Some(wire_entry(&call.state, entry)),
    })
}

pub(super) fn list(
    call: &mut Call<'_>,
    request: ListAccessEntriesRequest,
) -> Outcome<ListAccessEntriesResponse> {
    let policy = request.associated_policy_arn.as_deref();
    let all = access::list(&call.state, call.context, &request.cluster_name, policy)?;
    let names = all.into_iter().map(|of| of.key.name.clone()).collect();
    let token = request.next_token.as_deref();
    let (access_entries, next_token) = page(names, request.max_results, token)?;
    Ok(ListAccessEntriesResponse {
        access_entries,
        next_token,
    })
}

pub(super) fn update(
    call: &mut Call<'_>,
    request: UpdateAccessEntryRequest,
) -> Outcome<UpdateAccessEntryResponse> {
    let of = (
        request.cluster_name.as_str(),
        request.principal_arn.as_str(),
    );
    // A list that isn't there and one without groups look the same; EKS has no other way to empty it.
    let groups = Some(request.kubernetes_groups);
    let key = access::update(&mut call.state, call.context, of, groups, request.username)?;
    Ok(UpdateAccessEntryResponse {
        access_entry: shown(call, &key),
    })
}

pub(super) fn delete(
    call: &mut Call<'_>,
    request: DeleteAccessEntryRequest,
) -> Outcome<DeleteAccessEntryResponse> {
    let (cluster, principal) = (&request.cluster_name, &request.principal_arn);
    access::delete(&mut call.state, call.context, cluster, principal)?;
    Ok(DeleteAccessEntryResponse {})
}
