//! What groups do by themselves: launch, watch, replace, terminate.
//!
//! A group launches as a customer would, by RunInstances with its template; what RunInstances
//! refuses becomes a failed activity and is tried again later.
//! <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-health-checks.html>

use super::super::{Call, Outcome as Answered, launch, launch_template_data};
use crate::Moment;
use crate::model::auto_scaling::{
    self, Activity, AutoScalingGroup, GroupKey, Member, Outcome, Process, Stage,
};
use crate::model::instance::{self, InstanceState};
use crate::model::{Context, InstanceId, State, SubnetId, launch_template, tag};
use wire::Timestamp;
use wire::ec2::{RunInstancesRequest, Tag, TagSpecification};
use wire::error::ApiError;
use wire::query::Node;
use wire::shape::FromQuery;

/// How long a group waits after a failed launch, in seconds; it doubles with each, five times.
const RETRY: i64 = 60;

/// Brings every group nearer to what it shall be, and says when one wants to be looked at again.
pub(crate) fn advance(state: &mut State, moment: &Moment) -> Option<i64> {
    let groups: Vec<GroupKey> = state.auto_scaling_groups.keys().cloned().collect();
    for key in groups {
        let context = moment.context(&key.region);
        observe(state, &context, &key);
        replace_unhealthy(state, &context, &key);
        shrink(state, &context, &key);
        grow(state, &context, &key);
        rebalance(state, &context, &key);
        let empty = |group: &AutoScalingGroup| group.deleting && group.members.is_empty();
        if state
            .auto_scaling_groups
            .get(&key)
            .is_some_and(|g| empty(g))
        {
            auto_scaling::forget(state, &key);
        }
    }
    let groups = state.auto_scaling_groups.values();
    groups.filter_map(|group| group.retry).min()
}

/// Sees what became of a group's instances.
fn observe(state: &mut State, context: &Context, key: &GroupKey) {
    let Some(group) = state.auto_scaling_groups.get(key).cloned() else {
        return;
    };
    for (id, member) in &group.members {
        let running = state.instances.get(id).map(|instance| instance.state);
        match (member.stage, running) {
            (_, None | Some(InstanceState::Terminated)) if member.stage == Stage::Terminating => {
                auto_scaling::finish(state, key, id, context.now);
                auto_scaling::edit(state, key, |group| {
                    group.members.remove(id);
                });
            }
            (Stage::Pending, Some(InstanceState::Running)) => {
                auto_scaling::finish(state, key, id, context.now);
                edit_member(state, key, id, |member| member.stage = Stage::InService);
                auto_scaling::join(state, context, key, id);
            }
            (Stage::Terminating, _) => {}
            (_, Some(InstanceState::Pending | InstanceState::Running)) => {
                let grace = context.pace.timer(i64::from(group.grace));
                let asked = group.health_check == "ELB" && group.does(Process::HealthCheck);
                let due = asked && member.since + grace <= context.now;
                if due && member.healthy && auto_scaling::verdict(state, &group, id).1 {
                    edit_member(state, key, id, |member| member.healthy = false);
                }
            }
            // EC2's own health check: it isn't running any more.
            _ if group.does(Process::HealthCheck) => {
                edit_member(state, key, id, |member| member.healthy = false);
            }
            _ => {}
        }
    }
}

fn edit_member(
    state: &mut State,
    key: &GroupKey,
    id: &InstanceId,
    change: impl FnOnce(&mut Member),
) {
    auto_scaling::edit(state, key, |group| {
        if let Some(member) = group.members.get_mut(id) {
            change(member);
        }
    });
}

fn replace_unhealthy(state: &mut State, context: &Context, key: &GroupKey) {
    let Some(group) = state.auto_scaling_groups.get(key).cloned() else {
        return;
    };
    if !(group.does(Process::ReplaceUnhealthy) && group.does(Process::Terminate)) {
        return;
    }
    for (id, _) in group.present().filter(|(_, member)| !member.healthy) {
        let running = state.instances.get(id).map(|instance| instance.state);
        let by_user = matches!(
            running,
            Some(InstanceState::Pending | InstanceState::Running)
        );
        let why = if by_user {
            "an instance was taken out of service in response to a user health-check."
        } else {
            "an instance was taken out of service in response to an EC2 health check indicating it has been terminated or stopped."
        };
        terminate(state, context, key, id, why);
    }
}

/// Terminates what is too much.
fn shrink(state: &mut State, context: &Context, key: &GroupKey) {
    while let Some(group) = state.auto_scaling_groups.get(key).cloned() {
        let (present, desired) = (group.present().count(), group.desired as usize);
        let serving = |(_, member): &(&InstanceId, &Member)| member.stage == Stage::InService;
        // The instance that a rebalancing launched serves before another goes.
        let waits = group.rebalancing && group.present().filter(serving).count() <= desired;
        if present <= desired || waits || !group.does(Process::Terminate) {
            return;
        }
        let Some(id) = auto_scaling::surplus(state, &group, context.now) else {
            return;
        };
        let why = format!(
            "{} At {} an instance was taken out of service in response to a difference between desired and actual capacity, shrinking the capacity from {present} to {}.  At {} instance {id} was selected for termination.",
            group.cause,
            Timestamp(context.now).iso(),
            present - 1,
            Timestamp(context.now).iso(),
        );
        terminate(state, context, key, &id, &why);
        auto_scaling::edit(state, key, |group| group.rebalancing = false);
    }
}

/// Terminates an instance of a group, whatever protects it from the API: the activity's id.
///
/// Termination protection doesn't hold against Auto Scaling:
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_ChangingDisableAPITermination.html>
pub(crate) fn terminate(
    state: &mut State,
    context: &Context,
    key: &GroupKey,
    id: &InstanceId,
    why: &str,
) -> String {
    let activity = new_activity(
        state,
        context,
        key,
        (Outcome::InProgress, Some(id.clone())),
        format!("Terminating EC2 instance: {id}"),
        why,
    );
    auto_scaling::leave(state, context, key, id);
    instance::edit(state, id, |instance| {
        instance.disable_api_termination = false;
    });
    // One that is gone already needs no terminating.
    let _ = instance::terminate(state, context, id.as_str());
    edit_member(state, key, id, |member| member.stage = Stage::Terminating);
    activity
}

/// Records an activity that begins now; for one about an instance, with where that is.
pub(super) fn new_activity(
    state: &mut State,
    context: &Context,
    key: &GroupKey,
    (outcome, instance): (Outcome, Option<InstanceId>),
    description: String,
    why: &str,
) -> String {
    let place = instance
        .as_ref()
        .and_then(|id| state.instances.get(id))
        .and_then(|instance| state.subnets.get(&instance.subnet))
        .map(|subnet| details(&subnet.id, &subnet.zone))
        .unwrap_or_else(|| "{}".to_owned());
    let activity = Activity {
        id: String::new(),
        number: 0,
        group: key.clone(),
        description,
        cause: format!("At {} {why}", Timestamp(context.now).iso()),
        began: context.now,
        ended: None,
        outcome,
        message: None,
        details: place,
        instance,
    };
    auto_scaling::begin(state, activity)
}

fn details(subnet: &SubnetId, zone: &str) -> String {
    format!("{{\"Subnet ID\":\"{subnet}\",\"Availability Zone\":\"{zone}\"}}")
}

/// Launches what is missing.
fn grow(state: &mut State, context: &Context, key: &GroupKey) {
    while let Some(group) = state.auto_scaling_groups.get(key).cloned() {
        let waits = group.retry.is_some_and(|at| at > context.now);
        let present = group.present().count();
        if present >= group.desired as usize || waits || !group.does(Process::Launch) {
            return;
        }
        let why = format!(
            "{}  At {} an instance was started in response to a difference between desired and actual capacity, increasing the capacity from {present} to {}.",
            group.cause,
            Timestamp(context.now).iso(),
            present + 1
        );
        if !launch_one(state, context, &group, &why) {
            return;
        }
    }
}

/// Where a zone has two instances more than another, one is launched in the emptier first.
fn rebalance(state: &mut State, context: &Context, key: &GroupKey) {
    let Some(group) = state.auto_scaling_groups.get(key).cloned() else {
        return;
    };
    let steady = group.present().count() == group.desired as usize
        && group
            .present()
            .all(|(_, m)| m.stage == Stage::InService && !m.protected);
    let may = group.does(Process::AZRebalance)
        && group.does(Process::Launch)
        && group.does(Process::Terminate);
    if !steady || !may || group.retry.is_some_and(|at| at > context.now) {
        return;
    }
    let count = |zone: &str| group.present().filter(|(_, m)| m.zone == zone).count();
    let counts: Vec<usize> = group
        .all_zones(state)
        .iter()
        .map(|zone| count(zone))
        .collect();
    let (least, most) = (counts.iter().min(), counts.iter().max());
    if !matches!((least, most), (Some(least), Some(most)) if *most >= least + 2) {
        return;
    }
    let why = format!(
        "availability zones {} had different numbers of instances.  At {} an instance was launched to aid in balancing the group's zones.",
        group.all_zones(state).join(" "),
        Timestamp(context.now).iso()
    );
    let emptiest = auto_scaling::emptiest(state, &group);
    let only = AutoScalingGroup {
        subnets: emptiest
            .into_iter()
            .take(1)
            .map(|(subnet, _)| subnet)
            .collect(),
        ..group.as_ref().clone()
    };
    if launch_one(state, context, &only, &why) {
        auto_scaling::edit(state, key, |group| group.rebalancing = true);
    }
}

/// Launches an instance in the emptiest place that takes it; whether one did.
fn launch_one(state: &mut State, context: &Context, group: &AutoScalingGroup, why: &str) -> bool {
    let key = &group.key;
    for (subnet, zone) in auto_scaling::emptiest(state, group) {
        match try_launch(state, context, group, &subnet) {
            Ok((id, version, launched)) => {
                *state = launched;
                let description = format!("Launching a new EC2 instance: {id}");
                let about = (Outcome::PreInService, Some(id.clone()));
                new_activity(state, context, key, about, description, why);
                let member = Member {
                    zone,
                    stage: Stage::Pending,
                    healthy: true,
                    protected: group.protect_new,
                    version,
                    since: context.now,
                };
                auto_scaling::edit(state, key, |group| {
                    group.members.insert(id, member);
                    (group.retry, group.failures) = (None, 0);
                });
                return true;
            }
            Err(error) => {
                let short = error.code == "InsufficientInstanceCapacity";
                failed(state, context, key, (&subnet, &zone), &error, why);
                // Another zone may have what this one lacks.
                if !short {
                    break;
                }
            }
        }
    }
    auto_scaling::edit(state, key, |group| {
        let wait = context.pace.timer(RETRY << group.failures.min(5));
        group.failures = group.failures.saturating_add(1);
        group.retry = Some(context.now + wait);
    });
    false
}

fn failed(
    state: &mut State,
    context: &Context,
    key: &GroupKey,
    (subnet, zone): (&SubnetId, &str),
    error: &ApiError,
    why: &str,
) {
    let reason = format!("{} Launching EC2 instance failed.", error.message);
    let activity = Activity {
        id: String::new(),
        number: 0,
        group: key.clone(),
        description: format!("Launching a new EC2 instance.  Status Reason: {reason}"),
        cause: format!("At {} {why}", Timestamp(context.now).iso()),
        began: context.now,
        ended: Some(context.now),
        outcome: Outcome::Failed,
        message: Some(reason),
        details: details(subnet, zone),
        instance: None,
    };
    auto_scaling::begin(state, activity);
}

/// RunInstances with the group's template in a subnet: the instance, the template's version, and
/// the state with them.
fn try_launch(
    state: &State,
    context: &Context,
    group: &AutoScalingGroup,
    subnet: &SubnetId,
) -> Answered<(InstanceId, i64, State)> {
    let template = Some(group.template.id.as_str());
    let template = launch_template::find(state, context, template, None)?;
    let version = template.version(Some(&group.template.version))?;
    let one = ["MinCount", "MaxCount"].map(|name| (name.to_owned(), "1".to_owned()));
    let mut request = RunInstancesRequest::from_query(&Node::tree(one), "")?;
    request.tag_specifications = tags(group);
    launch_template_data::fill(&mut request, &version.data);
    let marks = launch::marks(template, version.number);
    match request.network_interfaces.as_mut_slice() {
        [] => request.subnet_id = Some(subnet.to_string()),
        interfaces => {
            for interface in interfaces {
                interface.subnet_id = Some(subnet.to_string());
            }
        }
    }
    let mut call = Call {
        state: state.clone(),
        context,
        console: &|_| None,
    };
    let started = launch::start(&mut call, &request, marks)?;
    let id = started
        .into_iter()
        .next()
        .ok_or_else(|| ApiError::new("InternalError", "nothing was started"))?;
    let mark = [(
        "aws:autoscaling:groupName".to_owned(),
        group.key.name.clone(),
    )];
    tag::mark(&mut call.state, context, id.as_str(), "instance", mark);
    Ok((id, version.number, call.state))
}

fn tags(group: &AutoScalingGroup) -> Vec<TagSpecification> {
    let tags: Vec<Tag> = group
        .tags
        .iter()
        .filter(|(_, tag)| tag.propagate)
        .map(|(key, tag)| Tag {
            key: Some(key.clone()),
            value: Some(tag.value.clone()),
        })
        .collect();
    if tags.is_empty() {
        return Vec::new();
    }
    vec![TagSpecification {
        resource_type: Some("instance".to_owned()),
        tags,
    }]
}
