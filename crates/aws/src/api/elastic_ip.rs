//! Elastic IP operations.

use super::describe::{Kind, Wanted, one, select};
use super::tag::{specified, wire_tags};
use super::{Call, Outcome};
use crate::model::elastic_ip::{self as addresses, ElasticIp, Target};
use crate::model::network_interface::NetworkInterface;
use crate::model::{AllocationId, Refusal, State, tag};
use std::net::Ipv4Addr;
use std::sync::Arc;
use wire::ec2::{
    Address, AddressAttribute, AddressAttributeName, AllocateAddressRequest, AllocateAddressResult,
    AssociateAddressRequest, AssociateAddressResult, DescribeAddressesAttributeRequest,
    DescribeAddressesAttributeResult, DescribeAddressesRequest, DescribeAddressesResult,
    DisassociateAddressRequest, DomainType, ReleaseAddressRequest,
};
use wire::pagination::page;
use wire::shape::Nothing;

/// The only pool there is.
const POOL: &str = "amazon";

fn address(text: &str, parameter: &str) -> Result<Ipv4Addr, Refusal> {
    text.parse().map_err(|_| {
        Refusal::invalid_value(format!(
            "Invalid value '{text}' for {parameter}. It is not an IPv4 address."
        ))
    })
}

fn malformed(ip: &str) -> Refusal {
    Refusal::new(
        "InvalidAddress.Malformed",
        format!("Invalid IPv4 address: '{ip}'"),
    )
}

/// A network border group other than the region's is none of the lab's.
fn check_border_group(call: &Call<'_>, group: Option<&str>) -> Result<(), Refusal> {
    match group {
        Some(group) if group != call.context.region => Err(Refusal::invalid_value(format!(
            "Invalid value '{group}' for NetworkBorderGroup."
        ))),
        _ => Ok(()),
    }
}

pub(super) fn allocate(
    call: &mut Call<'_>,
    request: AllocateAddressRequest,
) -> Outcome<AllocateAddressResult> {
    let tags = specified(request.tag_specifications, "elastic-ip")?;
    if request.domain == Some(DomainType::Standard) {
        return Err(Refusal::unsupported(
            "EC2-Classic is retired: only Domain vpc can be allocated.",
        )
        .into());
    }
    check_border_group(call, request.network_border_group.as_deref())?;
    let given = request
        .address
        .as_deref()
        .map(|text| address(text, "address"))
        .transpose()?;
    let id = addresses::allocate(&mut call.state, call.context, given)?;
    tag::apply(
        &mut call.state,
        call.context,
        id.as_str(),
        "elastic-ip",
        tags,
    )?;
    let elastic = addresses::find(&call.state, call.context, id.as_str())?;
    Ok(AllocateAddressResult {
        allocation_id: Some(id.to_string()),
        domain: Some(DomainType::Vpc),
        network_border_group: Some(elastic.region.clone()),
        public_ip: Some(elastic.public_ip.to_string()),
        public_ipv4_pool: Some(POOL.to_owned()),
        ..AllocateAddressResult::default()
    })
}

/// The Elastic IP that a request names by its allocation or by its address.
fn named<'s>(
    call: &'s Call<'_>,
    allocation: Option<&str>,
    public_ip: Option<&str>,
) -> Result<&'s ElasticIp, Refusal> {
    match (allocation, public_ip) {
        (Some(_), Some(_)) => Err(Refusal::invalid_combination(
            "You may specify public IP or allocation id, but not both in the same call",
        )),
        (Some(id), None) => addresses::find(&call.state, call.context, id),
        (None, Some(ip)) => {
            addresses::find_by_address(&call.state, call.context, address(ip, "publicIp")?)
        }
        (None, None) => Err(Refusal::missing("AllocationId")),
    }
}

pub(super) fn release(call: &mut Call<'_>, request: ReleaseAddressRequest) -> Outcome<Nothing> {
    check_border_group(call, request.network_border_group.as_deref())?;
    let id = named(
        call,
        request.allocation_id.as_deref(),
        request.public_ip.as_deref(),
    )?
    .id
    .clone();
    addresses::release(&mut call.state, &id)?;
    Ok(Nothing {})
}

pub(super) fn associate(
    call: &mut Call<'_>,
    request: AssociateAddressRequest,
) -> Outcome<AssociateAddressResult> {
    let id = named(
        call,
        request.allocation_id.as_deref(),
        request.public_ip.as_deref(),
    )?
    .id
    .clone();
    let target = match (request.instance_id, request.network_interface_id) {
        (Some(_), Some(_)) => {
            let message = "You may specify instance ID or network interface ID, but not both in the same call";
            return Err(Refusal::invalid_combination(message).into());
        }
        (Some(instance), None) => Target::Instance(instance.into()),
        (None, Some(interface)) => Target::Interface(interface.into()),
        (None, None) => {
            let message = "Either 'InstanceId' or 'NetworkInterfaceId' must be provided.";
            return Err(Refusal::new("MissingParameter", message).into());
        }
    };
    let private_ip = request.private_ip_address.as_deref();
    let private_ip = private_ip
        .map(|text| address(text, "privateIpAddress"))
        .transpose()?;
    // In a VPC an address moves unless the request says that it must not.
    let reassociate = request.allow_reassociation.unwrap_or(true);
    let association = addresses::associate(
        &mut call.state,
        call.context,
        &id,
        &target,
        private_ip,
        reassociate,
    )?;
    Ok(AssociateAddressResult {
        association_id: Some(association.to_string()),
    })
}

pub(super) fn disassociate(
    call: &mut Call<'_>,
    request: DisassociateAddressRequest,
) -> Outcome<Nothing> {
    let elastic = match (request.association_id, request.public_ip) {
        (Some(_), Some(_)) => {
            let message =
                "You may specify public IP or association id, but not both in the same call";
            return Err(Refusal::invalid_combination(message).into());
        }
        (Some(id), None) => addresses::find_association(&call.state, call.context, &id)?,
        (None, Some(ip)) => named(call, None, Some(&ip))?,
        (None, None) => return Err(Refusal::missing("AssociationId").into()),
    };
    let id = elastic.id.clone();
    addresses::disassociate(&mut call.state, &id)?;
    Ok(Nothing {})
}

pub(super) fn describe(
    call: &mut Call<'_>,
    request: DescribeAddressesRequest,
) -> Outcome<DescribeAddressesResult> {
    let mut ids = request.allocation_ids;
    for ip in &request.public_ips {
        let address = ip.parse().map_err(|_| malformed(ip))?;
        let found = addresses::find_by_address(&call.state, call.context, address)?;
        ids.push(found.id.to_string());
    }
    let wanted = Wanted {
        ids,
        filters: request.filters,
        max_results: None,
        next_token: None,
    };
    let state = &call.state;
    let kind = Kind {
        filters: FILTERS,
        id: &|elastic: &ElasticIp| elastic.id.to_string(),
        field: &|elastic, name| field(state, elastic, name),
        not_found: &addresses::unknown,
    };
    let here = call.context.here(&state.elastic_ips);
    let (chosen, _) = select(call, here, wanted, &kind)?;
    Ok(DescribeAddressesResult {
        addresses: chosen
            .into_iter()
            .map(|elastic| wire_address(state, elastic))
            .collect(),
    })
}

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeAddresses.html>
const FILTERS: &[&str] = &[
    "allocation-id",
    "association-id",
    "domain",
    "instance-id",
    "network-border-group",
    "network-interface-id",
    "network-interface-owner-id",
    "private-ip-address",
    "public-ip",
];

fn field(state: &State, elastic: &ElasticIp, name: &str) -> Vec<String> {
    let shown = wire_address(state, elastic);
    let value = match name {
        "allocation-id" => shown.allocation_id,
        "association-id" => shown.association_id,
        "domain" => shown.domain.map(|domain| domain.to_string()),
        "instance-id" => shown.instance_id,
        "network-border-group" => shown.network_border_group,
        "network-interface-id" => shown.network_interface_id,
        "network-interface-owner-id" => shown.network_interface_owner_id,
        "private-ip-address" => shown.private_ip_address,
        "public-ip" => shown.public_ip,
        _ => None,
    };
    value.into_iter().flat_map(one).collect()
}

fn wire_address(state: &State, elastic: &ElasticIp) -> Address {
    let association = elastic.association.as_ref();
    let interface: Option<&NetworkInterface> = association
        .and_then(|association| state.network_interfaces.get(&association.network_interface))
        .map(Arc::as_ref);
    Address {
        allocation_id: Some(elastic.id.to_string()),
        association_id: association.map(|association| association.id.to_string()),
        domain: Some(DomainType::Vpc),
        instance_id: interface
            .and_then(NetworkInterface::instance)
            .map(ToString::to_string),
        network_border_group: Some(elastic.region.clone()),
        network_interface_id: association
            .map(|association| association.network_interface.to_string()),
        network_interface_owner_id: association.map(|_| state.settings.account.clone()),
        private_ip_address: association.map(|association| association.private_ip.to_string()),
        public_ip: Some(elastic.public_ip.to_string()),
        public_ipv4_pool: Some(POOL.to_owned()),
        tags: wire_tags(state, elastic.id.as_str()),
        ..Address::default()
    }
}

/// Reverse names: none can be set in a lab, so each address shows only itself.
pub(super) fn describe_attribute(
    call: &mut Call<'_>,
    request: DescribeAddressesAttributeRequest,
) -> Outcome<DescribeAddressesAttributeResult> {
    if request.attribute != Some(AddressAttributeName::DomainName) {
        return Err(Refusal::missing("Attribute").into());
    }
    let of_region = |elastic: &&Arc<ElasticIp>| elastic.region == call.context.region;
    let ids: Vec<AllocationId> = if request.allocation_ids.is_empty() {
        call.state
            .elastic_ips
            .values()
            .filter(of_region)
            .map(|elastic| elastic.id.clone())
            .collect()
    } else {
        request
            .allocation_ids
            .into_iter()
            .map(AllocationId::from)
            .collect()
    };
    let mut found = Vec::new();
    for id in &ids {
        let elastic = addresses::find(&call.state, call.context, id.as_str())?;
        found.push(AddressAttribute {
            allocation_id: Some(elastic.id.to_string()),
            public_ip: Some(elastic.public_ip.to_string()),
            ..AddressAttribute::default()
        });
    }
    let (addresses, next_token) = page(
        found,
        request.max_results,
        request.next_token.as_deref(),
        1..=1000,
    )?;
    Ok(DescribeAddressesAttributeResult {
        addresses,
        next_token,
    })
}
