//! Elastic IPs.

use super::*;
use serde::{Deserialize, Serialize};

use std::net::Ipv4Addr;

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
