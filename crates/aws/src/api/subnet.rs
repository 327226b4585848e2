//! Subnet operations.

use super::describe::{Kind, one, select, wanted};
use super::tag::{specified, wire_tags};
use super::{Call, Outcome};
use crate::model::subnet::{self, Subnet};
use crate::model::{Refusal, State, region, tag, vpc};
use wire::ec2;
use wire::shape::Nothing;

const FILTERS: &[&str] = &[
    "availability-zone",
    "availabilityZone",
    "availability-zone-id",
    "availabilityZoneId",
    "available-ip-address-count",
    "cidr-block",
    "cidr",
    "cidrBlock",
    "default-for-az",
    "defaultForAz",
    "map-public-ip-on-launch",
    "owner-id",
    "state",
    "subnet-arn",
    "subnet-id",
    "vpc-id",
    "private-dns-name-options-on-launch.hostname-type",
    "private-dns-name-options-on-launch.enable-resource-name-dns-a-record",
    "ipv6-native",
    "ipv6-cidr-block-association.ipv6-cidr-block",
    "ipv6-cidr-block-association.association-id",
];

fn wire_subnet(state: &State, subnet: &Subnet) -> ec2::Subnet {
    ec2::Subnet {
        assign_ipv6_address_on_creation: Some(false),
        availability_zone: Some(subnet.zone.clone()),
        availability_zone_id: Some(region::zone_id(&subnet.zone)),
        available_ip_address_count: Some(subnet::available_addresses(state, subnet) as i32),
        cidr_block: Some(subnet.cidr.to_string()),
        default_for_az: Some(subnet.default_for_az),
        enable_dns64: Some(false),
        ipv6_native: Some(false),
        map_customer_owned_ip_on_launch: Some(false),
        map_public_ip_on_launch: Some(subnet.map_public_ip_on_launch),
        owner_id: Some(state.settings.account.clone()),
        private_dns_name_options_on_launch: Some(ec2::PrivateDnsNameOptionsOnLaunch {
            hostname_type: subnet.hostname_type.parse().ok(),
            enable_resource_name_dns_a_record: Some(subnet.resource_name_a_record),
            enable_resource_name_dns_aaaa_record: Some(false),
        }),
        state: Some(ec2::SubnetState::Available),
        subnet_arn: Some(subnet::arn(state, subnet)),
        subnet_id: Some(subnet.id.to_string()),
        tags: wire_tags(state, subnet.id.as_str()),
        vpc_id: Some(subnet.vpc.to_string()),
        ..ec2::Subnet::default()
    }
}

/// The zone that a request names or, naming none, the region's first.
fn zone(call: &Call<'_>, name: Option<&str>, id: Option<&str>) -> Result<String, Refusal> {
    let zones: Vec<_> = region::find(&call.context.region)
        .into_iter()
        .flat_map(|region| region.zones())
        .collect();
    let wrong = |value: &str| {
        let names: Vec<_> = zones.iter().map(|zone| zone.name.clone()).collect();
        Refusal::invalid_value(format!(
            "Value ({value}) for parameter availabilityZone is invalid. Subnets can currently only be created in the following availability zones: {}.",
            names.join(", ")
        ))
    };
    let found = match (name, id) {
        (Some(_), Some(_)) => {
            return Err(Refusal::invalid_combination(
                "Only one of AvailabilityZone and AvailabilityZoneId may be specified",
            ));
        }
        (Some(name), None) => zones
            .iter()
            .find(|zone| zone.name == name)
            .ok_or_else(|| wrong(name))?,
        (None, Some(id)) => zones
            .iter()
            .find(|zone| zone.id == id)
            .ok_or_else(|| wrong(id))?,
        (None, None) => zones.first().ok_or_else(|| wrong(""))?,
    };
    Ok(found.name.clone())
}

pub(super) fn create(
    call: &mut Call<'_>,
    request: ec2::CreateSubnetRequest,
) -> Outcome<ec2::CreateSubnetResult> {
    let tags = specified(request.tag_specifications, "subnet")?;
    let vpc = vpc::find(&call.state, call.context, &request.vpc_id)?
        .id
        .clone();
    let cidr = request
        .cidr_block
        .ok_or_else(|| Refusal::missing("cidrBlock"))?;
    let cidr = vpc::sized_cidr(&cidr, "InvalidSubnet.Range")?;
    let zone = zone(
        call,
        request.availability_zone.as_deref(),
        request.availability_zone_id.as_deref(),
    )?;
    let id = subnet::create(&mut call.state, call.context, &vpc, cidr, &zone)?;
    tag::apply(&mut call.state, call.context, id.as_str(), "subnet", tags)?;
    let subnet = subnet::find(&call.state, call.context, id.as_str())?;
    Ok(ec2::CreateSubnetResult {
        subnet: Some(wire_subnet(&call.state, subnet)),
    })
}

pub(super) fn create_default(
    call: &mut Call<'_>,
    request: ec2::CreateDefaultSubnetRequest,
) -> Outcome<ec2::CreateDefaultSubnetResult> {
    let zone = zone(call, request.availability_zone.as_deref(), None)?;
    let id = subnet::create_default(&mut call.state, call.context, &zone)?;
    let subnet = subnet::find(&call.state, call.context, id.as_str())?;
    Ok(ec2::CreateDefaultSubnetResult {
        subnet: Some(wire_subnet(&call.state, subnet)),
    })
}

pub(super) fn delete(call: &mut Call<'_>, request: ec2::DeleteSubnetRequest) -> Outcome<Nothing> {
    let id = subnet::find(&call.state, call.context, &request.subnet_id)?
        .id
        .clone();
    subnet::delete(&mut call.state, &id)?;
    Ok(Nothing {})
}

pub(super) fn describe(
    call: &mut Call<'_>,
    request: ec2::DescribeSubnetsRequest,
) -> Outcome<ec2::DescribeSubnetsResult> {
    let wanted = wanted!(request, subnet_ids);
    let state = &call.state;
    let kind = Kind {
        filters: FILTERS,
        id: &|subnet: &Subnet| subnet.id.to_string(),
        field: &|subnet, name| field(state, subnet, name),
        not_found: &subnet::unknown,
    };
    let here = call.context.here(&state.subnets);
    let (subnets, next_token) = select(call, here, wanted, &kind)?;
    let subnets = subnets
        .into_iter()
        .map(|subnet| wire_subnet(state, subnet))
        .collect();
    Ok(ec2::DescribeSubnetsResult {
        next_token,
        subnets,
    })
}

fn field(state: &State, subnet: &Subnet, name: &str) -> Vec<String> {
    match name {
        "availability-zone" | "availabilityZone" => one(&subnet.zone),
        "availability-zone-id" | "availabilityZoneId" => one(region::zone_id(&subnet.zone)),
        "available-ip-address-count" => one(subnet::available_addresses(state, subnet)),
        "cidr-block" | "cidr" | "cidrBlock" => one(subnet.cidr),
        "default-for-az" | "defaultForAz" => one(subnet.default_for_az),
        "map-public-ip-on-launch" => one(subnet.map_public_ip_on_launch),
        "owner-id" => one(&state.settings.account),
        "state" => one("available"),
        "subnet-arn" => one(subnet::arn(state, subnet)),
        "subnet-id" => one(&subnet.id),
        "vpc-id" => one(&subnet.vpc),
        "private-dns-name-options-on-launch.hostname-type" => one(&subnet.hostname_type),
        "private-dns-name-options-on-launch.enable-resource-name-dns-a-record" => {
            one(subnet.resource_name_a_record)
        }
        "ipv6-native" => one(false),
        _ => Vec::new(),
    }
}

pub(super) fn modify_attribute(
    call: &mut Call<'_>,
    request: ec2::ModifySubnetAttributeRequest,
) -> Outcome<Nothing> {
    let id = subnet::find(&call.state, call.context, &request.subnet_id)?
        .id
        .clone();
    let value = |attribute: Option<ec2::AttributeBooleanValue>| {
        attribute.and_then(|attribute| attribute.value)
    };
    let map = value(request.map_public_ip_on_launch);
    let a_record = value(request.enable_resource_name_dns_a_record_on_launch);
    let ipv6 = [
        value(request.assign_ipv6_address_on_creation),
        value(request.enable_dns64),
        value(request.enable_resource_name_dns_aaaa_record_on_launch),
    ];
    if ipv6.contains(&Some(true)) {
        return Err(Refusal::unsupported(
            "IPv6 attributes of subnets are not implemented by Skylab",
        )
        .into());
    }
    let hostname = request.private_dns_hostname_type_on_launch;
    let given = [map.is_some(), a_record.is_some(), hostname.is_some()]
        .into_iter()
        .filter(|given| *given)
        .count();
    match given + ipv6.iter().flatten().count() {
        0 => return Err(Refusal::missing("mapPublicIpOnLaunch").into()),
        1 => {}
        _ => {
            return Err(Refusal::invalid_combination(
                "Only one attribute can be modified at a time",
            )
            .into());
        }
    }
    subnet::edit(&mut call.state, &id, |subnet| {
        subnet.map_public_ip_on_launch = map.unwrap_or(subnet.map_public_ip_on_launch);
        subnet.resource_name_a_record = a_record.unwrap_or(subnet.resource_name_a_record);
        if let Some(hostname) = hostname {
            subnet.hostname_type = hostname.to_string();
        }
    });
    Ok(Nothing {})
}
