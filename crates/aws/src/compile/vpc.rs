//! VPC → network.
//!
//! Every VPC's resolver answers on the base of its primary CIDR plus two and on 169.254.169.253,
//! its metadata service on 169.254.169.254 and its clock on 169.254.169.123; none of them passes a
//! security group, a network ACL or a route table.
//! <https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html>,
//! <https://docs.aws.amazon.com/vpc/latest/userguide/vpc-network-acls.html>

use crate::model::vpc::Vpc;
use crate::model::{State, VpcId};
use fabric::Network;
use std::net::Ipv4Addr;

/// The metadata service's address.
pub const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
/// The resolver's link-local address.
pub const RESOLVER: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 253);
/// The time service's address.
pub const TIME: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 123);

/// Jumbo frames inside a VPC.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/network_mtu.html>
const MTU: u16 = 9001;

/// The resolver's address in a VPC: the base of the primary CIDR plus two.
pub fn resolver(vpc: &Vpc) -> Option<Ipv4Addr> {
    let base = u32::from(vpc.cidrs.first()?.cidr.network());
    Some(Ipv4Addr::from(base.wrapping_add(2)))
}

pub(super) fn network(state: &State, id: &VpcId) -> Option<Network> {
    let vpc = state.vpcs.get(id)?;
    let services = [METADATA, RESOLVER, TIME]
        .into_iter()
        .chain(resolver(vpc))
        .collect();
    Some(Network {
        id: id.as_str().into(),
        mtu: MTU,
        services,
    })
}
