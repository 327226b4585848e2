//! Making and deleting balancers, their subnets and security groups.

use super::node::{self, Nodes, Place};
use super::*;
use network_interface::InterfaceKind;

/// How long a balancer is being made, in seconds.
const PROVISIONING: i64 = 120;

/// A balancer to make.
#[derive(Clone, Debug, PartialEq)]
pub struct NewLoadBalancer {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// Its scheme; internet-facing unless given.
    pub scheme: Option<Scheme>,
    /// Where its nodes are to be.
    pub placements: Vec<Placement>,
    /// Its security groups.
    pub security_groups: Vec<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

fn interface_kind(kind: Kind) -> InterfaceKind {
    match kind {
        Kind::Application => InterfaceKind::LoadBalancer,
        Kind::Network => InterfaceKind::NetworkLoadBalancer,
        Kind::Gateway => InterfaceKind::GatewayLoadBalancer,
    }
}

/// Makes a balancer, or finds the one that was made with the same words.
///
/// # Errors
/// `DuplicateLoadBalancerName` for other words, `TooManyLoadBalancers`, `InvalidSecurityGroup`, and those of
/// places.
pub fn create(
    state: &mut State,
    context: &Context,
    new: NewLoadBalancer,
) -> Result<String, Refusal> {
    name::check("Load balancer", &new.name)?;
    if new.kind == Kind::Gateway && new.scheme.is_some() {
        return Err(misconfigured(
            "Scheme is not supported for load balancers with type 'gateway'",
        ));
    }
    let scheme = match new.kind {
        Kind::Gateway => None,
        _ => Some(new.scheme.unwrap_or(Scheme::InternetFacing)),
    };
    let (vpc, places) = node::check_places(state, context, (new.kind, scheme), &new.placements)?;
    let groups = groups_of(state, context, new.kind, &vpc, &new.security_groups)?;
    let named = in_region(state, &context.region).find(|other| other.name == new.name);
    if let Some(present) = named {
        if is_same(present, (new.kind, scheme), &places, &groups) {
            return Ok(present.arn.clone());
        }
        return Err(Refusal::new(
            "DuplicateLoadBalancerName",
            format!(
                "A load balancer with the same name '{}' exists, but with different settings",
                new.name
            ),
        ));
    }
    let quota = match new.kind {
        Kind::Application => "application-load-balancers",
        Kind::Network => "network-load-balancers",
        Kind::Gateway => "gateway-load-balancers",
    };
    let of_kind = |other: &&LoadBalancer| other.kind == new.kind;
    let count = in_region(state, &context.region).filter(of_kind).count() + 1;
    let message = format!(
        "The maximum number of load balancers of type '{}' has been reached",
        new.kind
    );
    limit::check(context, quota, count, "TooManyLoadBalancers", &message)?;
    insert(state, context, new, scheme, vpc, groups, places)
}

/// Whether a balancer is what another request asks for.
fn is_same(
    present: &LoadBalancer,
    (kind, scheme): (Kind, Option<Scheme>),
    places: &[Place],
    groups: &[SecurityGroupId],
) -> bool {
    let mut wanted: Vec<_> = places
        .iter()
        .map(|place| (&place.subnet, &place.allocation, place.private_ip))
        .collect();
    let mut there: Vec<_> = present
        .nodes
        .iter()
        .map(|node| (&node.subnet, &node.allocation, node.private_ip))
        .collect();
    wanted.sort();
    there.sort();
    let (mut ours, mut theirs) = (present.security_groups.clone(), groups.to_vec());
    ours.sort();
    theirs.sort();
    (present.kind, present.scheme) == (kind, scheme) && wanted == there && ours == theirs
}

fn groups_of(
    state: &State,
    context: &Context,
    kind: Kind,
    vpc: &VpcId,
    wanted: &[String],
) -> Result<Vec<SecurityGroupId>, Refusal> {
    if kind == Kind::Gateway && !wanted.is_empty() {
        return Err(misconfigured(
            "Security groups are not supported for load balancers with type 'gateway'",
        ));
    }
    if kind == Kind::Application && wanted.is_empty() {
        let default = security_group::default_of(state, vpc);
        return Ok(default.map(|group| group.id.clone()).into_iter().collect());
    }
    node::check_groups(state, context, vpc, wanted)
}

fn insert(
    state: &mut State,
    context: &Context,
    new: NewLoadBalancer,
    scheme: Option<Scheme>,
    vpc: VpcId,
    groups: Vec<SecurityGroupId>,
    places: Vec<Place>,
) -> Result<String, Refusal> {
    let hash = name::hash(state);
    let account = state.settings.account.clone();
    let arn = name::balancer(&context.region, &account, new.kind, &new.name, &hash);
    let dns_name = scheme
        .map(|scheme| name::dns_name(state, &context.region, (new.kind, scheme), &new.name, &hash));
    let mut balancer = LoadBalancer {
        arn: arn.clone(),
        name: new.name,
        region: context.region.clone(),
        kind: new.kind,
        scheme,
        vpc,
        dns_name,
        created: context.now,
        state: BalancerState::Provisioning,
        until: context.now + context.pace.waiting(PROVISIONING),
        security_groups: groups,
        private_link_rules: None,
        nodes: Vec::new(),
        attributes: BTreeMap::new(),
        tags: new.tags,
    };
    balancer.nodes = node::place(state, context, &nodes(&balancer), places)?;
    state.load_balancers.insert(arn.clone(), Arc::new(balancer));
    Ok(arn)
}

/// What a balancer's nodes have in common.
fn nodes(balancer: &LoadBalancer) -> Nodes {
    let (kind, name, hash) = (balancer.kind.short(), &balancer.name, balancer.hash());
    Nodes {
        kind: interface_kind(balancer.kind),
        description: format!("ELB {kind}/{name}/{hash}"),
        public: balancer.scheme == Some(Scheme::InternetFacing),
        groups: balancer.security_groups.clone(),
    }
}

/// Deletes a balancer with its listeners and nodes; its target groups stay. One that isn't there is gone already.
///
/// # Errors
/// `OperationNotPermitted` with deletion protection, `ResourceInUse` while a target group names it.
pub fn delete(state: &mut State, context: &Context, arn: &str) -> Result<(), Refusal> {
    let balancer = match find(state, context, arn) {
        Ok(balancer) => balancer.clone(),
        Err(refusal) if refusal.code == "LoadBalancerNotFound" => return Ok(()),
        Err(refusal) => return Err(refusal),
    };
    if balancer.attribute("deletion_protection.enabled").as_deref() == Some("true") {
        return Err(Refusal::new(
            "OperationNotPermitted",
            format!(
                "Load balancer '{arn}' cannot be deleted because deletion protection is enabled"
            ),
        ));
    }
    if target::is_registered(state, arn) {
        return Err(Refusal::new(
            "ResourceInUse",
            format!("Load balancer '{arn}' is currently associated with another service"),
        ));
    }
    listener::delete_all(state, arn);
    for node in &balancer.nodes {
        node::remove(state, node)?;
    }
    state.load_balancers.remove(arn);
    health::settle(state);
    Ok(())
}

/// Gives a balancer other subnets: nodes go from those that are named no more and come to those that are new.
///
/// # Errors
/// Those of places; `InvalidConfigurationRequest` when a network load balancer would leave a subnet whose
/// configuration changes.
pub fn set_subnets(
    state: &mut State,
    context: &Context,
    arn: &str,
    wanted: &[Placement],
) -> Result<(), Refusal> {
    let balancer = find(state, context, arn)?.clone();
    let about = (balancer.kind, balancer.scheme);
    let (vpc, places) = node::check_places(state, context, about, wanted)?;
    if vpc != balancer.vpc {
        return Err(misconfigured(format!(
            "The subnets must belong to the load balancer's VPC '{}'",
            balancer.vpc
        )));
    }
    let stays = |node: &Node, place: &Place| {
        node.subnet == place.subnet
            && place
                .allocation
                .as_ref()
                .is_none_or(|id| node.allocation.as_ref() == Some(id))
            && place
                .private_ip
                .is_none_or(|ip| node.private_ip == Some(ip))
    };
    let (keep, go): (Vec<Node>, Vec<Node>) = balancer
        .nodes
        .iter()
        .cloned()
        .partition(|node| places.iter().any(|place| stays(node, place)));
    for node in &go {
        node::remove(state, node)?;
    }
    let mut made = Vec::with_capacity(places.len());
    for place in places {
        match keep.iter().find(|node| stays(node, &place)) {
            Some(node) => made.push(node.clone()),
            None => made.extend(node::place(state, context, &nodes(&balancer), vec![place])?),
        }
    }
    edit(state, arn, |balancer| balancer.nodes = made);
    health::settle(state);
    Ok(())
}

/// Gives a balancer other security groups.
///
/// # Errors
/// `InvalidSecurityGroup`, `InvalidConfigurationRequest` for a gateway load balancer, none at all, or a network
/// load balancer that was made without.
pub fn set_security_groups(
    state: &mut State,
    context: &Context,
    arn: &str,
    wanted: &[String],
    private_link_rules: Option<bool>,
) -> Result<(), Refusal> {
    let balancer = find(state, context, arn)?.clone();
    if balancer.kind == Kind::Gateway {
        return Err(misconfigured(
            "Security groups are not supported for load balancers with type 'gateway'",
        ));
    }
    if private_link_rules.is_some() && balancer.kind != Kind::Network {
        return Err(misconfigured(
            "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic is supported for load balancers with type 'network' only",
        ));
    }
    if balancer.kind == Kind::Network && balancer.security_groups.is_empty() {
        return Err(misconfigured(
            "You cannot set security groups on a Network Load Balancer that was created without security groups",
        ));
    }
    if wanted.is_empty() {
        return Err(invalid("At least one security group must be specified"));
    }
    let groups = node::check_groups(state, context, &balancer.vpc, wanted)?;
    for node in &balancer.nodes {
        network_interface::set_groups_unchecked(state, context, &node.interface, &groups)
            .map_err(|refusal| misconfigured(refusal.message))?;
    }
    edit(state, arn, |balancer| {
        balancer.security_groups = groups;
        balancer.private_link_rules = private_link_rules.or(balancer.private_link_rules);
    });
    Ok(())
}

/// Sets the type of a balancer's addresses, of which there is one: `ipv4`.
///
/// # Errors
/// `InvalidSubnet` for IPv6: no subnet of the lab has IPv6 addresses.
pub fn set_ip_address_type(
    state: &State,
    context: &Context,
    arn: &str,
    wanted: &str,
) -> Result<(), Refusal> {
    find(state, context, arn)?;
    check_ip_address_type(wanted)
}

/// Refuses all types but `ipv4`.
pub(crate) fn check_ip_address_type(wanted: &str) -> Result<(), Refusal> {
    if wanted == "ipv4" {
        return Ok(());
    }
    Err(Refusal::new(
        "InvalidSubnet",
        format!("You must specify subnets with an associated IPv6 CIDR block for '{wanted}'"),
    ))
}

/// Ends the states that are over by now.
pub fn finish_transitions(state: &mut State, now: i64) {
    let due: Vec<String> = state
        .load_balancers
        .values()
        .filter(|balancer| balancer.state == BalancerState::Provisioning && balancer.until <= now)
        .map(|balancer| balancer.arn.clone())
        .collect();
    for arn in due {
        edit(state, &arn, |balancer| {
            balancer.state = BalancerState::Active;
        });
    }
    target::finish_transitions(state, now);
}

/// When the next state ends.
pub fn next_transition(state: &State) -> Option<i64> {
    let making = state
        .load_balancers
        .values()
        .filter(|balancer| balancer.state == BalancerState::Provisioning)
        .map(|balancer| balancer.until);
    making.chain(target::next_transition(state)).min()
}
