//! NAT gateways.

use super::*;
use serde::{Deserialize, Serialize};

use std::net::Ipv4Addr;

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
    /// The idempotency token it was made with.
    pub client_token: Option<String>,
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
