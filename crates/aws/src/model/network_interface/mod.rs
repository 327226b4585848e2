//! Network interfaces (ENIs), their addresses and attachments.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-eni.html>

mod address;
mod attachment;
mod lifecycle;

pub use address::{Assigned, Wanted, assign, unassign};
pub(crate) use attachment::unknown_instance;
pub use attachment::{
    attach, attach_to_running, attach_to_service, detach, find_attachment, release,
    set_delete_on_termination,
};
pub use lifecycle::{NewInterface, create, delete, set_groups, set_groups_unchecked};

use super::*;
use serde::{Deserialize, Serialize};

use ipnet::Ipv4Net;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// A network interface.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkInterface {
    /// Its id.
    pub id: NetworkInterfaceId,
    /// The region.
    pub region: String,
    /// Its VPC.
    pub vpc: VpcId,
    /// Its subnet.
    pub subnet: SubnetId,
    /// Its MAC address, `02:…`.
    pub mac: [u8; 6],
    /// Its description.
    pub description: String,
    /// Its private addresses, the primary first.
    pub addresses: Vec<PrivateAddress>,
    /// Its delegated /28 prefixes.
    pub prefixes: Vec<Ipv4Net>,
    /// Its security groups.
    pub groups: Vec<SecurityGroupId>,
    /// The source/destination check.
    pub source_dest_check: bool,
    /// Its attachment.
    pub attachment: Option<Attachment>,
    /// Whether its primary address gets a public one at each start of its instance.
    #[serde(default)]
    pub public_on_start: bool,
    /// What it is for.
    pub kind: InterfaceKind,
}

/// A private address of a network interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrivateAddress {
    /// The address.
    pub ip: Ipv4Addr,
    /// The public address mapped to it.
    pub public: Option<PublicAddress>,
}

/// A public address mapped to a private one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PublicAddress {
    /// Given at launch from Amazon's pool, gone at stop.
    Automatic(Ipv4Addr),
    /// An Elastic IP; its record has the address and the association.
    Elastic(AllocationId),
}

/// What a network interface is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InterfaceKind {
    /// A user's.
    Interface,
    /// A NAT gateway's: requester-managed, without security groups.
    NatGateway,
    /// A node's of an application or a classic load balancer.
    LoadBalancer,
    /// A node's of a network load balancer.
    NetworkLoadBalancer,
    /// A node's of a gateway load balancer, without security groups.
    GatewayLoadBalancer,
    /// A Kubernetes control plane's, of EKS, in its user's subnet.
    ControlPlane,
    /// A machine's of Fargate.
    Fargate,
}

/// The attachment of a network interface to an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Its id.
    pub id: AttachmentId,
    /// The instance; `None` where the owner is the service itself.
    pub instance: Option<InstanceId>,
    /// The device index, `eth<index>`.
    pub device_index: u16,
    /// Whether the interface goes with its instance.
    pub delete_on_termination: bool,
    /// Since when, in seconds since 1970.
    pub since: i64,
}

impl InterfaceKind {
    /// Whether a service made it for itself, so that its user may look but not touch.
    pub fn is_requester_managed(self) -> bool {
        self != Self::Interface
    }

    /// Whether it is a load balancer's node.
    pub fn is_balancer(self) -> bool {
        match self {
            Self::Interface | Self::NatGateway | Self::ControlPlane | Self::Fargate => false,
            Self::LoadBalancer | Self::NetworkLoadBalancer | Self::GatewayLoadBalancer => true,
        }
    }

    /// Whether it begins with the source/destination check on: nodes that hand on packets as they came can't.
    pub(super) fn begins_checked(self) -> bool {
        matches!(
            self,
            Self::Interface | Self::LoadBalancer | Self::ControlPlane | Self::Fargate
        )
    }
}

impl NetworkInterface {
    /// The primary private address. Every interface has one from its creation on.
    pub fn primary(&self) -> Option<&PrivateAddress> {
        self.addresses.first()
    }

    /// The instance it is attached to.
    pub fn instance(&self) -> Option<&InstanceId> {
        self.attachment.as_ref()?.instance.as_ref()
    }

    /// How many of its instance type's address slots it fills: a prefix takes one, as an address.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-prefix-eni.html>
    pub fn slots(&self) -> usize {
        self.addresses.len() + self.prefixes.len()
    }

    /// Whether an address is one of its own or lies in one of its prefixes.
    pub fn holds(&self, ip: Ipv4Addr) -> bool {
        self.addresses.iter().any(|address| address.ip == ip)
            || self.prefixes.iter().any(|prefix| prefix.contains(&ip))
    }

    /// Refuses what only the service that made the interface may do.
    pub fn changeable(&self) -> Result<(), Refusal> {
        if self.kind.is_requester_managed() {
            return Err(not_yours());
        }
        Ok(())
    }
}

/// What AWS says when a requester-managed resource is to be changed.
pub(crate) fn not_yours() -> Refusal {
    Refusal::new(
        "AuthFailure",
        "You do not have permission to access the specified resource.",
    )
}

/// An unknown or malformed id.
pub(crate) fn unknown(id: &str) -> Refusal {
    if NetworkInterfaceId::well_formed(id) {
        Refusal::new(
            "InvalidNetworkInterfaceID.NotFound",
            format!("The networkInterface ID '{id}' does not exist"),
        )
    } else {
        Refusal::new(
            "InvalidNetworkInterfaceId.Malformed",
            format!("Invalid id: \"{id}\" (expecting \"eni-...\")"),
        )
    }
}

/// The interface of that id in the region asked.
///
/// # Errors
/// `InvalidNetworkInterfaceID.NotFound`, `InvalidNetworkInterfaceId.Malformed`.
pub fn find<'s>(
    state: &'s State,
    context: &Context,
    id: &str,
) -> Result<&'s NetworkInterface, Refusal> {
    context
        .find(&state.network_interfaces, id)
        .ok_or_else(|| unknown(id))
}

/// The interface to change.
pub(crate) fn edit<'s>(
    state: &'s mut State,
    id: &NetworkInterfaceId,
) -> Result<&'s mut NetworkInterface, Refusal> {
    state
        .network_interfaces
        .get_mut(id)
        .map(Arc::make_mut)
        .ok_or_else(|| unknown(id.as_str()))
}

/// The addresses of a subnet that interfaces hold, those inside delegated prefixes included.
pub fn in_use(state: &State, subnet: &SubnetId) -> BTreeSet<Ipv4Addr> {
    let mut held = BTreeSet::new();
    for interface in state.network_interfaces.values() {
        if interface.subnet == *subnet {
            held.extend(interface.addresses.iter().map(|address| address.ip));
            held.extend(interface.prefixes.iter().flat_map(every_address));
        }
    }
    held
}

/// All addresses of a prefix: a delegated one has neither network nor broadcast address.
fn every_address(prefix: &Ipv4Net) -> impl Iterator<Item = Ipv4Addr> + use<> {
    (u32::from(prefix.network())..=u32::from(prefix.broadcast())).map(Ipv4Addr::from)
}

/// An instance's interfaces by device index.
pub fn of_instance<'s>(state: &'s State, instance: &InstanceId) -> Vec<&'s NetworkInterface> {
    let Some(instance) = state.instances.get(instance) else {
        return Vec::new();
    };
    let interfaces = instance.interfaces.iter();
    interfaces
        .filter_map(|id| state.network_interfaces.get(id))
        .map(Arc::as_ref)
        .collect()
}

/// Changes the description.
///
/// # Errors
/// `InvalidParameterValue` beyond 255 characters, `AuthFailure` on a service's interface.
pub fn set_description(
    state: &mut State,
    id: &NetworkInterfaceId,
    description: String,
) -> Result<(), Refusal> {
    lifecycle::check_description(&description)?;
    let interface = edit(state, id)?;
    interface.changeable()?;
    interface.description = description;
    Ok(())
}

/// Switches the source/destination check.
///
/// # Errors
/// `AuthFailure` on a service's interface.
pub fn set_source_dest_check(
    state: &mut State,
    id: &NetworkInterfaceId,
    check: bool,
) -> Result<(), Refusal> {
    let interface = edit(state, id)?;
    interface.changeable()?;
    interface.source_dest_check = check;
    Ok(())
}
