//! Groups' instances on the wire.

use super::super::{Call, Outcome as Answered};
use super::{activity, page, scale};
use crate::model::auto_scaling::{self, AutoScalingGroup, Member, Outcome, Stage};
use crate::model::region::zone_id;
use crate::model::{InstanceId, Refusal, State};
use std::sync::Arc;
use wire::autoscaling::{
    ActivityType, AttachInstancesQuery, AutoScalingInstanceDetails, AutoScalingInstancesType,
    DescribeAutoScalingInstancesType, DetachInstancesAnswer, DetachInstancesQuery, Instance,
    LaunchTemplateSpecification, LifecycleState, SetInstanceHealthQuery,
    SetInstanceProtectionAnswer, SetInstanceProtectionQuery,
    TerminateInstanceInAutoScalingGroupType,
};
use wire::shape::Nothing;

pub(super) fn describe(
    call: &mut Call<'_>,
    request: DescribeAutoScalingInstancesType,
) -> Answered<AutoScalingInstancesType> {
    let state = &call.state;
    let here = state
        .auto_scaling_groups
        .values()
        .map(Arc::as_ref)
        .filter(|group| group.key.region == call.context.region);
    let all: Vec<AutoScalingInstanceDetails> = here
        .flat_map(|group| {
            group
                .members
                .iter()
                .map(|(id, member)| details(state, group, id, member))
        })
        // Ids that belong to no group are left out, not refused.
        .filter(|of| {
            let asked = &request.instance_ids;
            asked.is_empty() || of.instance_id.as_ref().is_some_and(|id| asked.contains(id))
        })
        .collect();
    let (auto_scaling_instances, next_token) =
        page(all, request.max_records, request.next_token.as_deref())?;
    Ok(AutoScalingInstancesType {
        auto_scaling_instances,
        next_token,
    })
}

/// A member in its group's description.
pub(super) fn view(
    state: &State,
    group: &AutoScalingGroup,
    id: &InstanceId,
    member: &Member,
) -> Instance {
    Instance {
        availability_zone: Some(member.zone.clone()),
        availability_zone_id: Some(zone_id(&member.zone)),
        health_status: Some(health(member, true).to_owned()),
        instance_id: Some(id.to_string()),
        instance_type: type_of(state, id),
        launch_template: template(group, member),
        lifecycle_state: Some(stage(member)),
        protected_from_scale_in: Some(member.protected),
        ..Default::default()
    }
}

fn details(
    state: &State,
    group: &AutoScalingGroup,
    id: &InstanceId,
    member: &Member,
) -> AutoScalingInstanceDetails {
    AutoScalingInstanceDetails {
        auto_scaling_group_name: Some(group.key.name.clone()),
        availability_zone: Some(member.zone.clone()),
        availability_zone_id: Some(zone_id(&member.zone)),
        health_status: Some(health(member, false).to_owned()),
        instance_id: Some(id.to_string()),
        instance_type: type_of(state, id),
        launch_template: template(group, member),
        lifecycle_state: Some(stage(member).to_string()),
        protected_from_scale_in: Some(member.protected),
        ..Default::default()
    }
}

/// The two listings write it differently.
fn health(member: &Member, in_group: bool) -> &'static str {
    match (member.healthy, in_group) {
        (true, true) => "Healthy",
        (false, true) => "Unhealthy",
        (true, false) => "HEALTHY",
        (false, false) => "UNHEALTHY",
    }
}

fn type_of(state: &State, id: &InstanceId) -> Option<String> {
    let instance = state.instances.get(id)?;
    Some(instance.instance_type.clone())
}

fn template(group: &AutoScalingGroup, member: &Member) -> Option<LaunchTemplateSpecification> {
    (member.version > 0).then(|| LaunchTemplateSpecification {
        launch_template_id: Some(group.template.id.to_string()),
        launch_template_name: Some(group.template.name.clone()),
        version: Some(member.version.to_string()),
    })
}

fn stage(member: &Member) -> LifecycleState {
    match member.stage {
        Stage::Pending => LifecycleState::Pending,
        Stage::InService => LifecycleState::InService,
        Stage::Terminating => LifecycleState::Terminating,
    }
}

pub(super) fn terminate(
    call: &mut Call<'_>,
    request: TerminateInstanceInAutoScalingGroupType,
) -> Answered<ActivityType> {
    let (key, id) = auto_scaling::terminate(
        &mut call.state,
        call.context,
        &request.instance_id,
        request.should_decrement_desired_capacity,
    )?;
    let why = "instance was taken out of service in response to a user request.";
    let activity = scale::terminate(&mut call.state, call.context, &key, &id, why);
    auto_scaling::edit(&mut call.state, &key, |group| {
        why.clone_into(&mut group.cause);
    });
    Ok(ActivityType {
        activity: activity::shown(&call.state, &activity),
    })
}

pub(super) fn set_health(
    call: &mut Call<'_>,
    request: SetInstanceHealthQuery,
) -> Answered<Nothing> {
    auto_scaling::set_health(
        &mut call.state,
        call.context,
        &request.instance_id,
        &request.health_status,
        request.should_respect_grace_period.unwrap_or(true),
    )?;
    Ok(Nothing {})
}

pub(super) fn protect(
    call: &mut Call<'_>,
    request: SetInstanceProtectionQuery,
) -> Answered<SetInstanceProtectionAnswer> {
    auto_scaling::protect(
        &mut call.state,
        call.context,
        &request.auto_scaling_group_name,
        &request.instance_ids,
        request.protected_from_scale_in,
    )?;
    Ok(SetInstanceProtectionAnswer {})
}

pub(super) fn attach(call: &mut Call<'_>, request: AttachInstancesQuery) -> Answered<Nothing> {
    let (name, ids) = (&request.auto_scaling_group_name, &request.instance_ids);
    if ids.is_empty() {
        return Err(Refusal::new("ValidationError", "No instance ID was specified.").into());
    }
    auto_scaling::attach(&mut call.state, call.context, name, ids)?;
    Ok(Nothing {})
}

pub(super) fn detach(
    call: &mut Call<'_>,
    request: DetachInstancesQuery,
) -> Answered<DetachInstancesAnswer> {
    let (name, ids) = (&request.auto_scaling_group_name, &request.instance_ids);
    let decrement = request.should_decrement_desired_capacity;
    auto_scaling::detach(&mut call.state, call.context, name, ids, decrement)?;
    let key = auto_scaling::find(&call.state, call.context, name)?
        .key
        .clone();
    let (state, context) = (&mut call.state, call.context);
    let mut activities = Vec::new();
    for id in ids {
        let id = InstanceId::from(id.as_str());
        let about = (Outcome::InProgress, Some(id.clone()));
        let why = format!("instance {id} was detached in response to a user request.");
        let description = format!("Detaching EC2 instance: {id}");
        let activity = scale::new_activity(state, context, &key, about, description, &why);
        activities.extend(activity::shown(state, &activity));
        auto_scaling::finish(state, &key, &id, context.now);
    }
    Ok(DetachInstancesAnswer { activities })
}
