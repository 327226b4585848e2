//! The stack of a node group that EKS manages.

use super::{Builder, attribute, imported, managed_policy, reference, trust};
use crate::config::NodeGroup;
use crate::family::Family;
use serde_json::{Value, json};

/// The role of nodes, with what they need.
pub(super) fn node_role(builder: &mut Builder) {
    let policies = [
        "AmazonEC2ContainerRegistryPullOnly",
        "AmazonEKSWorkerNodePolicy",
        "AmazonEKS_CNI_Policy",
        "AmazonSSMManagedInstanceCore",
    ];
    let role = json!({
        "AssumeRolePolicyDocument": trust("ec2.amazonaws.com"),
        "ManagedPolicyArns": policies.map(managed_policy),
        "Path": "/",
    });
    builder.tagged("NodeInstanceRole", "AWS::IAM::Role", role);
}

/// The labels that every node has, and the group's own.
fn labels(cluster: &str, group: &NodeGroup) -> Value {
    let mut labels = json!(group.labels);
    labels["alpha.eksctl.io/cluster-name"] = json!(cluster);
    labels["alpha.eksctl.io/nodegroup-name"] = json!(group.name);
    labels
}

/// The cluster's subnets that a group lies in.
pub(super) fn subnets(cluster: &str, group: &NodeGroup, chosen: &[String]) -> Value {
    if !chosen.is_empty() {
        return json!(chosen);
    }
    let output = if group.private_networking {
        "SubnetsPrivate"
    } else {
        "SubnetsPublic"
    };
    json!({ "Fn::Split": [",", imported(cluster, output)] })
}

/// The disks of nodes.
pub(super) fn disks(group: &NodeGroup) -> Value {
    json!([{
        "DeviceName": "/dev/xvda",
        "Ebs": { "Iops": 3000, "Throughput": 125, "VolumeSize": group.volume_size, "VolumeType": "gp3" },
    }])
}

/// The tags of what a group launches.
pub(super) fn launched(cluster: &str, group: &NodeGroup) -> Value {
    let tags = |_: &str| {
        let own = group
            .tags
            .iter()
            .map(|(key, value)| json!({ "Key": key, "Value": value }));
        let usual = [
            ("Name", format!("{cluster}-{}-Node", group.name)),
            ("alpha.eksctl.io/nodegroup-name", group.name.clone()),
        ];
        let usual = usual
            .into_iter()
            .map(|(key, value)| json!({ "Key": key, "Value": value }));
        own.chain(usual).collect::<Value>()
    };
    let kinds = ["instance", "volume", "network-interface"];
    kinds
        .iter()
        .map(|kind| json!({ "ResourceType": kind, "Tags": tags(kind) }))
        .collect()
}

/// The template of a managed node group's stack. `chosen` are its subnets, if not all of a kind.
pub fn managed(cluster: &str, group: &NodeGroup, chosen: &[String], family: Family) -> String {
    let mut builder = Builder::default();
    node_role(&mut builder);
    let data = json!({
        "BlockDeviceMappings": disks(group),
        "MetadataOptions": { "HttpPutResponseHopLimit": 2, "HttpTokens": "required" },
        "SecurityGroupIds": [imported(cluster, "ClusterSecurityGroupId")],
        "TagSpecifications": launched(cluster, group),
    });
    let template = json!({ "LaunchTemplateName": { "Fn::Sub": "${AWS::StackName}" }, "LaunchTemplateData": data });
    builder.add("LaunchTemplate", "AWS::EC2::LaunchTemplate", template);
    let (least, wanted, most) = group.sizes();
    let properties = json!({
        "AmiType": family.ami_type(),
        "ClusterName": cluster,
        "InstanceTypes": [group.instance_type],
        "Labels": labels(cluster, group),
        "LaunchTemplate": { "Id": reference("LaunchTemplate") },
        "NodeRole": attribute("NodeInstanceRole", "Arn"),
        "NodegroupName": group.name,
        "ScalingConfig": { "MinSize": least, "DesiredSize": wanted, "MaxSize": most },
        "Subnets": subnets(cluster, group, chosen),
        "Tags": {
            "alpha.eksctl.io/nodegroup-name": group.name,
            "alpha.eksctl.io/nodegroup-type": "managed",
        },
    });
    builder.add("ManagedNodeGroup", "AWS::EKS::Nodegroup", properties);
    builder.finish("EKS Managed Nodes (SSH access: false) [created by eksctl]")
}
