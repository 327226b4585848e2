//! Targets: what is registered with target groups.
//!
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-register-targets.html>

use super::*;
use crate::model::instance::InstanceState;
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

/// Addresses outside the VPC that can be targets: RFC 1918 and RFC 6598.
const PRIVATE: [Ipv4Net; 4] = [
    Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8),
    Ipv4Net::new_assert(Ipv4Addr::new(172, 16, 0, 0), 12),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 0, 0), 16),
    Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 10),
];

/// A target's key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct TargetKey {
    /// The group's ARN.
    pub group: String,
    /// The instance, the address or the balancer's ARN.
    pub id: String,
    /// The port.
    pub port: u16,
}

/// A target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// Its group, id and port.
    pub key: TargetKey,
    /// The zone, where it was given; `all` for every one.
    pub zone: Option<String>,
    /// What checks found.
    pub health: Health,
    /// Since when it is registered, in seconds since 1970.
    pub since: i64,
    /// When a target that leaves is gone, in seconds since 1970.
    pub leaves: Option<i64>,
}

/// A target as a request names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// The id.
    pub id: String,
    /// The port, or the group's.
    pub port: Option<i32>,
    /// The zone.
    pub zone: Option<String>,
}

impl fmt::Display for TargetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}|{}|{}", self.group, self.id, self.port)
    }
}

impl From<String> for TargetKey {
    fn from(text: String) -> Self {
        let mut parts = text.splitn(3, '|');
        let mut part = || parts.next().unwrap_or_default().to_owned();
        let (group, id) = (part(), part());
        Self {
            group,
            id,
            port: part().parse().unwrap_or_default(),
        }
    }
}

impl From<TargetKey> for String {
    fn from(key: TargetKey) -> Self {
        key.to_string()
    }
}

/// A group's targets, those that leave too.
pub fn of<'s>(state: &'s State, group: &str) -> impl Iterator<Item = &'s Target> + use<'s> {
    let first = TargetKey {
        group: group.to_owned(),
        id: String::new(),
        port: 0,
    };
    let group = group.to_owned();
    let from_here = state.targets.range(first..);
    from_here
        .take_while(move |(key, _)| key.group == group)
        .map(|(_, target)| target.as_ref())
}

pub(crate) fn edit(state: &mut State, key: &TargetKey, change: impl FnOnce(&mut Target)) {
    if let Some(target) = state.targets.get_mut(key) {
        change(Arc::make_mut(target));
    }
}

fn invalid_target(message: String) -> Refusal {
    Refusal::new("InvalidTarget", message)
}

/// The key of a target that a request names.
///
/// # Errors
/// `ValidationError` for a port that can't be.
pub fn key(group: &TargetGroup, named: &Named) -> Result<TargetKey, Refusal> {
    let number = match named.port {
        Some(_) if group.target_type == TargetType::Lambda => {
            return Err(invalid(
                "Port cannot be specified for targets with target type 'lambda'",
            ));
        }
        Some(number) => port(number)?,
        None => group.port.unwrap_or_default(),
    };
    if group.protocol == Some(Protocol::Geneve) && number != 6081 {
        return Err(invalid(
            "Port must be '6081' for target groups with protocol 'GENEVE'",
        ));
    }
    Ok(TargetKey {
        group: group.arn.clone(),
        id: named.id.clone(),
        port: number,
    })
}

/// Registers targets; those that leave stay.
///
/// # Errors
/// `InvalidTarget`, `TooManyTargets`, `ValidationError`.
pub fn register(
    state: &mut State,
    context: &Context,
    arn: &str,
    named: &[Named],
) -> Result<(), Refusal> {
    let group = target_group::find(state, context, arn)?.clone();
    if named.is_empty() {
        return Err(invalid("At least one target must be specified"));
    }
    for target in named {
        let key = key(&group, target)?;
        match group.target_type {
            TargetType::Instance => check_instance(state, context, &group, target)?,
            TargetType::Ip => check_address(state, &group, target)?,
            TargetType::Alb => check_balancer(state, context, &group, &key)?,
            TargetType::Lambda => {
                return Err(invalid_target(format!(
                    "The following targets are not valid functions: '{}'",
                    target.id
                )));
            }
        }
        let present = state.targets.get(&key).filter(|of| of.leaves.is_none());
        if present.is_some() {
            continue;
        }
        let made = Target {
            key: key.clone(),
            zone: target.zone.clone(),
            health: Health::new(context.now),
            since: context.now,
            leaves: None,
        };
        state.targets.insert(key, Arc::new(made));
    }
    let count = of(state, arn)
        .filter(|target| target.leaves.is_none())
        .count();
    let message = "The maximum number of targets per target group has been reached";
    limit::check(
        context,
        "targets-per-target-group",
        count,
        "TooManyTargets",
        message,
    )
}

fn check_instance(
    state: &State,
    context: &Context,
    group: &TargetGroup,
    target: &Named,
) -> Result<(), Refusal> {
    let id = &target.id;
    if target.zone.is_some() {
        return Err(invalid(
            "Availability Zone cannot be specified for targets with target type 'instance'",
        ));
    }
    let instance = instance::find(state, context, id)
        .map_err(|_| invalid(format!("Instance ID '{id}' is not valid")))?;
    if Some(&instance.vpc) != group.vpc.as_ref() {
        let vpc = group.vpc.as_ref().map_or("", |vpc| vpc.as_str());
        return Err(invalid_target(format!(
            "The following targets are not in the target group VPC '{vpc}': '{id}'"
        )));
    }
    if instance.state != InstanceState::Running {
        return Err(invalid_target(format!(
            "The following targets are not in a running state and cannot be registered: '{id}'"
        )));
    }
    Ok(())
}

/// The zone of the subnet of the group's VPC that an address lies in.
fn zone_of_address(state: &State, group: &TargetGroup, ip: Ipv4Addr) -> Option<String> {
    state
        .subnets
        .values()
        .filter(|subnet| Some(&subnet.vpc) == group.vpc.as_ref())
        .find(|subnet| subnet.cidr.contains(&ip))
        .map(|subnet| subnet.zone.clone())
}

fn check_address(state: &State, group: &TargetGroup, target: &Named) -> Result<(), Refusal> {
    let ip: Ipv4Addr = target.id.parse().map_err(|_| {
        invalid(format!(
            "The IP address '{}' is not a valid IPv4 address",
            target.id
        ))
    })?;
    match (zone_of_address(state, group, ip), target.zone.as_deref()) {
        (Some(own), Some(given)) if given != own => Err(invalid(format!(
            "The IP address '{ip}' is within the VPC, and cannot have its Availability Zone overridden to '{given}' from '{own}'"
        ))),
        (Some(_), _) => Ok(()),
        (None, _) if !PRIVATE.iter().any(|range| range.contains(&ip)) => Err(invalid(format!(
            "The IP address '{ip}' must be within the VPC or within the ranges of RFC 1918 or RFC 6598"
        ))),
        (None, Some(zone)) if zone == "all" || is_zone(group, zone) => Ok(()),
        (None, _) => Err(invalid(format!(
            "You must specify a valid Availability Zone or select 'all' for all enabled Availability zones, since the IP address '{ip}' is outside the VPC"
        ))),
    }
}

fn is_zone(group: &TargetGroup, zone: &str) -> bool {
    region::find(&group.region).is_some_and(|region| region.zone(zone).is_some())
}

fn check_balancer(
    state: &State,
    context: &Context,
    group: &TargetGroup,
    key: &TargetKey,
) -> Result<(), Refusal> {
    let balancer = super::find(state, context, &key.id)
        .ok()
        .filter(|balancer| balancer.kind == Kind::Application)
        .filter(|balancer| Some(&balancer.vpc) == group.vpc.as_ref())
        .ok_or_else(|| {
            invalid_target(format!(
                "The following targets are not application load balancers in the target group's VPC: '{}'",
                key.id
            ))
        })?;
    if Some(key.port) != group.port {
        return Err(invalid(
            "The port of a target with target type 'alb' must be the target group's port",
        ));
    }
    let mut listeners = listener::of(state, &balancer.arn);
    if !listeners.any(|listener| listener.port == Some(key.port)) {
        return Err(invalid_target(format!(
            "The load balancer '{}' has no listener on port '{}'",
            key.id, key.port
        )));
    }
    let another = of(state, &group.arn).any(|target| target.leaves.is_none() && target.key != *key);
    if another {
        return Err(Refusal::new(
            "TooManyTargets",
            "A target group with target type 'alb' can have only one target",
        ));
    }
    Ok(())
}

/// Whether a balancer is a target of some group.
pub(crate) fn is_registered(state: &State, id: &str) -> bool {
    state
        .targets
        .values()
        .any(|target| target.key.id == id && target.leaves.is_none())
}

/// Whether an address is one of a balancer's nodes in the group's VPC.
pub(crate) fn is_of_balancer(state: &State, group: &TargetGroup, id: &str) -> bool {
    let Ok(ip) = id.parse::<Ipv4Addr>() else {
        return false;
    };
    state.network_interfaces.values().any(|interface| {
        interface.kind.is_balancer()
            && Some(&interface.vpc) == group.vpc.as_ref()
            && interface.holds(ip)
    })
}

/// The zone a target is in; `None` for all, or none in particular.
pub fn zone(state: &State, group: &TargetGroup, target: &Target) -> Option<String> {
    match group.target_type {
        TargetType::Instance => {
            let instance = state.instances.get(target.key.id.as_str())?;
            let subnet = state.subnets.get(&instance.subnet)?;
            Some(subnet.zone.clone())
        }
        TargetType::Ip => {
            let ip = target.key.id.parse().ok()?;
            let given = target.zone.clone().filter(|zone| zone != "all");
            zone_of_address(state, group, ip).or(given)
        }
        TargetType::Lambda | TargetType::Alb => None,
    }
}

/// Lets targets go: those in use are drained first. What isn't registered is gone already.
///
/// # Errors
/// `TargetGroupNotFound`, `ValidationError`.
pub fn deregister(
    state: &mut State,
    context: &Context,
    arn: &str,
    named: &[Named],
) -> Result<(), Refusal> {
    let group = target_group::find(state, context, arn)?.clone();
    if named.is_empty() {
        return Err(invalid("At least one target must be specified"));
    }
    for target in named {
        let key = key(&group, target)?;
        let_go(state, &group, &key, context.now, context.pace);
    }
    Ok(())
}

/// Lets a target go, by draining it where it is in use.
pub(crate) fn let_go(
    state: &mut State,
    group: &TargetGroup,
    key: &TargetKey,
    now: i64,
    pace: Pace,
) {
    let Some(target) = state.targets.get(key).filter(|of| of.leaves.is_none()) else {
        return;
    };
    let delay = pace.timer(group.deregistration_delay());
    if delay > 0 && health::of(state, group, target).is_used() {
        edit(state, key, |target| target.leaves = Some(now + delay));
    } else {
        state.targets.remove(key);
    }
}

/// A group's targets go with it.
pub(crate) fn forget(state: &mut State, group: &str) {
    let keys: Vec<TargetKey> = of(state, group).map(|target| target.key.clone()).collect();
    for key in keys {
        state.targets.remove(&key);
    }
}

/// Ends draining that is over by now, and forgets targets whose instances are gone.
pub(crate) fn finish_transitions(state: &mut State, now: i64) {
    let gone = |target: &Target| {
        target.leaves.is_some_and(|leaves| leaves <= now)
            || (InstanceId::well_formed(&target.key.id)
                && !state.instances.contains_key(target.key.id.as_str()))
    };
    let gone: Vec<TargetKey> = state
        .targets
        .values()
        .filter(|target| gone(target))
        .map(|target| target.key.clone())
        .collect();
    for key in gone {
        state.targets.remove(&key);
    }
}

/// When the next draining ends.
pub(crate) fn next_transition(state: &State) -> Option<i64> {
    state
        .targets
        .values()
        .filter_map(|target| target.leaves)
        .min()
}
