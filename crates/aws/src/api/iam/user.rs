//! Users and their keys on the wire.

use super::super::{Call, Outcome};
use super::{Page, below, pairs, told};
use crate::model::iam::{self, AccessKey, Path, access_key, tags, user};
use crate::model::{Context, State};
use std::sync::Arc;
use wire::Timestamp;
use wire::error::ApiError;
use wire::iam::*;
use wire::shape::Nothing;

fn told_user(of: &iam::User) -> User {
    User {
        arn: Some(of.arn.clone()),
        create_date: Some(Timestamp(of.created)),
        path: Some(of.path.to_string()),
        tags: told(&of.tags),
        user_id: Some(of.id.clone()),
        user_name: Some(of.name.clone()),
        ..Default::default()
    }
}

pub(super) fn create(
    call: &mut Call<'_>,
    request: CreateUserRequest,
) -> Outcome<CreateUserResponse> {
    let tags = tags::read(pairs(request.tags))?;
    let path = Path::read(request.path)?;
    let made = user::create(&mut call.state, call.context, request.user_name, path, tags)?;
    Ok(CreateUserResponse {
        user: Some(told_user(&made)),
    })
}

/// The user who calls, if a user does.
fn caller(context: &Context) -> Option<&str> {
    let (account, resource) = context.caller.rsplit_once(":user/")?;
    account.starts_with("arn:aws:iam::").then_some(())?;
    resource.rsplit('/').next()
}

/// The user that a request is about: the one that it names, or the one who calls.
fn meant(context: &Context, named: Option<String>) -> Outcome<String> {
    named
        .or_else(|| caller(context).map(str::to_owned))
        .ok_or_else(|| {
            let message = "Must specify userName when calling with non-User credentials";
            ApiError::new("ValidationError", message)
        })
}

/// The account's root user.
fn root(state: &State) -> User {
    let account = &state.settings.account;
    User {
        arn: Some(format!("arn:aws:iam::{account}:root")),
        user_id: Some(account.clone()),
        create_date: Some(Timestamp(0)),
        ..Default::default()
    }
}

pub(super) fn get(call: &mut Call<'_>, request: GetUserRequest) -> Outcome<GetUserResponse> {
    let is_root = call.context.caller.ends_with(":root");
    let found = match request.user_name {
        None if is_root => root(&call.state),
        named => told_user(user::find(&call.state, &meant(call.context, named)?)?),
    };
    Ok(GetUserResponse { user: Some(found) })
}

pub(super) fn list(call: &mut Call<'_>, request: ListUsersRequest) -> Outcome<ListUsersResponse> {
    let users = call.state.iam_users.values().map(Arc::as_ref);
    let chosen = users.filter(|of| below(of.path.as_str(), request.path_prefix.as_ref()));
    let page = Page::cut(
        chosen.collect(),
        request.max_items,
        request.marker.as_deref(),
    )?;
    Ok(ListUsersResponse {
        is_truncated: page.truncated(),
        users: page.items.into_iter().map(told_user).collect(),
        marker: page.marker,
    })
}

pub(super) fn update(call: &mut Call<'_>, request: UpdateUserRequest) -> Outcome<Nothing> {
    let path = request.new_path.map(|path| Path::read(Some(path)));
    let path = path.transpose()?;
    user::update(
        &mut call.state,
        &request.user_name,
        request.new_user_name,
        path,
    )?;
    Ok(Nothing {})
}

pub(super) fn delete(call: &mut Call<'_>, request: DeleteUserRequest) -> Outcome<Nothing> {
    user::delete(&mut call.state, &request.user_name)?;
    Ok(Nothing {})
}

fn status(of: &AccessKey) -> Option<StatusType> {
    Some(match of.active {
        true => StatusType::Active,
        false => StatusType::Inactive,
    })
}

pub(super) fn create_access_key(
    call: &mut Call<'_>,
    request: CreateAccessKeyRequest,
) -> Outcome<CreateAccessKeyResponse> {
    let name = meant(call.context, request.user_name)?;
    let made = access_key::create(&mut call.state, call.context, &name)?;
    Ok(CreateAccessKeyResponse {
        access_key: Some(wire::iam::AccessKey {
            status: status(&made),
            access_key_id: Some(made.id),
            create_date: Some(Timestamp(made.created)),
            secret_access_key: Some(made.secret),
            user_name: Some(made.user),
        }),
    })
}

pub(super) fn list_access_keys(
    call: &mut Call<'_>,
    request: ListAccessKeysRequest,
) -> Outcome<ListAccessKeysResponse> {
    let name = meant(call.context, request.user_name)?;
    user::find(&call.state, &name)?;
    let keys = access_key::of(&call.state, &name);
    let page = Page::cut(keys, request.max_items, request.marker.as_deref())?;
    let told = |of: AccessKey| AccessKeyMetadata {
        status: status(&of),
        access_key_id: Some(of.id),
        create_date: Some(Timestamp(of.created)),
        user_name: Some(of.user),
    };
    Ok(ListAccessKeysResponse {
        is_truncated: page.truncated(),
        access_key_metadata: page.items.into_iter().map(told).collect(),
        marker: page.marker,
    })
}

pub(super) fn update_access_key(
    call: &mut Call<'_>,
    request: UpdateAccessKeyRequest,
) -> Outcome<Nothing> {
    let name = meant(call.context, request.user_name)?;
    let active = match request.status {
        StatusType::Active => true,
        StatusType::Inactive => false,
        StatusType::Expired => {
            let message = "A key can be made Active or Inactive.";
            return Err(ApiError::new("ValidationError", message));
        }
    };
    access_key::set_active(&mut call.state, &name, &request.access_key_id, active)?;
    Ok(Nothing {})
}

pub(super) fn delete_access_key(
    call: &mut Call<'_>,
    request: DeleteAccessKeyRequest,
) -> Outcome<Nothing> {
    let name = meant(call.context, request.user_name)?;
    access_key::delete(&mut call.state, &name, &request.access_key_id)?;
    Ok(Nothing {})
}

/// Skylab's accounts have no groups, so a user is in none.
pub(super) fn list_groups(
    call: &mut Call<'_>,
    request: ListGroupsForUserRequest,
) -> Outcome<ListGroupsForUserResponse> {
    user::find(&call.state, &request.user_name)?;
    let page = Page::cut(Vec::new(), request.max_items, request.marker.as_deref())?;
    Ok(ListGroupsForUserResponse {
        is_truncated: page.truncated(),
        groups: page.items,
        marker: page.marker,
    })
}
