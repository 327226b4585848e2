//! Making and deleting classic balancers, their subnets and security groups.

use super::listener::ListenerWords;
use super::*;
use crate::model::load_balancer::name::{check, number};
use crate::model::load_balancer::node::{self, Nodes, Place, check_gateway};
use network_interface::InterfaceKind;

/// The most classic balancers in a region.
const MOST: usize = 20;

/// A balancer to make.
#[derive(Clone, Debug, Default)]
pub struct NewClassic {
    /// Its name.
    pub name: String,
    /// Its listeners.
    pub listeners: Vec<ListenerWords>,
    /// Zones, whose default subnets it is to be in.
    pub zones: Vec<String>,
    /// Subnets.
    pub subnets: Vec<String>,
    /// Security groups; none means the VPC's default one.
    pub security_groups: Vec<String>,
    /// `internal`, or none for the internet.
    pub scheme: Option<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

fn places(
    state: &State,
    context: &Context,
    (zones, subnets): (&[String], &[String]),
) -> Result<(VpcId, Vec<Place>), Refusal> {
    if !zones.is_empty() && !subnets.is_empty() {
        return Err(invalid(
            "Only one of SubnetIds or AvailabilityZones parameter may be specified",
        ));
    }
    let mut found = Vec::new();
    for id in subnets {
        found.push(node::subnet(state, context, id)?);
    }
    for zone in zones {
        let default = subnet::default_for(state, &context.region, Some(zone));
        found.push(default.ok_or_else(|| {
            invalid(format!("No default subnet for availability zone: '{zone}'"))
        })?);
    }
    let Some(first) = found.first() else {
        return Err(invalid(
            "Either AvailabilityZones or SubnetIds must be specified",
        ));
    };
    let vpc = first.vpc.clone();
    let mut places: Vec<Place> = Vec::with_capacity(found.len());
    for subnet in found {
        if subnet.vpc != vpc {
            return Err(misconfigured("All subnets must belong to the same VPC"));
        }
        if places.iter().any(|place| place.zone == subnet.zone) {
            return Err(misconfigured(
                "ELB cannot be attached to multiple subnets in the same AZ.",
            ));
        }
        places.push(Place {
            subnet: subnet.id.clone(),
            zone: subnet.zone.clone(),
            allocation: None,
            private_ip: None,
        });
    }
    Ok((vpc, places))
}

fn scheme(text: Option<&str>) -> Result<Scheme, Refusal> {
    match text {
        None | Some("" | "internet-facing") => Ok(Scheme::InternetFacing),
        Some("internal") => Ok(Scheme::Internal),
        Some(other) => Err(Refusal::new(
            "InvalidScheme",
            format!("Scheme '{other}' is not valid: it must be internet-facing or internal"),
        )),
    }
}

fn groups(
    state: &State,
    context: &Context,
    vpc: &VpcId,
    wanted: &[String],
) -> Result<Vec<SecurityGroupId>, Refusal> {
    if wanted.is_empty() {
        let default = security_group::default_of(state, vpc);
        return Ok(default.map(|group| group.id.clone()).into_iter().collect());
    }
    node::check_groups(state, context, vpc, wanted)
}

/// Makes a balancer, or finds the one that was made with the same words.
///
/// # Errors
/// `DuplicateLoadBalancerName` for other words, `TooManyLoadBalancers`, and those of listeners, subnets and groups.
pub fn create(state: &mut State, context: &Context, new: NewClassic) -> Result<(), Refusal> {
    check("Load balancer", &new.name)?;
    let listeners = listener::read(state, context, &new.listeners)?;
    let scheme = scheme(new.scheme.as_deref())?;
    let (vpc, places) = places(state, context, (&new.zones, &new.subnets))?;
    if scheme == Scheme::InternetFacing {
        check_gateway(state, &vpc)?;
    }
    let security_groups = groups(state, context, &vpc, &new.security_groups)?;
    let first = listeners.first().map_or(80, |of| of.instance_port);
    let mut balancer = ClassicLoadBalancer {
        name: new.name,
        region: context.region.clone(),
        dns_name: String::new(),
        created: context.now,
        scheme,
        vpc,
        nodes: Vec::new(),
        security_groups,
        listeners: BTreeMap::new(),
        policies: BTreeMap::new(),
        backend_policies: BTreeMap::new(),
        health_check: HealthCheck::of_port(first),
        instances: BTreeMap::new(),
        attributes: Attributes::default(),
        tags: new.tags,
    };
    listener::put(&mut balancer, listeners)?;
    if let Ok(present) = find(state, context, &balancer.name) {
        if is_same(present, &balancer, &places) {
            return Ok(());
        }
        return Err(Refusal::new(
            "DuplicateLoadBalancerName",
            format!(
                "Load Balancer named {} already exists and it is configured with different parameters.",
                balancer.name
            ),
        ));
    }
    let here = |of: &&Arc<ClassicLoadBalancer>| of.region == context.region;
    let count = state.classic_load_balancers.values().filter(here).count();
    if context.quotas && count >= MOST {
        return Err(Refusal::new(
            "TooManyLoadBalancers",
            "Exceeded quota of account",
        ));
    }
    let prefix = if scheme == Scheme::Internal {
        "internal-"
    } else {
        ""
    };
    balancer.dns_name = format!(
        "{prefix}{}-{}.{}.elb.amazonaws.com",
        balancer.name,
        number(state),
        context.region
    );
    balancer.nodes = node::place(state, context, &nodes(&balancer), places)?;
    state
        .classic_load_balancers
        .insert(balancer.key(), Arc::new(balancer));
    Ok(())
}

fn is_same(present: &ClassicLoadBalancer, new: &ClassicLoadBalancer, places: &[Place]) -> bool {
    let mut there: Vec<_> = present.nodes.iter().map(|node| &node.subnet).collect();
    let mut wanted: Vec<_> = places.iter().map(|place| &place.subnet).collect();
    there.sort();
    wanted.sort();
    let words = |of: &ClassicLoadBalancer| {
        let listeners = of.listeners.values().map(|listener| ClassicListener {
            policies: Vec::new(),
            ..listener.clone()
        });
        listeners.collect::<Vec<_>>()
    };
    (present.scheme, &present.security_groups) == (new.scheme, &new.security_groups)
        && there == wanted
        && words(present) == words(new)
}

fn nodes(balancer: &ClassicLoadBalancer) -> Nodes {
    Nodes {
        kind: InterfaceKind::LoadBalancer,
        description: format!("ELB {}", balancer.name),
        public: balancer.scheme == Scheme::InternetFacing,
        groups: balancer.security_groups.clone(),
    }
}

/// Deletes a balancer; one that isn't there is gone already.
///
/// # Errors
/// None but those of its interfaces.
pub fn delete(state: &mut State, context: &Context, name: &str) -> Result<(), Refusal> {
    let Ok(balancer) = find(state, context, name) else {
        return Ok(());
    };
    let balancer = balancer.clone();
    for node in &balancer.nodes {
        node::remove(state, node)?;
    }
    state.classic_load_balancers.remove(&balancer.key());
    Ok(())
}

/// Brings a balancer to further subnets, or to the default ones of zones.
///
/// # Errors
/// `SubnetNotFound`, `InvalidConfigurationRequest` for another VPC or a zone it is in already.
pub fn attach_subnets(
    state: &mut State,
    context: &Context,
    name: &str,
    subnets: &[String],
    zones: &[String],
) -> Result<(), Refusal> {
    let mut balancer = find(state, context, name)?.clone();
    let (vpc, places) = places(state, context, (zones, subnets))?;
    if vpc != balancer.vpc {
        return Err(misconfigured(format!(
            "The subnets must belong to the load balancer's VPC {}",
            balancer.vpc
        )));
    }
    for place in places {
        if balancer
            .nodes
            .iter()
            .any(|node| node.subnet == place.subnet)
        {
            continue;
        }
        if balancer.nodes.iter().any(|node| node.zone == place.zone) {
            return Err(misconfigured(
                "ELB cannot be attached to multiple subnets in the same AZ.",
            ));
        }
        let made = node::place(state, context, &nodes(&balancer), vec![place])?;
        balancer.nodes.extend(made);
    }
    state
        .classic_load_balancers
        .insert(balancer.key(), Arc::new(balancer));
    Ok(())
}

/// Takes a balancer out of subnets, or out of zones.
///
/// # Errors
/// `InvalidConfigurationRequest` when none is left.
pub fn detach_subnets(
    state: &mut State,
    context: &Context,
    name: &str,
    subnets: &[String],
    zones: &[String],
) -> Result<(), Refusal> {
    let mut balancer = find(state, context, name)?.clone();
    let goes = |node: &Node| {
        subnets.iter().any(|id| id == node.subnet.as_str()) || zones.contains(&node.zone)
    };
    let (go, stay): (Vec<Node>, Vec<Node>) = balancer.nodes.into_iter().partition(goes);
    if stay.is_empty() {
        return Err(misconfigured(
            "A load balancer must be in one subnet at least: the last one cannot be detached",
        ));
    }
    for node in &go {
        node::remove(state, node)?;
    }
    balancer.nodes = stay;
    state
        .classic_load_balancers
        .insert(balancer.key(), Arc::new(balancer));
    Ok(())
}

/// Gives a balancer other security groups.
///
/// # Errors
/// `InvalidSecurityGroup`, `InvalidConfigurationRequest`.
pub fn set_groups(
    state: &mut State,
    context: &Context,
    name: &str,
    wanted: &[String],
) -> Result<(), Refusal> {
    let mut balancer = find(state, context, name)?.clone();
    if wanted.is_empty() {
        return Err(invalid("At least one security group must be specified"));
    }
    let groups = node::check_groups(state, context, &balancer.vpc, wanted)?;
    for node in &balancer.nodes {
        network_interface::set_groups_unchecked(state, context, &node.interface, &groups)
            .map_err(|refusal| misconfigured(refusal.message))?;
    }
    balancer.security_groups = groups;
    state
        .classic_load_balancers
        .insert(balancer.key(), Arc::new(balancer));
    Ok(())
}
