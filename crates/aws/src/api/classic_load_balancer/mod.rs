//! The Elastic Load Balancing API, version 2012-06-01: classic load balancers.
//!
//! <https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/Welcome.html>

mod attribute;
mod balancer;
mod instance;
mod listener;
mod policy;
mod tag;

use super::load_balancer::unreadable;
use super::{Answer, answered, dispatch};
use crate::model::{Context, State};
use wire::elb::{self, Request};
use wire::error::ApiError;
use wire::query::Node;

/// The version that tells this API from the newer one.
pub const VERSION: &str = "2012-06-01";

/// Reads a request.
///
/// # Errors
/// `ValidationError` for a parameter that is missing or can't be, `InvalidAction`.
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
            dispatch!(call, request, |operation, output| elb::respond(operation, &output, request_id), {
                    CreateLoadBalancer => balancer::create,
                    DeleteLoadBalancer => balancer::delete,
                    DescribeLoadBalancers => balancer::describe,
                    AttachLoadBalancerToSubnets => balancer::attach_subnets,
                    DetachLoadBalancerFromSubnets => balancer::detach_subnets,
                    EnableAvailabilityZonesForLoadBalancer => balancer::enable_zones,
                    DisableAvailabilityZonesForLoadBalancer => balancer::disable_zones,
                    ApplySecurityGroupsToLoadBalancer => balancer::apply_groups,
                    DescribeAccountLimits => balancer::describe_account_limits,
                    DescribeLoadBalancerAttributes => attribute::describe,
                    ModifyLoadBalancerAttributes => attribute::modify,
                    CreateLoadBalancerListeners => listener::create,
                    DeleteLoadBalancerListeners => listener::delete,
                    SetLoadBalancerListenerSSLCertificate => listener::set_certificate,
                    ConfigureHealthCheck => instance::configure_health_check,
                    RegisterInstancesWithLoadBalancer => instance::register,
                    DeregisterInstancesFromLoadBalancer => instance::deregister,
                    DescribeInstanceHealth => instance::describe_health,
                    CreateAppCookieStickinessPolicy => policy::create_app_cookie,
                    CreateLBCookieStickinessPolicy => policy::create_lb_cookie,
                    CreateLoadBalancerPolicy => policy::create,
                    DeleteLoadBalancerPolicy => policy::delete,
                    DescribeLoadBalancerPolicies => policy::describe,
                    DescribeLoadBalancerPolicyTypes => policy::describe_types,
                    SetLoadBalancerPoliciesOfListener => policy::set_of_listener,
                    SetLoadBalancerPoliciesForBackendServer => policy::set_of_backend,
                    AddTags => tag::add,
                    RemoveTags => tag::remove,
                    DescribeTags => tag::describe,
            }),
        )
    })
}
