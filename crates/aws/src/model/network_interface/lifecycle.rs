//! Making and deleting interfaces, and their security groups.

use super::address::{Pool, number};
use super::*;
use crate::model::quota::{self, Quota};

/// The longest description.
const LONGEST_DESCRIPTION: usize = 255;

/// An interface to make.
#[derive(Clone, Debug, PartialEq)]
pub struct NewInterface {
    /// Its subnet.
    pub subnet: SubnetId,
    /// Its primary address, or one of AWS's choice.
    pub primary: Option<Ipv4Addr>,
    /// Its secondary addresses.
    pub secondary: Vec<Ipv4Addr>,
    /// That many secondary addresses of AWS's choice.
    pub secondary_count: u32,
    /// Its delegated prefixes.
    pub prefixes: Vec<Ipv4Net>,
    /// That many delegated prefixes of AWS's choice.
    pub prefix_count: u32,
    /// Its security groups; none means the VPC's default one.
    pub groups: Vec<SecurityGroupId>,
    /// Its description.
    pub description: String,
    /// What it is for.
    pub kind: InterfaceKind,
}

impl NewInterface {
    /// A user's interface in a subnet with nothing chosen.
    pub fn in_subnet(subnet: SubnetId) -> Self {
        Self {
            subnet,
            primary: None,
            secondary: Vec::new(),
            secondary_count: 0,
            prefixes: Vec::new(),
            prefix_count: 0,
            groups: Vec::new(),
            description: String::new(),
            kind: InterfaceKind::Interface,
        }
    }
}

pub(super) fn check_description(description: &str) -> Result<(), Refusal> {
    if description.chars().count() > LONGEST_DESCRIPTION {
        return Err(Refusal::invalid_value(format!(
            "Value ({description}) for parameter description is invalid. Length exceeds maximum of {LONGEST_DESCRIPTION}."
        )));
    }
    Ok(())
}

/// Makes an interface.
///
/// # Errors
/// `InvalidSubnetID.NotFound`, `InvalidGroup.NotFound`, `InvalidParameter` for a group of another VPC,
/// `SecurityGroupsPerInterfaceLimitExceeded`, and what [`assign`] says about addresses.
pub fn create(
    state: &mut State,
    context: &Context,
    new: NewInterface,
) -> Result<NetworkInterfaceId, Refusal> {
    check_description(&new.description)?;
    let mut pool = Pool::of(state, &context.region, &new.subnet)?;
    let of_region = |interface: &&Arc<NetworkInterface>| interface.region == context.region;
    let present = state.network_interfaces.values().filter(of_region).count();
    quota::check(context, Quota::NetworkInterfaces, present, 1)?;
    let groups = groups_for(state, context, &new, &pool.vpc)?;
    let wanted = Wanted {
        addresses: new.secondary,
        address_count: new.secondary_count,
        prefixes: new.prefixes,
        prefix_count: new.prefix_count,
    };
    // Given addresses go first, lest a chosen one be among them.
    if let Some(primary) = new.primary {
        pool.take(primary)?;
    }
    let assigned = pool.take_wanted(state, &wanted)?;
    let primary = match new.primary {
        Some(primary) => primary,
        None => pool.take_any(number(state))?,
    };
    let id = NetworkInterfaceId::fresh(&state.digits());
    let interface = NetworkInterface {
        id: id.clone(),
        region: context.region.clone(),
        vpc: pool.vpc,
        subnet: new.subnet,
        mac: fresh_mac(state),
        description: new.description,
        addresses: std::iter::once(primary)
            .chain(assigned.addresses)
            .map(|ip| PrivateAddress { ip, public: None })
            .collect(),
        prefixes: assigned.prefixes,
        groups,
        source_dest_check: new.kind.begins_checked(),
        attachment: None,
        public_on_start: false,
        kind: new.kind,
    };
    state
        .network_interfaces
        .insert(id.clone(), Arc::new(interface));
    Ok(id)
}

fn fresh_mac(state: &mut State) -> [u8; 6] {
    let bytes = state.bytes();
    [0x02, bytes[0], bytes[1], bytes[2], bytes[3], bytes[4]]
}

fn groups_for(
    state: &State,
    context: &Context,
    new: &NewInterface,
    vpc: &VpcId,
) -> Result<Vec<SecurityGroupId>, Refusal> {
    match new.kind {
        InterfaceKind::NatGateway | InterfaceKind::GatewayLoadBalancer => Ok(Vec::new()),
        // Without groups a network load balancer filters nothing.
        InterfaceKind::NetworkLoadBalancer if new.groups.is_empty() => Ok(Vec::new()),
        _ if new.groups.is_empty() => {
            let default = security_group::default_of(state, vpc);
            Ok(default.map(|group| group.id.clone()).into_iter().collect())
        }
        _ => checked_groups(state, context, &new.groups, vpc, &new.subnet),
    }
}

/// Groups without repetition, each of the VPC, no more than an interface may have.
fn checked_groups(
    state: &State,
    context: &Context,
    wanted: &[SecurityGroupId],
    vpc: &VpcId,
    subnet: &SubnetId,
) -> Result<Vec<SecurityGroupId>, Refusal> {
    let mut groups = Vec::with_capacity(wanted.len());
    for id in wanted {
        let group = security_group::find(state, context, id.as_str())?;
        if group.vpc != *vpc {
            return Err(Refusal::new(
                "InvalidParameter",
                format!("Security group {id} and subnet {subnet} belong to different networks."),
            ));
        }
        if !groups.contains(id) {
            groups.push(id.clone());
        }
    }
    quota::check(context, Quota::GroupsPerInterface, groups.len(), 0)?;
    Ok(groups)
}

/// Gives an interface other security groups.
///
/// # Errors
/// `InvalidParameterValue` for none, `InvalidGroup.NotFound`, `InvalidParameter` for a group of another
/// VPC, `SecurityGroupsPerInterfaceLimitExceeded`, `AuthFailure` on a service's interface.
pub fn set_groups(
    state: &mut State,
    context: &Context,
    id: &NetworkInterfaceId,
    groups: &[SecurityGroupId],
) -> Result<(), Refusal> {
    let interface = find(state, context, id.as_str())?;
    interface.changeable()?;
    if groups.is_empty() {
        return Err(Refusal::invalid_value(
            "You must specify at least one security group.",
        ));
    }
    set_groups_unchecked(state, context, id, groups)
}

/// As [`set_groups`], on any interface: services change their own.
///
/// # Errors
/// As [`set_groups`], apart from `AuthFailure`.
pub fn set_groups_unchecked(
    state: &mut State,
    context: &Context,
    id: &NetworkInterfaceId,
    groups: &[SecurityGroupId],
) -> Result<(), Refusal> {
    let interface = find(state, context, id.as_str())?;
    let groups = checked_groups(state, context, groups, &interface.vpc, &interface.subnet)?;
    edit(state, id)?.groups = groups;
    Ok(())
}

/// Deletes an interface; Elastic IPs on it are disassociated, tags go.
///
/// # Errors
/// `InvalidParameterValue` while it is attached.
pub fn delete(state: &mut State, id: &NetworkInterfaceId) -> Result<(), Refusal> {
    let interface = edit(state, id)?;
    if interface.attachment.is_some() {
        return Err(Refusal::invalid_value(format!(
            "Network interface '{id}' is currently in use."
        )));
    }
    let addresses = std::mem::take(&mut interface.addresses);
    elastic_ip::orphan(state, addresses);
    state.network_interfaces.remove(id);
    tag::remove_all(state, id.as_str());
    Ok(())
}
