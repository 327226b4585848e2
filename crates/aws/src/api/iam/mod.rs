//! The IAM API, version 2010-05-08.
//!
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/welcome.html>

mod account;
mod grant;
mod instance_profile;
mod oidc_provider;
mod policy;
mod role;
mod tag;
mod user;

use super::{Answer, Outcome, answered, dispatch};
use crate::model::iam::Tags;
use crate::model::{Context, State};
use wire::error::ApiError;
use wire::iam::{self, Request, Tag};
use wire::query::{Node, encode};

/// Pages of every listing.
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRoles.html>
const PAGE: std::ops::RangeInclusive<i32> = 1..=1000;
/// What a page holds without being asked.
const USUAL: i32 = 100;

/// A page of a listing: its items, and the marker of the next one if there is one.
struct Page<T> {
    items: Vec<T>,
    marker: Option<String>,
}

impl<T> Page<T> {
    fn cut(all: Vec<T>, size: Option<i32>, marker: Option<&str>) -> Outcome<Self> {
        let size = size.unwrap_or(USUAL);
        let page = wire::pagination::page(all, Some(size), marker, PAGE);
        let (items, marker) =
            page.map_err(|error| ApiError::new("ValidationError", error.message))?;
        Ok(Self { items, marker })
    }

    fn truncated(&self) -> Option<bool> {
        Some(self.marker.is_some())
    }
}

/// A policy document in a response: escaped as in a URL, as IAM's documentation says.
fn escaped(document: &str) -> Option<String> {
    Some(encode(document))
}

fn pairs(tags: Vec<Tag>) -> impl Iterator<Item = (String, String)> {
    tags.into_iter()
        .map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default()))
}

fn told(tags: &Tags) -> Vec<Tag> {
    let tag = |(key, value): (&String, &String)| Tag {
        key: Some(key.clone()),
        value: Some(value.clone()),
    };
    tags.iter().map(tag).collect()
}

/// Whether a path lies below a prefix that a request asks for.
fn below(path: &str, prefix: Option<&String>) -> bool {
    prefix.is_none_or(|prefix| path.starts_with(prefix.as_str()))
}

/// Reads a request.
///
/// # Errors
/// `ValidationError` for a parameter that is missing or can't be, `InvalidAction`, `UnsupportedOperation`.
pub fn parse(action: &str, parameters: &Node) -> Result<Request, ApiError> {
    Request::parse(action, parameters).map_err(|error| match error.code.as_str() {
        "MissingParameter" | "InvalidParameterValue" => {
            ApiError::new("ValidationError", error.message)
        }
        _ => error,
    })
}

/// Carries out an operation.
///
/// # Errors
/// IAM's own; the state is as it was.
pub fn answer(
    state: &State,
    context: &Context,
    request: Request,
    request_id: &str,
) -> Result<Answer, ApiError> {
    let answer = answered(state, context, request.name(), |call| {
        Ok(
            dispatch!(call, request, |operation, output| iam::respond(operation, &output, request_id), {
                    CreateUser => user::create,
                    GetUser => user::get,
                    ListUsers => user::list,
                    UpdateUser => user::update,
                    DeleteUser => user::delete,
                    CreateAccessKey => user::create_access_key,
                    ListAccessKeys => user::list_access_keys,
                    UpdateAccessKey => user::update_access_key,
                    DeleteAccessKey => user::delete_access_key,
                    ListGroupsForUser => user::list_groups,
                    CreateRole => role::create,
                    GetRole => role::get,
                    ListRoles => role::list,
                    UpdateRole => role::update,
                    UpdateRoleDescription => role::update_description,
                    UpdateAssumeRolePolicy => role::update_trust,
                    DeleteRole => role::delete,
                    CreateServiceLinkedRole => role::create_service_linked,
                    DeleteServiceLinkedRole => role::delete_service_linked,
                    GetServiceLinkedRoleDeletionStatus => role::deletion_status,
                    PutRolePolicy => grant::put_of_role,
                    GetRolePolicy => grant::get_of_role,
                    ListRolePolicies => grant::list_of_role,
                    DeleteRolePolicy => grant::delete_of_role,
                    PutUserPolicy => grant::put_of_user,
                    GetUserPolicy => grant::get_of_user,
                    ListUserPolicies => grant::list_of_user,
                    DeleteUserPolicy => grant::delete_of_user,
                    CreatePolicy => policy::create,
                    GetPolicy => policy::get,
                    ListPolicies => policy::list,
                    DeletePolicy => policy::delete,
                    CreatePolicyVersion => policy::create_version,
                    GetPolicyVersion => policy::get_version,
                    ListPolicyVersions => policy::list_versions,
                    DeletePolicyVersion => policy::delete_version,
                    SetDefaultPolicyVersion => policy::set_default_version,
                    ListEntitiesForPolicy => policy::list_entities,
                    AttachRolePolicy => grant::attach_to_role,
                    DetachRolePolicy => grant::detach_from_role,
                    ListAttachedRolePolicies => grant::list_attached_to_role,
                    AttachUserPolicy => grant::attach_to_user,
                    DetachUserPolicy => grant::detach_from_user,
                    ListAttachedUserPolicies => grant::list_attached_to_user,
                    CreateInstanceProfile => instance_profile::create,
                    GetInstanceProfile => instance_profile::get,
                    ListInstanceProfiles => instance_profile::list,
                    ListInstanceProfilesForRole => instance_profile::list_for_role,
                    DeleteInstanceProfile => instance_profile::delete,
                    AddRoleToInstanceProfile => instance_profile::add_role,
                    RemoveRoleFromInstanceProfile => instance_profile::remove_role,
                    CreateOpenIDConnectProvider => oidc_provider::create,
                    GetOpenIDConnectProvider => oidc_provider::get,
                    ListOpenIDConnectProviders => oidc_provider::list,
                    DeleteOpenIDConnectProvider => oidc_provider::delete,
                    UpdateOpenIDConnectProviderThumbprint => oidc_provider::update_thumbprint,
                    AddClientIDToOpenIDConnectProvider => oidc_provider::add_client,
                    RemoveClientIDFromOpenIDConnectProvider => oidc_provider::remove_client,
                    TagUser => tag::tag_user,
                    UntagUser => tag::untag_user,
                    ListUserTags => tag::list_of_user,
                    TagRole => tag::tag_role,
                    UntagRole => tag::untag_role,
                    ListRoleTags => tag::list_of_role,
                    TagPolicy => tag::tag_policy,
                    UntagPolicy => tag::untag_policy,
                    ListPolicyTags => tag::list_of_policy,
                    TagInstanceProfile => tag::tag_instance_profile,
                    UntagInstanceProfile => tag::untag_instance_profile,
                    ListInstanceProfileTags => tag::list_of_instance_profile,
                    TagOpenIDConnectProvider => tag::tag_oidc_provider,
                    UntagOpenIDConnectProvider => tag::untag_oidc_provider,
                    ListOpenIDConnectProviderTags => tag::list_of_oidc_provider,
                    GetAccountSummary => account::summary,
            }),
        )
    });
    answer.map_err(|mut error| {
        // What is 400 with other services is a conflict with this one.
        if error.code == "LimitExceeded" {
            error.status = 409;
        }
        error
    })
}
