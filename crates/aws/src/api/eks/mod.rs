//! The API of Amazon EKS, version 2017-11-01.
//!
//! <https://docs.aws.amazon.com/eks/latest/APIReference/Welcome.html>

mod access;
mod cluster;
mod cluster_view;
mod tag;
mod update;
mod version;

use super::{Answer, Call, Outcome, reads_only};
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
    let reads = reads_only(request.name());
    let mut call = Call {
        state: state.clone(),
        context,
        console: &|_| None,
    };
    macro_rules! answer {
        ($($operation:ident => $module:ident :: $function:ident,)*) => {
            match request {
                $(Request::$operation(input) => eks::respond(&$module::$function(&mut call, *input)?),)*
                other => return Err(absent(other.name())),
            }
        };
    }
    let body = answer! {
        CreateCluster => cluster::create,
        DescribeCluster => cluster::describe,
        ListClusters => cluster::list,
        DeleteCluster => cluster::delete,
        UpdateClusterConfig => cluster::update_config,
        UpdateClusterVersion => cluster::update_version,
        DescribeClusterVersions => version::describe,
        DescribeUpdate => update::describe,
        ListUpdates => update::list,
        CreateAccessEntry => access::create,
        DescribeAccessEntry => access::describe,
        ListAccessEntries => access::list,
        UpdateAccessEntry => access::update,
        DeleteAccessEntry => access::delete,
        AssociateAccessPolicy => access::associate,
        DisassociateAccessPolicy => access::disassociate,
        ListAssociatedAccessPolicies => access::list_associated,
        ListAccessPolicies => access::list_policies,
        TagResource => tag::add,
        UntagResource => tag::remove,
        ListTagsForResource => tag::list,
    };
    Ok(Answer {
        body,
        state: (!reads).then_some(call.state),
    })
}

fn absent(operation: &str) -> ApiError {
    ApiError::new(
        "UnsupportedOperation",
        format!("The operation {operation} is not implemented by Skylab"),
    )
}
