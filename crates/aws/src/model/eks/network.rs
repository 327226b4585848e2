//! What EKS asks of a cluster's subnets, security groups and ranges.
//!
//! <https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html>

use super::*;
use crate::model::route_table::{AssociatedWith, Destination, RouteTarget};
use ipnet::{IpNet, Ipv4Net};
use std::net::Ipv4Addr;

/// Addresses that must be free in each of a cluster's subnets.
const FREE_ADDRESSES: u32 = 6;
/// Zones where EKS puts no control plane's interfaces.
const WITHOUT: [&str; 3] = ["use1-az3", "usw1-az2", "cac1-az3"];
/// The most ranges that may be let in from the internet.
const MOST_CIDRS: usize = 40;
/// Services' addresses where nobody chose them.
const SERVICES: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(10, 100, 0, 0), 16);
/// The same, where the VPC has addresses of 10.0.0.0/8.
const OTHER_SERVICES: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(172, 20, 0, 0), 16);
/// The private ranges: a range of services lies in one of them.
const PRIVATE: [Ipv4Net; 3] = [
    Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8),
    Ipv4Net::new_assert(Ipv4Addr::new(172, 16, 0, 0), 12),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 0, 0), 16),
];

/// The subnets with these ids, in two zones at least, and their VPC.
///
/// # Errors
/// `InvalidParameterException`, `UnsupportedAvailabilityZoneException`.
pub(super) fn subnets(
    state: &State,
    context: &Context,
    cluster: &str,
    wanted: &[String],
) -> Result<(VpcId, Vec<SubnetId>), Refusal> {
    let mut found: Vec<&subnet::Subnet> = Vec::with_capacity(wanted.len());
    for id in wanted {
        let one = subnet::find(state, context, id)
            .map_err(|_| invalid(format!("The subnet ID '{id}' does not exist")))?;
        if !found.iter().any(|other| other.id == one.id) {
            found.push(one);
        }
    }
    let Some(vpc) = found.first().map(|first| first.vpc.clone()) else {
        return Err(invalid("Subnets are not specified: subnetIds is required"));
    };
    if found.iter().any(|subnet| subnet.vpc != vpc) {
        return Err(invalid("Subnets specified must belong to the same VPC"));
    }
    for subnet in &found {
        check_zone(context, cluster, &subnet.zone)?;
        if subnet::available_addresses(state, subnet) < FREE_ADDRESSES {
            return Err(invalid(format!(
                "Subnet {} does not have enough free IP addresses: Amazon EKS requires at least {FREE_ADDRESSES} in each subnet",
                subnet.id
            )));
        }
    }
    let zones: BTreeSet<&str> = found.iter().map(|subnet| subnet.zone.as_str()).collect();
    if zones.len() < 2 {
        return Err(invalid(
            "Subnets specified must be in at least two different AZs",
        ));
    }
    Ok((
        vpc,
        found.into_iter().map(|subnet| subnet.id.clone()).collect(),
    ))
}

fn check_zone(context: &Context, cluster: &str, zone: &str) -> Result<(), Refusal> {
    let without = |name: &str| WITHOUT.contains(&region::zone_id(name).as_str());
    if !without(zone) {
        return Ok(());
    }
    let others = region::zones(&context.region);
    let others: Vec<String> = others.into_iter().filter(|name| !without(name)).collect();
    Err(Refusal::new(
        "UnsupportedAvailabilityZoneException",
        format!(
            "Cannot create cluster '{cluster}' because {zone}, the targeted availability zone, does not currently have sufficient capacity to support the cluster. Retry and choose from these availability zones: {}",
            others.join(", ")
        ),
    ))
}

/// The security groups with these ids, all of the VPC.
///
/// # Errors
/// `InvalidParameterException`.
pub(super) fn groups(
    state: &State,
    context: &Context,
    vpc: &VpcId,
    wanted: &[String],
) -> Result<Vec<SecurityGroupId>, Refusal> {
    let mut groups = Vec::with_capacity(wanted.len());
    for id in wanted {
        let group = security_group::find(state, context, id)
            .map_err(|_| invalid(format!("The security group ID '{id}' does not exist")))?;
        if group.vpc != *vpc {
            return Err(invalid(format!(
                "Security group(s) [{id}] are not in the same VPC as the subnets. Please specify valid security groups."
            )));
        }
        if !groups.contains(&group.id) {
            groups.push(group.id.clone());
        }
    }
    // The cluster security group is one of the five that an interface may have.
    if context.quotas && groups.len() > 4 {
        return Err(invalid(
            "The number of security groups on a network interface exceeds the limit of 5",
        ));
    }
    Ok(groups)
}

/// The ranges from which an endpoint is reached on the internet; everything for none.
///
/// # Errors
/// `InvalidParameterException`.
pub(super) fn public_cidrs(wanted: &[String]) -> Result<Vec<IpNet>, Refusal> {
    if wanted.len() > MOST_CIDRS {
        return Err(invalid(format!(
            "The number of CIDRs in publicAccessCidrs exceeds the limit of {MOST_CIDRS}"
        )));
    }
    let mut cidrs = Vec::with_capacity(wanted.len());
    for text in wanted {
        let cidr: IpNet = text
            .parse()
            .map_err(|_| invalid(format!("Invalid CIDR in publicAccessCidrs: {text}")))?;
        let private = |cidr: &Ipv4Net| PRIVATE.iter().any(|range| range.contains(cidr));
        if matches!(&cidr, IpNet::V4(cidr) if private(cidr)) {
            return Err(invalid(format!(
                "The following CIDRs are not allowed in publicAccessCidrs: [{text}]"
            )));
        }
        cidrs.push(cidr.trunc());
    }
    if cidrs.is_empty() {
        cidrs.push(IpNet::V4(Ipv4Net::default()));
    }
    Ok(cidrs)
}

/// The range of services' addresses in a VPC: the one wanted or EKS's choice.
/// <https://docs.aws.amazon.com/eks/latest/APIReference/API_KubernetesNetworkConfigRequest.html>
///
/// # Errors
/// `InvalidParameterException`.
pub(super) fn service_cidr(
    state: &State,
    vpc: &VpcId,
    wanted: Option<&str>,
) -> Result<Ipv4Net, Refusal> {
    let of_vpc = state.vpcs.get(vpc).map(|vpc| vpc.cidrs.clone());
    let of_vpc: Vec<Ipv4Net> = of_vpc.into_iter().flatten().map(|of| of.cidr).collect();
    let overlaps = |range: &Ipv4Net| of_vpc.iter().find(|cidr| overlap(cidr, range));
    let Some(text) = wanted else {
        let [ten, ..] = PRIVATE;
        return Ok(match overlaps(&ten) {
            Some(_) => OTHER_SERVICES,
            None => SERVICES,
        });
    };
    let range: Ipv4Net = text
        .parse()
        .map_err(|_| invalid(format!("Invalid service IPv4 CIDR: {text}")))?;
    if range != range.trunc() || !(12..=24).contains(&range.prefix_len()) {
        return Err(invalid(format!(
            "The service IPv4 CIDR {text} is not valid: it must be a block between /24 and /12"
        )));
    }
    if !PRIVATE.iter().any(|private| private.contains(&range)) {
        return Err(invalid(format!(
            "The service IPv4 CIDR {text} is not valid: it must be within 10.0.0.0/8, 172.16.0.0/12, or 192.168.0.0/16"
        )));
    }
    match overlaps(&range) {
        Some(cidr) => Err(invalid(format!(
            "The service IPv4 CIDR {text} overlaps with the VPC CIDR {cidr}"
        ))),
        None => Ok(range),
    }
}

fn overlap(a: &Ipv4Net, b: &Ipv4Net) -> bool {
    a.contains(b) || b.contains(a)
}

/// Whether a subnet's route table sends everything to an internet gateway.
pub(super) fn is_public(state: &State, subnet: &subnet::Subnet) -> bool {
    let table = |with: &AssociatedWith| {
        let mut all = state.route_tables.values();
        all.find(|table| {
            let mut associations = table.associations.iter();
            table.vpc == subnet.vpc && associations.any(|association| association.with == *with)
        })
    };
    let own = table(&AssociatedWith::Subnet(subnet.id.clone()));
    let table = own.or_else(|| table(&AssociatedWith::Main));
    table.is_some_and(|table| {
        table.routes.iter().any(|route| {
            let everywhere =
                matches!(&route.destination, Destination::Cidr(cidr) if cidr.prefix_len() == 0);
            everywhere && matches!(route.target, RouteTarget::InternetGateway(_))
        })
    })
}
