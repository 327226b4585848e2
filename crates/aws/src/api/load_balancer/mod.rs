//! The Elastic Load Balancing API, version 2015-12-01: application, network and gateway load balancers.
//!
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/Welcome.html>

mod action;
mod balancer;
mod condition;
mod limit;
mod listener;
mod rule;
mod tag;
mod target;
mod target_group;

use super::{Answer, answered, dispatch};
use crate::model::{Context, State};
use wire::elbv2::{self, Request};
use wire::error::ApiError;
use wire::query::Node;

/// Pages of every listing.
const PAGE: std::ops::RangeInclusive<i32> = 1..=400;

/// Cuts a page as Elastic Load Balancing does: also without being asked.
pub(super) fn page<T>(
    all: Vec<T>,
    size: Option<i32>,
    marker: Option<&str>,
) -> Result<(Vec<T>, Option<String>), ApiError> {
    let size = size.unwrap_or(*PAGE.end());
    // Clients that send an empty marker mean none.
    let marker = marker.filter(|marker| !marker.is_empty());
    wire::pagination::page(all, Some(size), marker, PAGE).map_err(|_| {
        let message = match (marker, PAGE.contains(&size)) {
            (Some(marker), true) => format!("The marker '{marker}' is not valid"),
            _ => format!("The page size '{size}' must be between '1-400' inclusive"),
        };
        ApiError::new("ValidationError", message)
    })
}

/// A request that can't be read, in Elastic Load Balancing's words.
pub(super) fn unreadable(error: ApiError) -> ApiError {
    match error.code.as_str() {
        "MissingParameter" | "InvalidParameterValue" => {
            ApiError::new("ValidationError", error.message)
        }
        _ => error,
    }
}

/// Reads a request.
///
/// # Errors
/// `ValidationError` for a parameter that is missing or can't be, `InvalidAction`, `UnsupportedOperation`.
pub fn parse(action: &str, parameters: &Node) -> Result<Request, ApiError> {
    Request::parse(action, parameters).map_err(unreadable)
}

/// Carries out an operation.
///
/// # Errors
/// Elastic Load Balancing's own; the state is as it was.
pub fn answer(
    state: &State,
    context: &Context,
    request: Request,
    request_id: &str,
) -> Result<Answer, ApiError> {
    answered(state, context, request.name(), |call| {
        Ok(
            dispatch!(call, request, |operation, output| elbv2::respond(operation, &output, request_id), {
                    CreateLoadBalancer => balancer::create,
                    DescribeLoadBalancers => balancer::describe,
                    DeleteLoadBalancer => balancer::delete,
                    SetSubnets => balancer::set_subnets,
                    SetSecurityGroups => balancer::set_security_groups,
                    SetIpAddressType => balancer::set_ip_address_type,
                    DescribeLoadBalancerAttributes => balancer::describe_attributes,
                    ModifyLoadBalancerAttributes => balancer::modify_attributes,
                    CreateTargetGroup => target_group::create,
                    ModifyTargetGroup => target_group::modify,
                    DeleteTargetGroup => target_group::delete,
                    DescribeTargetGroups => target_group::describe,
                    DescribeTargetGroupAttributes => target_group::describe_attributes,
                    ModifyTargetGroupAttributes => target_group::modify_attributes,
                    RegisterTargets => target::register,
                    DeregisterTargets => target::deregister,
                    DescribeTargetHealth => target::describe_health,
                    CreateListener => listener::create,
                    ModifyListener => listener::modify,
                    DeleteListener => listener::delete,
                    DescribeListeners => listener::describe,
                    DescribeListenerAttributes => listener::describe_attributes,
                    ModifyListenerAttributes => listener::modify_attributes,
                    AddListenerCertificates => listener::add_certificates,
                    RemoveListenerCertificates => listener::remove_certificates,
                    DescribeListenerCertificates => listener::describe_certificates,
                    DescribeSSLPolicies => limit::describe_ssl_policies,
                    CreateRule => rule::create,
                    ModifyRule => rule::modify,
                    DeleteRule => rule::delete,
                    DescribeRules => rule::describe,
                    SetRulePriorities => rule::set_priorities,
                    AddTags => tag::add,
                    RemoveTags => tag::remove,
                    DescribeTags => tag::describe,
                    DescribeCapacityReservation => balancer::describe_capacity_reservation,
                    DescribeAccountLimits => limit::describe_account_limits,
            }),
        )
    })
}
