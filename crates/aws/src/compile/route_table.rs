//! Route table → route table.
//!
//! A route whose target is gone or can't carry traffic is a `blackhole`: it still wins by its
//! prefix, and drops. Static routes go before propagated ones of the same prefix.
//! <https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Route_Tables.html#route-tables-priority>

use crate::model::instance::InstanceState;
use crate::model::nat_gateway::NatGatewayState;
use crate::model::route_table::{
    Destination, Route as ModelRoute, RouteOrigin as ModelOrigin, RouteTable, RouteTarget,
};
use crate::model::{NetworkInterfaceId, RouteTableId, State};
use fabric::{DropCause, Route, RouteOrigin, Target};
use ipnet::Ipv4Net;

pub(super) fn route_table(state: &State, id: &RouteTableId) -> Option<fabric::RouteTable> {
    let table = state.route_tables.get(id)?;
    let routes = table
        .routes
        .iter()
        .flat_map(|route| routes(state, table, route))
        .collect();
    Some(fabric::RouteTable {
        id: id.as_str().into(),
        network: table.vpc.as_str().into(),
        routes,
    })
}

fn routes(state: &State, table: &RouteTable, route: &ModelRoute) -> Vec<Route> {
    let target = target(state, table, &route.target);
    let (origin, preference) = match route.origin {
        ModelOrigin::CreateRouteTable => (RouteOrigin::System, 0),
        ModelOrigin::CreateRoute => (RouteOrigin::User, 0),
        ModelOrigin::EnableVgwRoutePropagation => (RouteOrigin::Propagated, 1),
    };
    let (id, prefixes): (String, Vec<Ipv4Net>) = match &route.destination {
        Destination::Cidr(cidr) => (cidr.to_string(), vec![*cidr]),
        Destination::PrefixList(list) => {
            let entries = state
                .prefix_lists
                .get(list)
                .and_then(|list| list.versions.last());
            (
                list.to_string(),
                entries
                    .into_iter()
                    .flatten()
                    .map(|entry| entry.cidr)
                    .collect(),
            )
        }
    };
    prefixes
        .into_iter()
        .map(|prefix| Route {
            id: id.as_str().into(),
            prefix,
            target: target.clone(),
            origin,
            preference,
        })
        .collect()
}

fn target(state: &State, table: &RouteTable, target: &RouteTarget) -> Target {
    let gone = |id: &dyn std::fmt::Display| Target::Drop(DropCause::TargetGone(id.to_string()));
    match target {
        RouteTarget::Local => Target::Local,
        RouteTarget::InternetGateway(id) => match state.internet_gateways.get(id) {
            Some(gateway) if gateway.vpc.as_ref() == Some(&table.vpc) => {
                Target::Gateway(id.as_str().into())
            }
            _ => gone(id),
        },
        RouteTarget::NatGateway(id) => match state.nat_gateways.get(id) {
            Some(gateway)
                if matches!(
                    gateway.state,
                    NatGatewayState::Pending | NatGatewayState::Available
                ) =>
            {
                Target::Port(gateway.network_interface.as_str().into())
            }
            _ => gone(id),
        },
        RouteTarget::NetworkInterface(id) if carries(state, id) => Target::Port(id.as_str().into()),
        RouteTarget::NetworkInterface(id) => gone(id),
    }
}

/// Whether an interface can be a route's target: it exists and its instance runs.
fn carries(state: &State, id: &NetworkInterfaceId) -> bool {
    let instance = state
        .network_interfaces
        .get(id)
        .and_then(|interface| interface.attachment.as_ref())
        .and_then(|attachment| attachment.instance.as_ref())
        .and_then(|instance| state.instances.get(instance));
    instance.is_some_and(|instance| {
        matches!(
            instance.state,
            InstanceState::Pending | InstanceState::Running
        )
    })
}

/// Whether a route is active; otherwise DescribeRouteTables calls it a blackhole.
pub fn is_active(state: &State, table: &RouteTable, route: &ModelRoute) -> bool {
    !matches!(target(state, table, &route.target), Target::Drop(_))
}
