//! The lab's public addresses that AWS hands out: ranges that the real internet does not use.
//!
//! 198.51.100.0/24 is for documentation (RFC 5737), 198.18.0.0/15 for benchmarks (RFC 2544).

use super::*;
use ipnet::Ipv4Net;
use std::collections::HashSet;

/// Elastic IPs come from here first, the lowest first.
const DOCUMENTATION: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(198, 51, 100, 0), 24);
/// Everything else comes from here, in no order.
const BENCHMARK: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(198, 18, 0, 0), 15);

/// Whether an address can be a public address of the account.
pub fn is_in_pool(ip: Ipv4Addr) -> bool {
    [DOCUMENTATION, BENCHMARK]
        .iter()
        .any(|range| range.contains(&ip) && ip != range.network() && ip != range.broadcast())
}

/// All public addresses given away, over all regions.
pub fn taken(state: &State) -> HashSet<Ipv4Addr> {
    let elastic = state.elastic_ips.values().map(|address| address.public_ip);
    let automatic = state.network_interfaces.values().flat_map(|interface| {
        interface
            .addresses
            .iter()
            .filter_map(|address| match address.public {
                Some(PublicAddress::Automatic(ip)) => Some(ip),
                _ => None,
            })
    });
    let endpoints = state.eks_clusters.values();
    let endpoints = endpoints.map(|cluster| cluster.endpoint.public_address);
    elastic.chain(automatic).chain(endpoints).collect()
}

/// An address for an Elastic IP.
pub(super) fn next(state: &mut State) -> Result<Ipv4Addr, Refusal> {
    let taken = taken(state);
    match DOCUMENTATION.hosts().find(|ip| !taken.contains(ip)) {
        Some(ip) => Ok(ip),
        None => any(state),
    }
}

/// An address for an instance's start or a service's endpoint: another one every time, as with AWS.
///
/// # Errors
/// `InsufficientAddressCapacity`.
pub(crate) fn any(state: &mut State) -> Result<Ipv4Addr, Refusal> {
    let taken = taken(state);
    let bytes = state.bytes();
    let start = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let first = u32::from(BENCHMARK.network()) + 1;
    let count = u32::from(BENCHMARK.broadcast()) - first;
    (0..count)
        .map(|step| Ipv4Addr::from(first + (start % count + step) % count))
        .find(|ip| !taken.contains(ip))
        .ok_or_else(|| {
            Refusal::new(
                "InsufficientAddressCapacity",
                "Insufficient capacity to satisfy your Elastic IP address request.",
            )
        })
}
