//! A cluster by eksctl's verbs and its file.

use super::aws;
use crate::cluster::{Cluster, kubectl};
use crate::lab::Lab;

/// A cluster of two zones with a node group of one and a profile of Fargate.
const FILE: &str = r#"
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {name: demo, region: us-west-2, version: "1.33"}
availabilityZones: [us-west-2a, us-west-2b]
iam: {withOIDC: true}
managedNodeGroups:
- {name: ng, desiredCapacity: 1}
fargateProfiles:
- name: fp
  selectors: [{namespace: serverless}]
"#;

/// AWS-EKSCTL: a ClusterConfig file makes a cluster whose nodes join and whose profiles work; it is looked at, let others
/// in, brought to the next version and deleted, and nothing is left.
#[test]
fn a_cluster_by_its_file_and_eksctls_verbs() {
    let Some(kubectl) = kubectl() else { return };
    let Some(lab) = Lab::start(&[]) else { return };
    let cluster = Cluster::of(lab, kubectl);
    let (lab, folder) = (&cluster.lab, &cluster.folder);
    let vpcs = ["ec2", "describe-vpcs", "--query", "length(Vpcs)"];
    let before = aws(lab, &vpcs);
    let file = folder.join("cluster.yaml");
    std::fs::write(&file, FILE).unwrap();
    let (file, config) = (file.to_str().unwrap(), folder.join("config"));
    let kubeconfig = ["--kubeconfig", config.to_str().unwrap()];
    let create = ["eks", "create", "cluster", "-f", file];
    lab.ok(&[&create[..], &kubeconfig].concat());
    let nodes = cluster.ok(&["get", "nodes"], "");
    assert_eq!(nodes.matches(" Ready ").count(), 1, "{nodes}");
    let of = ["--cluster", "demo"];
    let get = |what: &str| lab.ok(&[&["eks", "get", what][..], &of].concat());
    assert!(get("nodegroup").contains("ng"));
    let profiles = get("fargateprofile");
    assert!(
        profiles.contains("serverless") && profiles.contains("ACTIVE"),
        "{profiles}"
    );
    let arn = ["--arn", "arn:aws:iam::111122223333:role/dev"];
    let who = ["--username", "dev", "--group", "developers"];
    let create = ["eks", "create", "iamidentitymapping"];
    lab.ok(&[&create[..], &of, &arn, &who].concat());
    assert!(get("iamidentitymapping").contains("developers"));
    let delete = ["eks", "delete", "iamidentitymapping"];
    lab.ok(&[&delete[..], &of, &arn].concat());
    assert!(!get("iamidentitymapping").contains("developers"));
    lab.ok(&["eks", "upgrade", "cluster", "--name", "demo", "--approve"]);
    let version = ["eks", "describe-cluster", "--name", "demo"];
    let version = [&version[..], &["--query", "cluster.version"]].concat();
    assert_eq!(aws(lab, &version), "1.34");
    lab.ok(&[&["eks", "delete", "nodegroup", "--name", "ng"][..], &of].concat());
    assert!(!get("nodegroup").contains("ng"));
    lab.ok(&["eks", "delete", "cluster", "--name", "demo"]);
    assert_eq!(aws(lab, &vpcs), before);
    let stacks = [
        "cloudformation",
        "describe-stacks",
        "--query",
        "length(Stacks)",
    ];
    assert_eq!(aws(lab, &stacks), "0");
    let roles = [
        "iam",
        "list-roles",
        "--query",
        "Roles[?starts_with(RoleName, `eksctl`)]",
    ];
    assert_eq!(aws(lab, &roles), "");
}
