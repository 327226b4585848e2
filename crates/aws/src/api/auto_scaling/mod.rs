//! The Auto Scaling API.
//!
//! <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/Welcome.html>

mod activity;
mod balancing;
mod group;
mod instance;
mod scale;
mod tag;

pub(crate) use scale::{advance, terminate};

use super::{Answer, answered, dispatch};
use crate::model::{Context, State};
use wire::autoscaling::{self, Request};
use wire::error::ApiError;

/// Pages of every listing: a hundred records at most, fifty unless the request says.
const RECORDS: std::ops::RangeInclusive<i32> = 1..=100;
const USUAL_RECORDS: i32 = 50;

/// Cuts a page as Auto Scaling does: also without being asked.
fn page<T>(
    all: Vec<T>,
    max: Option<i32>,
    token: Option<&str>,
) -> Result<(Vec<T>, Option<String>), ApiError> {
    let max = max.unwrap_or(USUAL_RECORDS);
    wire::pagination::page(all, Some(max), token, RECORDS).map_err(|error| {
        let code = if token.is_some() && RECORDS.contains(&max) {
            "InvalidNextToken"
        } else {
            "ValidationError"
        };
        ApiError::new(code, error.message)
    })
}

/// Carries out an Auto Scaling operation.
///
/// # Errors
/// Auto Scaling's own; the state is as it was.
pub fn auto_scaling(
    state: &State,
    context: &Context,
    request: Request,
    request_id: &str,
) -> Result<Answer, ApiError> {
    answered(state, context, request.name(), |call| {
        Ok(
            dispatch!(call, request, |operation, output| autoscaling::respond(operation, &output, request_id), {
                    CreateAutoScalingGroup => group::create,
                    UpdateAutoScalingGroup => group::update,
                    DeleteAutoScalingGroup => group::delete,
                    DescribeAutoScalingGroups => group::describe,
                    SetDesiredCapacity => group::set_desired,
                    SuspendProcesses => group::suspend,
                    ResumeProcesses => group::resume,
                    DescribeAccountLimits => group::account_limits,
                    DescribeTerminationPolicyTypes => group::policy_types,
                    DescribeScalingProcessTypes => group::process_types,
                    DescribeAutoScalingInstances => instance::describe,
                    TerminateInstanceInAutoScalingGroup => instance::terminate,
                    SetInstanceHealth => instance::set_health,
                    SetInstanceProtection => instance::protect,
                    AttachInstances => instance::attach,
                    DetachInstances => instance::detach,
                    AttachLoadBalancerTargetGroups => balancing::attach_target_groups,
                    DetachLoadBalancerTargetGroups => balancing::detach_target_groups,
                    DescribeLoadBalancerTargetGroups => balancing::describe_target_groups,
                    AttachLoadBalancers => balancing::attach_load_balancers,
                    DetachLoadBalancers => balancing::detach_load_balancers,
                    DescribeLoadBalancers => balancing::describe_load_balancers,
                    DescribeScalingActivities => activity::describe,
                    CreateOrUpdateTags => tag::create_or_update,
                    DeleteTags => tag::delete,
                    DescribeTags => tag::describe,
            }),
        )
    })
}
