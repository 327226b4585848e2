//! Subnets.

use super::*;
use serde::{Deserialize, Serialize};

use ipnet::Ipv4Net;

/// A subnet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subnet {
    /// Its id.
    pub id: SubnetId,
    /// The region.
    pub region: String,
    /// Its VPC.
    pub vpc: VpcId,
    /// Its range.
    pub cidr: Ipv4Net,
    /// Its availability zone's name, such as `us-west-2a`.
    pub zone: String,
    /// Whether instances started here get a public address.
    pub map_public_ip_on_launch: bool,
    /// Whether it is its zone's default subnet.
    pub default_for_az: bool,
    /// `ip-name` or `resource-name`.
    pub hostname_type: String,
    /// Whether resource names resolve to A records.
    pub resource_name_a_record: bool,
}
