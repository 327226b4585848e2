//! Roles on the wire.

use super::super::{Call, Outcome};
use super::{Page, below, escaped, pairs, told};
use crate::model::iam::role::NewRole;
use crate::model::iam::service_linked::{self, Deletion};
use crate::model::iam::{self, Path, role, tags};
use std::sync::Arc;
use wire::Timestamp;
use wire::iam::*;
use wire::shape::Nothing;

/// A role as operations that give one role tell it.
pub(super) fn told_role(of: &iam::Role) -> Role {
    Role {
        arn: Some(of.arn.clone()),
        assume_role_policy_document: escaped(&of.trust),
        create_date: Some(Timestamp(of.created)),
        description: of.description.clone(),
        max_session_duration: Some(of.longest_session),
        path: Some(of.path.to_string()),
        role_id: Some(of.id.clone()),
        role_last_used: Some(RoleLastUsed::default()),
        role_name: Some(of.name.clone()),
        tags: told(&of.tags),
        ..Default::default()
    }
}

/// A role in a list: without its tags.
fn listed(of: &iam::Role) -> Role {
    Role {
        role_last_used: None,
        tags: Vec::new(),
        ..told_role(of)
    }
}

pub(super) fn create(
    call: &mut Call<'_>,
    request: CreateRoleRequest,
) -> Outcome<CreateRoleResponse> {
    let new = NewRole {
        name: request.role_name,
        path: Path::read(request.path)?,
        trust: request.assume_role_policy_document,
        description: request.description,
        longest_session: request.max_session_duration.unwrap_or(role::SESSION),
        tags: tags::read(pairs(request.tags))?,
    };
    let made = role::create(&mut call.state, call.context, new)?;
    Ok(CreateRoleResponse {
        role: Some(Role {
            role_last_used: None,
            ..told_role(&made)
        }),
    })
}

pub(super) fn get(call: &mut Call<'_>, request: GetRoleRequest) -> Outcome<GetRoleResponse> {
    let found = role::find(&call.state, &request.role_name)?;
    Ok(GetRoleResponse {
        role: Some(told_role(found)),
    })
}

pub(super) fn list(call: &mut Call<'_>, request: ListRolesRequest) -> Outcome<ListRolesResponse> {
    let roles = call.state.iam_roles.values().map(Arc::as_ref);
    let chosen = roles.filter(|of| below(of.path.as_str(), request.path_prefix.as_ref()));
    let page = Page::cut(
        chosen.collect(),
        request.max_items,
        request.marker.as_deref(),
    )?;
    Ok(ListRolesResponse {
        is_truncated: page.truncated(),
        roles: page.items.into_iter().map(listed).collect(),
        marker: page.marker,
    })
}

pub(super) fn update(
    call: &mut Call<'_>,
    request: UpdateRoleRequest,
) -> Outcome<UpdateRoleResponse> {
    role::update(
        &mut call.state,
        &request.role_name,
        request.description,
        request.max_session_duration,
    )?;
    Ok(UpdateRoleResponse {})
}

pub(super) fn update_description(
    call: &mut Call<'_>,
    request: UpdateRoleDescriptionRequest,
) -> Outcome<UpdateRoleDescriptionResponse> {
    let (name, description) = (&request.role_name, Some(request.description));
    role::update(&mut call.state, name, description, None)?;
    Ok(UpdateRoleDescriptionResponse {
        role: Some(told_role(role::find(&call.state, name)?)),
    })
}

pub(super) fn update_trust(
    call: &mut Call<'_>,
    request: UpdateAssumeRolePolicyRequest,
) -> Outcome<Nothing> {
    role::set_trust(&mut call.state, &request.role_name, request.policy_document)?;
    Ok(Nothing {})
}

pub(super) fn delete(call: &mut Call<'_>, request: DeleteRoleRequest) -> Outcome<Nothing> {
    role::delete(&mut call.state, &request.role_name)?;
    Ok(Nothing {})
}

pub(super) fn create_service_linked(
    call: &mut Call<'_>,
    request: CreateServiceLinkedRoleRequest,
) -> Outcome<CreateServiceLinkedRoleResponse> {
    let made = service_linked::create(
        &mut call.state,
        call.context,
        &request.aws_service_name,
        request.custom_suffix.as_deref(),
        request.description,
    )?;
    Ok(CreateServiceLinkedRoleResponse {
        role: Some(told_role(&made)),
    })
}

pub(super) fn delete_service_linked(
    call: &mut Call<'_>,
    request: DeleteServiceLinkedRoleRequest,
) -> Outcome<DeleteServiceLinkedRoleResponse> {
    let id = service_linked::delete(&mut call.state, &request.role_name)?;
    Ok(DeleteServiceLinkedRoleResponse {
        deletion_task_id: Some(id),
    })
}

pub(super) fn deletion_status(
    call: &mut Call<'_>,
    request: GetServiceLinkedRoleDeletionStatusRequest,
) -> Outcome<GetServiceLinkedRoleDeletionStatusResponse> {
    let ended = service_linked::deletion(&call.state, &request.deletion_task_id)?;
    let (status, reason) = match ended {
        Deletion::Succeeded => (DeletionTaskStatusType::SUCCEEDED, None),
        Deletion::Failed => (
            DeletionTaskStatusType::FAILED,
            Some(DeletionTaskFailureReasonType {
                reason: Some("The role is in use by its service.".to_owned()),
                ..Default::default()
            }),
        ),
    };
    Ok(GetServiceLinkedRoleDeletionStatusResponse {
        status: Some(status),
        reason,
    })
}
