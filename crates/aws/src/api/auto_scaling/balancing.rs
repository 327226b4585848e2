//! Groups' load balancers on the wire.

use super::super::{Call, Outcome as Answered};
use super::page;
use crate::model::State;
use crate::model::auto_scaling::{self, AutoScalingGroup, Balancers};
use wire::autoscaling::{
    AttachLoadBalancerTargetGroupsResultType, AttachLoadBalancerTargetGroupsType,
    AttachLoadBalancersResultType, AttachLoadBalancersType,
    DescribeLoadBalancerTargetGroupsRequest, DescribeLoadBalancerTargetGroupsResponse,
    DescribeLoadBalancersRequest, DescribeLoadBalancersResponse,
    DetachLoadBalancerTargetGroupsResultType, DetachLoadBalancerTargetGroupsType,
    DetachLoadBalancersResultType, DetachLoadBalancersType, LoadBalancerState,
    LoadBalancerTargetGroupState,
};

pub(super) fn attach_target_groups(
    call: &mut Call<'_>,
    request: AttachLoadBalancerTargetGroupsType,
) -> Answered<AttachLoadBalancerTargetGroupsResultType> {
    let of = Balancers::TargetGroups(&request.target_group_ar_ns);
    let name = &request.auto_scaling_group_name;
    auto_scaling::attach_balancers(&mut call.state, call.context, name, of)?;
    Ok(AttachLoadBalancerTargetGroupsResultType {})
}

pub(super) fn detach_target_groups(
    call: &mut Call<'_>,
    request: DetachLoadBalancerTargetGroupsType,
) -> Answered<DetachLoadBalancerTargetGroupsResultType> {
    let of = Balancers::TargetGroups(&request.target_group_ar_ns);
    let name = &request.auto_scaling_group_name;
    auto_scaling::detach_balancers(&mut call.state, call.context, name, of)?;
    Ok(DetachLoadBalancerTargetGroupsResultType {})
}

pub(super) fn attach_load_balancers(
    call: &mut Call<'_>,
    request: AttachLoadBalancersType,
) -> Answered<AttachLoadBalancersResultType> {
    let of = Balancers::Classic(&request.load_balancer_names);
    let name = &request.auto_scaling_group_name;
    auto_scaling::attach_balancers(&mut call.state, call.context, name, of)?;
    Ok(AttachLoadBalancersResultType {})
}

pub(super) fn detach_load_balancers(
    call: &mut Call<'_>,
    request: DetachLoadBalancersType,
) -> Answered<DetachLoadBalancersResultType> {
    let of = Balancers::Classic(&request.load_balancer_names);
    let name = &request.auto_scaling_group_name;
    auto_scaling::detach_balancers(&mut call.state, call.context, name, of)?;
    Ok(DetachLoadBalancersResultType {})
}

/// How far a group has got with its balancers: one instance that is healthy there is enough to be in service.
fn progress(state: &State, group: &AutoScalingGroup) -> &'static str {
    let well = |id| auto_scaling::verdict(state, group, id).0;
    match group.members.keys().any(well) {
        true => "InService",
        false => "Added",
    }
}

pub(super) fn describe_target_groups(
    call: &mut Call<'_>,
    request: DescribeLoadBalancerTargetGroupsRequest,
) -> Answered<DescribeLoadBalancerTargetGroupsResponse> {
    let name = &request.auto_scaling_group_name;
    let group = auto_scaling::find(&call.state, call.context, name)?;
    let state = progress(&call.state, group);
    let view = |arn: &String| LoadBalancerTargetGroupState {
        load_balancer_target_group_arn: Some(arn.clone()),
        state: Some(state.to_owned()),
    };
    let all = group.target_groups.iter().map(view).collect();
    let (load_balancer_target_groups, next_token) =
        page(all, request.max_records, request.next_token.as_deref())?;
    Ok(DescribeLoadBalancerTargetGroupsResponse {
        load_balancer_target_groups,
        next_token,
    })
}

pub(super) fn describe_load_balancers(
    call: &mut Call<'_>,
    request: DescribeLoadBalancersRequest,
) -> Answered<DescribeLoadBalancersResponse> {
    let name = &request.auto_scaling_group_name;
    let group = auto_scaling::find(&call.state, call.context, name)?;
    let state = progress(&call.state, group);
    let view = |name: &String| LoadBalancerState {
        load_balancer_name: Some(name.clone()),
        state: Some(state.to_owned()),
    };
    let all = group.load_balancers.iter().map(view).collect();
    let (load_balancers, next_token) =
        page(all, request.max_records, request.next_token.as_deref())?;
    Ok(DescribeLoadBalancersResponse {
        load_balancers,
        next_token,
    })
}
