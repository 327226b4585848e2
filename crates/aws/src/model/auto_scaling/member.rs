//! A group's instances.

use super::*;
use crate::model::instance::InstanceState;

/// An instance of a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// Its zone.
    pub zone: String,
    /// Where it is in its life.
    pub stage: Stage,
    /// Whether it is well.
    pub healthy: bool,
    /// Whether scale-in spares it.
    pub protected: bool,
    /// The version of the template it was launched from; 0 for an attached one.
    pub version: i64,
    /// Since when it belongs to the group, in seconds since 1970.
    pub since: i64,
}

/// Where a member is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// It boots.
    Pending,
    /// It serves.
    InService,
    /// It is being terminated.
    Terminating,
}

fn group_of(state: &State, context: &Context, instance: &str) -> Result<GroupKey, Refusal> {
    of_instance(state, context, instance)
        .map(|group| group.key.clone())
        .ok_or_else(|| {
            invalid(format!(
                "Instance Id not found - No managed instance found for instance ID: {instance}"
            ))
        })
}

fn edit_member(
    state: &mut State,
    key: &GroupKey,
    instance: &str,
    change: impl FnOnce(&mut Member),
) {
    edit(state, key, |group| {
        if let Some(member) = group.members.get_mut(instance) {
            change(member);
        }
    });
}

/// Says whether an instance is well; an unhealthy one is replaced.
///
/// # Errors
/// It is in no group, or the word is neither `Healthy` nor `Unhealthy`.
pub fn set_health(
    state: &mut State,
    context: &Context,
    instance: &str,
    status: &str,
    respect_grace: bool,
) -> Result<(), Refusal> {
    let healthy = match status {
        "Healthy" => true,
        "Unhealthy" => false,
        _ => {
            return Err(invalid(
                "Valid instance health states are: [Healthy, Unhealthy].",
            ));
        }
    };
    let key = group_of(state, context, instance)?;
    let grace = state
        .auto_scaling_groups
        .get(&key)
        .map_or(0, |group| context.pace.timer(i64::from(group.grace)));
    edit_member(state, &key, instance, |member| {
        if !(respect_grace && member.since + grace > context.now) {
            member.healthy = healthy;
        }
    });
    Ok(())
}

/// Protects instances from scale-in, or no longer.
///
/// # Errors
/// One is not in the group.
pub fn protect(
    state: &mut State,
    context: &Context,
    name: &str,
    instances: &[String],
    protected: bool,
) -> Result<(), Refusal> {
    let key = find(state, context, name)?.key.clone();
    for instance in instances {
        check_member(state, context, name, instance)?;
        edit_member(state, &key, instance, |member| member.protected = protected);
    }
    Ok(())
}

fn check_member(
    state: &State,
    context: &Context,
    name: &str,
    instance: &str,
) -> Result<(), Refusal> {
    if find(state, context, name)?.members.contains_key(instance) {
        return Ok(());
    }
    Err(invalid(format!(
        "The instance {instance} is not part of Auto Scaling group {name}."
    )))
}

/// Takes running instances into a group; the desired number grows with them.
///
/// # Errors
/// One isn't running, is in a group, or there would be too many.
pub fn attach(
    state: &mut State,
    context: &Context,
    name: &str,
    instances: &[String],
) -> Result<(), Refusal> {
    let group = find(state, context, name)?;
    let (key, zones) = (group.key.clone(), group.all_zones(state));
    let adding = u32::try_from(instances.len()).unwrap_or(u32::MAX);
    if group.desired.saturating_add(adding) > group.max {
        return Err(invalid(format!(
            "AutoScalingGroup {name} has max-size={}, and desired-size={}. To attach {adding} more instance, please update the AutoScalingGroup sizes appropriately.",
            group.max, group.desired
        )));
    }
    for id in instances {
        let instance = crate::model::instance::find(state, context, id)
            .map_err(|_| invalid(format!("Invalid Instance ID(s): [{id}] specified")))?;
        if instance.state != InstanceState::Running {
            return Err(invalid(format!(
                "Instance {id} is not in correct state. Instance(s) must be in 'running' state."
            )));
        }
        if of_instance(state, context, id).is_some() {
            return Err(invalid(format!(
                "Instance {id} is already in an Auto Scaling group."
            )));
        }
        let subnet = state.subnets.get(&instance.subnet);
        let zone = subnet.map(|subnet| subnet.zone.clone()).unwrap_or_default();
        if !zones.contains(&zone) {
            return Err(invalid(format!(
                "The availability zone(s) {zone} of instance {id} is not one of the Auto Scaling group's."
            )));
        }
        let member = Member {
            zone,
            stage: Stage::InService,
            healthy: true,
            protected: false,
            version: 0,
            since: context.now,
        };
        let id = instance.id.clone();
        let marks = [("aws:autoscaling:groupName".to_owned(), name.to_owned())];
        tag::mark(state, context, id.as_str(), "instance", marks);
        edit(state, &key, |group| {
            group.desired += 1;
            group.members.insert(id.clone(), member);
        });
        join(state, context, &key, &id);
    }
    Ok(())
}

/// Lets instances out of a group, running as they are; the desired number shrinks with them or they
/// are replaced.
///
/// # Errors
/// One isn't in the group, or there would be too few.
pub fn detach(
    state: &mut State,
    context: &Context,
    name: &str,
    instances: &[String],
    decrement: bool,
) -> Result<(), Refusal> {
    let key = find(state, context, name)?.key.clone();
    for id in instances {
        check_member(state, context, name, id)?;
        if decrement {
            decrement_desired(state, context, name)?;
        }
        leave(state, context, &key, &InstanceId::from(id.as_str()));
        edit(state, &key, |group| {
            group.members.remove(id.as_str());
            group.cause = format!("instance {id} was detached in response to a user request.");
        });
        tag::unmark(state, id, "aws:autoscaling:groupName");
    }
    Ok(())
}

fn decrement_desired(state: &mut State, context: &Context, name: &str) -> Result<(), Refusal> {
    let group = find(state, context, name)?;
    if group.desired <= group.min {
        return Err(invalid(format!(
            "Currently, desiredSize equals minSize ({}). Terminating instance without replacement will violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower group's min size.",
            group.min
        )));
    }
    let key = group.key.clone();
    edit(state, &key, |group| group.desired -= 1);
    Ok(())
}

/// Terminates an instance of a group; which one it was.
///
/// # Errors
/// It is in no group, or there would be too few.
pub fn terminate(
    state: &mut State,
    context: &Context,
    instance: &str,
    decrement: bool,
) -> Result<(GroupKey, InstanceId), Refusal> {
    let key = group_of(state, context, instance)?;
    if decrement {
        decrement_desired(state, context, &key.name)?;
    }
    Ok((key, InstanceId::from(instance)))
}
