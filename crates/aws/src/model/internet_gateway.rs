//! Internet gateways.

use super::*;
use crate::model::quota::{Quota, check};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// An internet gateway.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InternetGateway {
    /// Its id.
    pub id: InternetGatewayId,
    /// The region.
    pub region: String,
    /// The VPC it is attached to.
    pub vpc: Option<VpcId>,
}

pub(crate) fn unknown(id: &str) -> Refusal {
    if InternetGatewayId::well_formed(id) {
        Refusal::new(
            "InvalidInternetGatewayID.NotFound",
            format!("The internetGateway ID '{id}' does not exist"),
        )
    } else {
        Refusal::new(
            "InvalidInternetGatewayId.Malformed",
            format!("Invalid id: \"{id}\" (expecting \"igw-...\")"),
        )
    }
}

/// An internet gateway of the request's region.
///
/// # Errors
/// `InvalidInternetGatewayID.NotFound` or `.Malformed`.
pub fn find<'s>(
    state: &'s State,
    context: &Context,
    id: &str,
) -> Result<&'s InternetGateway, Refusal> {
    context
        .find(&state.internet_gateways, id)
        .ok_or_else(|| unknown(id))
}

/// The internet gateway attached to a VPC.
pub fn of_vpc<'s>(state: &'s State, vpc: &VpcId) -> Option<&'s InternetGateway> {
    state
        .internet_gateways
        .values()
        .find(|gateway| gateway.vpc.as_ref() == Some(vpc))
        .map(AsRef::as_ref)
}

/// Makes one, attached to nothing.
///
/// # Errors
/// `InternetGatewayLimitExceeded`.
pub fn create(state: &mut State, context: &Context) -> Result<InternetGatewayId, Refusal> {
    let own = context.here(&state.internet_gateways).count();
    check(context, Quota::InternetGateways, own, 1)?;
    let id = InternetGatewayId::fresh(&state.digits());
    let gateway = InternetGateway {
        id: id.clone(),
        region: context.region.clone(),
        vpc: None,
    };
    state
        .internet_gateways
        .insert(id.clone(), Arc::new(gateway));
    Ok(id)
}

/// Attaches it to a VPC.
///
/// # Errors
/// `Resource.AlreadyAssociated`, or `InvalidParameterValue` when the VPC has another.
pub fn attach(
    state: &mut State,
    context: &Context,
    id: &InternetGatewayId,
    vpc: &VpcId,
) -> Result<(), Refusal> {
    let gateway = find(state, context, id.as_str())?;
    vpc::find(state, context, vpc.as_str())?;
    if let Some(to) = &gateway.vpc {
        return Err(Refusal::new(
            "Resource.AlreadyAssociated",
            format!("resource {id} is already attached to network {to}"),
        ));
    }
    if of_vpc(state, vpc).is_some() {
        return Err(Refusal::invalid_value(format!(
            "Network {vpc} already has an internet gateway attached"
        )));
    }
    set(state, id, Some(vpc.clone()));
    Ok(())
}

/// Detaches it.
///
/// # Errors
/// `Gateway.NotAttached`; `DependencyViolation` while the VPC has mapped public addresses.
pub fn detach(
    state: &mut State,
    context: &Context,
    id: &InternetGatewayId,
    vpc: &VpcId,
) -> Result<(), Refusal> {
    let gateway = find(state, context, id.as_str())?;
    vpc::find(state, context, vpc.as_str())?;
    if gateway.vpc.as_ref() != Some(vpc) {
        return Err(Refusal::new(
            "Gateway.NotAttached",
            format!("resource {id} is not attached to network {vpc}"),
        ));
    }
    let mapped = state.network_interfaces.values().any(|interface| {
        interface.vpc == *vpc
            && interface
                .addresses
                .iter()
                .any(|address| address.public.is_some())
    });
    if mapped {
        let message = format!(
            "Network {vpc} has some mapped public address(es). Please unmap those public address(es) before detaching the gateway."
        );
        return Err(Refusal::new("DependencyViolation", message));
    }
    route_table::forget_gateway(state, id);
    set(state, id, None);
    Ok(())
}

fn set(state: &mut State, id: &InternetGatewayId, vpc: Option<VpcId>) {
    if let Some(gateway) = state.internet_gateways.get_mut(id) {
        Arc::make_mut(gateway).vpc = vpc;
    }
}

/// Deletes it.
///
/// # Errors
/// `DependencyViolation` while it is attached.
pub fn delete(state: &mut State, context: &Context, id: &InternetGatewayId) -> Result<(), Refusal> {
    if find(state, context, id.as_str())?.vpc.is_some() {
        return Err(Refusal::dependency("internetGateway", id));
    }
    state.internet_gateways.remove(id);
    tag::remove_all(state, id.as_str());
    Ok(())
}
