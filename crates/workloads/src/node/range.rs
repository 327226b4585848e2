//! A part of the cluster's pod addresses for each node.
//!
//! <https://kubernetes.io/docs/reference/command-line-tools-reference/kube-controller-manager/>,
//! `--allocate-node-cidrs`. IPv4 only.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use serde_json::json;

use crate::{Action, EventKind, Outcome, Resource, View, object};

/// The addresses of a cluster's pods, and how large a node's part of them is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PodRange {
    /// The first address (`--cluster-cidr`).
    pub network: Ipv4Addr,
    /// The length of its prefix.
    pub prefix: u8,
    /// The length of a node's prefix (`--node-cidr-mask-size`).
    pub node_prefix: u8,
}

impl PodRange {
    /// The range's parts, as prefixes.
    fn parts(self) -> impl Iterator<Item = String> {
        let node = self.node_prefix.clamp(self.prefix, 32);
        let count = 1_u64 << u32::from(node - self.prefix).min(32);
        let size = 1_u64 << (32 - u32::from(node));
        let first = u64::from(u32::from(self.network));
        (0..count).map_while(move |index| {
            let address = u32::try_from(first + index * size).ok()?;
            Some(format!("{}/{node}", Ipv4Addr::from(address)))
        })
    }
}

/// Gives a node without addresses for its pods the first part that no other node has.
///
/// It depends on all nodes.
pub fn pod_range(view: &dyn View, range: PodRange, name: &str) -> Outcome {
    let mut outcome = Outcome::default();
    let Some(node) = view.get(Resource::Nodes, "", name) else {
        return outcome;
    };
    if object::terminating(&node) || !object::text(&node, "/spec/podCIDR").is_empty() {
        return outcome;
    }
    let taken: BTreeSet<String> = view
        .list(Resource::Nodes, None)
        .iter()
        .flat_map(|node| {
            let all = object::list(node, "/spec/podCIDRs").iter();
            let all: Vec<String> = all.filter_map(|c| c.as_str().map(str::to_owned)).collect();
            all.into_iter()
                .chain([object::text(node, "/spec/podCIDR").to_owned()])
        })
        .collect();
    match range.parts().find(|part| !taken.contains(part)) {
        Some(part) => outcome.push(Action::Patch {
            resource: Resource::Nodes,
            namespace: String::new(),
            name: name.to_owned(),
            patch: json!({
                "metadata": {"uid": object::uid(&node)},
                "spec": {"podCIDR": part, "podCIDRs": [part]},
            }),
        }),
        None => {
            let told = format!("Node {name} status is now: CIDRNotAvailable");
            outcome.event(
                Resource::Nodes,
                &node,
                EventKind::Normal,
                "CIDRNotAvailable",
                told,
            );
            outcome.again(60);
        }
    }
    outcome
}
