//! Remedies for the endpoints of EKS clusters.

use crate::compile::eks::cluster_of_filter;
use crate::model::State;
use crate::model::eks::Cluster;
use fabric::{FilterId, Flow};
use std::net::Ipv4Addr;

fn update(cluster: &Cluster, network: &str) -> String {
    format!(
        "aws eks update-cluster-config --region {} --name {} --resources-vpc-config {network}",
        cluster.key.region, cluster.key.name
    )
}

/// What would let a caller through the public access CIDRs of a cluster, if the filter is that.
pub(super) fn public_access(
    state: &State,
    filter: &FilterId,
    packet: &Flow,
) -> Option<Vec<String>> {
    let cluster = cluster_of_filter(state, filter)?;
    let own = cluster.endpoint.public_cidrs.iter();
    let own: Vec<String> = own.map(ToString::to_string).collect();
    let cidrs = format!("publicAccessCidrs={},{}/32", own.join(","), packet.source);
    Some(vec![format!(
        "The public endpoint of cluster {} takes calls to port 443 from {} only. Let {} in: {}",
        cluster.key.name,
        own.join(", "),
        packet.source,
        update(cluster, &cidrs)
    )])
}

/// What would let a caller outside reach a cluster's endpoint at an address that nobody has there: its name stands for
/// its interfaces, as it has no public endpoint.
pub(super) fn no_public_endpoint(
    state: &State,
    destination: Ipv4Addr,
    network: &str,
) -> Option<String> {
    let mut all = state.eks_clusters.values();
    let cluster = all.find(|cluster| {
        let private = cluster.private_addresses(state).contains(&destination);
        let there = private || cluster.endpoint.public_address == destination;
        there && !cluster.endpoint.public && cluster.vpc.as_str() != network
    })?;
    Some(format!(
        "The endpoint of cluster {} is private: call it from its VPC {}, or give it a public one: {}",
        cluster.key.name,
        cluster.vpc,
        update(cluster, "endpointPublicAccess=true")
    ))
}

/// What stands beside a security group's own remedies if the group is a cluster's.
pub(super) fn cluster_group(state: &State, group: &FilterId, ingress: bool) -> Option<String> {
    let mut all = state.eks_clusters.values();
    let cluster = all.find(|cluster| cluster.cluster_group.as_str() == group.as_str())?;
    ingress.then(|| {
        format!(
            "{group} is the cluster security group of {}: its members reach one another, so the caller may become one (aws ec2 modify-network-interface-attribute --network-interface-id <eni> --groups <its groups> {group}).",
            cluster.key.name
        )
    })
}
