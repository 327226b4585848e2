//! Policies of roles and users on the wire: attached ones and their own.

use super::super::{Call, Outcome};
use super::{Page, below, escaped};
use crate::model::iam::{Holder, grants, policy};
use wire::iam::*;
use wire::shape::Nothing;

pub(super) fn put_of_role(call: &mut Call<'_>, request: PutRolePolicyRequest) -> Outcome<Nothing> {
    let holder = Holder::Role(&request.role_name);
    grants::put(
        &mut call.state,
        holder,
        &request.policy_name,
        request.policy_document,
    )?;
    Ok(Nothing {})
}

pub(super) fn put_of_user(call: &mut Call<'_>, request: PutUserPolicyRequest) -> Outcome<Nothing> {
    let holder = Holder::User(&request.user_name);
    grants::put(
        &mut call.state,
        holder,
        &request.policy_name,
        request.policy_document,
    )?;
    Ok(Nothing {})
}

pub(super) fn get_of_role(
    call: &mut Call<'_>,
    request: GetRolePolicyRequest,
) -> Outcome<GetRolePolicyResponse> {
    let holder = Holder::Role(&request.role_name);
    let document = grants::inline(&call.state, holder, &request.policy_name)?;
    Ok(GetRolePolicyResponse {
        policy_document: escaped(document),
        policy_name: Some(request.policy_name),
        role_name: Some(request.role_name),
    })
}

pub(super) fn get_of_user(
    call: &mut Call<'_>,
    request: GetUserPolicyRequest,
) -> Outcome<GetUserPolicyResponse> {
    let holder = Holder::User(&request.user_name);
    let document = grants::inline(&call.state, holder, &request.policy_name)?;
    Ok(GetUserPolicyResponse {
        policy_document: escaped(document),
        policy_name: Some(request.policy_name),
        user_name: Some(request.user_name),
    })
}

fn names(
    call: &Call<'_>,
    holder: Holder<'_>,
    size: Option<i32>,
    marker: Option<&str>,
) -> Outcome<Page<String>> {
    let own = holder.grants(&call.state)?.inline.keys().cloned();
    Page::cut(own.collect(), size, marker)
}

pub(super) fn list_of_role(
    call: &mut Call<'_>,
    request: ListRolePoliciesRequest,
) -> Outcome<ListRolePoliciesResponse> {
    let holder = Holder::Role(&request.role_name);
    let page = names(call, holder, request.max_items, request.marker.as_deref())?;
    Ok(ListRolePoliciesResponse {
        is_truncated: page.truncated(),
        policy_names: page.items,
        marker: page.marker,
    })
}

pub(super) fn list_of_user(
    call: &mut Call<'_>,
    request: ListUserPoliciesRequest,
) -> Outcome<ListUserPoliciesResponse> {
    let holder = Holder::User(&request.user_name);
    let page = names(call, holder, request.max_items, request.marker.as_deref())?;
    Ok(ListUserPoliciesResponse {
        is_truncated: page.truncated(),
        policy_names: page.items,
        marker: page.marker,
    })
}

pub(super) fn delete_of_role(
    call: &mut Call<'_>,
    request: DeleteRolePolicyRequest,
) -> Outcome<Nothing> {
    let holder = Holder::Role(&request.role_name);
    grants::delete(&mut call.state, holder, &request.policy_name)?;
    Ok(Nothing {})
}

pub(super) fn delete_of_user(
    call: &mut Call<'_>,
    request: DeleteUserPolicyRequest,
) -> Outcome<Nothing> {
    let holder = Holder::User(&request.user_name);
    grants::delete(&mut call.state, holder, &request.policy_name)?;
    Ok(Nothing {})
}

pub(super) fn attach_to_role(
    call: &mut Call<'_>,
    request: AttachRolePolicyRequest,
) -> Outcome<Nothing> {
    let holder = Holder::Role(&request.role_name);
    grants::attach(&mut call.state, call.context, holder, &request.policy_arn)?;
    Ok(Nothing {})
}

pub(super) fn attach_to_user(
    call: &mut Call<'_>,
    request: AttachUserPolicyRequest,
) -> Outcome<Nothing> {
    let holder = Holder::User(&request.user_name);
    grants::attach(&mut call.state, call.context, holder, &request.policy_arn)?;
    Ok(Nothing {})
}

pub(super) fn detach_from_role(
    call: &mut Call<'_>,
    request: DetachRolePolicyRequest,
) -> Outcome<Nothing> {
    let holder = Holder::Role(&request.role_name);
    grants::detach(&mut call.state, holder, &request.policy_arn)?;
    Ok(Nothing {})
}

pub(super) fn detach_from_user(
    call: &mut Call<'_>,
    request: DetachUserPolicyRequest,
) -> Outcome<Nothing> {
    let holder = Holder::User(&request.user_name);
    grants::detach(&mut call.state, holder, &request.policy_arn)?;
    Ok(Nothing {})
}

fn attached(
    call: &Call<'_>,
    holder: Holder<'_>,
    prefix: Option<&String>,
    size: Option<i32>,
    marker: Option<&str>,
) -> Outcome<Page<AttachedPolicy>> {
    let arns = &holder.grants(&call.state)?.attached;
    let policies = arns
        .iter()
        .filter_map(|arn| policy::find(&call.state, arn).ok())
        .filter(|of| below(of.path.as_str(), prefix))
        .map(|of| AttachedPolicy {
            policy_arn: Some(of.arn.clone()),
            policy_name: Some(of.name.clone()),
        });
    Page::cut(policies.collect(), size, marker)
}

pub(super) fn list_attached_to_role(
    call: &mut Call<'_>,
    request: ListAttachedRolePoliciesRequest,
) -> Outcome<ListAttachedRolePoliciesResponse> {
    let page = attached(
        call,
        Holder::Role(&request.role_name),
        request.path_prefix.as_ref(),
        request.max_items,
        request.marker.as_deref(),
    )?;
    Ok(ListAttachedRolePoliciesResponse {
        is_truncated: page.truncated(),
        attached_policies: page.items,
        marker: page.marker,
    })
}

pub(super) fn list_attached_to_user(
    call: &mut Call<'_>,
    request: ListAttachedUserPoliciesRequest,
) -> Outcome<ListAttachedUserPoliciesResponse> {
    let page = attached(
        call,
        Holder::User(&request.user_name),
        request.path_prefix.as_ref(),
        request.max_items,
        request.marker.as_deref(),
    )?;
    Ok(ListAttachedUserPoliciesResponse {
        is_truncated: page.truncated(),
        attached_policies: page.items,
        marker: page.marker,
    })
}
