//! VPCs and their CIDRs.
//!
//! <https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html>

use super::*;
use crate::model::quota::{Quota, check};
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A VPC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vpc {
    /// Its id.
    pub id: VpcId,
    /// The region it lies in.
    pub region: String,
    /// Its CIDRs, the primary first.
    pub cidrs: Vec<CidrAssociation>,
    /// Its DHCP option set; `None` is `default` set to nothing.
    pub dhcp_options: Option<DhcpOptionsId>,
    /// `default` or `dedicated`.
    pub tenancy: String,
    /// Whether it is its region's default VPC.
    pub is_default: bool,
    /// Whether the resolver answers (attribute enableDnsSupport).
    pub dns_support: bool,
    /// Whether instances with public addresses get public names (enableDnsHostnames).
    pub dns_hostnames: bool,
    /// Attribute enableNetworkAddressUsageMetrics; stored, shown, without effect.
    pub network_address_usage_metrics: bool,
}

/// A CIDR of a VPC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CidrAssociation {
    /// The association's id.
    pub id: CidrAssociationId,
    /// The range.
    pub cidr: Ipv4Net,
}

pub(crate) fn unknown(id: &str) -> Refusal {
    if VpcId::well_formed(id) {
        Refusal::new(
            "InvalidVpcID.NotFound",
            format!("The vpc ID '{id}' does not exist"),
        )
    } else {
        Refusal::new(
            "InvalidVpcID.Malformed",
            format!("Invalid id: \"{id}\" (expecting \"vpc-...\")"),
        )
    }
}

/// A VPC of the request's region.
///
/// # Errors
/// `InvalidVpcID.NotFound` or `.Malformed`.
pub fn find<'s>(state: &'s State, context: &Context, id: &str) -> Result<&'s Vpc, Refusal> {
    context.find(&state.vpcs, id).ok_or_else(|| unknown(id))
}

/// The region's default VPC.
pub fn default_of<'s>(state: &'s State, region: &str) -> Option<&'s Vpc> {
    state
        .vpcs
        .values()
        .find(|vpc| vpc.is_default && vpc.region == region)
        .map(AsRef::as_ref)
}

/// Reads a CIDR as EC2 takes it.
///
/// # Errors
/// `InvalidParameterValue`.
pub fn cidr(text: &str) -> Result<Ipv4Net, Refusal> {
    let malformed = || {
        Refusal::invalid_value(format!(
            "Value ({text}) for parameter cidrBlock is invalid. This is not a valid CIDR block."
        ))
    };
    if !text.contains('/') {
        return Err(malformed());
    }
    text.parse().map_err(|_| malformed())
}

/// A range for a VPC or subnet: canonical, /16 to /28.
///
/// # Errors
/// `InvalidParameterValue` for what is no CIDR, `code` for one of another size.
pub fn sized_cidr(text: &str, code: &'static str) -> Result<Ipv4Net, Refusal> {
    let cidr = cidr(text)?;
    if !(16..=28).contains(&cidr.prefix_len()) {
        return Err(Refusal::new(code, format!("The CIDR '{text}' is invalid.")));
    }
    // AWS takes 10.0.1.7/24 for 10.0.1.0/24.
    Ok(cidr.trunc())
}

/// Ranges that no VPC can have: this host, loopback, link-local, multicast.
const NEVER: [&str; 4] = ["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4"];

fn overlap(range: &str, cidr: Ipv4Net) -> bool {
    range
        .parse::<Ipv4Net>()
        .is_ok_and(|range| range.contains(&cidr) || cidr.contains(&range))
}

/// Makes a VPC with its main route table, default network ACL and default security group.
///
/// # Errors
/// `InvalidVpc.Range`, `VpcLimitExceeded`.
pub fn create(
    state: &mut State,
    context: &Context,
    cidr: Ipv4Net,
    tenancy: &str,
) -> Result<VpcId, Refusal> {
    if NEVER.iter().any(|range| overlap(range, cidr)) {
        return Err(Refusal::new(
            "InvalidVpc.Range",
            format!("The CIDR '{cidr}' is invalid."),
        ));
    }
    let own = context.here(&state.vpcs).count();
    check(context, Quota::Vpcs, own, 1)?;
    let id = VpcId::fresh(&state.digits());
    let options = dhcp_options::default_of(state, &context.region);
    let vpc = Vpc {
        id: id.clone(),
        region: context.region.clone(),
        cidrs: vec![CidrAssociation {
            id: CidrAssociationId::fresh(&state.digits()),
            cidr,
        }],
        dhcp_options: Some(options),
        tenancy: tenancy.to_owned(),
        is_default: false,
        dns_support: true,
        dns_hostnames: false,
        network_address_usage_metrics: false,
    };
    state.vpcs.insert(id.clone(), Arc::new(vpc));
    route_table::create_main(state, context, &id);
    network_acl::create_default(state, context, &id);
    security_group::create_default(state, context, &id);
    Ok(id)
}

/// Deletes a VPC and what came with it.
///
/// # Errors
/// `DependencyViolation` while anything that the user made is in it.
pub fn delete(state: &mut State, id: &VpcId) -> Result<(), Refusal> {
    let route_tables: Vec<_> = state
        .route_tables
        .values()
        .filter(|table| table.vpc == *id)
        .collect();
    let busy = state.subnets.values().any(|subnet| subnet.vpc == *id)
        || state
            .internet_gateways
            .values()
            .any(|gateway| gateway.vpc.as_ref() == Some(id))
        || state
            .network_interfaces
            .values()
            .any(|interface| interface.vpc == *id)
        || state
            .security_groups
            .values()
            .any(|group| group.vpc == *id && group.name != "default")
        || state
            .network_acls
            .values()
            .any(|acl| acl.vpc == *id && !acl.is_default)
        || route_tables.iter().any(|table| !table.is_main());
    if busy {
        return Err(Refusal::dependency("vpc", id));
    }
    let tables: Vec<_> = route_tables.iter().map(|table| table.id.clone()).collect();
    let acls: Vec<_> = state
        .network_acls
        .values()
        .filter(|acl| acl.vpc == *id)
        .map(|acl| acl.id.clone())
        .collect();
    let groups: Vec<_> = state
        .security_groups
        .values()
        .filter(|g| g.vpc == *id)
        .map(|g| g.id.clone())
        .collect();
    tables
        .iter()
        .for_each(|table| route_table::forget(state, table));
    acls.iter().for_each(|acl| network_acl::forget(state, acl));
    groups
        .iter()
        .for_each(|group| security_group::forget(state, group));
    state.vpcs.remove(id);
    tag::remove_all(state, id.as_str());
    Ok(())
}

/// Changes a VPC.
pub fn edit(state: &mut State, id: &VpcId, change: impl FnOnce(&mut Vpc)) {
    if let Some(vpc) = state.vpcs.get_mut(id) {
        change(Arc::make_mut(vpc));
    }
}

/// Sets the DNS attributes.
pub fn set_dns(state: &mut State, id: &VpcId, support: Option<bool>, hostnames: Option<bool>) {
    edit(state, id, |vpc| {
        vpc.dns_support = support.unwrap_or(vpc.dns_support);
        vpc.dns_hostnames = hostnames.unwrap_or(vpc.dns_hostnames);
    });
}

/// Adds a CIDR, and the local route to it in every table.
///
/// # Errors
/// `CidrConflict`, `CidrLimitExceeded`, `InvalidVpc.Range` (one of another private range than the
/// primary's, too).
pub fn associate_cidr(
    state: &mut State,
    context: &Context,
    id: &VpcId,
    cidr: Ipv4Net,
) -> Result<CidrAssociation, Refusal> {
    let vpc = find(state, context, id.as_str())?;
    check(context, Quota::CidrsPerVpc, vpc.cidrs.len(), 1)?;
    let overlaps = |other: &Ipv4Net| other.contains(&cidr) || cidr.contains(other);
    if vpc
        .cidrs
        .iter()
        .any(|association| overlaps(&association.cidr))
    {
        return Err(Refusal::new(
            "CidrConflict",
            format!("The CIDR '{cidr}' conflicts with another subnet"),
        ));
    }
    let primary = vpc.cidrs.first().map(|association| association.cidr);
    if primary.is_some_and(|primary| restricted(primary, cidr)) {
        return Err(Refusal::new(
            "InvalidVpc.Range",
            format!(
                "The CIDR '{cidr}' is restricted. Use a CIDR from the same private address range as the current VPC CIDR, or use a publicly-routable CIDR. For additional restrictions, see https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html"
            ),
        ));
    }
    // A route at least as specific as the new range would catch its local traffic.
    let more_specific = state.route_tables.values().filter(|table| table.vpc == *id).any(|table| {
        table.routes.iter().any(|route| matches!(&route.destination, route_table::Destination::Cidr(to) if cidr.contains(to)))
    });
    if more_specific {
        return Err(Refusal::new(
            "InvalidVpc.Range",
            format!("The CIDR '{cidr}' is more general than a route of the VPC"),
        ));
    }
    let association = CidrAssociation {
        id: CidrAssociationId::fresh(&state.digits()),
        cidr,
    };
    edit(state, id, |vpc| vpc.cidrs.push(association.clone()));
    route_table::add_local(state, id, cidr);
    Ok(association)
}

/// AWS's table of restricted associations: a private range goes only with its own kind.
/// <https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html#add-cidr-block-restrictions>
fn restricted(primary: Ipv4Net, cidr: Ipv4Net) -> bool {
    const PRIVATE: [&str; 3] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];
    let range = |net: &Ipv4Net| {
        PRIVATE.iter().position(|text| {
            text.parse::<Ipv4Net>()
                .is_ok_and(|range| range.contains(net))
        })
    };
    match (range(&primary), range(&cidr)) {
        (Some(own), Some(other)) => own != other,
        (None, Some(_)) => true,
        (_, None) => {
            overlap("198.19.0.0/16", cidr) || NEVER.iter().any(|range| overlap(range, cidr))
        }
    }
}

/// Removes a secondary CIDR.
///
/// # Errors
/// `InvalidVpcCidrBlockAssociationID.NotFound`, `OperationNotPermitted` for the primary one,
/// `DependencyViolation` while a subnet lies in it.
pub fn disassociate_cidr(
    state: &mut State,
    context: &Context,
    id: &str,
) -> Result<(VpcId, CidrAssociation), Refusal> {
    let unknown = || {
        let message = format!("The vpc CIDR block association ID '{id}' does not exist");
        Refusal::new("InvalidVpcCidrBlockAssociationID.NotFound", message)
    };
    let holds = |vpc: &&Arc<Vpc>| {
        vpc.region == context.region && vpc.cidrs.iter().any(|cidr| cidr.id.as_str() == id)
    };
    let vpc = state.vpcs.values().find(holds).ok_or_else(unknown)?;
    let position = vpc
        .cidrs
        .iter()
        .position(|cidr| cidr.id.as_str() == id)
        .ok_or_else(unknown)?;
    if position == 0 {
        let message = format!(
            "The vpc CIDR block with association ID {id} may not be disassociated. It is the primary IPv4 CIDR block of the VPC"
        );
        return Err(Refusal::new("OperationNotPermitted", message));
    }
    let (vpc, association) = (vpc.id.clone(), vpc.cidrs[position].clone());
    let used =
        |subnet: &Arc<subnet::Subnet>| subnet.vpc == vpc && association.cidr.contains(&subnet.cidr);
    if state.subnets.values().any(used) {
        return Err(Refusal::dependency(
            "vpc CIDR block association",
            &association.id,
        ));
    }
    edit(state, &vpc, |vpc| {
        vpc.cidrs.remove(position);
    });
    route_table::remove_local(state, &vpc, association.cidr);
    Ok((vpc, association))
}

/// Makes the region's default VPC: 172.31.0.0/16 with a /20 subnet in each zone, an internet gateway
/// and a route to it.
/// <https://docs.aws.amazon.com/vpc/latest/userguide/default-vpc-components.html>
///
/// # Errors
/// `DefaultVpcAlreadyExists`, `VpcLimitExceeded`.
pub fn create_default(state: &mut State, context: &Context) -> Result<VpcId, Refusal> {
    if default_of(state, &context.region).is_some() {
        return Err(Refusal::new(
            "DefaultVpcAlreadyExists",
            "A Default VPC already exists for this account in this region.",
        ));
    }
    let base = Ipv4Net::new_assert(std::net::Ipv4Addr::new(172, 31, 0, 0), 16);
    let id = create(state, context, base, "default")?;
    edit(state, &id, |vpc| {
        vpc.is_default = true;
        vpc.dns_hostnames = true;
    });
    let gateway = internet_gateway::create(state, context)?;
    internet_gateway::attach(state, context, &gateway, &id)?;
    route_table::route_everything_to(state, &id, &gateway);
    let zones: Vec<_> = region::find(&context.region)
        .into_iter()
        .flat_map(|region| region.zones())
        .collect();
    for zone in zones {
        subnet::create_default(state, context, &zone.name)?;
    }
    Ok(id)
}
