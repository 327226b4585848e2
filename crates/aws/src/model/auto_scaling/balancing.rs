//! The load balancers that a group's instances serve: instances in service join them, those that go leave them.
//!
//! <https://docs.aws.amazon.com/autoscaling/ec2/userguide/autoscaling-load-balancer.html>

use super::*;
use crate::model::classic_load_balancer;
use crate::model::load_balancer::target::{self, Named};
use crate::model::load_balancer::{TargetKey, TargetType, health, target_group};

/// The most balancers or target groups of one request.
const MOST: usize = 10;

/// What to attach to a group, or to detach from it.
#[derive(Clone, Copy, Debug)]
pub enum Balancers<'a> {
    /// Target groups, by ARN.
    TargetGroups(&'a [String]),
    /// Classic load balancers, by name.
    Classic(&'a [String]),
}

impl Balancers<'_> {
    /// Refuses what there isn't, or what no group's instances can serve.
    ///
    /// # Errors
    /// `ValidationError`.
    pub fn check(self, state: &State, context: &Context) -> Result<(), Refusal> {
        let (what, names, good): (_, _, &dyn Fn(&String) -> bool) = match self {
            Self::TargetGroups(arns) => ("Target Groups", arns, &|arn| {
                let group = target_group::find(state, context, arn);
                group.is_ok_and(|group| group.target_type == TargetType::Instance)
            }),
            Self::Classic(names) => ("Load Balancers", names, &|name| {
                classic_load_balancer::find(state, context, name).is_ok()
            }),
        };
        if names.len() > MOST {
            return Err(invalid(format!(
                "Trying to update too many {what} at once. The limit is {MOST}"
            )));
        }
        if !names.iter().all(good) {
            return Err(invalid(format!(
                "Provided {what} may not be valid. Please ensure they exist and try again."
            )));
        }
        Ok(())
    }
}

/// The group's list that balancers of a kind stand in.
fn list<'g>(group: &'g mut AutoScalingGroup, of: Balancers<'_>) -> &'g mut Vec<String> {
    match of {
        Balancers::TargetGroups(_) => &mut group.target_groups,
        Balancers::Classic(_) => &mut group.load_balancers,
    }
}

fn names(of: Balancers<'_>) -> &[String] {
    let (Balancers::TargetGroups(names) | Balancers::Classic(names)) = of;
    names
}

/// The instances of a group that serve.
fn serving(state: &State, key: &GroupKey) -> Vec<InstanceId> {
    let group = state.auto_scaling_groups.get(key);
    group.map_or_else(Vec::new, |group| {
        let serving = group.members.iter();
        serving
            .filter(|(_, member)| member.stage == Stage::InService)
            .map(|(id, _)| id.clone())
            .collect()
    })
}

/// Attaches balancers; the group's instances that serve join them.
///
/// # Errors
/// `ValidationError`.
pub fn attach_balancers(
    state: &mut State,
    context: &Context,
    name: &str,
    of: Balancers<'_>,
) -> Result<(), Refusal> {
    let key = find(state, context, name)?.key.clone();
    of.check(state, context)?;
    edit(state, &key, |group| {
        let list = list(group, of);
        for name in names(of) {
            if !list.contains(name) {
                list.push(name.clone());
            }
        }
    });
    for id in serving(state, &key) {
        join(state, context, &key, &id);
    }
    Ok(())
}

/// Detaches balancers; the group's instances leave them. Those that aren't attached are detached already.
///
/// # Errors
/// `ValidationError`.
pub fn detach_balancers(
    state: &mut State,
    context: &Context,
    name: &str,
    of: Balancers<'_>,
) -> Result<(), Refusal> {
    let group = find(state, context, name)?;
    let key = group.key.clone();
    let members: Vec<InstanceId> = group.members.keys().cloned().collect();
    for id in &members {
        leave_these(state, context, of, id);
    }
    edit(state, &key, |group| {
        list(group, of).retain(|name| !names(of).contains(name));
    });
    Ok(())
}

/// An instance serves: it joins the balancers of its group. A balancer that doesn't take it, because it or the
/// instance is gone, goes without.
pub(crate) fn join(state: &mut State, context: &Context, key: &GroupKey, id: &InstanceId) {
    let Some(group) = state.auto_scaling_groups.get(key).cloned() else {
        return;
    };
    if !group.does(Process::AddToLoadBalancer) {
        return;
    }
    let named = [Named {
        id: id.to_string(),
        ..Default::default()
    }];
    for arn in &group.target_groups {
        let _ = target::register(state, context, arn, &named);
    }
    for name in &group.load_balancers {
        let ids = [id.to_string()];
        let _ = classic_load_balancer::instance::register(state, context, name, &ids);
    }
}

/// An instance goes: it leaves the balancers of its group.
pub(crate) fn leave(state: &mut State, context: &Context, key: &GroupKey, id: &InstanceId) {
    let Some(group) = state.auto_scaling_groups.get(key).cloned() else {
        return;
    };
    leave_these(
        state,
        context,
        Balancers::TargetGroups(&group.target_groups),
        id,
    );
    leave_these(
        state,
        context,
        Balancers::Classic(&group.load_balancers),
        id,
    );
}

fn leave_these(state: &mut State, context: &Context, of: Balancers<'_>, id: &InstanceId) {
    match of {
        Balancers::TargetGroups(arns) => {
            let named = [Named {
                id: id.to_string(),
                ..Default::default()
            }];
            for arn in arns {
                let _ = target::deregister(state, context, arn, &named);
            }
        }
        Balancers::Classic(names) => {
            let ids = [id.to_string()];
            for name in names {
                let _ = classic_load_balancer::instance::deregister(state, context, name, &ids);
            }
        }
    }
}

/// What the balancers of a group say of an instance: whether one finds it healthy, and whether one finds it ill.
pub fn verdict(state: &State, group: &AutoScalingGroup, id: &InstanceId) -> (bool, bool) {
    let by_targets = group.target_groups.iter().filter_map(|arn| {
        let of = state.target_groups.get(arn)?;
        let key = TargetKey {
            group: arn.clone(),
            id: id.to_string(),
            port: of.port?,
        };
        let shown = health::of(state, of, state.targets.get(&key)?).state;
        Some((shown == "healthy", shown == "unhealthy"))
    });
    let by_classic = group.load_balancers.iter().filter_map(|name| {
        let key = classic_load_balancer::key(&group.key.region, name);
        let balancer = state.classic_load_balancers.get(&key)?;
        let health = balancer.instances.get(id)?.health.state;
        let ill = matches!(
            health,
            crate::model::load_balancer::HealthState::Unhealthy(_)
        );
        Some((
            health == crate::model::load_balancer::HealthState::Healthy,
            ill,
        ))
    });
    let all: Vec<(bool, bool)> = by_targets.chain(by_classic).collect();
    (
        all.iter().any(|(well, _)| *well),
        all.iter().any(|(_, ill)| *ill),
    )
}
