//! The API of Amazon EKS, version 2017-11-01.
//!
//! <https://docs.aws.amazon.com/eks/latest/APIReference/Welcome.html>

mod access;
mod access_policy;
mod addon;
mod cluster;
mod cluster_view;
mod fargate;
mod identity;
mod nodegroup;
mod nodegroup_view;
mod rollout;
mod tag;
mod update;
mod version;

pub(crate) use rollout::advance;

use super::{Answer, Call, Outcome, answered, dispatch};
use crate::model::{Context, State};
use std::collections::BTreeMap;
use wire::eks::{self, Request};
use wire::error::ApiError;
use wire::rest_json;

/// Pages of every listing.
const PAGE: std::ops::RangeInclusive<i32> = 1..=100;

/// Cuts a page as EKS does: also without being asked.
fn page<T>(
    all: Vec<T>,
    size: Option<i32>,
    token: Option<&str>,
) -> Result<(Vec<T>, Option<String>), ApiError> {
    let size = size.unwrap_or(*PAGE.end());
    let token = token.filter(|token| !token.is_empty());
    wire::pagination::page(all, Some(size), token, PAGE)
        .map_err(|error| ApiError::new("InvalidParameterException", error.message))
}

/// Tags as the wire has them.
type Tags = BTreeMap<String, String>;

/// Reads a request.
///
/// # Errors
/// `InvalidParameterException` for a member that is missing or can't be, `UnsupportedOperation`.
pub fn parse(call: &rest_json::Call<'_>) -> Result<Request, ApiError> {
    Request::parse(call).map_err(|error| match error.code.as_str() {
        "ValidationException" => ApiError::new("InvalidParameterException", error.message),
        _ => error,
    })
}

/// Carries out an operation.
///
/// # Errors
/// EKS's own; the state is as it was.
pub fn answer(state: &State, context: &Context, request: Request) -> Result<Answer, ApiError> {
    answered(state, context, request.name(), |call| {
        Ok(
            dispatch!(call, request, |_operation, output| eks::respond(&output), {
                    CreateCluster => cluster::create,
                    DescribeCluster => cluster::describe,
                    ListClusters => cluster::list,
                    DeleteCluster => cluster::delete,
                    UpdateClusterConfig => cluster::update_config,
                    UpdateClusterVersion => cluster::update_version,
                    DescribeClusterVersions => version::describe,
                    DescribeUpdate => update::describe,
                    ListUpdates => update::list,
                    CreateNodegroup => nodegroup::create,
                    DescribeNodegroup => nodegroup::describe,
                    ListNodegroups => nodegroup::list,
                    DeleteNodegroup => nodegroup::delete,
                    UpdateNodegroupConfig => nodegroup::update_config,
                    UpdateNodegroupVersion => nodegroup::update_version,
                    CreateFargateProfile => fargate::create,
                    DescribeFargateProfile => fargate::describe,
                    ListFargateProfiles => fargate::list,
                    DeleteFargateProfile => fargate::delete,
                    CreateAddon => addon::create,
                    DescribeAddon => addon::describe,
                    ListAddons => addon::list,
                    UpdateAddon => addon::update,
                    DeleteAddon => addon::delete,
                    DescribeAddonVersions => addon::describe_versions,
                    DescribeAddonConfiguration => addon::describe_configuration,
                    DescribeIdentityProviderConfig => identity::describe,
                    ListIdentityProviderConfigs => identity::list,
                    CreateAccessEntry => access::create,
                    DescribeAccessEntry => access::describe,
                    ListAccessEntries => access::list,
                    UpdateAccessEntry => access::update,
                    DeleteAccessEntry => access::delete,
                    AssociateAccessPolicy => access_policy::associate,
                    DisassociateAccessPolicy => access_policy::disassociate,
                    ListAssociatedAccessPolicies => access_policy::list_associated,
                    ListAccessPolicies => access_policy::list_policies,
                    TagResource => tag::add,
                    UntagResource => tag::remove,
                    ListTagsForResource => tag::list,
            }),
        )
    })
}
