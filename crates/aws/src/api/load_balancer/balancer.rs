//! Load balancers on the wire.

use super::super::{Call, Outcome};
use super::page;
use crate::model::load_balancer::{
    self, BalancerState, Kind, LoadBalancer, NewLoadBalancer, Placement, Scheme, attribute, name,
    tags,
};
use crate::model::{Refusal, State, elastic_ip};
use wire::Timestamp;
use wire::elbv2::{
    AvailabilityZone, CreateLoadBalancerInput, CreateLoadBalancerOutput, DeleteLoadBalancerInput,
    DeleteLoadBalancerOutput, DescribeCapacityReservationInput, DescribeCapacityReservationOutput,
    DescribeLoadBalancerAttributesInput, DescribeLoadBalancerAttributesOutput,
    DescribeLoadBalancersInput, DescribeLoadBalancersOutput,
    EnforceSecurityGroupInboundRulesOnPrivateLinkTrafficEnum as OnPrivateLink, IpAddressType,
    LoadBalancer as View, LoadBalancerAddress, LoadBalancerAttribute, LoadBalancerSchemeEnum,
    LoadBalancerState, LoadBalancerStateEnum, LoadBalancerTypeEnum,
    ModifyLoadBalancerAttributesInput, ModifyLoadBalancerAttributesOutput, SetIpAddressTypeInput,
    SetIpAddressTypeOutput, SetSecurityGroupsInput, SetSecurityGroupsOutput, SetSubnetsInput,
    SetSubnetsOutput, SubnetMapping, Tag,
};

/// Tags as pairs.
pub(super) fn pairs(tags: Vec<Tag>) -> impl Iterator<Item = (String, String)> {
    tags.into_iter()
        .map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default()))
}

fn placements(
    subnets: Vec<String>,
    mappings: Vec<SubnetMapping>,
) -> Result<Vec<Placement>, Refusal> {
    if !subnets.is_empty() && !mappings.is_empty() {
        return Err(load_balancer::invalid(
            "You must specify either subnets or subnet mappings, not both",
        ));
    }
    let plain = subnets.into_iter().map(|subnet| Placement {
        subnet,
        ..Default::default()
    });
    let mapped = mappings.into_iter().map(|mapping| Placement {
        subnet: mapping.subnet_id.unwrap_or_default(),
        allocation: mapping.allocation_id,
        private_ip: mapping.private_i_pv4_address,
    });
    Ok(plain.chain(mapped).collect())
}

fn check_address_type(wanted: Option<IpAddressType>) -> Result<(), Refusal> {
    load_balancer::check_ip_address_type(wanted.unwrap_or(IpAddressType::Ipv4).as_str())
}

pub(super) fn create(
    call: &mut Call<'_>,
    request: CreateLoadBalancerInput,
) -> Outcome<CreateLoadBalancerOutput> {
    check_address_type(request.ip_address_type)?;
    let kind = match request.type_ {
        None | Some(LoadBalancerTypeEnum::Application) => Kind::Application,
        Some(LoadBalancerTypeEnum::Network) => Kind::Network,
        Some(LoadBalancerTypeEnum::Gateway) => Kind::Gateway,
    };
    let scheme = request.scheme.map(|scheme| match scheme {
        LoadBalancerSchemeEnum::InternetFacing => Scheme::InternetFacing,
        LoadBalancerSchemeEnum::Internal => Scheme::Internal,
    });
    let new = NewLoadBalancer {
        name: request.name,
        kind,
        scheme,
        placements: placements(request.subnets, request.subnet_mappings)?,
        security_groups: request.security_groups,
        tags: tags::read(pairs(request.tags))?,
    };
    let arn = load_balancer::create(&mut call.state, call.context, new)?;
    let made = load_balancer::find(&call.state, call.context, &arn)?;
    Ok(CreateLoadBalancerOutput {
        load_balancers: vec![view(&call.state, made)],
    })
}

pub(super) fn describe(
    call: &mut Call<'_>,
    request: DescribeLoadBalancersInput,
) -> Outcome<DescribeLoadBalancersOutput> {
    let (arns, names) = (&request.load_balancer_arns, &request.names);
    if !arns.is_empty() && !names.is_empty() {
        return Err(load_balancer::invalid(
            "Load balancer names and load balancer ARNs cannot be specified at the same time",
        )
        .into());
    }
    for arn in arns {
        if !name::is_arn(arn, "loadbalancer") {
            return Err(load_balancer::invalid(format!(
                "'{arn}' is not a valid load balancer ARN"
            ))
            .into());
        }
    }
    let state = &call.state;
    let here: Vec<&LoadBalancer> = load_balancer::in_region(state, &call.context.region).collect();
    let missing = arns.iter().any(|arn| !here.iter().any(|of| of.arn == *arn));
    if missing {
        return Err(not_found("One or more load balancers not found").into());
    }
    if let Some(name) = names
        .iter()
        .find(|name| !here.iter().any(|of| of.name == **name))
    {
        return Err(not_found(&format!("Load balancers '[{name}]' not found")).into());
    }
    let chosen = here.into_iter().filter(|of| {
        let all = arns.is_empty() && names.is_empty();
        all || arns.contains(&of.arn) || names.contains(&of.name)
    });
    let (chosen, next_marker) = page(
        chosen.collect(),
        request.page_size,
        request.marker.as_deref(),
    )?;
    Ok(DescribeLoadBalancersOutput {
        load_balancers: chosen.into_iter().map(|of| view(state, of)).collect(),
        next_marker,
    })
}

fn not_found(message: &str) -> Refusal {
    Refusal::new("LoadBalancerNotFound", message)
}

fn zones(state: &State, balancer: &LoadBalancer) -> Vec<AvailabilityZone> {
    let zone = |node: &load_balancer::Node| AvailabilityZone {
        load_balancer_addresses: addresses(state, node),
        subnet_id: Some(node.subnet.to_string()),
        zone_name: Some(node.zone.clone()),
        ..Default::default()
    };
    balancer.nodes.iter().map(zone).collect()
}

/// Only the addresses that the user chose are shown.
fn addresses(state: &State, node: &load_balancer::Node) -> Vec<LoadBalancerAddress> {
    let interface = state.network_interfaces.get(&node.interface);
    let public = interface
        .and_then(|interface| interface.primary())
        .and_then(|primary| elastic_ip::public_of(state, primary));
    if node.allocation.is_none() && node.private_ip.is_none() {
        return Vec::new();
    }
    vec![LoadBalancerAddress {
        allocation_id: node.allocation.as_ref().map(ToString::to_string),
        ip_address: node
            .allocation
            .as_ref()
            .and(public)
            .map(|ip| ip.to_string()),
        private_i_pv4_address: node.private_ip.map(|ip| ip.to_string()),
        ..Default::default()
    }]
}

fn view(state: &State, balancer: &LoadBalancer) -> View {
    let on = |on: bool| if on { "on" } else { "off" }.to_owned();
    View {
        availability_zones: zones(state, balancer),
        canonical_hosted_zone_id: name::hosted_zone(&balancer.region, balancer.kind)
            .map(str::to_owned),
        created_time: Some(Timestamp(balancer.created)),
        dns_name: balancer.dns_name.clone(),
        enforce_security_group_inbound_rules_on_private_link_traffic: balancer
            .private_link_rules
            .map(on),
        ip_address_type: Some(IpAddressType::Ipv4),
        load_balancer_arn: Some(balancer.arn.clone()),
        load_balancer_name: Some(balancer.name.clone()),
        scheme: balancer.scheme.map(|scheme| match scheme {
            Scheme::InternetFacing => LoadBalancerSchemeEnum::InternetFacing,
            Scheme::Internal => LoadBalancerSchemeEnum::Internal,
        }),
        security_groups: balancer
            .security_groups
            .iter()
            .map(ToString::to_string)
            .collect(),
        state: Some(LoadBalancerState {
            code: Some(match balancer.state {
                BalancerState::Provisioning => LoadBalancerStateEnum::Provisioning,
                BalancerState::Active => LoadBalancerStateEnum::Active,
            }),
            reason: None,
        }),
        type_: balancer.kind.as_str().parse().ok(),
        vpc_id: Some(balancer.vpc.to_string()),
        ..Default::default()
    }
}

pub(super) fn delete(
    call: &mut Call<'_>,
    request: DeleteLoadBalancerInput,
) -> Outcome<DeleteLoadBalancerOutput> {
    load_balancer::delete(&mut call.state, call.context, &request.load_balancer_arn)?;
    Ok(DeleteLoadBalancerOutput {})
}

pub(super) fn set_subnets(
    call: &mut Call<'_>,
    request: SetSubnetsInput,
) -> Outcome<SetSubnetsOutput> {
    check_address_type(request.ip_address_type)?;
    let wanted = placements(request.subnets, request.subnet_mappings)?;
    let arn = &request.load_balancer_arn;
    load_balancer::set_subnets(&mut call.state, call.context, arn, &wanted)?;
    let balancer = load_balancer::find(&call.state, call.context, arn)?;
    Ok(SetSubnetsOutput {
        availability_zones: zones(&call.state, balancer),
        ip_address_type: Some(IpAddressType::Ipv4),
        ..Default::default()
    })
}

pub(super) fn set_security_groups(
    call: &mut Call<'_>,
    request: SetSecurityGroupsInput,
) -> Outcome<SetSecurityGroupsOutput> {
    let on_private_link = request.enforce_security_group_inbound_rules_on_private_link_traffic;
    let (arn, wanted) = (&request.load_balancer_arn, &request.security_groups);
    load_balancer::set_security_groups(
        &mut call.state,
        call.context,
        arn,
        wanted,
        on_private_link.map(|of| of == OnPrivateLink::On),
    )?;
    let balancer = load_balancer::find(&call.state, call.context, arn)?;
    Ok(SetSecurityGroupsOutput {
        enforce_security_group_inbound_rules_on_private_link_traffic: on_private_link,
        security_group_ids: balancer
            .security_groups
            .iter()
            .map(ToString::to_string)
            .collect(),
    })
}

pub(super) fn set_ip_address_type(
    call: &mut Call<'_>,
    request: SetIpAddressTypeInput,
) -> Outcome<SetIpAddressTypeOutput> {
    let (arn, wanted) = (&request.load_balancer_arn, request.ip_address_type);
    load_balancer::set_ip_address_type(&call.state, call.context, arn, wanted.as_str())?;
    Ok(SetIpAddressTypeOutput {
        ip_address_type: Some(wanted),
    })
}

fn attributes(balancer: &LoadBalancer) -> Vec<LoadBalancerAttribute> {
    let view = |(key, value)| LoadBalancerAttribute {
        key: Some(key),
        value: Some(value),
    };
    attribute::of(balancer).into_iter().map(view).collect()
}

pub(super) fn describe_attributes(
    call: &mut Call<'_>,
    request: DescribeLoadBalancerAttributesInput,
) -> Outcome<DescribeLoadBalancerAttributesOutput> {
    let balancer = load_balancer::find(&call.state, call.context, &request.load_balancer_arn)?;
    Ok(DescribeLoadBalancerAttributesOutput {
        attributes: attributes(balancer),
    })
}

pub(super) fn modify_attributes(
    call: &mut Call<'_>,
    request: ModifyLoadBalancerAttributesInput,
) -> Outcome<ModifyLoadBalancerAttributesOutput> {
    let wanted: Vec<(String, String)> = request
        .attributes
        .into_iter()
        .map(|of| (of.key.unwrap_or_default(), of.value.unwrap_or_default()))
        .collect();
    let arn = &request.load_balancer_arn;
    attribute::modify(&mut call.state, call.context, arn, &wanted)?;
    let balancer = load_balancer::find(&call.state, call.context, arn)?;
    Ok(ModifyLoadBalancerAttributesOutput {
        attributes: attributes(balancer),
    })
}

/// How often a day a reservation may be made smaller.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/capacity-unit-reservation.html>
const DECREASES: i32 = 2;

/// Nobody can reserve capacity here, so there is no reservation to tell of.
pub(super) fn describe_capacity_reservation(
    call: &mut Call<'_>,
    request: DescribeCapacityReservationInput,
) -> Outcome<DescribeCapacityReservationOutput> {
    load_balancer::find(&call.state, call.context, &request.load_balancer_arn)?;
    Ok(DescribeCapacityReservationOutput {
        decrease_requests_remaining: Some(DECREASES),
        ..Default::default()
    })
}
