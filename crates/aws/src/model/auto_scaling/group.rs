//! Making groups and changing what they shall be.

use super::activity::uuid;
use super::*;

/// How many instances a group may have, and shall.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The fewest.
    pub min: i32,
    /// The most.
    pub max: i32,
    /// The number wanted; `None` for the fewest.
    pub desired: Option<i32>,
}

/// What a request says of a group; `None` and empty lists for what stays.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// The launch template, by id or name, with its version.
    pub template: Option<(Option<String>, Option<String>, Option<String>)>,
    /// The cooldown in seconds.
    pub cooldown: Option<i32>,
    /// The zones.
    pub zones: Vec<String>,
    /// The subnets' ids, separated by commas.
    pub subnets: Option<String>,
    /// `EC2` or `ELB`.
    pub health_check: Option<String>,
    /// The grace period in seconds.
    pub grace: Option<i32>,
    /// The termination policies.
    pub policies: Vec<String>,
    /// Whether new instances are protected.
    pub protect_new: Option<bool>,
}

fn number(value: i32, what: &str) -> Result<u32, Refusal> {
    u32::try_from(value).map_err(|_| {
        invalid(format!(
            "{what} must be greater than or equal to 0, and {value} is not"
        ))
    })
}

impl Bounds {
    /// The fewest, the most and the wanted number.
    fn check(self) -> Result<(u32, u32, u32), Refusal> {
        let (min, max) = (number(self.min, "MinSize")?, number(self.max, "MaxSize")?);
        if min > max {
            return Err(invalid(format!(
                "Max bound, {max}, must be greater than or equal to min bound, {min}"
            )));
        }
        let desired = self
            .desired
            .map_or(Ok(min), |desired| number(desired, "DesiredCapacity"))?;
        if !(min..=max).contains(&desired) {
            return Err(invalid(format!(
                "Desired capacity:{desired} must be between the specified min size:{min} and max size:{max}"
            )));
        }
        Ok((min, max, desired))
    }
}

/// Makes a group; its instances come when time goes on.
///
/// # Errors
/// `AlreadyExists`, `ValidationError`.
pub fn create(
    state: &mut State,
    context: &Context,
    name: &str,
    bounds: Bounds,
    changes: Changes,
    tags: BTreeMap<String, GroupTag>,
) -> Result<GroupKey, Refusal> {
    // A slash would be part of a path in the group's ARN; AWS refuses only colons.
    if name.is_empty() || name.len() > 255 || name.contains(':') {
        return Err(invalid(format!(
            "1 validation error detected: Value '{name}' at 'autoScalingGroupName' failed to satisfy constraint: Member must have length between 1 and 255 and may not contain a colon"
        )));
    }
    if find(state, context, name).is_ok() {
        return Err(Refusal::new(
            "AlreadyExists",
            format!(
                "AutoScalingGroup by this name already exists - A group with the name {name} already exists"
            ),
        ));
    }
    let (min, max, desired) = bounds.check()?;
    if changes.template.is_none() {
        return Err(invalid(
            "Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or MixedInstancesPolicy parameter.",
        ));
    }
    if changes.zones.is_empty() && changes.subnets.as_deref().is_none_or(str::is_empty) {
        return Err(invalid(
            "At least one Availability Zone or VPC Subnet is required.",
        ));
    }
    let mut group = AutoScalingGroup {
        key: key(context, name),
        uuid: uuid(state),
        created: context.now,
        // Filled by what the request says, which has a template.
        template: Template {
            id: LaunchTemplateId::from(""),
            name: String::new(),
            version: String::new(),
        },
        min,
        max,
        desired,
        cooldown: 300,
        subnets: Vec::new(),
        zones: Vec::new(),
        health_check: "EC2".to_owned(),
        grace: 0,
        policies: vec![Policy::Default],
        protect_new: false,
        tags,
        target_groups: Vec::new(),
        load_balancers: Vec::new(),
        suspended: Vec::new(),
        members: BTreeMap::new(),
        deleting: false,
        rebalancing: false,
        retry: None,
        failures: 0,
        scaled: None,
        cause: format!(
            "a user request created an AutoScalingGroup changing the desired capacity from 0 to {desired}."
        ),
    };
    apply(state, context, &mut group, changes)?;
    let key = group.key.clone();
    state
        .auto_scaling_groups
        .insert(key.clone(), Arc::new(group));
    Ok(key)
}

/// Changes a group. A new minimum or maximum takes the desired number along.
///
/// # Errors
/// `ValidationError`.
pub fn update(
    state: &mut State,
    context: &Context,
    name: &str,
    (min, max, desired): (Option<i32>, Option<i32>, Option<i32>),
    changes: Changes,
) -> Result<(), Refusal> {
    let mut group = find(state, context, name)?.clone();
    let signed = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
    let (min, max) = (
        min.unwrap_or(signed(group.min)),
        max.unwrap_or(signed(group.max)),
    );
    let kept = signed(group.desired).clamp(min.min(max), max);
    let bounds = Bounds {
        min,
        max,
        desired: Some(desired.unwrap_or(kept)),
    };
    let before = group.desired;
    (group.min, group.max, group.desired) = bounds.check()?;
    if group.desired != before {
        group.cause = format!(
            "a user request update of AutoScalingGroup constraints to min: {}, max: {}, desired: {} changing the desired capacity from {before} to {}.",
            group.min, group.max, group.desired, group.desired
        );
    }
    apply(state, context, &mut group, changes)?;
    // What was in the way may be gone.
    (group.retry, group.failures) = (None, 0);
    state
        .auto_scaling_groups
        .insert(group.key.clone(), Arc::new(group));
    Ok(())
}

fn apply(
    state: &State,
    context: &Context,
    group: &mut AutoScalingGroup,
    changes: Changes,
) -> Result<(), Refusal> {
    if let Some((id, name, version)) = changes.template {
        group.template = template(state, context, id, name, version)?;
    }
    if let Some(cooldown) = changes.cooldown {
        group.cooldown = number(cooldown, "DefaultCooldown")?;
    }
    if let Some(grace) = changes.grace {
        group.grace = number(grace, "HealthCheckGracePeriod")?;
    }
    if let Some(kind) = changes.health_check {
        if !["EC2", "ELB"].contains(&kind.as_str()) {
            return Err(invalid(format!(
                "Invalid health check type '{kind}': Skylab has EC2 and ELB"
            )));
        }
        group.health_check = kind;
    }
    if !changes.policies.is_empty() {
        let policies = changes.policies.iter();
        group.policies = policies
            .map(|name| name.parse())
            .collect::<Result<_, _>>()?;
    }
    group.protect_new = changes.protect_new.unwrap_or(group.protect_new);
    places(state, context, group, changes.zones, changes.subnets)
}

fn template(
    state: &State,
    context: &Context,
    id: Option<String>,
    name: Option<String>,
    version: Option<String>,
) -> Result<Template, Refusal> {
    let wrong = |refusal: Refusal| {
        invalid(format!(
            "You must use a valid fully-formed launch template. {}",
            refusal.message
        ))
    };
    let found = launch_template::find(state, context, id.as_deref(), name.as_deref());
    let found = found.map_err(wrong)?;
    let version = version.unwrap_or_else(|| "$Default".to_owned());
    found.version(Some(&version)).map_err(wrong)?;
    Ok(Template {
        id: found.id.clone(),
        name: found.name.clone(),
        version,
    })
}

fn places(
    state: &State,
    context: &Context,
    group: &mut AutoScalingGroup,
    zones: Vec<String>,
    subnets: Option<String>,
) -> Result<(), Refusal> {
    for zone in &zones {
        let known = region::find(&context.region).and_then(|region| region.zone(zone));
        if known.is_none() {
            return Err(invalid(format!(
                "One or more supplied Availability Zones is not valid: {zone}"
            )));
        }
    }
    if let Some(ids) = subnets {
        let ids = ids.split(',').map(str::trim).filter(|id| !id.is_empty());
        let missing = |id: &str| invalid(format!("The subnet ID '{id}' does not exist"));
        let found: Vec<_> = ids
            .map(|id| subnet::find(state, context, id).map_err(|_| missing(id)))
            .collect::<Result<_, _>>()?;
        if found.windows(2).any(|pair| pair[0].vpc != pair[1].vpc) {
            return Err(invalid(
                "The subnets of an Auto Scaling group must be in the same VPC",
            ));
        }
        if let Some(zone) = zones
            .iter()
            .find(|zone| !found.iter().any(|subnet| subnet.zone == **zone))
        {
            return Err(invalid(format!(
                "The availability zones of the specified subnets and the Auto Scaling group do not match: {zone}"
            )));
        }
        group.subnets = found.into_iter().map(|subnet| subnet.id.clone()).collect();
        group.zones = Vec::new();
    } else if !zones.is_empty() {
        for zone in &zones {
            if subnet::default_for(state, &context.region, Some(zone)).is_none() {
                return Err(invalid(format!(
                    "No default subnet for availability zone: '{zone}'"
                )));
            }
        }
        (group.zones, group.subnets) = (zones, Vec::new());
    }
    Ok(())
}

/// Sets how many instances there shall be.
///
/// # Errors
/// `ValidationError` outside the bounds, `ScalingActivityInProgress` within the cooldown where it is
/// to be honoured.
pub fn set_desired(
    state: &mut State,
    context: &Context,
    name: &str,
    desired: i32,
    honor_cooldown: bool,
) -> Result<(), Refusal> {
    let group = find(state, context, name)?;
    let wanted = number(desired, "DesiredCapacity")?;
    if wanted > group.max {
        return Err(invalid(format!(
            "New SetDesiredCapacity value {wanted} is above max value {} for the AutoScalingGroup.",
            group.max
        )));
    }
    if wanted < group.min {
        return Err(invalid(format!(
            "New SetDesiredCapacity value {wanted} is below min value {} for the AutoScalingGroup.",
            group.min
        )));
    }
    let cooldown = context.pace.timer(i64::from(group.cooldown));
    if honor_cooldown && group.scaled.is_some_and(|at| at + cooldown > context.now) {
        return Err(Refusal::new(
            "ScalingActivityInProgress",
            format!("Scaling activity in progress for group {name}: it is in its cooldown"),
        ));
    }
    let (key, before) = (group.key.clone(), group.desired);
    edit(state, &key, |group| {
        group.desired = wanted;
        (group.retry, group.failures) = (None, 0);
        group.cause = format!(
            "a user request explicitly set group desired capacity changing the desired capacity from {before} to {wanted}."
        );
    });
    Ok(())
}
