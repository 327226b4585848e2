//! Instance profiles on the wire.

use super::super::{Call, Outcome};
use super::role::told_role;
use super::{Page, below, pairs, told};
use crate::model::State;
use crate::model::iam::{self, Path, instance_profile, role, tags};
use std::sync::Arc;
use wire::Timestamp;
use wire::iam::*;
use wire::shape::Nothing;

fn told_profile(state: &State, of: &iam::InstanceProfile) -> InstanceProfile {
    let role = of.role.as_deref();
    let role = role.and_then(|name| role::find(state, name).ok());
    InstanceProfile {
        arn: Some(of.arn.clone()),
        create_date: Some(Timestamp(of.created)),
        instance_profile_id: Some(of.id.clone()),
        instance_profile_name: Some(of.name.clone()),
        path: Some(of.path.to_string()),
        roles: role.into_iter().map(told_role).collect(),
        tags: told(&of.tags),
    }
}

pub(super) fn create(
    call: &mut Call<'_>,
    request: CreateInstanceProfileRequest,
) -> Outcome<CreateInstanceProfileResponse> {
    let tags = tags::read(pairs(request.tags))?;
    let path = Path::read(request.path)?;
    let name = request.instance_profile_name;
    let made = instance_profile::create(&mut call.state, call.context, name, path, tags)?;
    Ok(CreateInstanceProfileResponse {
        instance_profile: Some(told_profile(&call.state, &made)),
    })
}

pub(super) fn get(
    call: &mut Call<'_>,
    request: GetInstanceProfileRequest,
) -> Outcome<GetInstanceProfileResponse> {
    let found = instance_profile::find(&call.state, &request.instance_profile_name)?;
    Ok(GetInstanceProfileResponse {
        instance_profile: Some(told_profile(&call.state, found)),
    })
}

pub(super) fn list(
    call: &mut Call<'_>,
    request: ListInstanceProfilesRequest,
) -> Outcome<ListInstanceProfilesResponse> {
    let all = call.state.iam_instance_profiles.values().map(Arc::as_ref);
    let chosen = all.filter(|of| below(of.path.as_str(), request.path_prefix.as_ref()));
    let chosen = chosen.map(|of| told_profile(&call.state, of));
    let page = Page::cut(
        chosen.collect(),
        request.max_items,
        request.marker.as_deref(),
    )?;
    Ok(ListInstanceProfilesResponse {
        is_truncated: page.truncated(),
        instance_profiles: page.items,
        marker: page.marker,
    })
}

pub(super) fn list_for_role(
    call: &mut Call<'_>,
    request: ListInstanceProfilesForRoleRequest,
) -> Outcome<ListInstanceProfilesForRoleResponse> {
    role::find(&call.state, &request.role_name)?;
    let chosen = instance_profile::of_role(&call.state, &request.role_name);
    let chosen = chosen.map(|of| told_profile(&call.state, of));
    let page = Page::cut(
        chosen.collect(),
        request.max_items,
        request.marker.as_deref(),
    )?;
    Ok(ListInstanceProfilesForRoleResponse {
        is_truncated: page.truncated(),
        instance_profiles: page.items,
        marker: page.marker,
    })
}

pub(super) fn delete(
    call: &mut Call<'_>,
    request: DeleteInstanceProfileRequest,
) -> Outcome<Nothing> {
    instance_profile::delete(&mut call.state, &request.instance_profile_name)?;
    Ok(Nothing {})
}

pub(super) fn add_role(
    call: &mut Call<'_>,
    request: AddRoleToInstanceProfileRequest,
) -> Outcome<Nothing> {
    let name = &request.instance_profile_name;
    instance_profile::add_role(&mut call.state, name, &request.role_name)?;
    Ok(Nothing {})
}

pub(super) fn remove_role(
    call: &mut Call<'_>,
    request: RemoveRoleFromInstanceProfileRequest,
) -> Outcome<Nothing> {
    let name = &request.instance_profile_name;
    instance_profile::remove_role(&mut call.state, name, &request.role_name)?;
    Ok(Nothing {})
}
