//! Route tables, their routes and associations.
//!
//! <https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Route_Tables.html>

mod association;
mod route;

use association::join;
pub use association::{
    associate, disassociate, forget_gateway, forget_subnet, replace_association,
};
pub use route::{create_route, delete_route, replace_route};

use super::*;
use crate::model::quota::{Quota, check};
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use std::sync::Arc;

/// A route table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouteTable {
    /// Its id.
    pub id: RouteTableId,
    /// The region.
    pub region: String,
    /// Its VPC.
    pub vpc: VpcId,
    /// Its routes, in the order they were made; the local ones (one a VPC CIDR) first.
    pub routes: Vec<Route>,
    /// Whom it routes for.
    pub associations: Vec<RouteTableAssociation>,
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Where to.
    pub destination: Destination,
    /// By what.
    pub target: RouteTarget,
    /// Who made it.
    pub origin: RouteOrigin,
}

/// A route's destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Destination {
    /// A range.
    Cidr(Ipv4Net),
    /// Every range of a prefix list.
    PrefixList(PrefixListId),
}

impl std::fmt::Display for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cidr(cidr) => cidr.fmt(f),
            Self::PrefixList(list) => list.fmt(f),
        }
    }
}

/// A route's target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RouteTarget {
    /// Inside the VPC.
    Local,
    /// An internet gateway.
    InternetGateway(InternetGatewayId),
    /// A NAT gateway.
    NatGateway(NatGatewayId),
    /// A network interface, given as such or by its instance.
    NetworkInterface(NetworkInterfaceId),
}

/// Who made a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RouteOrigin {
    /// Made with the table: a local route.
    CreateRouteTable,
    /// The user's.
    CreateRoute,
    /// Propagated by a virtual private gateway.
    EnableVgwRoutePropagation,
}

/// An association of a route table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTableAssociation {
    /// Its id.
    pub id: RouteTableAssociationId,
    /// Whom the table routes for.
    pub with: AssociatedWith,
}

/// Whom a table routes for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AssociatedWith {
    /// Every subnet of the VPC that has no association of its own.
    Main,
    /// A subnet.
    Subnet(SubnetId),
    /// An internet gateway: what comes in by it (an edge association).
    InternetGateway(InternetGatewayId),
}

impl RouteTable {
    /// Whether it is its VPC's main table.
    pub fn is_main(&self) -> bool {
        self.associations
            .iter()
            .any(|association| association.with == AssociatedWith::Main)
    }

    /// Whether it routes for a gateway.
    pub fn is_edge(&self) -> bool {
        self.associations
            .iter()
            .any(|association| matches!(association.with, AssociatedWith::InternetGateway(_)))
    }
}

pub(crate) fn unknown(id: &str) -> Refusal {
    if RouteTableId::well_formed(id) {
        Refusal::new(
            "InvalidRouteTableID.NotFound",
            format!("The routeTable ID '{id}' does not exist"),
        )
    } else {
        Refusal::new(
            "InvalidRouteTableId.Malformed",
            format!("Invalid id: \"{id}\" (expecting \"rtb-...\")"),
        )
    }
}

/// A route table of the request's region.
///
/// # Errors
/// `InvalidRouteTableID.NotFound` or `.Malformed`.
pub fn find<'s>(state: &'s State, context: &Context, id: &str) -> Result<&'s RouteTable, Refusal> {
    context
        .find(&state.route_tables, id)
        .ok_or_else(|| unknown(id))
}

fn edit(state: &mut State, id: &RouteTableId, change: impl FnOnce(&mut RouteTable)) {
    if let Some(table) = state.route_tables.get_mut(id) {
        change(Arc::make_mut(table));
    }
}

/// Changes every table of a VPC.
fn edit_all(state: &mut State, vpc: &VpcId, mut change: impl FnMut(&mut RouteTable)) {
    let of_vpc = state
        .route_tables
        .values()
        .filter(|table| table.vpc == *vpc);
    let ids: Vec<_> = of_vpc.map(|table| table.id.clone()).collect();
    ids.iter().for_each(|id| edit(state, id, &mut change));
}

fn local(cidr: Ipv4Net) -> Route {
    Route {
        destination: Destination::Cidr(cidr),
        target: RouteTarget::Local,
        origin: RouteOrigin::CreateRouteTable,
    }
}

fn insert(state: &mut State, context: &Context, vpc: &VpcId) -> RouteTableId {
    let id = RouteTableId::fresh(&state.digits());
    let cidrs = state
        .vpcs
        .get(vpc)
        .map(|vpc| vpc.cidrs.clone())
        .unwrap_or_default();
    let table = RouteTable {
        id: id.clone(),
        region: context.region.clone(),
        vpc: vpc.clone(),
        routes: cidrs
            .iter()
            .map(|association| local(association.cidr))
            .collect(),
        associations: Vec::new(),
    };
    state.route_tables.insert(id.clone(), Arc::new(table));
    id
}

/// Makes a new VPC's main table.
pub fn create_main(state: &mut State, context: &Context, vpc: &VpcId) -> RouteTableId {
    let id = insert(state, context, vpc);
    join(state, &id, AssociatedWith::Main);
    id
}

/// Makes a table with the VPC's local routes.
///
/// # Errors
/// `InvalidVpcID.NotFound`, `RouteTableLimitExceeded`.
pub fn create(state: &mut State, context: &Context, vpc: &str) -> Result<RouteTableId, Refusal> {
    let vpc = vpc::find(state, context, vpc)?.id.clone();
    let own = state
        .route_tables
        .values()
        .filter(|table| table.vpc == vpc)
        .count();
    check(context, Quota::RouteTablesPerVpc, own, 1)?;
    Ok(insert(state, context, &vpc))
}

/// Deletes a table.
///
/// # Errors
/// `DependencyViolation` for a main table or one that is associated.
pub fn delete(state: &mut State, context: &Context, id: &str) -> Result<(), Refusal> {
    let table = find(state, context, id)?;
    if !table.associations.is_empty() {
        return Err(Refusal::dependency("routeTable", &table.id));
    }
    let id = table.id.clone();
    forget(state, &id);
    Ok(())
}

/// Takes a table away with its tags, whatever it is associated with.
pub fn forget(state: &mut State, id: &RouteTableId) {
    state.route_tables.remove(id);
    tag::remove_all(state, id.as_str());
}

/// A VPC got a CIDR: every table gets its local route.
pub fn add_local(state: &mut State, vpc: &VpcId, cidr: Ipv4Net) {
    edit_all(state, vpc, |table| {
        let locals = table
            .routes
            .iter()
            .take_while(|route| route.target == RouteTarget::Local)
            .count();
        table.routes.insert(locals, local(cidr));
    });
}

/// A VPC lost a CIDR: its local routes go, also those that were given to an interface.
pub fn remove_local(state: &mut State, vpc: &VpcId, cidr: Ipv4Net) {
    let gone = local(cidr);
    edit_all(state, vpc, |table| {
        table
            .routes
            .retain(|route| (&route.destination, route.origin) != (&gone.destination, gone.origin));
    });
}

/// Adds `0.0.0.0/0` to an internet gateway in a VPC's main table (the default VPC's route).
pub fn route_everything_to(state: &mut State, vpc: &VpcId, gateway: &InternetGatewayId) {
    let main = state
        .route_tables
        .values()
        .find(|table| table.vpc == *vpc && table.is_main());
    if let Some(id) = main.map(|table| table.id.clone()) {
        let destination = Destination::Cidr(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0));
        let target = RouteTarget::InternetGateway(gateway.clone());
        edit(state, &id, |table| {
            table.routes.push(Route {
                destination,
                target,
                origin: RouteOrigin::CreateRoute,
            });
        });
    }
}
