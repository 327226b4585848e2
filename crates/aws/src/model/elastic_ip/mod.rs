//! Elastic IPs and the automatic public addresses beside them.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/elastic-ip-addresses-eip.html>

mod association;
mod automatic;
mod pool;

pub use association::{
    Target, associate, associate_unchecked, disassociate, dissolve, find_association,
};
pub(crate) use association::{follow, orphan};
pub use automatic::{assign_automatic, release_automatic};
pub(crate) use pool::any;
pub use pool::{is_in_pool, taken};

use super::network_interface::{PrivateAddress, PublicAddress};
use super::quota::{self, Quota};
use super::*;
use serde::{Deserialize, Serialize};

use std::net::Ipv4Addr;
use std::sync::Arc;

/// An Elastic IP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ElasticIp {
    /// Its allocation's id.
    pub id: AllocationId,
    /// The region.
    pub region: String,
    /// The address.
    pub public_ip: Ipv4Addr,
    /// What it is associated with. The interface's address names this allocation in turn.
    pub association: Option<EipAssociation>,
}

/// What an Elastic IP is associated with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EipAssociation {
    /// The association's id.
    pub id: AssociationId,
    /// The network interface.
    pub network_interface: NetworkInterfaceId,
    /// Which of its private addresses.
    pub private_ip: Ipv4Addr,
}

/// An unknown or malformed allocation id.
pub(crate) fn unknown(id: &str) -> Refusal {
    if AllocationId::well_formed(id) {
        Refusal::new(
            "InvalidAllocationID.NotFound",
            format!("The allocation ID '{id}' does not exist"),
        )
    } else {
        Refusal::invalid_value(format!(
            "Value ({id}) for parameter allocationId is invalid. Expected: 'eipalloc-...'."
        ))
    }
}

/// The Elastic IP of that allocation in the region asked.
///
/// # Errors
/// `InvalidAllocationID.NotFound`, `InvalidParameterValue` for a malformed id.
pub fn find<'s>(state: &'s State, context: &Context, id: &str) -> Result<&'s ElasticIp, Refusal> {
    context
        .find(&state.elastic_ips, id)
        .ok_or_else(|| unknown(id))
}

/// The Elastic IP with that public address in the region asked.
///
/// # Errors
/// `InvalidAddress.NotFound`.
pub fn find_by_address<'s>(
    state: &'s State,
    context: &Context,
    ip: Ipv4Addr,
) -> Result<&'s ElasticIp, Refusal> {
    state
        .elastic_ips
        .values()
        .map(Arc::as_ref)
        .find(|address| address.region == context.region && address.public_ip == ip)
        .ok_or_else(|| unknown_address(&ip.to_string()))
}

/// A public address that is not allocated.
pub(crate) fn unknown_address(ip: &str) -> Refusal {
    Refusal::new(
        "InvalidAddress.NotFound",
        format!("Address '{ip}' not found."),
    )
}

/// The public address mapped to a private one.
pub fn public_of(state: &State, address: &PrivateAddress) -> Option<Ipv4Addr> {
    match address.public.as_ref()? {
        PublicAddress::Automatic(ip) => Some(*ip),
        PublicAddress::Elastic(allocation) => state
            .elastic_ips
            .get(allocation)
            .map(|elastic| elastic.public_ip),
    }
}

/// Allocates an Elastic IP, of a given address if it is free in the lab's pool.
///
/// # Errors
/// `AddressLimitExceeded`, `InvalidAddress.NotFound` for an address that can't be had,
/// `InsufficientAddressCapacity` when the pool is empty.
pub fn allocate(
    state: &mut State,
    context: &Context,
    given: Option<Ipv4Addr>,
) -> Result<AllocationId, Refusal> {
    let of_region = context.here(&state.elastic_ips);
    quota::check(context, Quota::ElasticIps, of_region.count(), 1)?;
    let public_ip = match given {
        Some(ip) if is_in_pool(ip) && !taken(state).contains(&ip) => ip,
        Some(ip) => return Err(unknown_address(&ip.to_string())),
        None => pool::next(state)?,
    };
    let id = AllocationId::fresh(&state.digits());
    let address = ElasticIp {
        id: id.clone(),
        region: context.region.clone(),
        public_ip,
        association: None,
    };
    state.elastic_ips.insert(id.clone(), Arc::new(address));
    Ok(id)
}

/// Gives an Elastic IP back; its tags go.
///
/// # Errors
/// `InvalidIPAddress.InUse` while it is associated, `InvalidAllocationID.NotFound`.
pub fn release(state: &mut State, id: &AllocationId) -> Result<(), Refusal> {
    let address = state
        .elastic_ips
        .get(id)
        .ok_or_else(|| unknown(id.as_str()))?;
    if address.association.is_some() {
        return Err(Refusal::new(
            "InvalidIPAddress.InUse",
            format!("Address {} is in use.", address.public_ip),
        ));
    }
    state.elastic_ips.remove(id);
    tag::remove_all(state, id.as_str());
    Ok(())
}
