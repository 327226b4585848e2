//! Routes and what they may be.

use super::*;

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
    if *target == RouteTarget::Local {
        return Err(Refusal::invalid_value(format!(
            "The target of the route to {destination} cannot be local: local routes are those of the VPC's own CIDR blocks."
        )));
    }
    check_network(state, table, target)?;
    if let Destination::Cidr(to) = destination {
        check_inside(state, table, *to, target)?;
    }
    if table.is_edge() && !matches!(target, RouteTarget::NetworkInterface(_)) {
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
