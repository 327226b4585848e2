//! Instances of classic balancers and their health.
//!
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-healthchecks.html>

use super::*;
use crate::model::load_balancer::health::{Health, HealthState, Probe, Thresholds, halted};

/// A registered instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// What checks found.
    pub health: Health,
    /// When an instance that is drained is gone, in seconds since 1970.
    pub leaves: Option<i64>,
}

/// An instance's health as it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Whether it gets traffic.
    pub in_service: bool,
    /// `ELB`, `Instance` or `N/A`.
    pub reason: &'static str,
    /// In words.
    pub description: &'static str,
}

const fn out_of_service(reason: &'static str, description: &'static str) -> Status {
    Status {
        in_service: false,
        reason,
        description,
    }
}

impl From<&HealthCheck> for Thresholds {
    fn from(check: &HealthCheck) -> Self {
        Self {
            // A new instance is out of service until it is healthy.
            first: check.healthy,
            healthy: check.healthy,
            unhealthy: check.unhealthy,
        }
    }
}

/// The health of an instance that isn't registered.
pub const NOT_REGISTERED: Status = out_of_service(
    "Instance",
    "Instance is not currently registered with the LoadBalancer.",
);

/// An instance's health as it is shown.
pub fn status(state: &State, balancer: &ClassicLoadBalancer, id: &InstanceId) -> Status {
    let Some(registered) = balancer.instances.get(id) else {
        return NOT_REGISTERED;
    };
    if registered.leaves.is_some() {
        return Status {
            in_service: true,
            reason: "N/A",
            description: "Instance deregistration currently in progress.",
        };
    }
    let instance = state.instances.get(id);
    match instance.map_or(Some("terminated"), |instance| halted(instance.state)) {
        Some("stopped") => return out_of_service("Instance", "Instance is in stopped state."),
        Some(_) => return out_of_service("Instance", "Instance is in terminated state."),
        None => {}
    }
    let zone = instance
        .and_then(|instance| state.subnets.get(&instance.subnet))
        .map(|subnet| subnet.zone.as_str());
    if !balancer
        .nodes
        .iter()
        .any(|node| Some(node.zone.as_str()) == zone)
    {
        return out_of_service(
            "Instance",
            "Instance is in the EC2 Availability Zone for which LoadBalancer is not configured to route traffic to.",
        );
    }
    match registered.health.state {
        HealthState::Healthy => Status {
            in_service: true,
            reason: "N/A",
            description: "N/A",
        },
        HealthState::Initial => {
            out_of_service("ELB", "Instance registration is still in progress.")
        }
        HealthState::Unhealthy(_) => out_of_service(
            "Instance",
            "Instance has failed at least the UnhealthyThreshold number of health checks consecutively.",
        ),
    }
}

/// Refuses what is no instance.
pub(crate) fn check(state: &State, context: &Context, id: &str) -> Result<InstanceId, Refusal> {
    match crate::model::instance::find(state, context, id) {
        Ok(instance) => Ok(instance.id.clone()),
        Err(_) => Err(Refusal::new(
            "InvalidInstance",
            format!("Could not find EC2 instance {id}."),
        )),
    }
}

/// Registers instances; those that are drained stay.
///
/// # Errors
/// `LoadBalancerNotFound`, `InvalidInstance`.
pub fn register(
    state: &mut State,
    context: &Context,
    name: &str,
    ids: &[String],
) -> Result<(), Refusal> {
    change(state, context, name, |state, balancer| {
        for id in ids {
            let id = check(state, context, id)?;
            let vpc = state.instances.get(&id).map(|instance| &instance.vpc);
            if vpc != Some(&balancer.vpc) {
                return Err(Refusal::new(
                    "InvalidInstance",
                    format!("EC2 instance {id} is not in the same VPC as ELB."),
                ));
            }
            let present = balancer
                .instances
                .get(&id)
                .is_some_and(|of| of.leaves.is_none());
            if !present {
                let health = Health::new(context.now);
                let made = Registered {
                    health,
                    leaves: None,
                };
                balancer.instances.insert(id, made);
            }
        }
        Ok(())
    })
}

/// Lets instances go, by draining them where that is on.
///
/// # Errors
/// `LoadBalancerNotFound`, `InvalidInstance` for one that isn't registered.
pub fn deregister(
    state: &mut State,
    context: &Context,
    name: &str,
    ids: &[String],
) -> Result<(), Refusal> {
    change(state, context, name, |state, balancer| {
        for id in ids {
            if !balancer.instances.contains_key(id.as_str()) {
                check(state, context, id)?;
                continue;
            }
            let id = InstanceId::from(id.as_str());
            let serves = status(state, balancer, &id).in_service;
            let drain = balancer.attributes.draining.filter(|_| serves);
            match (drain, balancer.instances.get_mut(&id)) {
                (Some(seconds), Some(registered)) if registered.leaves.is_none() => {
                    let wait = context.pace.timer(i64::from(seconds));
                    registered.leaves = Some(context.now + wait);
                }
                (Some(_), _) => {}
                (None, _) => {
                    balancer.instances.remove(&id);
                }
            }
        }
        Ok(())
    })
}

/// Takes in what a check of an instance met; whether anything changed.
pub fn observe(state: &mut State, key: &str, id: &InstanceId, probe: Probe, now: i64) -> bool {
    let Some(balancer) = state.classic_load_balancers.get(key) else {
        return false;
    };
    let Some(registered) = balancer.instances.get(id) else {
        return false;
    };
    let before = registered.health;
    let after = before.observe(probe, Thresholds::from(&balancer.health_check), now);
    if after == before || registered.leaves.is_some() {
        return false;
    }
    edit(state, key, |balancer| {
        if let Some(registered) = balancer.instances.get_mut(id) {
            registered.health = after;
        }
    });
    true
}

fn edit(state: &mut State, key: &str, change: impl FnOnce(&mut ClassicLoadBalancer)) {
    if let Some(balancer) = state.classic_load_balancers.get_mut(key) {
        change(Arc::make_mut(balancer));
    }
}

/// Ends draining that is over by now, forgets instances that are gone and what checks found of those that stand.
pub(super) fn finish_transitions(state: &mut State, now: i64) {
    let gone = |id: &InstanceId, registered: &Registered| {
        registered.leaves.is_some_and(|leaves| leaves <= now) || !state.instances.contains_key(id)
    };
    let stands = |id: &InstanceId, registered: &Registered| {
        let instance = state.instances.get(id);
        registered.health.state != HealthState::Initial
            && instance.is_some_and(|instance| halted(instance.state).is_some())
    };
    let mut changed: Vec<ClassicLoadBalancer> = Vec::new();
    for balancer in state.classic_load_balancers.values() {
        let mut instances = balancer.instances.iter();
        if !instances.any(|(id, of)| gone(id, of) || stands(id, of)) {
            continue;
        }
        let mut balancer = balancer.as_ref().clone();
        balancer.instances.retain(|id, of| !gone(id, of));
        for (id, registered) in &mut balancer.instances {
            if stands(id, registered) {
                registered.health = Health::new(registered.health.since);
            }
        }
        changed.push(balancer);
    }
    for balancer in changed {
        state
            .classic_load_balancers
            .insert(balancer.key(), Arc::new(balancer));
    }
}
