//! Managed policies on the wire.

use super::super::{Call, Outcome};
use super::{Page, below, escaped, pairs, told};
use crate::model::State;
use crate::model::iam::policy::NewPolicy;
use crate::model::iam::{self, Path, catalogue, policy, tags};
use std::sync::Arc;
use wire::Timestamp;
use wire::iam::*;
use wire::shape::Nothing;

fn told_policy(state: &State, of: &iam::Policy) -> Policy {
    let (users, roles) = policy::holders(state, &of.arn);
    Policy {
        arn: Some(of.arn.clone()),
        attachment_count: i32::try_from(users.len() + roles.len()).ok(),
        create_date: Some(Timestamp(of.created)),
        default_version_id: Some(format!("v{}", of.default_version)),
        description: of.description.clone(),
        is_attachable: Some(true),
        path: Some(of.path.to_string()),
        permissions_boundary_usage_count: Some(0),
        policy_id: Some(of.id.clone()),
        policy_name: Some(of.name.clone()),
        tags: told(&of.tags),
        update_date: Some(Timestamp(of.updated)),
    }
}

fn told_version(of: &iam::Policy, number: u32, document: bool) -> PolicyVersion {
    let version = of.versions.get(&number);
    PolicyVersion {
        create_date: version.map(|version| Timestamp(version.created)),
        document: version
            .filter(|_| document)
            .and_then(|version| escaped(&version.document)),
        is_default_version: Some(number == of.default_version),
        version_id: Some(format!("v{number}")),
    }
}

pub(super) fn create(
    call: &mut Call<'_>,
    request: CreatePolicyRequest,
) -> Outcome<CreatePolicyResponse> {
    let new = NewPolicy {
        name: request.policy_name,
        path: Path::read(request.path)?,
        document: request.policy_document,
        description: request.description,
        tags: tags::read(pairs(request.tags))?,
    };
    let made = policy::create(&mut call.state, call.context, new)?;
    Ok(CreatePolicyResponse {
        policy: Some(told_policy(&call.state, &made)),
    })
}

pub(super) fn get(call: &mut Call<'_>, request: GetPolicyRequest) -> Outcome<GetPolicyResponse> {
    let found = policy::find(&call.state, &request.policy_arn)?;
    Ok(GetPolicyResponse {
        policy: Some(told_policy(&call.state, found)),
    })
}

pub(super) fn list(
    call: &mut Call<'_>,
    request: ListPoliciesRequest,
) -> Outcome<ListPoliciesResponse> {
    let state = &call.state;
    let scope = request.scope.unwrap_or(PolicyScopeType::All);
    let own = state.iam_policies.values().map(Arc::as_ref);
    let own = own.filter(|_| scope != PolicyScopeType::AWS);
    let aws = catalogue().values();
    let aws = aws.filter(|_| scope != PolicyScopeType::Local);
    // Nobody has a permissions boundary.
    let boundaries = request.policy_usage_filter == Some(PolicyUsageType::PermissionsBoundary);
    let attached = request.only_attached == Some(true);
    let chosen = own
        .chain(aws)
        .filter(|of| below(of.path.as_str(), request.path_prefix.as_ref()) && !boundaries)
        .map(|of| told_policy(state, of))
        .filter(|of| !attached || of.attachment_count > Some(0))
        // A list tells less than GetPolicy.
        .map(|of| Policy {
            tags: Vec::new(),
            description: None,
            ..of
        });
    let page = Page::cut(
        chosen.collect(),
        request.max_items,
        request.marker.as_deref(),
    )?;
    Ok(ListPoliciesResponse {
        is_truncated: page.truncated(),
        policies: page.items,
        marker: page.marker,
    })
}

pub(super) fn delete(call: &mut Call<'_>, request: DeletePolicyRequest) -> Outcome<Nothing> {
    policy::delete(&mut call.state, &request.policy_arn)?;
    Ok(Nothing {})
}

pub(super) fn create_version(
    call: &mut Call<'_>,
    request: CreatePolicyVersionRequest,
) -> Outcome<CreatePolicyVersionResponse> {
    let number = policy::create_version(
        &mut call.state,
        call.context,
        &request.policy_arn,
        request.policy_document,
        request.set_as_default.unwrap_or(false),
    )?;
    let changed = policy::find(&call.state, &request.policy_arn)?;
    Ok(CreatePolicyVersionResponse {
        policy_version: Some(told_version(changed, number, false)),
    })
}

pub(super) fn get_version(
    call: &mut Call<'_>,
    request: GetPolicyVersionRequest,
) -> Outcome<GetPolicyVersionResponse> {
    let found = policy::find(&call.state, &request.policy_arn)?;
    let (number, _) = policy::version(found, &request.version_id)?;
    Ok(GetPolicyVersionResponse {
        policy_version: Some(told_version(found, number, true)),
    })
}

pub(super) fn list_versions(
    call: &mut Call<'_>,
    request: ListPolicyVersionsRequest,
) -> Outcome<ListPolicyVersionsResponse> {
    let found = policy::find(&call.state, &request.policy_arn)?;
    // The newest comes first.
    let versions = found.versions.keys().rev();
    let versions = versions.map(|number| told_version(found, *number, false));
    let page = Page::cut(
        versions.collect(),
        request.max_items,
        request.marker.as_deref(),
    )?;
    Ok(ListPolicyVersionsResponse {
        is_truncated: page.truncated(),
        versions: page.items,
        marker: page.marker,
    })
}

pub(super) fn delete_version(
    call: &mut Call<'_>,
    request: DeletePolicyVersionRequest,
) -> Outcome<Nothing> {
    policy::delete_version(&mut call.state, &request.policy_arn, &request.version_id)?;
    Ok(Nothing {})
}

pub(super) fn set_default_version(
    call: &mut Call<'_>,
    request: SetDefaultPolicyVersionRequest,
) -> Outcome<Nothing> {
    let (arn, id) = (&request.policy_arn, &request.version_id);
    policy::set_default(&mut call.state, call.context, arn, id)?;
    Ok(Nothing {})
}

/// A user or role in the list of those that have a policy.
enum Entity {
    User(PolicyUser),
    Role(PolicyRole),
}

pub(super) fn list_entities(
    call: &mut Call<'_>,
    request: ListEntitiesForPolicyRequest,
) -> Outcome<ListEntitiesForPolicyResponse> {
    policy::find(&call.state, &request.policy_arn)?;
    let (users, roles) = policy::holders(&call.state, &request.policy_arn);
    let prefix = request.path_prefix.as_ref();
    let boundaries = request.policy_usage_filter == Some(PolicyUsageType::PermissionsBoundary);
    let wanted = |kind| request.entity_filter.is_none_or(|of| of == kind) && !boundaries;
    let users = users
        .into_iter()
        .filter(|of| wanted(EntityType::User) && below(of.path.as_str(), prefix))
        .map(|of| {
            Entity::User(PolicyUser {
                user_id: Some(of.id.clone()),
                user_name: Some(of.name.clone()),
            })
        });
    let roles = roles
        .into_iter()
        .filter(|of| wanted(EntityType::Role) && below(of.path.as_str(), prefix))
        .map(|of| {
            Entity::Role(PolicyRole {
                role_id: Some(of.id.clone()),
                role_name: Some(of.name.clone()),
            })
        });
    let all = users.chain(roles).collect();
    let page = Page::cut(all, request.max_items, request.marker.as_deref())?;
    let mut response = ListEntitiesForPolicyResponse {
        is_truncated: page.truncated(),
        marker: page.marker,
        ..Default::default()
    };
    for entity in page.items {
        match entity {
            Entity::User(user) => response.policy_users.push(user),
            Entity::Role(role) => response.policy_roles.push(role),
        }
    }
    Ok(response)
}
