//! Nodes and control planes that are lost, and those that are replaced.

use super::{add_nodegroup, aws, create_with, demo, eventually, meet, nodegroup, settled, subnets};
use crate::cluster::{Cluster, kubectl};
use crate::lab::Lab;

/// An application of two, one a node while there are two, never both away at once.
const APPLICATION: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec:
  replicas: 2
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec:
      terminationGracePeriodSeconds: 1
      tolerations:
      - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 5}
      topologySpreadConstraints:
      - maxSkew: 1
        topologyKey: kubernetes.io/hostname
        whenUnsatisfiable: ScheduleAnyway
        labelSelector: {matchLabels: {app: app}}
      containers:
      - {name: main, image: skylab.local/host, command: [sleep, "3600"]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: app}
spec:
  minAvailable: 1
  selector: {matchLabels: {app: app}}
"#;

/// The names of the cluster's nodes, by a jsonpath.
fn nodes(cluster: &Cluster, path: &str) -> Vec<String> {
    let path = format!("jsonpath={{.items[*]{path}}}");
    let told = cluster.ok(&["get", "nodes", "-o", &path], "");
    told.split_whitespace().map(str::to_owned).collect()
}

fn available(cluster: &Cluster) -> bool {
    let path = "jsonpath={.status.availableReplicas}";
    cluster.ok(&["get", "deployment", "app", "-o", path], "") == "2"
}

/// AWS-EKS: a node whose instance is terminated goes, the node group's Auto Scaling group puts another in its place,
/// and its pods run again.
#[test]
fn a_lost_node_is_replaced() {
    let Some(cluster) = demo() else { return };
    let lab = &cluster.lab;
    nodegroup(lab);
    cluster.ok(&["apply", "-f", "-"], APPLICATION);
    eventually("the application", || available(&cluster));
    let before = nodes(&cluster, ".metadata.name");
    let provider = nodes(&cluster, ".spec.providerID");
    let instance = provider[0].rsplit('/').next().unwrap();
    let terminate = ["ec2", "terminate-instances", "--instance-ids", instance];
    aws(lab, &terminate);
    eventually("the node to go", || {
        !nodes(&cluster, ".metadata.name").contains(&before[0])
    });
    eventually("another node", || {
        let ready = ".status.conditions[?(@.type=='Ready')].status";
        nodes(&cluster, ready) == ["True", "True"]
    });
    eventually("the application again", || available(&cluster));
    let hosts = ["get", "pods", "-o", "jsonpath={.items[*].spec.nodeName}"];
    let hosts = cluster.ok(&hosts, "");
    assert!(!hosts.contains(&before[0]), "{hosts}");
}

/// AWS-EKS: a control plane of another version takes over with all that the cluster has, its nodes come back to it by
/// themselves, and a node group that follows replaces its nodes one after another, each emptied before it goes.
#[test]
fn versions_go_up_and_pods_move() {
    let Some(kubectl) = kubectl() else { return };
    let Some(lab) = Lab::start(&[]) else { return };
    create_with(&lab, &["--kubernetes-version", "1.33"]);
    add_nodegroup(&lab, 2, &subnets(&lab), &[]);
    assert_eq!(settled(&lab, "CREATING"), "ACTIVE");
    let cluster = Cluster::of(lab, kubectl);
    let lab = &cluster.lab;
    meet(&cluster);
    let version = |cluster: &Cluster| {
        let told = cluster.ok(&["version", "-o", "json"], "");
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        told["serverVersion"]["gitVersion"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert!(version(&cluster).starts_with("v1.33.5-eks-"));
    cluster.ok(&["apply", "-f", "-"], APPLICATION);
    eventually("the application", || available(&cluster));
    let update = ["eks", "update-cluster-version", "--name", "demo"];
    aws(
        lab,
        &[&update[..], &["--kubernetes-version", "1.34"]].concat(),
    );
    aws(lab, &["eks", "wait", "cluster-active", "--name", "demo"]);
    eventually("the new control plane", || {
        let told = cluster.run(&["version"], "");
        crate::lab::text(&told.stdout).contains("v1.34.1-eks-")
    });
    // What a kubelet does shows that its watch found the new one.
    cluster.ok(&["scale", "deployment", "app", "--replicas=1"], "");
    cluster.ok(&["scale", "deployment", "app", "--replicas=2"], "");
    eventually("the application again", || available(&cluster));
    let old = nodes(&cluster, ".metadata.name");
    let update = ["eks", "update-nodegroup-version", "--cluster-name", "demo"];
    aws(lab, &[&update[..], &["--nodegroup-name", "ng"]].concat());
    assert_eq!(settled(lab, "UPDATING"), "ACTIVE");
    // The objects of terminated instances go a little later than they.
    eventually("two nodes of the new version", || {
        let kubelets = nodes(&cluster, ".status.nodeInfo.kubeletVersion");
        kubelets.len() == 2 && kubelets.iter().all(|of| of.starts_with("v1.34.1-eks-"))
    });
    let now = nodes(&cluster, ".metadata.name");
    assert!(
        now.iter().all(|name| !old.contains(name)),
        "{old:?} {now:?}"
    );
    eventually("the application at its new places", || available(&cluster));
}
