//! Remedies for routes.

use crate::model::nat_gateway::NatGatewayState;
use crate::model::{RouteTableId, State};
use fabric::DropCause;
use std::net::Ipv4Addr;

pub(super) fn no_route(state: &State, table: &str, destination: Ipv4Addr) -> Vec<String> {
    let Some(vpc) = state
        .route_tables
        .get(&RouteTableId::from(table))
        .map(|table| &table.vpc)
    else {
        return Vec::new();
    };
    let create = |target: String| {
        format!(
            "aws ec2 create-route --route-table-id {table} --destination-cidr-block 0.0.0.0/0 {target}"
        )
    };
    let mut remedies = Vec::new();
    let nat = state
        .nat_gateways
        .values()
        .find(|nat| nat.vpc == *vpc && nat.state == NatGatewayState::Available);
    if let Some(nat) = nat {
        remedies.push(format!(
            "Send {destination} by the NAT gateway: {}",
            create(format!("--nat-gateway-id {}", nat.id))
        ));
    }
    let igw = state
        .internet_gateways
        .values()
        .find(|gateway| gateway.vpc.as_ref() == Some(vpc));
    match igw {
        Some(igw) => remedies.push(format!(
            "Send {destination} by the internet gateway (for interfaces with a public address): {}",
            create(format!("--gateway-id {}", igw.id))
        )),
        None => remedies.push(format!(
            "{vpc} has no internet gateway: aws ec2 create-internet-gateway, attach it, and route to it."
        )),
    }
    remedies
}

pub(super) fn blackhole(state: &State, table: &str, route: &str, cause: &DropCause) -> Vec<String> {
    let DropCause::TargetGone(target) = cause else {
        return Vec::new();
    };
    let id = RouteTableId::from(table);
    let Some(vpc) = state.route_tables.get(&id).map(|table| &table.vpc) else {
        return Vec::new();
    };
    let replace = |option: &str, to: &dyn std::fmt::Display| {
        format!(
            "The route {route} is a blackhole: {target} is gone. Replace it: aws ec2 replace-route --route-table-id {table} --destination-cidr-block {route} {option} {to}"
        )
    };
    let nat = state
        .nat_gateways
        .values()
        .find(|nat| nat.vpc == *vpc && nat.state == NatGatewayState::Available);
    if target.starts_with("nat-") {
        return vec![match nat {
            Some(nat) => replace("--nat-gateway-id", &nat.id),
            None => format!(
                "The route {route} is a blackhole: {target} is gone. Make another NAT gateway in a public subnet, then: aws ec2 replace-route --route-table-id {table} --destination-cidr-block {route} --nat-gateway-id <nat>"
            ),
        }];
    }
    if target.starts_with("eni-") {
        return vec![format!(
            "The route {route} is a blackhole: {target} is attached to no running instance. Start its instance, or replace the route."
        )];
    }
    vec![replace("--gateway-id", &"<igw>")]
}
