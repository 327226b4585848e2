//! Logging in to nodes: the security group that EKS makes for it.
//!
//! <https://docs.aws.amazon.com/eks/latest/APIReference/API_RemoteAccessConfig.html>

use super::*;
use crate::model::security_group::{NewRule, Peer, Traffic};
use ipnet::{IpNet, Ipv4Net};

/// Where nodes are logged in to.
const SSH: u16 = 22;

/// Makes the group that lets callers in.
///
/// # Errors
/// `InvalidParameterException` for a key pair or a group that isn't there.
pub(super) fn make(
    state: &mut State,
    context: &Context,
    cluster: &Cluster,
    uuid: &str,
    (key, sources): (String, Vec<String>),
) -> Result<RemoteAccess, Refusal> {
    let known = state
        .key_pairs
        .values()
        .any(|pair| pair.region == context.region && pair.name == key);
    if !known {
        return Err(invalid(format!("The key pair '{key}' does not exist")));
    }
    let sources = network::groups(state, context, &cluster.vpc, &sources)?;
    let name = format!("eks-remoteAccess-{uuid}");
    let description = "Security group for all nodes in the nodeGroup to allow SSH access";
    let group = security_group::create(state, context, &cluster.vpc, &name, description)
        .map_err(|refusal| invalid(refusal.message))?;
    let rule = |peer: Peer| NewRule {
        egress: false,
        traffic: Traffic::Ports {
            protocol: 6,
            from: SSH,
            to: SSH,
        },
        peer,
        description: Some("Allow SSH access to all nodes in the nodeGroup".to_owned()),
    };
    let rules = match sources.as_slice() {
        [] => vec![rule(Peer::Cidr(IpNet::V4(Ipv4Net::default())))],
        sources => sources.iter().cloned().map(Peer::Group).map(rule).collect(),
    };
    security_group::authorize(state, context, &group, rules)?;
    Ok(RemoteAccess {
        key,
        sources,
        group,
    })
}
