//! Public addresses given to an instance's first interface at its start and gone at its stop.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-instance-addressing.html>

use super::*;

/// Gives an interface's primary address a public one. Where it has one already, that stays: an
/// interface with an Elastic IP gets no other.
///
/// # Errors
/// `InvalidNetworkInterfaceID.NotFound`, `InsufficientAddressCapacity`.
pub fn assign_automatic(state: &mut State, id: &NetworkInterfaceId) -> Result<Ipv4Addr, Refusal> {
    let interface = network_interface::edit(state, id)?.clone();
    if let Some(public) = interface
        .primary()
        .and_then(|primary| public_of(state, primary))
    {
        return Ok(public);
    }
    let public = pool::any(state)?;
    if let Some(primary) = network_interface::edit(state, id)?.addresses.first_mut() {
        primary.public = Some(PublicAddress::Automatic(public));
    }
    Ok(public)
}

/// Takes the automatic public address of an interface, if it has one; Elastic IPs stay.
pub fn release_automatic(state: &mut State, id: &NetworkInterfaceId) {
    let Some(interface) = state.network_interfaces.get(id) else {
        return;
    };
    let automatic =
        |address: &PrivateAddress| matches!(address.public, Some(PublicAddress::Automatic(_)));
    if !interface.addresses.iter().any(automatic) {
        return;
    }
    if let Ok(interface) = network_interface::edit(state, id) {
        for address in interface
            .addresses
            .iter_mut()
            .filter(|address| automatic(address))
        {
            address.public = None;
        }
    }
}
