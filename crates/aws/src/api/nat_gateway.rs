//! NAT gateway operations.

use super::describe::{Kind, Wanted, one, select};
use super::tag::{specified, wire_tags};
use super::{Call, Outcome};
use crate::model::nat_gateway::{self, NatGateway, NatGatewayState, NewNatGateway};
use crate::model::{Refusal, State, tag};
use wire::ec2;
use wire::{Timestamp, ec2::ConnectivityType};

const FILTERS: &[&str] = &[
    "nat-gateway-id",
    "state",
    "subnet-id",
    "vpc-id",
    "connectivity-type",
];

fn wire_state(state: NatGatewayState) -> ec2::NatGatewayState {
    match state {
        NatGatewayState::Pending => ec2::NatGatewayState::Pending,
        NatGatewayState::Available => ec2::NatGatewayState::Available,
        NatGatewayState::Deleting => ec2::NatGatewayState::Deleting,
        NatGatewayState::Deleted => ec2::NatGatewayState::Deleted,
    }
}

fn connectivity(gateway: &NatGateway) -> ConnectivityType {
    if gateway.public_ip.is_some() {
        ConnectivityType::Public
    } else {
        ConnectivityType::Private
    }
}

fn wire_gateway(state: &State, gateway: &NatGateway) -> ec2::NatGateway {
    let alive = matches!(
        gateway.state,
        NatGatewayState::Pending | NatGatewayState::Available
    );
    let address = ec2::NatGatewayAddress {
        allocation_id: gateway.allocation.as_ref().map(ToString::to_string),
        association_id: gateway
            .association
            .as_ref()
            .filter(|_| alive)
            .map(ToString::to_string),
        is_primary: Some(true),
        network_interface_id: Some(gateway.network_interface.to_string()),
        private_ip: Some(gateway.private_ip.to_string()),
        public_ip: gateway.public_ip.map(|ip| ip.to_string()),
        status: Some(ec2::NatGatewayAddressStatus::Succeeded),
        ..Default::default()
    };
    ec2::NatGateway {
        connectivity_type: Some(connectivity(gateway)),
        create_time: Some(Timestamp(gateway.created)),
        delete_time: gateway.deleted.map(Timestamp),
        nat_gateway_addresses: vec![address],
        nat_gateway_id: Some(gateway.id.to_string()),
        state: Some(wire_state(gateway.state)),
        subnet_id: Some(gateway.subnet.to_string()),
        tags: wire_tags(state, gateway.id.as_str()),
        vpc_id: Some(gateway.vpc.to_string()),
        ..Default::default()
    }
}

pub(super) fn create(
    call: &mut Call<'_>,
    request: ec2::CreateNatGatewayRequest,
) -> Outcome<ec2::CreateNatGatewayResult> {
    let token = call.token(
        "CreateNatGateway",
        &request,
        request.client_token.as_deref(),
    )?;
    if let Some(made) = &token.made
        && let Ok(gateway) = nat_gateway::find(&call.state, call.context, made)
    {
        return Ok(ec2::CreateNatGatewayResult {
            client_token: request.client_token,
            nat_gateway: Some(wire_gateway(&call.state, gateway)),
        });
    }
    let tags = specified(request.tag_specifications, "natgateway")?;
    let subnet = request
        .subnet_id
        .ok_or_else(|| Refusal::missing("SubnetId"))?;
    let private = request.connectivity_type == Some(ConnectivityType::Private);
    match (&request.allocation_id, private) {
        (None, false) => return Err(Refusal::missing("AllocationId").into()),
        (Some(_), true) => {
            return Err(Refusal::invalid_combination(
                "AllocationId may not be specified with connectivity type private",
            )
            .into());
        }
        _ => {}
    }
    let address = request.private_ip_address.map(|text| {
        text.parse().map_err(|_| {
            Refusal::invalid_value(format!(
                "Invalid value '{text}' for PrivateIpAddress. Must be an IPv4 address"
            ))
        })
    });
    let new = NewNatGateway {
        subnet,
        allocation: request.allocation_id,
        private_ip: address.transpose()?,
    };
    let id = nat_gateway::create(&mut call.state, call.context, &new)?;
    tag::apply(
        &mut call.state,
        call.context,
        id.as_str(),
        "natgateway",
        tags,
    )?;
    call.keep(token, id.as_str());
    let gateway = nat_gateway::find(&call.state, call.context, id.as_str())?;
    Ok(ec2::CreateNatGatewayResult {
        client_token: request.client_token,
        nat_gateway: Some(wire_gateway(&call.state, gateway)),
    })
}

pub(super) fn delete(
    call: &mut Call<'_>,
    request: ec2::DeleteNatGatewayRequest,
) -> Outcome<ec2::DeleteNatGatewayResult> {
    let id = nat_gateway::delete(&mut call.state, call.context, &request.nat_gateway_id)?;
    Ok(ec2::DeleteNatGatewayResult {
        nat_gateway_id: Some(id.to_string()),
    })
}

pub(super) fn describe(
    call: &mut Call<'_>,
    request: ec2::DescribeNatGatewaysRequest,
) -> Outcome<ec2::DescribeNatGatewaysResult> {
    let wanted = Wanted {
        ids: request.nat_gateway_ids,
        filters: request.filter,
        max_results: request.max_results,
        next_token: request.next_token,
    };
    let state = &call.state;
    let kind = Kind {
        filters: FILTERS,
        id: &|gateway: &NatGateway| gateway.id.to_string(),
        field: &|gateway, name| match name {
            "nat-gateway-id" => one(&gateway.id),
            "state" => one(wire_state(gateway.state)),
            "subnet-id" => one(&gateway.subnet),
            "connectivity-type" => one(connectivity(gateway)),
            _ => one(&gateway.vpc),
        },
        not_found: &nat_gateway::unknown,
    };
    let here = call.context.here(&state.nat_gateways);
    let (gateways, next_token) = select(call, here, wanted, &kind)?;
    let nat_gateways = gateways
        .into_iter()
        .map(|gateway| wire_gateway(state, gateway))
        .collect();
    Ok(ec2::DescribeNatGatewaysResult {
        nat_gateways,
        next_token,
    })
}
