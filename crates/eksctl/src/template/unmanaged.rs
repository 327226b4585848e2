//! The stack of a node group that EKS doesn't manage: an Auto Scaling group of the caller's own.

use super::managed::{disks, launched, node_role, subnets};
use super::{Builder, attribute, imported, reference, substituted};
use crate::config::NodeGroup;
use serde_json::{Value, json};

/// What the group's instances boot from.
#[derive(Clone, Copy, Debug)]
pub struct Boot<'a> {
    /// The image.
    pub image: &'a str,
    /// The user data, in base64.
    pub user_data: &'a str,
}

/// The template of an unmanaged node group's stack.
pub fn unmanaged(cluster: &str, group: &NodeGroup, chosen: &[String], boot: Boot<'_>) -> String {
    let mut builder = Builder::default();
    node_role(&mut builder);
    let profile = json!({ "Path": "/", "Roles": [reference("NodeInstanceRole")] });
    builder.add("NodeInstanceProfile", "AWS::IAM::InstanceProfile", profile);
    groups(&mut builder, cluster, group);
    let entry = json!({
        "ClusterName": cluster,
        "PrincipalArn": attribute("NodeInstanceRole", "Arn"),
        "Type": "EC2_LINUX",
    });
    builder.add("AccessEntry", "AWS::EKS::AccessEntry", entry);
    let data = json!({
        "BlockDeviceMappings": disks(group),
        "IamInstanceProfile": { "Arn": attribute("NodeInstanceProfile", "Arn") },
        "ImageId": boot.image,
        "InstanceType": group.instance_type,
        "MetadataOptions": { "HttpPutResponseHopLimit": 2, "HttpTokens": "required" },
        "NetworkInterfaces": [{
            "DeviceIndex": 0,
            "Groups": [imported(cluster, "SharedNodeSecurityGroup"), reference("SG")],
        }],
        "TagSpecifications": launched(cluster, group),
        "UserData": boot.user_data,
    });
    let template = json!({ "LaunchTemplateName": substituted("${AWS::StackName}"), "LaunchTemplateData": data });
    builder.add(
        "NodeGroupLaunchTemplate",
        "AWS::EC2::LaunchTemplate",
        template,
    );
    builder.add(
        "NodeGroup",
        "AWS::AutoScaling::AutoScalingGroup",
        scaling(cluster, group, chosen),
    );
    builder.after("NodeGroup", "AccessEntry");
    builder.output("InstanceRoleARN", attribute("NodeInstanceRole", "Arn"));
    builder.output(
        "InstanceProfileARN",
        attribute("NodeInstanceProfile", "Arn"),
    );
    builder.finish("EKS nodes (AMI family: AmazonLinux2023, SSH access: false, private networking: false) [created and managed by eksctl]")
}

fn scaling(cluster: &str, group: &NodeGroup, chosen: &[String]) -> Value {
    let (least, wanted, most) = group.sizes();
    let name = format!("{cluster}-{}-Node", group.name);
    let owner = format!("kubernetes.io/cluster/{cluster}");
    let tag =
        |key: &str, value: &str| json!({ "Key": key, "PropagateAtLaunch": true, "Value": value });
    json!({
        "DesiredCapacity": wanted.to_string(),
        "LaunchTemplate": {
            "LaunchTemplateName": substituted("${AWS::StackName}"),
            "Version": attribute("NodeGroupLaunchTemplate", "LatestVersionNumber"),
        },
        "MaxSize": most.to_string(),
        "MinSize": least.to_string(),
        "Tags": [tag("Name", &name), tag(&owner, "owned")],
        "VPCZoneIdentifier": subnets(cluster, group, chosen),
    })
}

/// The group's security group, and the ways between it and the control plane's.
fn groups(builder: &mut Builder, cluster: &str, group: &NodeGroup) {
    let control_plane = || imported(cluster, "SecurityGroup");
    let between = format!(
        "Communication between the control plane and worker nodes in group {}",
        group.name
    );
    let owner = format!("kubernetes.io/cluster/{cluster}");
    let own = json!({ "GroupDescription": between, "VpcId": imported(cluster, "VPC") });
    builder.tagged_also("SG", "AWS::EC2::SecurityGroup", own, &[(&owner, "owned")]);
    let rule = |group: Value, (end, peer): (&str, Value), ports: (u16, u16)| {
        json!({
            "GroupId": group,
            end: peer,
            "Description": between,
            "IpProtocol": "tcp",
            "FromPort": ports.0,
            "ToPort": ports.1,
        })
    };
    let (from, to) = ("SourceSecurityGroupId", "DestinationSecurityGroupId");
    let (workload, api) = ((1025, 65535), (443, 443));
    let ingress = "AWS::EC2::SecurityGroupIngress";
    let egress = "AWS::EC2::SecurityGroupEgress";
    for (name, kind, properties) in [
        (
            "IngressInterCluster",
            ingress,
            rule(reference("SG"), (from, control_plane()), workload),
        ),
        (
            "IngressInterClusterAPI",
            ingress,
            rule(reference("SG"), (from, control_plane()), api),
        ),
        (
            "EgressInterCluster",
            egress,
            rule(control_plane(), (to, reference("SG")), workload),
        ),
        (
            "EgressInterClusterAPI",
            egress,
            rule(control_plane(), (to, reference("SG")), api),
        ),
        (
            "IngressInterClusterCP",
            ingress,
            rule(control_plane(), (from, reference("SG")), api),
        ),
    ] {
        builder.add(name, kind, properties);
    }
}
