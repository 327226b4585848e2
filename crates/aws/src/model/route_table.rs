//! Route tables, their routes and associations.
//!
//! <https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Route_Tables.html>

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
    let found = state
        .route_tables
        .get(id)
        .filter(|table| table.region == context.region);
    found.map(AsRef::as_ref).ok_or_else(|| unknown(id))
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

/// A VPC lost a CIDR.
pub fn remove_local(state: &mut State, vpc: &VpcId, cidr: Ipv4Net) {
    edit_all(state, vpc, |table| {
        table.routes.retain(|route| *route != local(cidr));
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

/// A subnet is going.
pub fn forget_subnet(state: &mut State, subnet: &SubnetId) {
    leave(state, &AssociatedWith::Subnet(subnet.clone()));
}

/// An internet gateway is going: its edge association goes with it.
pub fn forget_gateway(state: &mut State, gateway: &InternetGatewayId) {
    leave(state, &AssociatedWith::InternetGateway(gateway.clone()));
}

fn leave(state: &mut State, with: &AssociatedWith) {
    let holds = |table: &&Arc<RouteTable>| {
        table
            .associations
            .iter()
            .any(|association| association.with == *with)
    };
    let holders: Vec<_> = state
        .route_tables
        .values()
        .filter(holds)
        .map(|table| table.id.clone())
        .collect();
    for id in holders {
        edit(state, &id, |table| {
            table
                .associations
                .retain(|association| association.with != *with);
        });
    }
}

fn join(state: &mut State, id: &RouteTableId, with: AssociatedWith) -> RouteTableAssociationId {
    let association = RouteTableAssociationId::fresh(&state.digits());
    edit(state, id, |table| {
        table.associations.push(RouteTableAssociation {
            id: association.clone(),
            with,
        });
    });
    association
}

fn holder<'s>(
    state: &'s State,
    with: &AssociatedWith,
) -> Option<(&'s RouteTable, &'s RouteTableAssociation)> {
    state.route_tables.values().find_map(|table| {
        let association = table
            .associations
            .iter()
            .find(|association| association.with == *with)?;
        Some((table.as_ref(), association))
    })
}

/// Associates a table with a subnet or an internet gateway. The same once more answers with the
/// association that there is.
///
/// # Errors
/// `Resource.AlreadyAssociated`, `InvalidParameterValue` across VPCs or for a main table at the edge.
pub fn associate(
    state: &mut State,
    context: &Context,
    id: &str,
    with: AssociatedWith,
) -> Result<RouteTableAssociationId, Refusal> {
    let table = find(state, context, id)?;
    let (table_id, vpc) = (table.id.clone(), table.vpc.clone());
    let (what, of_vpc) = match &with {
        AssociatedWith::Subnet(subnet) => (
            subnet.to_string(),
            subnet::find(state, context, subnet.as_str())?.vpc.clone(),
        ),
        AssociatedWith::InternetGateway(gateway) => {
            let attached = internet_gateway::find(state, context, gateway.as_str())?
                .vpc
                .clone();
            let unattached = || {
                Refusal::new(
                    "Gateway.NotAttached",
                    format!("resource {gateway} is not attached to a network"),
                )
            };
            (gateway.to_string(), attached.ok_or_else(unattached)?)
        }
        AssociatedWith::Main => return Err(Refusal::missing("SubnetId")),
    };
    if of_vpc != vpc {
        return Err(Refusal::invalid_value(format!(
            "Route table {table_id} and {what} belong to different networks"
        )));
    }
    if matches!(with, AssociatedWith::InternetGateway(_)) {
        check_edge(table)?;
    }
    match holder(state, &with) {
        Some((other, association)) if other.id == table_id => Ok(association.id.clone()),
        Some((_, association)) => {
            let message = format!(
                "the specified association for route table {table_id} conflicts with an existing association {}",
                association.id
            );
            Err(Refusal::new("Resource.AlreadyAssociated", message))
        }
        None => Ok(join(state, &table_id, with)),
    }
}

/// A gateway's table may have only local routes and routes to interfaces inside the VPC.
/// <https://docs.aws.amazon.com/vpc/latest/userguide/gateway-route-tables.html>
fn check_edge(table: &RouteTable) -> Result<(), Refusal> {
    let fits = |route: &Route| {
        matches!(
            route.target,
            RouteTarget::Local | RouteTarget::NetworkInterface(_)
        )
    };
    if table.is_main() {
        return Err(Refusal::invalid_value(format!(
            "invalid value for parameter gateway-id: {} is a main route table",
            table.id
        )));
    }
    match table.routes.iter().find(|route| !fits(route)) {
        Some(route) => {
            let message = format!(
                "Route table {} cannot be associated with a gateway: the route {} has a target that a gateway route table can't have",
                table.id, route.destination
            );
            Err(Refusal::invalid_value(message))
        }
        None => Ok(()),
    }
}

fn find_association<'s>(
    state: &'s State,
    context: &Context,
    id: &str,
) -> Result<(&'s RouteTable, &'s RouteTableAssociation), Refusal> {
    let of_region = state
        .route_tables
        .values()
        .filter(|table| table.region == context.region);
    let mut found = of_region.filter_map(|table| {
        let association = table
            .associations
            .iter()
            .find(|association| association.id.as_str() == id)?;
        Some((table.as_ref(), association))
    });
    let unknown = || {
        Refusal::new(
            "InvalidAssociationID.NotFound",
            format!("The association ID '{id}' does not exist"),
        )
    };
    found.next().ok_or_else(unknown)
}

/// Ends an association; a subnet falls back to the main table.
///
/// # Errors
/// `InvalidAssociationID.NotFound`, `InvalidParameterValue` for the main association.
pub fn disassociate(state: &mut State, context: &Context, id: &str) -> Result<(), Refusal> {
    let (_, association) = find_association(state, context, id)?;
    if association.with == AssociatedWith::Main {
        return Err(Refusal::invalid_value(format!(
            "cannot disassociate the main route table association {id}"
        )));
    }
    let with = association.with.clone();
    leave(state, &with);
    Ok(())
}

/// Gives what is associated to another table, under a new association id; so a VPC's main table is
/// replaced.
///
/// # Errors
/// `InvalidAssociationID.NotFound`, `InvalidParameterValue` across VPCs or for an edge table as main.
pub fn replace_association(
    state: &mut State,
    context: &Context,
    id: &str,
    to: &str,
) -> Result<RouteTableAssociationId, Refusal> {
    let (from, association) = find_association(state, context, id)?;
    let table = find(state, context, to)?;
    if from.vpc != table.vpc {
        return Err(Refusal::invalid_value(format!(
            "route table {to} and association {id} belong to different networks"
        )));
    }
    if from.id == table.id {
        return Ok(association.id.clone());
    }
    let (from, with, to) = (from.id.clone(), association.with.clone(), table.id.clone());
    if with == AssociatedWith::Main && table.is_edge() {
        return Err(Refusal::invalid_value(format!(
            "{to} is a gateway route table and cannot become the main route table"
        )));
    }
    if matches!(with, AssociatedWith::InternetGateway(_)) {
        check_edge(table)?;
    }
    edit(state, &from, |table| {
        table
            .associations
            .retain(|association| association.with != with);
    });
    Ok(join(state, &to, with))
}

fn no_route(table: &RouteTableId, destination: &Destination) -> Refusal {
    let message =
        format!("no route with destination-cidr-block {destination} in route table {table}");
    Refusal::new("InvalidRoute.NotFound", message)
}

/// Adds a route.
///
/// # Errors
/// `RouteAlreadyExists`, `RouteLimitExceeded`, `InvalidParameterValue` for one that AWS doesn't allow.
pub fn create_route(
    state: &mut State,
    context: &Context,
    id: &str,
    destination: Destination,
    target: RouteTarget,
) -> Result<(), Refusal> {
    let table = find(state, context, id)?;
    if table
        .routes
        .iter()
        .any(|route| route.destination == destination)
    {
        return Err(Refusal::new(
            "RouteAlreadyExists",
            format!("The route identified by {destination} already exists."),
        ));
    }
    let own = table
        .routes
        .iter()
        .filter(|route| route.target != RouteTarget::Local)
        .count();
    check(context, Quota::RoutesPerTable, own, 1)?;
    check_route(state, table, &destination, &target)?;
    let id = table.id.clone();
    edit(state, &id, |table| {
        table.routes.push(Route {
            destination,
            target,
            origin: RouteOrigin::CreateRoute,
        });
    });
    Ok(())
}

/// What AWS allows as a route of a table.
fn check_route(
    state: &State,
    table: &RouteTable,
    destination: &Destination,
    target: &RouteTarget,
) -> Result<(), Refusal> {
    check_network(state, table, target)?;
    if let (Destination::Cidr(to), false) = (destination, *target == RouteTarget::Local) {
        check_inside(state, table, *to, target)?;
    }
    if table.is_edge()
        && !matches!(
            target,
            RouteTarget::Local | RouteTarget::NetworkInterface(_)
        )
    {
        let message = format!(
            "route table {} is associated with a gateway; its routes can only have network interfaces as targets",
            table.id
        );
        return Err(Refusal::invalid_value(message));
    }
    Ok(())
}

fn check_network(state: &State, table: &RouteTable, target: &RouteTarget) -> Result<(), Refusal> {
    let (what, vpc): (&dyn std::fmt::Display, _) = match target {
        RouteTarget::Local => return Ok(()),
        RouteTarget::InternetGateway(id) => (
            id,
            state
                .internet_gateways
                .get(id)
                .and_then(|gateway| gateway.vpc.clone()),
        ),
        RouteTarget::NatGateway(id) => (
            id,
            state
                .nat_gateways
                .get(id)
                .map(|gateway| gateway.vpc.clone()),
        ),
        RouteTarget::NetworkInterface(id) => (
            id,
            state
                .network_interfaces
                .get(id)
                .map(|interface| interface.vpc.clone()),
        ),
    };
    if vpc.as_ref() == Some(&table.vpc) {
        return Ok(());
    }
    Err(Refusal::invalid_value(format!(
        "route table {} and network gateway {what} belong to different networks",
        table.id
    )))
}

/// A route more specific than the local one must be for a whole subnet, to an interface or a NAT
/// gateway.
/// <https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Route_Tables.html#route-table-routes>
fn check_inside(
    state: &State,
    table: &RouteTable,
    to: Ipv4Net,
    target: &RouteTarget,
) -> Result<(), Refusal> {
    let cidrs = state
        .vpcs
        .get(&table.vpc)
        .map(|vpc| vpc.cidrs.clone())
        .unwrap_or_default();
    if !cidrs
        .iter()
        .any(|association| association.cidr.contains(&to))
    {
        return Ok(());
    }
    let whole_subnet = state
        .subnets
        .values()
        .any(|subnet| subnet.vpc == table.vpc && subnet.cidr == to);
    if !whole_subnet {
        return Err(Refusal::invalid_value(format!(
            "The destination CIDR block {to} is equal to or more specific than one of this VPC's CIDR blocks. This route can target only an interface or an instance and must be the CIDR of a subnet."
        )));
    }
    if matches!(target, RouteTarget::InternetGateway(_)) {
        return Err(Refusal::invalid_value(format!(
            "The destination CIDR block {to} is equal to or more specific than one of this VPC's CIDR blocks. This route can target only an interface or an instance."
        )));
    }
    Ok(())
}

/// Gives a route another target; a local one may be given an interface and back.
///
/// # Errors
/// `InvalidParameterValue` when there is none, and as [`create_route`].
pub fn replace_route(
    state: &mut State,
    context: &Context,
    id: &str,
    destination: &Destination,
    target: RouteTarget,
) -> Result<(), Refusal> {
    let table = find(state, context, id)?;
    let known = table
        .routes
        .iter()
        .find(|route| route.destination == *destination);
    let known = known.ok_or_else(|| {
        Refusal::invalid_value(format!(
            "There is no route defined for '{destination}' in the route table. Use CreateRoute instead."
        ))
    })?;
    if known.origin == RouteOrigin::CreateRouteTable {
        if !matches!(
            target,
            RouteTarget::Local | RouteTarget::NetworkInterface(_)
        ) {
            return Err(Refusal::invalid_value(
                "The target of a local route can only be a network interface.",
            ));
        }
        check_network(state, table, &target)?;
    } else {
        check_route(state, table, destination, &target)?;
    }
    let id = table.id.clone();
    edit(state, &id, |table| {
        let routes = table
            .routes
            .iter_mut()
            .filter(|route| route.destination == *destination);
        routes.for_each(|route| route.target = target.clone());
    });
    Ok(())
}

/// Takes a route away.
///
/// # Errors
/// `InvalidRoute.NotFound`, `InvalidParameterValue` for a local route.
pub fn delete_route(
    state: &mut State,
    context: &Context,
    id: &str,
    destination: &Destination,
) -> Result<(), Refusal> {
    let table = find(state, context, id)?;
    let known = table
        .routes
        .iter()
        .find(|route| route.destination == *destination);
    let known = known.ok_or_else(|| no_route(&table.id, destination))?;
    if known.origin == RouteOrigin::CreateRouteTable {
        return Err(Refusal::invalid_value(format!(
            "cannot remove local route {destination} in route table {}",
            table.id
        )));
    }
    let id = table.id.clone();
    edit(state, &id, |table| {
        table
            .routes
            .retain(|route| route.destination != *destination);
    });
    Ok(())
}
