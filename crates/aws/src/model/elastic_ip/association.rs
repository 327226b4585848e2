//! What an Elastic IP is associated with.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateAddress.html>

use super::*;
use crate::model::instance::InstanceState;
use crate::model::network_interface::NetworkInterface;

/// What an Elastic IP is to be associated with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// An instance that has one interface.
    Instance(InstanceId),
    /// A network interface.
    Interface(NetworkInterfaceId),
}

/// Associates an Elastic IP with a private address, the interface's primary one unless given. An
/// automatic public address there is given up, another Elastic IP there disassociated.
///
/// # Errors
/// `Resource.AlreadyAssociated` when the Elastic IP is elsewhere and `allow_reassociation` is off,
/// `Gateway.NotAttached` for a VPC without an internet gateway, `InvalidInstanceID` for an instance
/// of several interfaces or in the wrong state, `InvalidParameterValue` for a private address that
/// the interface does not have, `AuthFailure` when either end is a service's.
pub fn associate(
    state: &mut State,
    context: &Context,
    id: &AllocationId,
    target: &Target,
    private_ip: Option<Ipv4Addr>,
    allow_reassociation: bool,
) -> Result<AssociationId, Refusal> {
    find(state, context, id.as_str())?;
    let interface = interface_of(state, context, target)?;
    interface.changeable()?;
    associate_unchecked(
        state,
        id,
        &interface.id.clone(),
        private_ip,
        allow_reassociation,
    )
}

/// As [`associate`], on any interface: services associate Elastic IPs with their own.
///
/// # Errors
/// As [`associate`].
pub fn associate_unchecked(
    state: &mut State,
    id: &AllocationId,
    interface_id: &NetworkInterfaceId,
    private_ip: Option<Ipv4Addr>,
    allow_reassociation: bool,
) -> Result<AssociationId, Refusal> {
    let elastic = state
        .elastic_ips
        .get(id)
        .ok_or_else(|| unknown(id.as_str()))?;
    let interface = state
        .network_interfaces
        .get(interface_id)
        .ok_or_else(|| network_interface::unknown(interface_id.as_str()))?;
    check_gateway(state, &interface.vpc)?;
    let private_ip = private_address(interface, private_ip)?;
    if let Some(present) = &elastic.association {
        if present.network_interface == *interface_id && present.private_ip == private_ip {
            return Ok(present.id.clone());
        }
        if !allow_reassociation {
            return Err(Refusal::new(
                "Resource.AlreadyAssociated",
                format!(
                    "resource {id} is already associated with associate-id {}",
                    present.id
                ),
            ));
        }
        check_owner(state, present)?;
        dissolve(state, id);
    }
    displace(state, interface_id, private_ip);
    let association = EipAssociation {
        id: AssociationId::fresh(&state.digits()),
        network_interface: interface_id.clone(),
        private_ip,
    };
    let association_id = association.id.clone();
    if let Some(elastic) = state.elastic_ips.get_mut(id) {
        Arc::make_mut(elastic).association = Some(association);
    }
    set_public(
        state,
        interface_id,
        private_ip,
        Some(PublicAddress::Elastic(id.clone())),
    );
    Ok(association_id)
}

fn interface_of<'s>(
    state: &'s State,
    context: &Context,
    target: &Target,
) -> Result<&'s NetworkInterface, Refusal> {
    match target {
        Target::Interface(id) => network_interface::find(state, context, id.as_str()),
        Target::Instance(id) => only_interface(state, context, id),
    }
}

fn only_interface<'s>(
    state: &'s State,
    context: &Context,
    id: &InstanceId,
) -> Result<&'s NetworkInterface, Refusal> {
    let instance = context
        .find(&state.instances, id)
        .ok_or_else(|| network_interface::unknown_instance(id))?;
    let state_name = match instance.state {
        InstanceState::Running | InstanceState::Stopping | InstanceState::Stopped => None,
        InstanceState::Pending => Some("pending"),
        InstanceState::ShuttingDown => Some("shutting-down"),
        InstanceState::Terminated => Some("terminated"),
    };
    if let Some(name) = state_name {
        return Err(Refusal::new(
            "InvalidInstanceID",
            format!("The {name} instance '{id}' is not in a valid state for this operation."),
        ));
    }
    match network_interface::of_instance(state, id)[..] {
        [only] => Ok(only),
        [] => Err(Refusal::new(
            "InvalidInstanceID",
            format!("Instance '{id}' has no network interface."),
        )),
        _ => Err(Refusal::new(
            "InvalidInstanceID",
            format!(
                "There are multiple interfaces attached to instance '{id}'. Please specify an interface ID for the operation instead."
            ),
        )),
    }
}

fn check_gateway(state: &State, vpc: &VpcId) -> Result<(), Refusal> {
    let attached = state
        .internet_gateways
        .values()
        .any(|gateway| gateway.vpc.as_ref() == Some(vpc));
    if attached {
        return Ok(());
    }
    Err(Refusal::new(
        "Gateway.NotAttached",
        format!("Network {vpc} is not attached to any internet gateway"),
    ))
}

fn private_address(
    interface: &NetworkInterface,
    given: Option<Ipv4Addr>,
) -> Result<Ipv4Addr, Refusal> {
    let mut addresses = interface.addresses.iter().map(|address| address.ip);
    match given {
        Some(given) if addresses.any(|ip| ip == given) => Ok(given),
        Some(given) => Err(Refusal::invalid_value(format!(
            "The private IP address {given} is not assigned to network interface {}.",
            interface.id
        ))),
        None => addresses.next().ok_or_else(|| {
            Refusal::invalid_value("The network interface has no private IP address.")
        }),
    }
}

/// Refuses to touch an association that a service made: a NAT gateway keeps its address for life.
fn check_owner(state: &State, association: &EipAssociation) -> Result<(), Refusal> {
    match state.network_interfaces.get(&association.network_interface) {
        Some(interface) => interface.changeable(),
        None => Ok(()),
    }
}

/// The Elastic IP with that association.
///
/// # Errors
/// `InvalidAssociationID.NotFound`, `InvalidParameterValue` for a malformed id.
pub fn find_association<'s>(
    state: &'s State,
    context: &Context,
    id: &str,
) -> Result<&'s ElasticIp, Refusal> {
    if !AssociationId::well_formed(id) {
        return Err(Refusal::invalid_value(format!(
            "Value ({id}) for parameter associationId is invalid. Expected: 'eipassoc-...'."
        )));
    }
    context
        .here(&state.elastic_ips)
        .find(|address| {
            let association = address.association.as_ref();
            association.is_some_and(|association| association.id.as_str() == id)
        })
        .ok_or_else(|| {
            Refusal::new(
                "InvalidAssociationID.NotFound",
                format!("The association ID '{id}' does not exist"),
            )
        })
}

/// Ends an Elastic IP's association, if it has one.
///
/// # Errors
/// `InvalidAllocationID.NotFound`, `AuthFailure` for a NAT gateway's.
pub fn disassociate(state: &mut State, id: &AllocationId) -> Result<(), Refusal> {
    let elastic = state
        .elastic_ips
        .get(id)
        .ok_or_else(|| unknown(id.as_str()))?;
    if let Some(association) = &elastic.association {
        check_owner(state, association)?;
        dissolve(state, id);
    }
    Ok(())
}

/// Ends an association on both ends, whoever made it.
pub fn dissolve(state: &mut State, id: &AllocationId) {
    let association = state
        .elastic_ips
        .get_mut(id)
        .and_then(|elastic| Arc::make_mut(elastic).association.take());
    if let Some(association) = association {
        set_public(
            state,
            &association.network_interface,
            association.private_ip,
            None,
        );
    }
}

/// Ends what public address a private one has.
fn displace(state: &mut State, interface: &NetworkInterfaceId, private_ip: Ipv4Addr) {
    let present = state
        .network_interfaces
        .get(interface)
        .and_then(|interface| {
            let mut addresses = interface.addresses.iter();
            addresses
                .find(|address| address.ip == private_ip)?
                .public
                .clone()
        });
    if let Some(PublicAddress::Elastic(other)) = present {
        dissolve(state, &other);
    }
}

fn set_public(
    state: &mut State,
    interface: &NetworkInterfaceId,
    private_ip: Ipv4Addr,
    public: Option<PublicAddress>,
) {
    let address = state
        .network_interfaces
        .get_mut(interface)
        .and_then(|interface| {
            let addresses = &mut Arc::make_mut(interface).addresses;
            addresses
                .iter_mut()
                .find(|address| address.ip == private_ip)
        });
    if let Some(address) = address {
        address.public = public;
    }
}

/// A private address moved to another interface, its Elastic IP with it.
pub(crate) fn follow(state: &mut State, id: &AllocationId, to: &NetworkInterfaceId) {
    if let Some(elastic) = state.elastic_ips.get_mut(id)
        && let Some(association) = &mut Arc::make_mut(elastic).association
    {
        association.network_interface = to.clone();
    }
}

/// These private addresses are gone: Elastic IPs on them are associated with nothing.
pub(crate) fn orphan(state: &mut State, gone: Vec<PrivateAddress>) {
    for address in gone {
        if let Some(PublicAddress::Elastic(id)) = address.public
            && let Some(elastic) = state.elastic_ips.get_mut(&id)
        {
            Arc::make_mut(elastic).association = None;
        }
    }
}
