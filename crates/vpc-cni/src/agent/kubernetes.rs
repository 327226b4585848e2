//! What the cluster says of the node, and what the agent tells the cluster.

use kube_client::{Client, Mirror, Objects};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::{mpsc, watch};
use wire::Timestamp;

const NAMESPACE: &str = "kube-system";
const COMPONENT: &str = "aws-node";
/// Nodes that take no pods have this taint.
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";
/// The label that names a node's ENIConfig before all else.
const EXTERNAL_CONFIG: &str = "vpc.amazonaws.com/externalEniConfig";
/// The ENIConfig of nodes that name none.
const DEFAULT_CONFIG: &str = "default";
const CONFIGS: &str = "/apis/crd.k8s.amazonaws.com/v1alpha1/eniconfigs";
/// After the API failed, it is tried again.
const RETRY: Duration = Duration::from_secs(2);

/// What the cluster says of the node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeWords {
    /// How many pods it takes.
    pub max_pods: Option<usize>,
    /// Whether it takes pods.
    pub schedulable: bool,
    /// How its pods' interfaces are made.
    pub eni_config: Option<EniConfig>,
}

/// How pods' interfaces are made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EniConfig {
    /// Its name.
    pub name: String,
    /// The interfaces' subnet.
    pub subnet: String,
    /// Their security groups; empty for those of the node.
    pub groups: Vec<String>,
}

/// Something to tell whoever runs the cluster, as a warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// In one word.
    pub reason: &'static str,
    /// What was tried.
    pub action: String,
    /// In words.
    pub message: String,
}

impl Notice {
    /// The instance's role lacks a right.
    pub(super) fn missing_permission(operation: &str) -> Self {
        Self {
            reason: "MissingIAMPermissions",
            action: operation.to_owned(),
            message: format!(
                "Unauthorized operation: failed to call {operation} due to missing permissions. Please refer https://github.com/aws/amazon-vpc-cni-k8s/blob/master/docs/iam-policy.md to attach relevant policy to IAM role"
            ),
        }
    }
}

/// What a node's object and the ENIConfigs say. `names` are the annotation and the label of the node that
/// name its ENIConfig.
pub(super) fn read(node: &Value, configs: &Objects, names: &[String; 2]) -> NodeWords {
    let taints = node["spec"]["taints"].as_array();
    let unschedulable = taints
        .into_iter()
        .flatten()
        .any(|taint| taint["key"] == UNSCHEDULABLE);
    let [annotation, label] = names;
    let metadata = &node["metadata"];
    let config = [
        &metadata["labels"][EXTERNAL_CONFIG],
        &metadata["annotations"][annotation],
        &metadata["labels"][label],
    ]
    .into_iter()
    .find_map(Value::as_str)
    .unwrap_or(DEFAULT_CONFIG);
    NodeWords {
        max_pods: pods(&node["status"]["capacity"]["pods"]),
        schedulable: !unschedulable,
        eni_config: configs
            .get(config)
            .and_then(|object| eni_config(config, object)),
    }
}

fn pods(quantity: &Value) -> Option<usize> {
    match quantity {
        Value::String(text) => text.parse().ok(),
        number => usize::try_from(number.as_u64()?).ok(),
    }
}

fn eni_config(name: &str, object: &Value) -> Option<EniConfig> {
    let spec = &object["spec"];
    let groups = spec["securityGroups"].as_array().into_iter().flatten();
    Some(EniConfig {
        name: name.to_owned(),
        subnet: spec["subnet"].as_str()?.to_owned(),
        groups: groups
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
    })
}

/// Follows what the cluster says of a node. Gives it from the first time it is known.
pub(super) async fn follow(
    client: Client,
    node: &str,
    custom_networking: bool,
    names: [String; 2],
) -> watch::Receiver<NodeWords> {
    let path = format!("/api/v1/nodes?fieldSelector=metadata.name%3D{node}");
    let mut nodes = Mirror::start(client.clone(), path);
    let mut configs = custom_networking.then(|| Mirror::start(client, CONFIGS));
    let look = move |nodes: &Objects, configs: &Objects| {
        let none = Value::Null;
        let node = nodes.values().next().map_or(&none, AsRef::as_ref);
        read(node, configs, &names)
    };
    let mut seen = nodes.ready().await;
    let mut seen_configs = match &mut configs {
        Some(configs) => configs.ready().await,
        None => Objects::new().into(),
    };
    let (publish, words) = watch::channel(look(&seen, &seen_configs));
    tokio::spawn(async move {
        loop {
            tokio::select! {
                now = nodes.changed() => seen = now,
                now = changed(&mut configs) => seen_configs = now,
                () = publish.closed() => return,
            }
            publish.send_replace(look(&seen, &seen_configs));
        }
    });
    words
}

async fn changed(mirror: &mut Option<Mirror>) -> std::sync::Arc<Objects> {
    match mirror {
        Some(mirror) => mirror.changed().await,
        None => std::future::pending().await,
    }
}

/// Waits until the API answers.
pub(super) async fn reachable(client: &Client) {
    while let Err(error) = client.get("/version").await {
        tracing::warn!(%error, "Unable to reach API Server");
        tokio::time::sleep(RETRY).await;
    }
}

/// Tells of notices on the agent's own pod, each reason and action once.
pub(super) async fn tell(
    client: Client,
    node: String,
    mut notices: mpsc::UnboundedReceiver<Notice>,
) {
    let mut told = Vec::new();
    while let Some(notice) = notices.recv().await {
        if told.contains(&notice) {
            continue;
        }
        match event(&client, &node, &notice).await {
            Ok(()) => told.push(notice),
            Err(error) => tracing::debug!(%error, "an event could not be told"),
        }
    }
}

async fn event(client: &Client, node: &str, notice: &Notice) -> Result<(), kube_client::Error> {
    let pods = client
        .get(&format!(
            "/api/v1/namespaces/{NAMESPACE}/pods?labelSelector=k8s-app%3D{COMPONENT}&fieldSelector=spec.nodeName%3D{node}"
        ))
        .await?;
    let pod = &pods["items"][0]["metadata"];
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let now = Timestamp(i64::try_from(since.as_secs()).unwrap_or_default()).iso();
    let now = now.replace(".000Z", "Z");
    let object = json!({
        "apiVersion": "v1", "kind": "Event",
        "metadata": {
            "namespace": NAMESPACE,
            "name": format!("{}.{:x}", pod["name"].as_str().unwrap_or(COMPONENT), since.as_nanos()),
        },
        "involvedObject": {
            "apiVersion": "v1", "kind": "Pod", "namespace": NAMESPACE, "name": pod["name"],
            "uid": pod["uid"],
        },
        "type": "Warning", "reason": notice.reason, "action": notice.action,
        "message": notice.message, "count": 1, "firstTimestamp": now, "lastTimestamp": now,
        "source": {"component": COMPONENT, "host": node},
        "reportingComponent": COMPONENT, "reportingInstance": node,
    });
    let path = format!("/api/v1/namespaces/{NAMESPACE}/events");
    client.create(&path, &object).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// AWS-CNI: which ENIConfig a node has: by its external label, its annotation, its label, or the one
    /// named `default`.
    #[test]
    fn nodes_name_their_eni_config() {
        let names = ["k8s.amazonaws.com/eniConfig", "k8s.amazonaws.com/eniConfig"];
        let names = names.map(str::to_owned);
        let config = |subnet: &str| {
            Arc::new(json!({"spec": {"subnet": subnet, "securityGroups": ["sg-1"]}}))
        };
        let configs: Objects = ["default", "a", "b", "c"]
            .into_iter()
            .map(|name| (name.to_owned(), config(&format!("subnet-{name}"))))
            .collect();
        let mut node = json!({
            "metadata": {"name": "n", "labels": {}, "annotations": {}},
            "spec": {"taints": [{"key": UNSCHEDULABLE, "effect": "NoSchedule"}]},
            "status": {"capacity": {"pods": "29"}},
        });
        let subnet = |node: &Value| {
            let words = read(node, &configs, &names);
            words.eni_config.map(|config| config.subnet)
        };
        let words = read(&node, &configs, &names);
        assert_eq!((words.max_pods, words.schedulable), (Some(29), false));
        assert_eq!(subnet(&node).as_deref(), Some("subnet-default"));
        node["metadata"]["labels"]["k8s.amazonaws.com/eniConfig"] = json!("a");
        assert_eq!(subnet(&node).as_deref(), Some("subnet-a"));
        node["metadata"]["annotations"]["k8s.amazonaws.com/eniConfig"] = json!("b");
        assert_eq!(subnet(&node).as_deref(), Some("subnet-b"));
        node["metadata"]["labels"][EXTERNAL_CONFIG] = json!("c");
        assert_eq!(subnet(&node).as_deref(), Some("subnet-c"));
        node["metadata"]["labels"][EXTERNAL_CONFIG] = json!("nobody");
        assert_eq!(subnet(&node), None);
    }
}
