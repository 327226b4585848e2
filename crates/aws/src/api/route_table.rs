//! Route table operations.

use super::describe::{Kind, one, select, wanted};
use super::tag::{specified, wire_tags};
use super::{Call, Outcome};
use crate::compile::is_active;
use crate::model::route_table::{
    self, AssociatedWith, Destination, Route, RouteOrigin, RouteTable, RouteTableAssociation,
    RouteTarget,
};
use crate::model::{
    InternetGatewayId, Refusal, State, SubnetId, internet_gateway, nat_gateway, network_interface,
    prefix_list, tag, vpc,
};
use wire::ec2;
use wire::shape::Nothing;

const FILTERS: &[&str] = &[
    "association.gateway-id",
    "association.route-table-association-id",
    "association.route-table-id",
    "association.subnet-id",
    "association.main",
    "owner-id",
    "route-table-id",
    "route.destination-cidr-block",
    "route.destination-ipv6-cidr-block",
    "route.destination-prefix-list-id",
    "route.egress-only-internet-gateway-id",
    "route.gateway-id",
    "route.instance-id",
    "route.nat-gateway-id",
    "route.transit-gateway-id",
    "route.origin",
    "route.state",
    "route.vpc-peering-connection-id",
    "vpc-id",
];

fn associated() -> Option<ec2::RouteTableAssociationState> {
    let state = Some(ec2::RouteTableAssociationStateCode::Associated);
    Some(ec2::RouteTableAssociationState {
        state,
        status_message: None,
    })
}

fn wire_association(
    table: &RouteTable,
    association: &RouteTableAssociation,
) -> ec2::RouteTableAssociation {
    let (subnet, gateway) = match &association.with {
        AssociatedWith::Main => (None, None),
        AssociatedWith::Subnet(subnet) => (Some(subnet.to_string()), None),
        AssociatedWith::InternetGateway(gateway) => (None, Some(gateway.to_string())),
    };
    ec2::RouteTableAssociation {
        association_state: associated(),
        main: Some(association.with == AssociatedWith::Main),
        route_table_association_id: Some(association.id.to_string()),
        route_table_id: Some(table.id.to_string()),
        subnet_id: subnet,
        gateway_id: gateway,
        ..Default::default()
    }
}

fn wire_route(state: &State, table: &RouteTable, route: &Route) -> ec2::Route {
    let mut out = ec2::Route {
        origin: Some(match route.origin {
            RouteOrigin::CreateRouteTable => ec2::RouteOrigin::CreateRouteTable,
            RouteOrigin::CreateRoute => ec2::RouteOrigin::CreateRoute,
            RouteOrigin::EnableVgwRoutePropagation => ec2::RouteOrigin::EnableVgwRoutePropagation,
        }),
        state: Some(if is_active(state, table, route) {
            ec2::RouteState::Active
        } else {
            ec2::RouteState::Blackhole
        }),
        ..Default::default()
    };
    match &route.destination {
        Destination::Cidr(cidr) => out.destination_cidr_block = Some(cidr.to_string()),
        Destination::PrefixList(list) => out.destination_prefix_list_id = Some(list.to_string()),
    }
    match &route.target {
        RouteTarget::Local => out.gateway_id = Some("local".to_owned()),
        RouteTarget::InternetGateway(id) => out.gateway_id = Some(id.to_string()),
        RouteTarget::NatGateway(id) => out.nat_gateway_id = Some(id.to_string()),
        RouteTarget::NetworkInterface(id) => {
            out.network_interface_id = Some(id.to_string());
            let instance = state
                .network_interfaces
                .get(id)
                .and_then(|interface| interface.instance());
            out.instance_id = instance.map(ToString::to_string);
            out.instance_owner_id = instance.map(|_| state.settings.account.clone());
        }
    }
    out
}

fn wire_table(state: &State, table: &RouteTable) -> ec2::RouteTable {
    ec2::RouteTable {
        associations: table
            .associations
            .iter()
            .map(|association| wire_association(table, association))
            .collect(),
        owner_id: Some(state.settings.account.clone()),
        route_table_id: Some(table.id.to_string()),
        routes: table
            .routes
            .iter()
            .map(|route| wire_route(state, table, route))
            .collect(),
        tags: wire_tags(state, table.id.as_str()),
        vpc_id: Some(table.vpc.to_string()),
        ..Default::default()
    }
}

pub(super) fn create(
    call: &mut Call<'_>,
    request: ec2::CreateRouteTableRequest,
) -> Outcome<ec2::CreateRouteTableResult> {
    let token = call.token(
        "CreateRouteTable",
        &request,
        request.client_token.as_deref(),
    )?;
    if let Some(made) = &token.made
        && let Ok(table) = route_table::find(&call.state, call.context, made)
    {
        return Ok(ec2::CreateRouteTableResult {
            client_token: request.client_token,
            route_table: Some(wire_table(&call.state, table)),
        });
    }
    let tags = specified(request.tag_specifications, "route-table")?;
    let id = route_table::create(&mut call.state, call.context, &request.vpc_id)?;
    tag::apply(
        &mut call.state,
        call.context,
        id.as_str(),
        "route-table",
        tags,
    )?;
    call.keep(token, id.as_str());
    let table = route_table::find(&call.state, call.context, id.as_str())?;
    Ok(ec2::CreateRouteTableResult {
        client_token: request.client_token,
        route_table: Some(wire_table(&call.state, table)),
    })
}

pub(super) fn delete(
    call: &mut Call<'_>,
    request: ec2::DeleteRouteTableRequest,
) -> Outcome<Nothing> {
    route_table::delete(&mut call.state, call.context, &request.route_table_id)?;
    Ok(Nothing {})
}

pub(super) fn describe(
    call: &mut Call<'_>,
    request: ec2::DescribeRouteTablesRequest,
) -> Outcome<ec2::DescribeRouteTablesResult> {
    let wanted = wanted!(request, route_table_ids);
    let state = &call.state;
    let kind = Kind {
        filters: FILTERS,
        id: &|table: &RouteTable| table.id.to_string(),
        field: &|table, name| field(state, table, name),
        not_found: &route_table::unknown,
    };
    let here = call.context.here(&state.route_tables);
    let (tables, next_token) = select(call, here, wanted, &kind)?;
    let route_tables = tables
        .into_iter()
        .map(|table| wire_table(state, table))
        .collect();
    Ok(ec2::DescribeRouteTablesResult {
        next_token,
        route_tables,
    })
}

fn field(state: &State, table: &RouteTable, name: &str) -> Vec<String> {
    if let Some(name) = name.strip_prefix("route.") {
        let of_route = |route: &Route| route_field(&wire_route(state, table, route), name);
        return table.routes.iter().filter_map(of_route).collect();
    }
    if let Some(name) = name.strip_prefix("association.") {
        let of_association =
            |association: &RouteTableAssociation| association_field(table, association, name);
        return table
            .associations
            .iter()
            .filter_map(of_association)
            .collect();
    }
    match name {
        "owner-id" => one(&state.settings.account),
        "route-table-id" => one(&table.id),
        "vpc-id" => one(&table.vpc),
        _ => Vec::new(),
    }
}

fn route_field(route: &ec2::Route, name: &str) -> Option<String> {
    match name {
        "destination-cidr-block" => route.destination_cidr_block.clone(),
        "destination-prefix-list-id" => route.destination_prefix_list_id.clone(),
        "gateway-id" => route.gateway_id.clone(),
        "instance-id" => route.instance_id.clone(),
        "nat-gateway-id" => route.nat_gateway_id.clone(),
        "origin" => route.origin.map(|origin| origin.to_string()),
        "state" => route.state.map(|state| state.to_string()),
        _ => None,
    }
}

fn association_field(
    table: &RouteTable,
    association: &RouteTableAssociation,
    name: &str,
) -> Option<String> {
    let association = wire_association(table, association);
    match name {
        "gateway-id" => association.gateway_id,
        "route-table-association-id" => association.route_table_association_id,
        "route-table-id" => association.route_table_id,
        "subnet-id" => association.subnet_id,
        "main" => association.main.map(|main| main.to_string()),
        _ => None,
    }
}

pub(super) fn associate(
    call: &mut Call<'_>,
    request: ec2::AssociateRouteTableRequest,
) -> Outcome<ec2::AssociateRouteTableResult> {
    let with = match (&request.subnet_id, &request.gateway_id) {
        (Some(subnet), None) => AssociatedWith::Subnet(SubnetId::from(subnet.as_str())),
        (None, Some(gateway)) => {
            AssociatedWith::InternetGateway(InternetGatewayId::from(gateway.as_str()))
        }
        (None, None) => return Err(Refusal::missing("subnetId or gatewayId").into()),
        _ => {
            return Err(Refusal::invalid_combination(
                "Only one of subnetId and gatewayId may be specified",
            )
            .into());
        }
    };
    let id = route_table::associate(&mut call.state, call.context, &request.route_table_id, with)?;
    Ok(ec2::AssociateRouteTableResult {
        association_id: Some(id.to_string()),
        association_state: associated(),
    })
}

pub(super) fn disassociate(
    call: &mut Call<'_>,
    request: ec2::DisassociateRouteTableRequest,
) -> Outcome<Nothing> {
    route_table::disassociate(&mut call.state, call.context, &request.association_id)?;
    Ok(Nothing {})
}

pub(super) fn replace_association(
    call: &mut Call<'_>,
    request: ec2::ReplaceRouteTableAssociationRequest,
) -> Outcome<ec2::ReplaceRouteTableAssociationResult> {
    let (association, table) = (&request.association_id, &request.route_table_id);
    let id = route_table::replace_association(&mut call.state, call.context, association, table)?;
    Ok(ec2::ReplaceRouteTableAssociationResult {
        new_association_id: Some(id.to_string()),
        association_state: associated(),
    })
}

/// Where a route goes, as a request says it.
#[derive(Default)]
struct Asked {
    gateway: Option<String>,
    nat_gateway: Option<String>,
    interface: Option<String>,
    instance: Option<String>,
    local: bool,
}

fn destination(
    call: &Call<'_>,
    cidr: Option<&str>,
    list: Option<&str>,
) -> Result<Destination, Refusal> {
    match (cidr, list) {
        (Some(cidr), None) => Ok(Destination::Cidr(vpc::cidr(cidr)?.trunc())),
        (None, Some(list)) => Ok(Destination::PrefixList(
            prefix_list::find(&call.state, call.context, list)?
                .id
                .clone(),
        )),
        (None, None) => Err(Refusal::missing("destinationCidrBlock")),
        _ => Err(Refusal::invalid_combination(
            "Only one destination may be specified",
        )),
    }
}

/// The target that a request names; exactly one.
fn target(call: &Call<'_>, asked: &Asked) -> Result<RouteTarget, Refusal> {
    let named = [
        &asked.gateway,
        &asked.nat_gateway,
        &asked.interface,
        &asked.instance,
    ];
    match named.iter().filter(|name| name.is_some()).count() + usize::from(asked.local) {
        0 => {
            return Err(Refusal::missing(
                "gatewayId, natGatewayId, networkInterfaceId or instanceId",
            ));
        }
        1 => {}
        _ => {
            return Err(Refusal::invalid_combination(
                "The request must contain exactly one of gatewayId, natGatewayId, networkInterfaceId, vpcPeeringConnectionId, egressOnlyInternetGatewayId, transitGatewayId, localGatewayId, carrierGatewayId, vpcEndpointId, or instanceId",
            ));
        }
    }
    let (state, context) = (&call.state, call.context);
    if let Some(id) = &asked.gateway {
        if id == "local" {
            return Ok(RouteTarget::Local);
        }
        let found = internet_gateway::find(state, context, id);
        let found = found.map_err(|_| no_target("InvalidGatewayID.NotFound", "gateway", id))?;
        return Ok(RouteTarget::InternetGateway(found.id.clone()));
    }
    if let Some(id) = &asked.nat_gateway {
        let found = nat_gateway::find(state, context, id);
        let found =
            found.map_err(|_| no_target("InvalidNatGatewayID.NotFound", "natGateway", id))?;
        return Ok(RouteTarget::NatGateway(found.id.clone()));
    }
    if let Some(id) = &asked.interface {
        return Ok(RouteTarget::NetworkInterface(
            network_interface::find(state, context, id)?.id.clone(),
        ));
    }
    match &asked.instance {
        Some(id) => only_interface(call, id).map(RouteTarget::NetworkInterface),
        None => Ok(RouteTarget::Local),
    }
}

/// Gateways that a route names have a refusal of their own.
fn no_target(code: &'static str, kind: &str, id: &str) -> Refusal {
    Refusal::new(code, format!("The {kind} ID '{id}' does not exist"))
}

/// A route to an instance goes to its one interface.
fn only_interface(call: &Call<'_>, id: &str) -> Result<crate::model::NetworkInterfaceId, Refusal> {
    let instance = crate::model::instance::find(&call.state, call.context, id)?;
    match instance.interfaces.as_slice() {
        [interface] => Ok(interface.clone()),
        [] => Err(Refusal::new(
            "InvalidInstanceID",
            format!("There are no interfaces attached to instance '{id}'."),
        )),
        _ => Err(Refusal::new(
            "InvalidInstanceID",
            format!(
                "There are multiple interfaces attached to instance '{id}'. Please specify an interface ID for the operation instead."
            ),
        )),
    }
}

pub(super) fn create_route(
    call: &mut Call<'_>,
    request: ec2::CreateRouteRequest,
) -> Outcome<Returned> {
    let destination = destination(
        call,
        request.destination_cidr_block.as_deref(),
        request.destination_prefix_list_id.as_deref(),
    )?;
    let asked = Asked {
        gateway: request.gateway_id,
        nat_gateway: request.nat_gateway_id,
        interface: request.network_interface_id,
        instance: request.instance_id,
        ..Asked::default()
    };
    let target = target(call, &asked)?;
    route_table::create_route(
        &mut call.state,
        call.context,
        &request.route_table_id,
        destination,
        target,
    )?;
    Ok(ec2::CreateRouteResult {
        return_: Some(true),
    })
}

/// What CreateRoute answers with.
pub(super) type Returned = ec2::CreateRouteResult;

pub(super) fn replace_route(
    call: &mut Call<'_>,
    request: ec2::ReplaceRouteRequest,
) -> Outcome<Nothing> {
    let destination = destination(
        call,
        request.destination_cidr_block.as_deref(),
        request.destination_prefix_list_id.as_deref(),
    )?;
    let asked = Asked {
        gateway: request.gateway_id,
        nat_gateway: request.nat_gateway_id,
        interface: request.network_interface_id,
        instance: request.instance_id,
        local: request.local_target.unwrap_or(false),
    };
    let target = target(call, &asked)?;
    route_table::replace_route(
        &mut call.state,
        call.context,
        &request.route_table_id,
        &destination,
        target,
    )?;
    Ok(Nothing {})
}

pub(super) fn delete_route(
    call: &mut Call<'_>,
    request: ec2::DeleteRouteRequest,
) -> Outcome<Nothing> {
    let destination = destination(
        call,
        request.destination_cidr_block.as_deref(),
        request.destination_prefix_list_id.as_deref(),
    )?;
    route_table::delete_route(
        &mut call.state,
        call.context,
        &request.route_table_id,
        &destination,
    )?;
    Ok(Nothing {})
}
