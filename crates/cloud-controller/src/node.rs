//! Which nodes take part in load balancing, and which instances they are.

use kube::object;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The label of nodes that don't take part.
const EXCLUDED: &str = "node.kubernetes.io/exclude-from-external-load-balancers";
/// The taint of nodes that the autoscaler is about to remove.
const GOING: &str = "ToBeDeletedByClusterAutoscaler";

/// A node that takes part.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Node {
    /// Its instance.
    pub(crate) instance: String,
    pub(crate) labels: BTreeMap<String, String>,
}

/// The node, if it takes part. Whether it is ready doesn't matter: health checks see to that.
pub(crate) fn participant(node: &Value) -> Option<Node> {
    let labels = object::entries(node, &["metadata", "labels"]);
    let labels: BTreeMap<String, String> = labels
        .map(|(key, value)| {
            (
                key.to_owned(),
                value.as_str().unwrap_or_default().to_owned(),
            )
        })
        .collect();
    let excluded = labels
        .get(EXCLUDED)
        .is_some_and(|said| !["0", "f", "false"].contains(&said.to_lowercase().as_str()));
    let mut taints = object::list(node, &["spec", "taints"]).iter();
    let going = object::is_terminating(node) || taints.any(|taint| taint["key"] == GOING);
    if excluded || going {
        return None;
    }
    let provider = object::text(node, &["spec", "providerID"]);
    let (_, instance) = provider.strip_prefix("aws://")?.rsplit_once('/')?;
    // Pods on Fargate have nodes that are no instances.
    instance.starts_with("i-").then(|| Node {
        instance: instance.to_owned(),
        labels,
    })
}

/// The instances of nodes that have labels; a label that is asked for without a value may have any.
pub(crate) fn instances(nodes: &[Node], wanted: &BTreeMap<String, String>) -> BTreeSet<String> {
    let fits = |node: &&Node| {
        wanted.iter().all(|(key, value)| {
            let has = node.labels.get(key);
            has.is_some_and(|has| value.is_empty() || has == value)
        })
    };
    let fitting = nodes.iter().filter(fits);
    fitting.map(|node| node.instance.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn node(provider: &str, labels: Value) -> Value {
        json!({"metadata": {"labels": labels}, "spec": {"providerID": provider}})
    }

    /// AWS-LBC: nodes take part unless they go, are kept out, or are no instances; ready or not.
    #[test]
    fn nodes_take_part_unless_they_are_kept_out() {
        let takes = |node: &Value| participant(node).map(|node| node.instance);
        let plain = node("aws:///us-west-2a/i-0abc", json!({}));
        assert_eq!(takes(&plain), Some("i-0abc".to_owned()));
        for (said, part) in [
            ("", false),
            ("true", false),
            ("any", false),
            ("false", true),
        ] {
            let labelled = node("aws:///us-west-2a/i-0abc", json!({EXCLUDED: said}));
            assert_eq!(takes(&labelled).is_some(), part, "{said:?}");
        }
        let fargate = node("aws:///us-west-2a/fargate-ip-10-0-0-1", json!({}));
        assert_eq!(takes(&fargate), None);
        let mut going = plain.clone();
        going["spec"]["taints"] = json!([{"key": GOING, "effect": "NoSchedule"}]);
        assert_eq!(takes(&going), None);
        let mut deleted = plain;
        deleted["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        assert_eq!(takes(&deleted), None);
    }

    /// AWS-LBC: an annotation chooses nodes by their labels.
    #[test]
    fn labels_choose_nodes() {
        let nodes = [
            participant(&node("aws:///z/i-1", json!({"tier": "web"}))),
            participant(&node("aws:///z/i-2", json!({"tier": "data"}))),
        ];
        let nodes: Vec<Node> = nodes.into_iter().flatten().collect();
        let asked = |value: &str| BTreeMap::from([("tier".to_owned(), value.to_owned())]);
        assert_eq!(
            instances(&nodes, &asked("web")),
            BTreeSet::from(["i-1".to_owned()])
        );
        assert_eq!(instances(&nodes, &asked("")).len(), 2);
        assert_eq!(instances(&nodes, &BTreeMap::new()).len(), 2);
    }
}
