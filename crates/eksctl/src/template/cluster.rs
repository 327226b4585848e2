//! A cluster's stack: its network, its groups, its role, its control plane.

use super::{Builder, attribute, managed_policy, reference, substituted, trust};
use crate::config::{ClusterConfig, NatGateways};
use crate::network::Network;
use crate::subnets::Zone;
use serde_json::{Value, json};

/// A zone in the names of resources: `us-west-2a` is `USWEST2A`.
pub(super) fn zone_key(name: &str) -> String {
    name.to_uppercase().replace('-', "")
}

/// The template of a cluster's stack.
pub fn cluster(config: &ClusterConfig, network: &Network) -> String {
    let mut builder = Builder::default();
    let ground = match network {
        Network::Own { range, zones } => {
            vpc(&mut builder, range, zones);
            nat(&mut builder, config.vpc.nat.gateway, zones);
            Ground {
                vpc: reference("VPC"),
                public: subnets(zones, "Public"),
                private: subnets(zones, "Private"),
            }
        }
        Network::There {
            vpc,
            public,
            private,
        } => {
            let literal = |ids: &[String]| ids.iter().map(|id| json!(id)).collect();
            Ground {
                vpc: json!(vpc),
                public: literal(public),
                private: literal(private),
            }
        }
    };
    groups(&mut builder, &ground);
    control_plane(&mut builder, config, &ground);
    outputs(&mut builder, config, &ground);
    let own = matches!(network, Network::Own { .. });
    builder.finish(&format!(
        "EKS cluster (dedicated VPC: {own}, dedicated IAM: true) [created and managed by eksctl]"
    ))
}

/// What a cluster stands on, as a template names it.
struct Ground {
    vpc: Value,
    public: Vec<Value>,
    private: Vec<Value>,
}

fn vpc(builder: &mut Builder, cidr: &str, zones: &[Zone]) {
    let vpc = json!({ "CidrBlock": cidr, "EnableDnsHostnames": true, "EnableDnsSupport": true });
    builder.tagged("VPC", "AWS::EC2::VPC", vpc);
    builder.tagged("InternetGateway", "AWS::EC2::InternetGateway", json!({}));
    let ends =
        json!({ "InternetGatewayId": reference("InternetGateway"), "VpcId": reference("VPC") });
    builder.add(
        "VPCGatewayAttachment",
        "AWS::EC2::VPCGatewayAttachment",
        ends,
    );
    let in_vpc = || json!({ "VpcId": reference("VPC") });
    builder.tagged("PublicRouteTable", "AWS::EC2::RouteTable", in_vpc());
    let route = json!({
        "DestinationCidrBlock": "0.0.0.0/0",
        "GatewayId": reference("InternetGateway"),
        "RouteTableId": reference("PublicRouteTable"),
    });
    builder.add("PublicSubnetRoute", "AWS::EC2::Route", route);
    builder.after("PublicSubnetRoute", "VPCGatewayAttachment");
    for zone in zones {
        let key = zone_key(&zone.name);
        let own = format!("PrivateRouteTable{key}");
        builder.tagged(&own, "AWS::EC2::RouteTable", in_vpc());
        let subnets = [
            (
                "Public",
                zone.public,
                "PublicRouteTable",
                "kubernetes.io/role/elb",
            ),
            (
                "Private",
                zone.private,
                own.as_str(),
                "kubernetes.io/role/internal-elb",
            ),
        ];
        for (kind, block, table, role) in subnets {
            let subnet = format!("Subnet{kind}{key}");
            let mut properties = json!({
                "AvailabilityZone": zone.name,
                "CidrBlock": block.to_string(),
                "VpcId": reference("VPC"),
            });
            if kind == "Public" {
                properties["MapPublicIpOnLaunch"] = json!(true);
            }
            builder.tagged_also(&subnet, "AWS::EC2::Subnet", properties, &[(role, "1")]);
            let association =
                json!({ "RouteTableId": reference(table), "SubnetId": reference(&subnet) });
            let name = format!("RouteTableAssociation{kind}{key}");
            builder.add(&name, "AWS::EC2::SubnetRouteTableAssociation", association);
        }
    }
}

fn nat(builder: &mut Builder, gateways: NatGateways, zones: &[Zone]) {
    let single = gateways == NatGateways::Single;
    for (number, zone) in zones.iter().enumerate() {
        if gateways == NatGateways::Disable {
            return;
        }
        let key = zone_key(&zone.name);
        let suffix = if single { String::new() } else { key.clone() };
        let (address, gateway) = (format!("NATIP{suffix}"), format!("NATGateway{suffix}"));
        if number == 0 || !single {
            builder.tagged(&address, "AWS::EC2::EIP", json!({ "Domain": "vpc" }));
            builder.after(&address, "VPCGatewayAttachment");
            let properties = json!({
                "AllocationId": attribute(&address, "AllocationId"),
                "SubnetId": reference(&format!("SubnetPublic{key}")),
            });
            builder.tagged(&gateway, "AWS::EC2::NatGateway", properties);
        }
        let route = json!({
            "DestinationCidrBlock": "0.0.0.0/0",
            "NatGatewayId": reference(&gateway),
            "RouteTableId": reference(&format!("PrivateRouteTable{key}")),
        });
        builder.add(
            &format!("NATPrivateSubnetRoute{key}"),
            "AWS::EC2::Route",
            route,
        );
    }
}

fn groups(builder: &mut Builder, ground: &Ground) {
    let shared = "ClusterSharedNodeSecurityGroup";
    for (name, description) in [
        (
            "ControlPlaneSecurityGroup",
            "Communication between the control plane and worker nodegroups",
        ),
        (shared, "Communication between all nodes in the cluster"),
    ] {
        let group = json!({ "GroupDescription": description, "VpcId": ground.vpc });
        builder.tagged(name, "AWS::EC2::SecurityGroup", group);
    }
    let own = attribute("ControlPlane", "ClusterSecurityGroupId");
    for (name, description, group, source) in [
        (
            "IngressInterNodeGroupSG",
            "Allow nodes to communicate with each other (all ports)",
            reference(shared),
            reference(shared),
        ),
        (
            "IngressDefaultClusterToNodeSG",
            "Allow managed and unmanaged nodes to communicate with each other (all ports)",
            reference(shared),
            own.clone(),
        ),
        (
            "IngressNodeToDefaultClusterSG",
            "Allow unmanaged nodes to communicate with control plane (all ports)",
            own,
            reference(shared),
        ),
    ] {
        let rule = json!({
            "Description": description,
            "FromPort": 0,
            "ToPort": 65535,
            "IpProtocol": "-1",
            "GroupId": group,
            "SourceSecurityGroupId": source,
        });
        builder.add(name, "AWS::EC2::SecurityGroupIngress", rule);
    }
}

fn subnets(zones: &[Zone], kind: &str) -> Vec<Value> {
    let name = |zone: &Zone| reference(&format!("Subnet{kind}{}", zone_key(&zone.name)));
    zones.iter().map(name).collect()
}

fn control_plane(builder: &mut Builder, config: &ClusterConfig, ground: &Ground) {
    let role = json!({
        "AssumeRolePolicyDocument": trust("eks.amazonaws.com"),
        "ManagedPolicyArns": [
            managed_policy("AmazonEKSClusterPolicy"),
            managed_policy("AmazonEKSVPCResourceController"),
        ],
    });
    builder.tagged("ServiceRole", "AWS::IAM::Role", role);
    let all: Vec<&Value> = ground.public.iter().chain(&ground.private).collect();
    let endpoints = config.vpc.cluster_endpoints;
    let mut network = json!({
        "EndpointPrivateAccess": endpoints.private_access,
        "EndpointPublicAccess": endpoints.public_access,
        "SecurityGroupIds": [reference("ControlPlaneSecurityGroup")],
        "SubnetIds": all,
    });
    if !config.vpc.public_access_cidrs.is_empty() {
        network["PublicAccessCidrs"] = json!(config.vpc.public_access_cidrs);
    }
    let mut properties = json!({
        "Name": config.metadata.name,
        "Version": config.metadata.version,
        "RoleArn": attribute("ServiceRole", "Arn"),
        "ResourcesVpcConfig": network,
        "AccessConfig": {
            "AuthenticationMode": "API_AND_CONFIG_MAP",
            "BootstrapClusterCreatorAdminPermissions": true,
        },
        "BootstrapSelfManagedAddons": false,
    });
    let services = config.kubernetes_network_config.as_ref();
    if let Some(range) = services.and_then(|network| network.service_cidr.as_ref()) {
        properties["KubernetesNetworkConfig"] = json!({ "ServiceIpv4Cidr": range });
    }
    builder.tagged("ControlPlane", "AWS::EKS::Cluster", properties);
}

fn outputs(builder: &mut Builder, config: &ClusterConfig, ground: &Ground) {
    let joined = |subnets: &[Value]| json!({ "Fn::Join": [",", subnets] });
    builder.export("ARN", attribute("ControlPlane", "Arn"));
    builder.output(
        "CertificateAuthorityData",
        attribute("ControlPlane", "CertificateAuthorityData"),
    );
    builder.export(
        "ClusterSecurityGroupId",
        attribute("ControlPlane", "ClusterSecurityGroupId"),
    );
    builder.output("ClusterStackName", substituted("${AWS::StackName}"));
    builder.export("Endpoint", attribute("ControlPlane", "Endpoint"));
    builder.output(
        "FeatureNATMode",
        json!(format!("{:?}", config.vpc.nat.gateway)),
    );
    builder.export("SecurityGroup", reference("ControlPlaneSecurityGroup"));
    builder.export("ServiceRoleARN", attribute("ServiceRole", "Arn"));
    builder.export(
        "SharedNodeSecurityGroup",
        reference("ClusterSharedNodeSecurityGroup"),
    );
    for (name, subnets) in [
        ("SubnetsPrivate", &ground.private),
        ("SubnetsPublic", &ground.public),
    ] {
        if !subnets.is_empty() {
            builder.export(name, joined(subnets));
        }
    }
    builder.export("VPC", ground.vpc.clone());
}
