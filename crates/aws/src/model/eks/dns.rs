//! What the name of a cluster's endpoint stands for, for whoever asks.
//!
//! <https://docs.aws.amazon.com/eks/latest/userguide/cluster-endpoint.html>

use super::*;
use std::net::Ipv4Addr;

/// The addresses of an endpoint's name, asked in a VPC or on the internet; `None` for what is no endpoint's.
///
/// With private access the name stands for the control plane's interfaces in the cluster's VPC, if that resolves and
/// gives names; without public access it does so everywhere.
pub fn addresses(state: &State, asker: Option<&VpcId>, name: &str) -> Option<Vec<Ipv4Addr>> {
    let mut all = state.eks_clusters.values();
    let cluster = all.find(|of| of.endpoint.host.eq_ignore_ascii_case(name))?;
    let inside = asker.is_some_and(|vpc| *vpc == cluster.vpc && resolves(state, vpc));
    if !cluster.endpoint.public || (cluster.endpoint.private && inside) {
        return Some(cluster.private_addresses(state));
    }
    Some(vec![cluster.endpoint.public_address])
}

/// Whether a VPC has both attributes that private hosted zones need.
fn resolves(state: &State, vpc: &VpcId) -> bool {
    let vpc = state.vpcs.get(vpc);
    vpc.is_some_and(|vpc| vpc.dns_support && vpc.dns_hostnames)
}
