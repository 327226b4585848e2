//! Nodes: the network interfaces through which a balancer is in its subnets.
//!
//! The service makes them, they hold their subnet, security groups and VPC against deletion, and nobody else
//! changes them.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html>

use super::*;
use network_interface::{InterfaceKind, NewInterface};
use std::net::Ipv4Addr;

/// How many addresses must be free in a subnet.
const FREE_ADDRESSES: u32 = 8;

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its subnet.
    pub subnet: SubnetId,
    /// The subnet's zone.
    pub zone: String,
    /// Its interface.
    pub interface: NetworkInterfaceId,
    /// The private address, where the user chose it.
    pub private_ip: Option<Ipv4Addr>,
    /// The Elastic IP, where the user gave one.
    pub allocation: Option<AllocationId>,
}

/// Where a node is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// The subnet.
    pub subnet: String,
    /// The Elastic IP of an internet-facing network load balancer's node.
    pub allocation: Option<String>,
    /// The address of an internal network load balancer's node.
    pub private_ip: Option<String>,
}

/// What a balancer's nodes have in common.
#[derive(Clone, Debug)]
pub(crate) struct Nodes {
    /// What their interfaces are for.
    pub(crate) kind: InterfaceKind,
    /// Their interfaces' description.
    pub(crate) description: String,
    /// Whether they have public addresses.
    pub(crate) public: bool,
    /// Their security groups.
    pub(crate) groups: Vec<SecurityGroupId>,
}

/// A place that was checked.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) subnet: SubnetId,
    pub(crate) zone: String,
    pub(crate) allocation: Option<AllocationId>,
    pub(crate) private_ip: Option<Ipv4Addr>,
}

/// The subnet with an id, in the words of load balancing.
pub(crate) fn subnet<'s>(
    state: &'s State,
    context: &Context,
    id: &str,
) -> Result<&'s subnet::Subnet, Refusal> {
    subnet::find(state, context, id).map_err(|_| {
        Refusal::new(
            "SubnetNotFound",
            format!("The subnet ID '{id}' does not exist"),
        )
    })
}

/// Checks places for a balancer's nodes: their VPC and the places.
///
/// # Errors
/// `SubnetNotFound`, `InvalidSubnet`, `InvalidConfigurationRequest`, `AllocationIdNotFound`, `ValidationError`.
pub(crate) fn check_places(
    state: &State,
    context: &Context,
    (kind, scheme): (Kind, Option<Scheme>),
    wanted: &[Placement],
) -> Result<(VpcId, Vec<Place>), Refusal> {
    let mut places: Vec<Place> = Vec::with_capacity(wanted.len());
    let mut vpc: Option<VpcId> = None;
    for placement in wanted {
        let found = subnet(state, context, &placement.subnet)?;
        if *vpc.get_or_insert_with(|| found.vpc.clone()) != found.vpc {
            return Err(misconfigured("All subnets must belong to the same VPC"));
        }
        if places.iter().any(|place| place.zone == found.zone) {
            return Err(misconfigured(
                "A load balancer cannot be attached to multiple subnets in the same Availability Zone",
            ));
        }
        places.push(Place {
            subnet: found.id.clone(),
            zone: found.zone.clone(),
            allocation: allocation(state, context, (kind, scheme), placement)?,
            private_ip: private_ip((kind, scheme), found, placement)?,
        });
    }
    let least = if kind == Kind::Application { 2 } else { 1 };
    if places.len() < least {
        return Err(invalid(match least {
            2 => "At least two subnets in two different Availability Zones must be specified",
            _ => "At least one subnet must be specified",
        }));
    }
    let vpc = vpc.ok_or_else(|| invalid("At least one subnet must be specified"))?;
    if scheme == Some(Scheme::InternetFacing) {
        check_gateway(state, &vpc)?;
    }
    Ok((vpc, places))
}

/// Refuses public addresses in a VPC that has no way to the internet.
pub(crate) fn check_gateway(state: &State, vpc: &VpcId) -> Result<(), Refusal> {
    if internet_gateway::of_vpc(state, vpc).is_none() {
        return Err(Refusal::new(
            "InvalidSubnet",
            format!("VPC {vpc} has no internet gateway"),
        ));
    }
    Ok(())
}

fn allocation(
    state: &State,
    context: &Context,
    (kind, scheme): (Kind, Option<Scheme>),
    placement: &Placement,
) -> Result<Option<AllocationId>, Refusal> {
    let Some(id) = &placement.allocation else {
        return Ok(None);
    };
    if kind != Kind::Network {
        return Err(misconfigured(format!(
            "Elastic IPs are not supported for load balancers with type '{kind}'"
        )));
    }
    if scheme == Some(Scheme::Internal) {
        return Err(misconfigured(
            "Elastic IPs are not supported for internal load balancers",
        ));
    }
    let elastic = elastic_ip::find(state, context, id).map_err(|_| unavailable(id))?;
    Ok(Some(elastic.id.clone()))
}

fn unavailable(id: &str) -> Refusal {
    Refusal::new(
        "AllocationIdNotFound",
        format!("The allocation IDs '{id}' are not available for use"),
    )
}

fn private_ip(
    (kind, scheme): (Kind, Option<Scheme>),
    subnet: &subnet::Subnet,
    placement: &Placement,
) -> Result<Option<Ipv4Addr>, Refusal> {
    let Some(text) = &placement.private_ip else {
        return Ok(None);
    };
    if kind != Kind::Network {
        return Err(misconfigured(format!(
            "Private IPv4 addresses are not supported for load balancers with type '{kind}'"
        )));
    }
    if scheme == Some(Scheme::InternetFacing) {
        return Err(misconfigured(
            "Private IPv4 addresses are not supported for internet-facing load balancers",
        ));
    }
    let ip: Ipv4Addr = text.parse().map_err(|_| {
        invalid(format!(
            "The private IPv4 address '{text}' is not a valid IPv4 address"
        ))
    })?;
    if !subnet.cidr.contains(&ip) {
        return Err(misconfigured(format!(
            "The private IPv4 address '{ip}' is not in the range of subnet '{}'",
            subnet.id
        )));
    }
    Ok(Some(ip))
}

/// Makes a node in each place.
///
/// # Errors
/// `InvalidSubnet` without enough free addresses, `AllocationIdNotFound` for an Elastic IP in use,
/// `InvalidConfigurationRequest` for an address that is taken.
pub(crate) fn place(
    state: &mut State,
    context: &Context,
    nodes: &Nodes,
    places: Vec<Place>,
) -> Result<Vec<Node>, Refusal> {
    places
        .into_iter()
        .map(|place| place_one(state, context, nodes, place))
        .collect()
}

fn place_one(
    state: &mut State,
    context: &Context,
    nodes: &Nodes,
    place: Place,
) -> Result<Node, Refusal> {
    let free = state
        .subnets
        .get(&place.subnet)
        .map_or(0, |subnet| subnet::available_addresses(state, subnet));
    if free < FREE_ADDRESSES {
        return Err(Refusal::new(
            "InvalidSubnet",
            format!(
                "Not enough IP space available in {}. ELB requires at least {FREE_ADDRESSES} free IP addresses in each subnet.",
                place.subnet
            ),
        ));
    }
    let interface = NewInterface {
        primary: place.private_ip,
        groups: nodes.groups.clone(),
        description: nodes.description.clone(),
        kind: nodes.kind,
        ..NewInterface::in_subnet(place.subnet.clone())
    };
    // What an interface can't be, a balancer can't be made of.
    let interface = network_interface::create(state, context, interface)
        .map_err(|refusal| misconfigured(refusal.message))?;
    network_interface::attach_to_service(state, context, &interface)?;
    match &place.allocation {
        Some(id) => {
            elastic_ip::associate_unchecked(state, id, &interface, None, false)
                .map_err(|_| unavailable(id.as_str()))?;
        }
        None if nodes.public => {
            elastic_ip::assign_automatic(state, &interface)?;
        }
        None => {}
    }
    Ok(Node {
        subnet: place.subnet,
        zone: place.zone,
        interface,
        private_ip: place.private_ip,
        allocation: place.allocation,
    })
}

/// Takes a node away: its interface goes, an Elastic IP of the user's is free again.
pub(crate) fn remove(state: &mut State, node: &Node) -> Result<(), Refusal> {
    if let Some(allocation) = &node.allocation {
        elastic_ip::dissolve(state, allocation);
    }
    network_interface::release(state, &node.interface)?;
    network_interface::delete(state, &node.interface)
}

/// The security groups of these ids, each of the VPC; the VPC's default one for none.
///
/// # Errors
/// `InvalidSecurityGroup`, `InvalidConfigurationRequest` for one of another VPC.
pub(crate) fn check_groups(
    state: &State,
    context: &Context,
    vpc: &VpcId,
    wanted: &[String],
) -> Result<Vec<SecurityGroupId>, Refusal> {
    let mut groups = Vec::with_capacity(wanted.len());
    for id in wanted {
        let group = security_group::find(state, context, id).map_err(|_| {
            Refusal::new(
                "InvalidSecurityGroup",
                format!("Security group '{id}' does not exist"),
            )
        })?;
        if group.vpc != *vpc {
            return Err(misconfigured("One or more security groups are invalid"));
        }
        if !groups.contains(&group.id) {
            groups.push(group.id.clone());
        }
    }
    if groups.len() > 5 && context.quotas {
        return Err(misconfigured(
            "A load balancer can have at most 5 security groups",
        ));
    }
    Ok(groups)
}
