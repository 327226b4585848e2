//! Subnets.
//!
//! <https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html>

use super::*;
use crate::model::quota::{Quota, check};
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use std::sync::Arc;

/// Addresses of every subnet that AWS keeps: the network's, the router's, the resolver's, one for
/// later, and the broadcast address.
pub const RESERVED: u32 = 5;

/// A subnet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subnet {
    /// Its id.
    pub id: SubnetId,
    /// The region.
    pub region: String,
    /// Its VPC.
    pub vpc: VpcId,
    /// Its range.
    pub cidr: Ipv4Net,
    /// Its availability zone's name, such as `us-west-2a`.
    pub zone: String,
    /// Whether instances started here get a public address.
    pub map_public_ip_on_launch: bool,
    /// Whether it is its zone's default subnet.
    pub default_for_az: bool,
    /// `ip-name` or `resource-name`.
    pub hostname_type: String,
    /// Whether resource names resolve to A records.
    pub resource_name_a_record: bool,
}

pub(crate) fn unknown(id: &str) -> Refusal {
    if SubnetId::well_formed(id) {
        Refusal::new(
            "InvalidSubnetID.NotFound",
            format!("The subnet ID '{id}' does not exist"),
        )
    } else {
        Refusal::new(
            "InvalidSubnetID.Malformed",
            format!("Invalid id: \"{id}\" (expecting \"subnet-...\")"),
        )
    }
}

/// A subnet of the request's region.
///
/// # Errors
/// `InvalidSubnetID.NotFound` or `.Malformed`.
pub fn find<'s>(state: &'s State, context: &Context, id: &str) -> Result<&'s Subnet, Refusal> {
    context.find(&state.subnets, id).ok_or_else(|| unknown(id))
}

/// How many addresses are free: a /24 begins with 251.
pub fn available_addresses(state: &State, subnet: &Subnet) -> u32 {
    let size = 1u32 << (32 - u32::from(subnet.cidr.prefix_len()));
    let used = network_interface::in_use(state, &subnet.id).len() as u32;
    size.saturating_sub(RESERVED).saturating_sub(used)
}

/// A subnet's ARN.
pub fn arn(state: &State, subnet: &Subnet) -> String {
    format!(
        "arn:aws:ec2:{}:{}:subnet/{}",
        subnet.region, state.settings.account, subnet.id
    )
}

/// Makes a subnet; it gets the VPC's default network ACL.
///
/// # Errors
/// `InvalidSubnet.Range` outside the VPC's CIDRs, `InvalidSubnet.Conflict` on overlap,
/// `SubnetLimitExceeded`.
pub fn create(
    state: &mut State,
    context: &Context,
    vpc: &VpcId,
    cidr: Ipv4Net,
    zone: &str,
) -> Result<SubnetId, Refusal> {
    let within = vpc::find(state, context, vpc.as_str())?;
    if !within
        .cidrs
        .iter()
        .any(|association| association.cidr.contains(&cidr))
    {
        return Err(Refusal::new(
            "InvalidSubnet.Range",
            format!("The CIDR '{cidr}' is invalid."),
        ));
    }
    let siblings = || state.subnets.values().filter(|subnet| subnet.vpc == *vpc);
    if siblings().any(|subnet| subnet.cidr.contains(&cidr) || cidr.contains(&subnet.cidr)) {
        return Err(Refusal::new(
            "InvalidSubnet.Conflict",
            format!("The CIDR '{cidr}' conflicts with another subnet"),
        ));
    }
    check(context, Quota::SubnetsPerVpc, siblings().count(), 1)?;
    let id = SubnetId::fresh(&state.digits());
    let subnet = Subnet {
        id: id.clone(),
        region: context.region.clone(),
        vpc: vpc.clone(),
        cidr,
        zone: zone.to_owned(),
        map_public_ip_on_launch: false,
        default_for_az: false,
        hostname_type: "ip-name".to_owned(),
        resource_name_a_record: false,
    };
    state.subnets.insert(id.clone(), Arc::new(subnet));
    network_acl::associate_new_subnet(state, &id);
    Ok(id)
}

/// Makes a zone's default subnet: the first free /20 of the default VPC.
///
/// # Errors
/// `DefaultVpcDoesNotExist`, `DefaultSubnetAlreadyExistsInAvailabilityZone`,
/// `InsufficientFreeAddressesInSubnet`-like `InvalidParameterValue` when the VPC is full.
pub fn create_default(
    state: &mut State,
    context: &Context,
    zone: &str,
) -> Result<SubnetId, Refusal> {
    let Some(vpc) = vpc::default_of(state, &context.region) else {
        return Err(Refusal::new(
            "DefaultVpcDoesNotExist",
            "No default VPC exists for this account in this region.",
        ));
    };
    let vpc = vpc.clone();
    let taken: Vec<Ipv4Net> = state
        .subnets
        .values()
        .filter(|subnet| subnet.vpc == vpc.id)
        .map(|subnet| subnet.cidr)
        .collect();
    let exists =
        |subnet: &Arc<Subnet>| subnet.vpc == vpc.id && subnet.default_for_az && subnet.zone == zone;
    if let Some(subnet) = state.subnets.values().find(|subnet| exists(subnet)) {
        let message = format!("'{}' is already the default subnet in {zone}.", subnet.id);
        return Err(Refusal::new(
            "DefaultSubnetAlreadyExistsInAvailabilityZone",
            message,
        ));
    }
    let blocks = vpc
        .cidrs
        .first()
        .into_iter()
        .flat_map(|primary| primary.cidr.subnets(20).into_iter().flatten());
    let free = |block: &Ipv4Net| {
        !taken
            .iter()
            .any(|used| used.contains(block) || block.contains(used))
    };
    let Some(cidr) = blocks.into_iter().find(free) else {
        return Err(Refusal::new(
            "InsufficientCidrBlocks",
            "The default VPC has no free /20 CIDR block.",
        ));
    };
    let id = create(state, context, &vpc.id, cidr, zone)?;
    edit(state, &id, |subnet| {
        subnet.default_for_az = true;
        subnet.map_public_ip_on_launch = true;
    });
    Ok(id)
}

/// The default subnet for a launch that names none: that of the wanted zone, else of the first.
pub fn default_for<'s>(state: &'s State, region: &str, zone: Option<&str>) -> Option<&'s Subnet> {
    let mut defaults: Vec<_> = state
        .subnets
        .values()
        .filter(|subnet| subnet.default_for_az && subnet.region == region)
        .collect();
    defaults.sort_by_key(|subnet| subnet.zone.clone());
    defaults
        .into_iter()
        .find(|subnet| zone.is_none_or(|zone| subnet.zone == zone))
        .map(AsRef::as_ref)
}

/// Deletes a subnet.
///
/// # Errors
/// `DependencyViolation` while a network interface is in it.
pub fn delete(state: &mut State, id: &SubnetId) -> Result<(), Refusal> {
    if state
        .network_interfaces
        .values()
        .any(|interface| interface.subnet == *id)
    {
        return Err(Refusal::dependency("subnet", id));
    }
    route_table::forget_subnet(state, id);
    network_acl::forget_subnet(state, id);
    state.subnets.remove(id);
    tag::remove_all(state, id.as_str());
    Ok(())
}

/// Changes a subnet.
pub fn edit(state: &mut State, id: &SubnetId, change: impl FnOnce(&mut Subnet)) {
    if let Some(subnet) = state.subnets.get_mut(id) {
        change(Arc::make_mut(subnet));
    }
}

/// The router's address in a subnet: the first after the network's.
pub fn router(subnet: &Subnet) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(subnet.cidr.network()) + 1)
}
