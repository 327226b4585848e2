//! VPCs and their CIDRs.

use super::*;
use serde::{Deserialize, Serialize};

use ipnet::Ipv4Net;

/// A VPC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vpc {
    /// Its id.
    pub id: VpcId,
    /// The region it lies in.
    pub region: String,
    /// Its CIDRs, the primary first.
    pub cidrs: Vec<CidrAssociation>,
    /// Its DHCP option set; `None` is `default` set to nothing.
    pub dhcp_options: Option<DhcpOptionsId>,
    /// `default` or `dedicated`.
    pub tenancy: String,
    /// Whether it is its region's default VPC.
    pub is_default: bool,
    /// Whether the resolver answers (attribute enableDnsSupport).
    pub dns_support: bool,
    /// Whether instances with public addresses get public names (enableDnsHostnames).
    pub dns_hostnames: bool,
    /// Attribute enableNetworkAddressUsageMetrics; stored, shown, without effect.
    pub network_address_usage_metrics: bool,
}

/// A CIDR of a VPC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CidrAssociation {
    /// The association's id.
    pub id: CidrAssociationId,
    /// The range.
    pub cidr: Ipv4Net,
}
