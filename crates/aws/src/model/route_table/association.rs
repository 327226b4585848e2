//! Whom tables route for: subnets, the rest of a VPC, what comes in by an internet gateway.

use super::*;

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

pub(super) fn join(
    state: &mut State,
    id: &RouteTableId,
    with: AssociatedWith,
) -> RouteTableAssociationId {
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
    let of_region = context.here(&state.route_tables);
    let mut found = of_region.filter_map(|table| {
        let association = table
            .associations
            .iter()
            .find(|association| association.id.as_str() == id)?;
        Some((table, association))
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
