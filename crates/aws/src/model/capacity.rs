//! What a region can launch: its quota of vCPUs, and types that AWS has run out of.
//!
//! On AWS neither is the customer's to set; a lab lets its user set both, so that what happens when
//! they are met can be seen.
//! <https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html>

use super::*;
use crate::model::instance::{Instance, InstanceState};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The vCPUs that running On-Demand Standard instances share unless the region's quota is set: what
/// an account with some history has.
pub const VCPUS: u32 = 64;

/// What is set for a region; what isn't is the cloud's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capacity {
    /// The vCPUs that its instances share, where it isn't [`VCPUS`].
    pub vcpus: Option<u32>,
    /// Types of which a zone can run only so many.
    pub limits: Vec<TypeLimit>,
}

/// How many instances of a type a zone can run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeLimit {
    /// The type's name.
    pub instance_type: String,
    /// The zone's name; `None` for each of the region's.
    pub zone: Option<String>,
    /// That many; none for 0.
    pub instances: u32,
}

/// Sets a region's quota of vCPUs.
///
/// # Errors
/// The region isn't one.
pub fn set_vcpus(state: &mut State, region: &str, vcpus: u32) -> Result<(), Refusal> {
    edit(state, region, |capacity| capacity.vcpus = Some(vcpus))
}

/// Sets how many instances of a type a zone, or each of a region's, can run.
///
/// # Errors
/// The type, the region or the zone isn't one.
pub fn limit_type(state: &mut State, region: &str, limit: TypeLimit) -> Result<(), Refusal> {
    if instance_type::find(&limit.instance_type).is_none() {
        return Err(Refusal::invalid_value(format!(
            "Invalid value '{}' for InstanceType.",
            limit.instance_type
        )));
    }
    if let Some(zone) = &limit.zone
        && !region::zones(region).contains(zone)
    {
        return Err(Refusal::invalid_value(format!(
            "Invalid availability zone: [{zone}]"
        )));
    }
    edit(state, region, |capacity| {
        capacity.limits.retain(|other| {
            (&other.instance_type, &other.zone) != (&limit.instance_type, &limit.zone)
        });
        capacity.limits.push(limit);
    })
}

/// Makes a region's capacity, or every region's, the cloud's own again.
///
/// # Errors
/// The region isn't one.
pub fn reset(state: &mut State, region: Option<&str>) -> Result<(), Refusal> {
    match region {
        None => state.capacity.clear(),
        Some(region) => {
            edit(state, region, |_| ())?;
            state.capacity.remove(region);
        }
    }
    Ok(())
}

fn edit(
    state: &mut State,
    region: &str,
    change: impl FnOnce(&mut Capacity),
) -> Result<(), Refusal> {
    if region::find(region).is_none() {
        return Err(Refusal::invalid_value(format!(
            "Invalid region name: '{region}'"
        )));
    }
    let mut capacity = state
        .capacity
        .get(region)
        .map(|capacity| Capacity::clone(capacity))
        .unwrap_or_default();
    change(&mut capacity);
    state.capacity.insert(region.to_owned(), Arc::new(capacity));
    Ok(())
}

/// Refuses one more instance of a type in a zone where that is too many.
///
/// # Errors
/// `VcpuLimitExceeded`, `InsufficientInstanceCapacity`.
pub fn check(
    state: &State,
    context: &Context,
    instance_type: &str,
    zone: &str,
) -> Result<(), Refusal> {
    let set = state.capacity.get(&context.region).map(AsRef::as_ref);
    check_vcpus(state, context, set, instance_type)?;
    let Some(set) = set else { return Ok(()) };
    let meant = |limit: &&TypeLimit| {
        limit.instance_type == instance_type && limit.zone.as_deref().is_none_or(|z| z == zone)
    };
    let Some(most) = set.limits.iter().filter(meant).map(|l| l.instances).min() else {
        return Ok(());
    };
    let in_zone = |instance: &&Arc<Instance>| {
        instance.instance_type == instance_type
            && state
                .subnets
                .get(&instance.subnet)
                .is_some_and(|subnet| subnet.zone == zone)
    };
    let there = holding(state, &context.region).filter(in_zone).count();
    if u32::try_from(there).unwrap_or(u32::MAX) < most {
        return Ok(());
    }
    Err(insufficient(context, set, instance_type, zone))
}

/// The region's instances that take capacity.
fn holding<'s>(state: &'s State, region: &'s str) -> impl Iterator<Item = &'s Arc<Instance>> {
    state.instances.values().filter(move |instance| {
        instance.region == region
            && matches!(
                instance.state,
                InstanceState::Pending | InstanceState::Running
            )
    })
}

fn check_vcpus(
    state: &State,
    context: &Context,
    set: Option<&Capacity>,
    instance_type: &str,
) -> Result<(), Refusal> {
    let set = set.and_then(|capacity| capacity.vcpus);
    // A quota that was set holds whatever the lab's flag says of the cloud's own.
    let Some(quota) = set.or(context.quotas.then_some(VCPUS)) else {
        return Ok(());
    };
    let vcpus = |name: &str| instance_type::find(name).map_or(0, |kind| kind.vcpus);
    let running: u32 = holding(state, &context.region)
        .map(|instance| vcpus(&instance.instance_type))
        .sum();
    if running + vcpus(instance_type) <= quota {
        return Ok(());
    }
    Err(Refusal::new(
        "VcpuLimitExceeded",
        format!(
            "You have requested more vCPU capacity than your current vCPU limit of {quota} allows for the instance bucket that the specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit."
        ),
    ))
}

fn insufficient(context: &Context, set: &Capacity, instance_type: &str, zone: &str) -> Refusal {
    let short = |other: &String| {
        set.limits.iter().any(|limit| {
            limit.instance_type == instance_type
                && limit.zone.as_ref().is_none_or(|zone| zone == other)
        })
    };
    let others: Vec<String> = region::zones(&context.region)
        .into_iter()
        .filter(|other| other != zone && !short(other))
        .collect();
    let hint = if others.is_empty() {
        String::new()
    } else {
        format!(
            " You can currently get {instance_type} capacity by not specifying an Availability Zone in your request or choosing {}.",
            others.join(", ")
        )
    };
    Refusal::new(
        "InsufficientInstanceCapacity",
        format!(
            "We currently do not have sufficient {instance_type} capacity in the Availability Zone you requested ({zone}). Our system will be working on provisioning additional capacity.{hint}"
        ),
    )
}
