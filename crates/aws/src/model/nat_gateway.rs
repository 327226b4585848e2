//! NAT gateways.
//!
//! <https://docs.aws.amazon.com/vpc/latest/userguide/vpc-nat-gateway.html>

use super::*;
use crate::model::quota::{Quota, check};
use network_interface::{InterfaceKind, NewInterface};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use std::sync::Arc;

/// A NAT gateway.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NatGateway {
    /// Its id.
    pub id: NatGatewayId,
    /// The region.
    pub region: String,
    /// Its VPC.
    pub vpc: VpcId,
    /// The subnet its interface lies in.
    pub subnet: SubnetId,
    /// Its interface, requester-managed.
    pub network_interface: NetworkInterfaceId,
    /// Its private address, kept after the interface is gone.
    pub private_ip: Ipv4Addr,
    /// Its Elastic IP, if it is public.
    pub allocation: Option<AllocationId>,
    /// The public address, kept after deletion for display.
    pub public_ip: Option<Ipv4Addr>,
    /// The Elastic IP's association.
    pub association: Option<AssociationId>,
    /// Its state.
    pub state: NatGatewayState,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// When its state ends: pending becomes available, deleting becomes deleted, deleted vanishes.
    pub until: i64,
    /// When it was deleted.
    pub deleted: Option<i64>,
}

/// A NAT gateway's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NatGatewayState {
    /// Being made.
    Pending,
    /// Working.
    Available,
    /// Being deleted.
    Deleting,
    /// Deleted; shown for about an hour.
    Deleted,
}

/// What to make.
#[derive(Clone, Debug, Default)]
pub struct NewNatGateway {
    /// The subnet.
    pub subnet: String,
    /// The Elastic IP of a public one; none for a private one.
    pub allocation: Option<String>,
    /// The private address, or one of AWS's choice.
    pub private_ip: Option<Ipv4Addr>,
}

pub(crate) fn unknown(id: &str) -> Refusal {
    if NatGatewayId::well_formed(id) {
        Refusal::new(
            "NatGatewayNotFound",
            format!("NatGateway {id} was not found"),
        )
    } else {
        Refusal::new(
            "NatGatewayMalformed",
            format!("Invalid id: \"{id}\" (expecting \"nat-...\")"),
        )
    }
}

/// A NAT gateway of the request's region, a deleted one too.
///
/// # Errors
/// `NatGatewayNotFound` or `NatGatewayMalformed`.
pub fn find<'s>(state: &'s State, context: &Context, id: &str) -> Result<&'s NatGateway, Refusal> {
    context
        .find(&state.nat_gateways, id)
        .ok_or_else(|| unknown(id))
}

fn is_alive(gateway: &NatGateway) -> bool {
    matches!(
        gateway.state,
        NatGatewayState::Pending | NatGatewayState::Available
    )
}

/// Makes a NAT gateway with its interface.
///
/// # Errors
/// Those of its subnet, address and interface; `InvalidAllocationID.NotFound`,
/// `Resource.AlreadyAssociated` for an Elastic IP in use, `Gateway.NotAttached` for a public gateway
/// in a VPC without an internet gateway, `NatGatewayLimitExceeded`.
pub fn create(
    state: &mut State,
    context: &Context,
    new: &NewNatGateway,
) -> Result<NatGatewayId, Refusal> {
    let subnet = subnet::find(state, context, &new.subnet)?.clone();
    let in_zone = |gateway: &&Arc<NatGateway>| {
        is_alive(gateway)
            && state
                .subnets
                .get(&gateway.subnet)
                .is_some_and(|other| other.zone == subnet.zone)
    };
    check(
        context,
        Quota::NatGatewaysPerZone,
        state.nat_gateways.values().filter(in_zone).count(),
        1,
    )?;
    if new.allocation.is_some() && internet_gateway::of_vpc(state, &subnet.vpc).is_none() {
        return Err(Refusal::new(
            "Gateway.NotAttached",
            format!("Network {} has no Internet gateway attached", subnet.vpc),
        ));
    }
    let allocation = match &new.allocation {
        Some(id) => Some(free_allocation(state, context, id)?),
        None => None,
    };
    let id = NatGatewayId::fresh(&state.digits());
    let interface = NewInterface {
        primary: new.private_ip,
        kind: InterfaceKind::NatGateway,
        description: format!("Interface for NAT Gateway {id}"),
        ..NewInterface::in_subnet(subnet.id.clone())
    };
    let interface = network_interface::create(state, context, interface)?;
    network_interface::attach_to_service(state, context, &interface)?;
    let association = match &allocation {
        Some(allocation) => Some(elastic_ip::associate_unchecked(
            state, allocation, &interface, None, false,
        )?),
        None => None,
    };
    insert(
        state,
        context,
        &subnet,
        &id,
        &interface,
        allocation,
        association,
    );
    Ok(id)
}

fn free_allocation(state: &State, context: &Context, id: &str) -> Result<AllocationId, Refusal> {
    let elastic = elastic_ip::find(state, context, id)?;
    match &elastic.association {
        Some(_) => Err(Refusal::new(
            "Resource.AlreadyAssociated",
            format!("resource {id} is already associated"),
        )),
        None => Ok(elastic.id.clone()),
    }
}

#[allow(clippy::too_many_arguments)]
fn insert(
    state: &mut State,
    context: &Context,
    subnet: &subnet::Subnet,
    id: &NatGatewayId,
    interface: &NetworkInterfaceId,
    allocation: Option<AllocationId>,
    association: Option<AssociationId>,
) {
    let address = state
        .network_interfaces
        .get(interface)
        .and_then(|interface| interface.addresses.first());
    let private_ip = address.map_or(Ipv4Addr::UNSPECIFIED, |address| address.ip);
    let public_ip = allocation
        .as_ref()
        .and_then(|id| state.elastic_ips.get(id))
        .map(|elastic| elastic.public_ip);
    let gateway = NatGateway {
        id: id.clone(),
        region: context.region.clone(),
        vpc: subnet.vpc.clone(),
        subnet: subnet.id.clone(),
        network_interface: interface.clone(),
        private_ip,
        allocation,
        public_ip,
        association,
        state: NatGatewayState::Pending,
        created: context.now,
        until: context.now + context.pace.waiting(60),
        deleted: None,
    };
    state.nat_gateways.insert(id.clone(), Arc::new(gateway));
}

/// Deletes a NAT gateway: its interface goes, its Elastic IP is free, routes to it are blackholes.
///
/// # Errors
/// `NatGatewayNotFound`, also for one that is deleted.
pub fn delete(state: &mut State, context: &Context, id: &str) -> Result<NatGatewayId, Refusal> {
    let gateway = find(state, context, id)?;
    if !is_alive(gateway) {
        return Err(unknown(id));
    }
    let mut gateway = gateway.clone();
    if let Some(allocation) = &gateway.allocation {
        elastic_ip::dissolve(state, allocation);
    }
    network_interface::release(state, &gateway.network_interface)?;
    network_interface::delete(state, &gateway.network_interface)?;
    gateway.state = NatGatewayState::Deleting;
    gateway.deleted = Some(context.now);
    gateway.until = context.now + context.pace.waiting(30);
    let id = gateway.id.clone();
    state.nat_gateways.insert(id.clone(), Arc::new(gateway));
    Ok(id)
}

/// How long a deleted gateway is still shown, in seconds.
const SHOWN: i64 = 3600;

/// Ends the states that are over by now.
pub fn finish_transitions(state: &mut State, now: i64) {
    let due: Vec<_> = state
        .nat_gateways
        .values()
        .filter(|gateway| gateway.state != NatGatewayState::Available && gateway.until <= now)
        .map(|gateway| gateway.id.clone())
        .collect();
    for id in due {
        let Some(gateway) = state.nat_gateways.get_mut(&id) else {
            continue;
        };
        let gateway = Arc::make_mut(gateway);
        match gateway.state {
            NatGatewayState::Pending => gateway.state = NatGatewayState::Available,
            NatGatewayState::Deleting => {
                gateway.state = NatGatewayState::Deleted;
                gateway.until = now + SHOWN;
            }
            NatGatewayState::Available | NatGatewayState::Deleted => {
                state.nat_gateways.remove(&id);
                tag::remove_all(state, id.as_str());
            }
        }
    }
}

/// When the next state ends.
pub fn next_transition(state: &State) -> Option<i64> {
    let timed = state
        .nat_gateways
        .values()
        .filter(|gateway| gateway.state != NatGatewayState::Available);
    timed.map(|gateway| gateway.until).min()
}
