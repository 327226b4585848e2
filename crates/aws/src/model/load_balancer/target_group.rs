//! Target groups.
//!
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-target-groups.html>

use super::health_check::Checked;
use super::*;
use std::str::FromStr;

/// What kind of targets a group has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TargetType {
    /// Instances.
    Instance,
    /// Addresses.
    Ip,
    /// A function.
    Lambda,
    /// An application load balancer.
    Alb,
}

/// A target group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetGroup {
    /// Its ARN.
    pub arn: String,
    /// Its name, its account's own in the region.
    pub name: String,
    /// The region.
    pub region: String,
    /// What kind of targets it has.
    pub target_type: TargetType,
    /// How they are spoken to; functions have no protocol.
    pub protocol: Option<Protocol>,
    /// `HTTP1`, `HTTP2` or `GRPC`, with HTTP and HTTPS.
    pub protocol_version: Option<String>,
    /// The port of targets that have none of their own.
    pub port: Option<u16>,
    /// Its VPC.
    pub vpc: Option<VpcId>,
    /// How their health is checked.
    pub health_check: HealthCheck,
    /// Its attributes, where they were set.
    pub attributes: BTreeMap<String, String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A target group to make.
#[derive(Clone, Debug, Default)]
pub struct NewTargetGroup {
    /// Its name.
    pub name: String,
    /// `instance`, `ip`, `lambda` or `alb`.
    pub target_type: Option<String>,
    /// The protocol.
    pub protocol: Option<Protocol>,
    /// The protocol's version.
    pub protocol_version: Option<String>,
    /// The port.
    pub port: Option<i32>,
    /// The VPC.
    pub vpc: Option<String>,
    /// The health check.
    pub health_check: HealthCheckChanges,
    /// The tags.
    pub tags: BTreeMap<String, String>,
}

const TYPES: [(&str, TargetType); 4] = [
    ("instance", TargetType::Instance),
    ("ip", TargetType::Ip),
    ("lambda", TargetType::Lambda),
    ("alb", TargetType::Alb),
];

impl TargetType {
    /// AWS's word.
    pub fn as_str(self) -> &'static str {
        TYPES
            .iter()
            .find(|(_, of)| *of == self)
            .map_or("", |(name, _)| name)
    }
}

impl FromStr for TargetType {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let found = TYPES.iter().find(|(name, _)| *name == text);
        found
            .map(|(_, of)| *of)
            .ok_or_else(|| invalid(format!("Target type '{text}' is not valid")))
    }
}

impl TargetGroup {
    /// The kind of balancer that uses it.
    pub fn kind(&self) -> Kind {
        self.protocol.map_or(Kind::Application, Protocol::kind)
    }

    /// What an attribute is, set or not.
    pub fn attribute(&self, key: &str) -> Option<String> {
        attributes(self)
            .into_iter()
            .find(|(of, _)| of == key)
            .map(|(_, value)| value)
    }

    /// Seconds for which a target that leaves is still drained.
    pub fn deregistration_delay(&self) -> i64 {
        let delay = self.attribute("deregistration_delay.timeout_seconds");
        delay.and_then(|delay| delay.parse().ok()).unwrap_or(0)
    }

    /// Whether targets see who the client is.
    pub fn preserves_clients(&self) -> bool {
        match self.kind() {
            Kind::Application => false,
            Kind::Network => {
                self.attribute("preserve_client_ip.enabled").as_deref() == Some("true")
            }
            Kind::Gateway => true,
        }
    }

    /// Whether a balancer's nodes give traffic to targets in other zones than their own: the group says
    /// it, or the balancer does.
    pub fn crosses_zones(&self, of: &LoadBalancer) -> bool {
        let key = "load_balancing.cross_zone.enabled";
        match self.attribute(key).as_deref() {
            Some("true") => true,
            Some("false") => false,
            _ => of.attribute(key).as_deref() == Some("true"),
        }
    }

    fn checked(&self) -> Checked {
        Checked {
            target_type: self.target_type,
            protocol: self.protocol,
            grpc: self.protocol_version.as_deref() == Some("GRPC"),
        }
    }
}

fn not_found(arn: &str) -> Refusal {
    Refusal::new(
        "TargetGroupNotFound",
        format!("Target group '{arn}' not found"),
    )
}

/// The group of an ARN in the region asked.
///
/// # Errors
/// `TargetGroupNotFound`, `ValidationError` for what is no group's ARN.
pub fn find<'s>(
    state: &'s State,
    context: &Context,
    arn: &str,
) -> Result<&'s TargetGroup, Refusal> {
    if !name::is_arn(arn, "targetgroup") {
        return Err(invalid(format!("'{arn}' is not a valid target group ARN")));
    }
    let found = state.target_groups.get(arn);
    found
        .filter(|group| group.region == context.region)
        .map(Arc::as_ref)
        .ok_or_else(|| not_found(arn))
}

/// The region's groups, by ARN.
pub fn in_region<'s>(state: &'s State, region: &str) -> impl Iterator<Item = &'s TargetGroup> {
    let all = state.target_groups.values().map(Arc::as_ref);
    all.filter(move |group| group.region == region)
}

/// Changes a group.
pub(crate) fn edit(state: &mut State, arn: &str, change: impl FnOnce(&mut TargetGroup)) {
    if let Some(group) = state.target_groups.get_mut(arn) {
        change(Arc::make_mut(group));
    }
}

/// Makes a group, or finds the one that was made with the same words.
///
/// # Errors
/// `DuplicateTargetGroupName` for other words, `TooManyTargetGroups`, `ValidationError`,
/// `InvalidConfigurationRequest`.
pub fn create(
    state: &mut State,
    context: &Context,
    new: NewTargetGroup,
) -> Result<String, Refusal> {
    name::check("Target group", &new.name)?;
    let mut group = checked(state, context, new)?;
    if let Some(present) = in_region(state, &context.region).find(|other| other.name == group.name)
    {
        let same = TargetGroup {
            arn: present.arn.clone(),
            attributes: present.attributes.clone(),
            tags: present.tags.clone(),
            ..group.clone()
        };
        if *present == same {
            return Ok(present.arn.clone());
        }
        return Err(Refusal::new(
            "DuplicateTargetGroupName",
            format!(
                "A target group with the same name '{}' exists, but with different settings",
                group.name
            ),
        ));
    }
    let count = in_region(state, &context.region).count() + 1;
    let message = "The maximum number of target groups has been reached";
    limit::check(
        context,
        "target-groups",
        count,
        "TooManyTargetGroups",
        message,
    )?;
    let hash = name::hash(state);
    let account = state.settings.account.clone();
    group.arn = name::target_group(&context.region, &account, &group.name, &hash);
    let arn = group.arn.clone();
    state.target_groups.insert(arn.clone(), Arc::new(group));
    Ok(arn)
}

/// A group as asked for, without its ARN.
fn checked(state: &State, context: &Context, new: NewTargetGroup) -> Result<TargetGroup, Refusal> {
    let target_type: TargetType = new.target_type.as_deref().unwrap_or("instance").parse()?;
    let (protocol, port, vpc) = if target_type == TargetType::Lambda {
        for (what, given) in [
            ("Protocol", new.protocol.is_some()),
            ("Port", new.port.is_some()),
            ("VPC ID", new.vpc.is_some()),
        ] {
            if given {
                return Err(invalid(format!(
                    "{what} cannot be specified for target groups with target type 'lambda'"
                )));
            }
        }
        (None, None, None)
    } else {
        let protocol = new
            .protocol
            .ok_or_else(|| invalid("A protocol must be specified"))?;
        let number = new
            .port
            .ok_or_else(|| invalid("A port must be specified"))?;
        let vpc = new
            .vpc
            .ok_or_else(|| invalid("A VPC ID must be specified"))?;
        let vpc = vpc::find(state, context, &vpc)
            .map_err(|_| invalid(format!("The VPC ID '{vpc}' is not found")))?;
        (Some(protocol), Some(port(number)?), Some(vpc.id.clone()))
    };
    check_protocol(target_type, protocol, port)?;
    let protocol_version = version(target_type, protocol, new.protocol_version)?;
    let about = Checked {
        target_type,
        protocol,
        grpc: protocol_version.as_deref() == Some("GRPC"),
    };
    Ok(TargetGroup {
        arn: String::new(),
        name: new.name,
        region: context.region.clone(),
        target_type,
        protocol,
        protocol_version,
        port,
        vpc,
        health_check: about.make(&new.health_check)?,
        attributes: BTreeMap::new(),
        tags: new.tags,
    })
}

fn check_protocol(
    target_type: TargetType,
    protocol: Option<Protocol>,
    port: Option<u16>,
) -> Result<(), Refusal> {
    let kind = target_type.as_str();
    match (target_type, protocol) {
        (TargetType::Alb, Some(protocol)) if protocol != Protocol::Tcp => Err(invalid(format!(
            "Protocol '{protocol}' is not supported for target groups with target type '{kind}'"
        ))),
        (_, Some(Protocol::Geneve)) if port != Some(6081) => Err(invalid(
            "Port must be '6081' for target groups with protocol 'GENEVE'",
        )),
        _ => Ok(()),
    }
}

fn version(
    target_type: TargetType,
    protocol: Option<Protocol>,
    wanted: Option<String>,
) -> Result<Option<String>, Refusal> {
    let http = protocol.is_some_and(|protocol| protocol.kind() == Kind::Application)
        && target_type != TargetType::Lambda;
    match wanted {
        None => Ok(http.then(|| "HTTP1".to_owned())),
        Some(_) if !http => Err(invalid(
            "Protocol version can be specified only for target groups with protocol 'HTTP' or 'HTTPS'",
        )),
        Some(version) if ["HTTP1", "HTTP2", "GRPC"].contains(&version.as_str()) => {
            Ok(Some(version))
        }
        Some(version) => Err(invalid(format!(
            "Protocol version '{version}' must be one of 'HTTP1, HTTP2, GRPC'"
        ))),
    }
}

/// Changes how a group's targets are checked.
///
/// # Errors
/// `ValidationError`, `InvalidConfigurationRequest`.
pub fn modify(
    state: &mut State,
    context: &Context,
    arn: &str,
    changes: &HealthCheckChanges,
) -> Result<(), Refusal> {
    let group = find(state, context, arn)?;
    let check = group.checked().change(&group.health_check, changes)?;
    edit(state, arn, |group| group.health_check = check);
    Ok(())
}

/// Deletes a group with its targets. One that isn't there is gone already.
///
/// # Errors
/// `ResourceInUse` while a listener or rule forwards to it.
pub fn delete(state: &mut State, context: &Context, arn: &str) -> Result<(), Refusal> {
    match find(state, context, arn) {
        Err(refusal) if refusal.code == "TargetGroupNotFound" => return Ok(()),
        found => found?,
    };
    if !rule::balancers_of(state, arn).is_empty() {
        return Err(Refusal::new(
            "ResourceInUse",
            format!("Target group '{arn}' is currently in use by a listener or a rule"),
        ));
    }
    target::forget(state, arn);
    state.target_groups.remove(arn);
    Ok(())
}

/// All attributes of a group.
pub fn attributes(group: &TargetGroup) -> Vec<(String, String)> {
    setting::all(&target_attribute::settings(group), &group.attributes)
}

/// Sets attributes.
///
/// # Errors
/// `InvalidConfigurationRequest`, `ValidationError`.
pub fn modify_attributes(
    state: &mut State,
    context: &Context,
    arn: &str,
    wanted: &[(String, String)],
) -> Result<(), Refusal> {
    let group = find(state, context, arn)?;
    let settings = target_attribute::settings(group);
    let set = setting::apply(&settings, &group.attributes, "Target group", wanted)?;
    let changed = TargetGroup {
        attributes: set,
        ..group.clone()
    };
    target_attribute::check_together(&changed)?;
    state
        .target_groups
        .insert(arn.to_owned(), Arc::new(changed));
    Ok(())
}
