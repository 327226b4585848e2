//! Network ACLs.

use super::*;
use serde::{Deserialize, Serialize};

use ipnet::IpNet;

/// A network ACL.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkAcl {
    /// Its id.
    pub id: NetworkAclId,
    /// The region.
    pub region: String,
    /// Its VPC.
    pub vpc: VpcId,
    /// Whether it is the VPC's default one.
    pub is_default: bool,
    /// Its numbered entries, in any order; the final deny (32767) is not among them.
    pub entries: Vec<NetworkAclEntry>,
    /// The subnets it guards.
    pub associations: Vec<NetworkAclAssociation>,
}

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkAclEntry {
    /// Its number, 1 to 32766; the lowest is asked first.
    pub number: u16,
    /// Whether it is for what leaves the subnet.
    pub egress: bool,
    /// Whether it allows.
    pub allow: bool,
    /// The source of what enters, the destination of what leaves.
    pub cidr: IpNet,
    /// Protocols, ports, ICMP types.
    pub traffic: security_group::Traffic,
}

/// The association of a network ACL with a subnet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkAclAssociation {
    /// Its id.
    pub id: NetworkAclAssociationId,
    /// The subnet.
    pub subnet: SubnetId,
}
