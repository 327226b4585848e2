//! A control plane's interfaces in its user's subnets, which EKS alone may change.
//!
//! Two, in different zones; EKS documents two to four, of which the rest come while a control plane is replaced.
//! <https://docs.aws.amazon.com/eks/latest/best-practices/subnets.html>

use super::*;
use crate::model::network_interface::{InterfaceKind, NewInterface};

/// In so many zones a control plane has an interface.
const ZONES: usize = 2;

/// The subnets that get one: the first of each of the first zones.
fn chosen(state: &State, subnets: &[SubnetId]) -> Vec<SubnetId> {
    let mut zones: Vec<&str> = Vec::with_capacity(ZONES);
    let mut chosen = Vec::with_capacity(ZONES);
    for subnet in subnets.iter().filter_map(|id| state.subnets.get(id)) {
        if chosen.len() < ZONES && !zones.contains(&subnet.zone.as_str()) {
            zones.push(&subnet.zone);
            chosen.push(subnet.id.clone());
        }
    }
    chosen
}

/// Makes a control plane's interfaces.
///
/// # Errors
/// `InvalidParameterException` for what an interface can't have.
pub(super) fn place(
    state: &mut State,
    context: &Context,
    name: &str,
    subnets: &[SubnetId],
    groups: &[SecurityGroupId],
) -> Result<Vec<NetworkInterfaceId>, Refusal> {
    let chosen = chosen(state, subnets);
    let place = |subnet: SubnetId| {
        let new = NewInterface {
            groups: groups.to_vec(),
            description: format!("Amazon EKS {name}"),
            kind: InterfaceKind::ControlPlane,
            ..NewInterface::in_subnet(subnet)
        };
        let id = network_interface::create(state, context, new)
            .map_err(|refusal| invalid(refusal.message))?;
        network_interface::attach_to_service(state, context, &id)?;
        Ok(id)
    };
    chosen.into_iter().map(place).collect()
}

/// Takes a control plane's interfaces away.
pub(super) fn remove(state: &mut State, interfaces: &[NetworkInterfaceId]) {
    for id in interfaces {
        // One that isn't there is gone already.
        let _ = network_interface::release(state, id);
        let _ = network_interface::delete(state, id);
    }
}

/// The cluster of a control plane's interface.
pub fn cluster_of<'s>(state: &'s State, id: &NetworkInterfaceId) -> Option<&'s Cluster> {
    let mut all = state.eks_clusters.values().map(Arc::as_ref);
    all.find(|cluster| cluster.interfaces.contains(id))
}
