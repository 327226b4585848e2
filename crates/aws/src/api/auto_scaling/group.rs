//! Groups on the wire.

use super::super::{Call, Outcome as Answered};
use super::{instance, page, tag};
use crate::model::State;
use crate::model::auto_scaling::{
    self, AutoScalingGroup, Balancers, Bounds, Changes, Policy, Process,
};
use std::sync::Arc;
use wire::Timestamp;
use wire::autoscaling::{
    AutoScalingGroup as View, AutoScalingGroupNamesType, AutoScalingGroupsType,
    CreateAutoScalingGroupType, DeleteAutoScalingGroupType, DescribeAccountLimitsAnswer,
    DescribeTerminationPolicyTypesAnswer, Filter, LaunchTemplateSpecification, ProcessType,
    ProcessesType, ScalingProcessQuery, SetDesiredCapacityType, SuspendedProcess,
    UpdateAutoScalingGroupType,
};
use wire::error::ApiError;
use wire::shape::Nothing;

fn template(
    of: Option<LaunchTemplateSpecification>,
) -> Option<(Option<String>, Option<String>, Option<String>)> {
    of.map(|of| (of.launch_template_id, of.launch_template_name, of.version))
}

pub(super) fn create(
    call: &mut Call<'_>,
    request: CreateAutoScalingGroupType,
) -> Answered<Nothing> {
    let bounds = Bounds {
        min: request.min_size,
        max: request.max_size,
        desired: request.desired_capacity,
    };
    let changes = Changes {
        template: template(request.launch_template),
        cooldown: request.default_cooldown,
        zones: request.availability_zones,
        subnets: request.vpc_zone_identifier,
        health_check: request.health_check_type,
        grace: request.health_check_grace_period,
        policies: request.termination_policies,
        protect_new: request.new_instances_protected_from_scale_in,
    };
    let (name, tags) = (request.auto_scaling_group_name, tag::read(request.tags)?);
    auto_scaling::create(&mut call.state, call.context, &name, bounds, changes, tags)?;
    for of in [
        Balancers::TargetGroups(&request.target_group_ar_ns),
        Balancers::Classic(&request.load_balancer_names),
    ] {
        auto_scaling::attach_balancers(&mut call.state, call.context, &name, of)?;
    }
    Ok(Nothing {})
}

pub(super) fn update(
    call: &mut Call<'_>,
    request: UpdateAutoScalingGroupType,
) -> Answered<Nothing> {
    let changes = Changes {
        template: template(request.launch_template),
        cooldown: request.default_cooldown,
        zones: request.availability_zones,
        subnets: request.vpc_zone_identifier,
        health_check: request.health_check_type,
        grace: request.health_check_grace_period,
        policies: request.termination_policies,
        protect_new: request.new_instances_protected_from_scale_in,
    };
    auto_scaling::update(
        &mut call.state,
        call.context,
        &request.auto_scaling_group_name,
        (request.min_size, request.max_size, request.desired_capacity),
        changes,
    )?;
    Ok(Nothing {})
}

pub(super) fn delete(
    call: &mut Call<'_>,
    request: DeleteAutoScalingGroupType,
) -> Answered<Nothing> {
    let (name, force) = (&request.auto_scaling_group_name, request.force_delete);
    auto_scaling::delete(&mut call.state, call.context, name, force.unwrap_or(false))?;
    Ok(Nothing {})
}

pub(super) fn set_desired(
    call: &mut Call<'_>,
    request: SetDesiredCapacityType,
) -> Answered<Nothing> {
    auto_scaling::set_desired(
        &mut call.state,
        call.context,
        &request.auto_scaling_group_name,
        request.desired_capacity,
        request.honor_cooldown.unwrap_or(false),
    )?;
    Ok(Nothing {})
}

pub(super) fn suspend(call: &mut Call<'_>, request: ScalingProcessQuery) -> Answered<Nothing> {
    set_suspended(call, &request, true)
}

pub(super) fn resume(call: &mut Call<'_>, request: ScalingProcessQuery) -> Answered<Nothing> {
    set_suspended(call, &request, false)
}

fn set_suspended(
    call: &mut Call<'_>,
    request: &ScalingProcessQuery,
    suspended: bool,
) -> Answered<Nothing> {
    let (name, processes) = (&request.auto_scaling_group_name, &request.scaling_processes);
    auto_scaling::suspend(&mut call.state, call.context, name, processes, suspended)?;
    Ok(Nothing {})
}

pub(super) fn describe(
    call: &mut Call<'_>,
    request: AutoScalingGroupNamesType,
) -> Answered<AutoScalingGroupsType> {
    let state = &call.state;
    let mut chosen = Vec::new();
    for group in state.auto_scaling_groups.values().map(Arc::as_ref) {
        let names = &request.auto_scaling_group_names;
        // Names that there aren't are left out, not refused.
        let asked = names.is_empty() || names.contains(&group.key.name);
        if group.key.region == call.context.region && asked && passes(group, &request.filters)? {
            chosen.push(group);
        }
    }
    let (chosen, next_token) = page(chosen, request.max_records, request.next_token.as_deref())?;
    Ok(AutoScalingGroupsType {
        auto_scaling_groups: chosen.into_iter().map(|group| view(state, group)).collect(),
        next_token,
    })
}

fn passes(group: &AutoScalingGroup, filters: &[Filter]) -> Result<bool, ApiError> {
    for filter in filters {
        let any = |mut values: Box<dyn Iterator<Item = &String> + '_>| {
            values.any(|value| filter.values.contains(value))
        };
        let name = filter.name.as_deref().unwrap_or_default();
        let passes = match name.strip_prefix("tag:") {
            Some(key) => any(Box::new(
                group.tags.get(key).map(|tag| &tag.value).into_iter(),
            )),
            None if name == "tag-key" => any(Box::new(group.tags.keys())),
            None if name == "tag-value" => any(Box::new(group.tags.values().map(|t| &t.value))),
            None => return Err(tag::unknown_filter(name)),
        };
        if !passes {
            return Ok(false);
        }
    }
    Ok(true)
}

fn view(state: &State, group: &AutoScalingGroup) -> View {
    let account = &state.settings.account;
    let number = |value: u32| Some(i32::try_from(value).unwrap_or(i32::MAX));
    let subnets: Vec<&str> = group.subnets.iter().map(|id| id.as_str()).collect();
    View {
        auto_scaling_group_arn: Some(group.arn(account)),
        auto_scaling_group_name: Some(group.key.name.clone()),
        availability_zones: group.all_zones(state),
        created_time: Some(Timestamp(group.created)),
        default_cooldown: number(group.cooldown),
        desired_capacity: number(group.desired),
        health_check_grace_period: number(group.grace),
        health_check_type: Some(group.health_check.clone()),
        instances: group
            .members
            .iter()
            .map(|(id, member)| instance::view(state, group, id, member))
            .collect(),
        launch_template: Some(LaunchTemplateSpecification {
            launch_template_id: Some(group.template.id.to_string()),
            launch_template_name: Some(group.template.name.clone()),
            version: Some(group.template.version.clone()),
        }),
        load_balancer_names: group.load_balancers.clone(),
        max_size: number(group.max),
        min_size: number(group.min),
        new_instances_protected_from_scale_in: Some(group.protect_new),
        service_linked_role_arn: Some(format!(
            "arn:aws:iam::{account}:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
        )),
        status: group.deleting.then(|| "Delete in progress".to_owned()),
        suspended_processes: group.suspended.iter().copied().map(suspension).collect(),
        tags: tag::view(group),
        target_group_ar_ns: group.target_groups.clone(),
        termination_policies: names(&group.policies),
        vpc_zone_identifier: Some(subnets.join(",")),
        ..Default::default()
    }
}

fn names(policies: &[Policy]) -> Vec<String> {
    policies
        .iter()
        .map(|policy| policy.as_str().to_owned())
        .collect()
}

fn suspension(process: Process) -> SuspendedProcess {
    SuspendedProcess {
        process_name: Some(process.as_str().to_owned()),
        suspension_reason: Some("User suspended".to_owned()),
    }
}

/// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-quotas.html>
const MOST_GROUPS: i32 = 500;

pub(super) fn account_limits(
    call: &mut Call<'_>,
    _: Nothing,
) -> Answered<DescribeAccountLimitsAnswer> {
    let region = &call.context.region;
    let keys = call.state.auto_scaling_groups.keys();
    let here = keys.filter(|key| key.region == *region).count();
    Ok(DescribeAccountLimitsAnswer {
        max_number_of_auto_scaling_groups: Some(MOST_GROUPS),
        max_number_of_launch_configurations: Some(200),
        number_of_auto_scaling_groups: Some(i32::try_from(here).unwrap_or(i32::MAX)),
        number_of_launch_configurations: Some(0),
    })
}

pub(super) fn policy_types(
    _: &mut Call<'_>,
    _: Nothing,
) -> Answered<DescribeTerminationPolicyTypesAnswer> {
    Ok(DescribeTerminationPolicyTypesAnswer {
        termination_policy_types: names(Policy::ALL),
    })
}

pub(super) fn process_types(_: &mut Call<'_>, _: Nothing) -> Answered<ProcessesType> {
    let name = |process: &Process| ProcessType {
        process_name: Some(process.as_str().to_owned()),
    };
    Ok(ProcessesType {
        processes: Process::ALL.iter().map(name).collect(),
    })
}
