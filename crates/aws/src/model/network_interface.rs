//! Network interfaces (ENIs), their addresses and attachments.

use super::*;
use serde::{Deserialize, Serialize};

use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

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
    /// What it is for.
    pub kind: InterfaceKind,
    /// The idempotency token it was made with.
    pub client_token: Option<String>,
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
