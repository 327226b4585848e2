#![allow(clippy::unwrap_used)]
use super::*;
use crate::config::{ClusterConfig, NatGateways, NodeGroup, ServiceAccount};
use crate::family::Family;
use crate::network::Network;
use crate::subnets::cut;
use cloudformation::Template;

fn zones() -> Vec<String> {
    ["b", "a", "c"]
        .map(|zone| format!("us-west-2{zone}"))
        .to_vec()
}

fn demo(config: &ClusterConfig) -> Template {
    let range = "192.168.0.0/16".to_owned();
    let zones = cut(range.parse().unwrap(), &zones()).unwrap();
    Template::read(&cluster(config, &Network::Own { range, zones })).unwrap()
}

/// AWS-EKSCTL: in a VPC that is there a cluster's stack makes no network, and exports the one there is.
#[test]
fn a_vpc_that_is_there_is_taken_as_it_is() {
    let config = ClusterConfig::named("demo".to_owned());
    let network = Network::There {
        vpc: "vpc-1".to_owned(),
        public: vec!["subnet-1".to_owned(), "subnet-2".to_owned()],
        private: Vec::new(),
    };
    let template = Template::read(&cluster(&config, &network)).unwrap();
    let names: Vec<&str> = template.resources.keys().map(String::as_str).collect();
    assert!(
        !names
            .iter()
            .any(|name| name.contains("Subnet") || *name == "VPC"),
        "{names:?}"
    );
    let group = &template.resources["ControlPlaneSecurityGroup"].properties;
    assert_eq!(group["VpcId"], "vpc-1");
    assert!(template.outputs.contains_key("SubnetsPublic"));
    assert!(!template.outputs.contains_key("SubnetsPrivate"));
}

/// AWS-EKSCTL: the cluster's stack has eksctl's resources, ranges and outputs, and CloudFormation takes it.
#[test]
fn the_clusters_stack_is_eksctls() {
    let mut config = ClusterConfig::named("eks-demo".to_owned());
    let template = demo(&config);
    for name in [
        "VPC",
        "InternetGateway",
        "VPCGatewayAttachment",
        "PublicRouteTable",
        "PublicSubnetRoute",
        "SubnetPublicUSWEST2A",
        "SubnetPrivateUSWEST2C",
        "RouteTableAssociationPublicUSWEST2B",
        "PrivateRouteTableUSWEST2A",
        "NATIP",
        "NATGateway",
        "NATPrivateSubnetRouteUSWEST2C",
        "ControlPlaneSecurityGroup",
        "ClusterSharedNodeSecurityGroup",
        "IngressInterNodeGroupSG",
        "IngressDefaultClusterToNodeSG",
        "IngressNodeToDefaultClusterSG",
        "ServiceRole",
        "ControlPlane",
    ] {
        assert!(template.resources.contains_key(name), "{name}");
    }
    assert_eq!(template.resources.len(), 32);
    let first = &template.resources["SubnetPublicUSWEST2B"].properties;
    assert_eq!(first["CidrBlock"], "192.168.0.0/19");
    assert_eq!(
        template.resources["NATGateway"].properties["SubnetId"],
        reference("SubnetPublicUSWEST2B")
    );
    let outputs: Vec<&str> = template.outputs.keys().map(String::as_str).collect();
    assert_eq!(
        outputs,
        [
            "ARN",
            "CertificateAuthorityData",
            "ClusterSecurityGroupId",
            "ClusterStackName",
            "Endpoint",
            "FeatureNATMode",
            "SecurityGroup",
            "ServiceRoleARN",
            "SharedNodeSecurityGroup",
            "SubnetsPrivate",
            "SubnetsPublic",
            "VPC",
        ]
    );
    config.vpc.nat.gateway = NatGateways::HighlyAvailable;
    assert!(demo(&config).resources.contains_key("NATGatewayUSWEST2C"));
    config.vpc.nat.gateway = NatGateways::Disable;
    assert!(
        !demo(&config)
            .resources
            .keys()
            .any(|name| name.starts_with("NAT"))
    );
}

#[test]
fn the_other_stacks_are_taken_too() {
    let group = NodeGroup::named("ng-1".to_owned());
    let managed = Template::read(&managed("c", &group, &[], Family::AmazonLinux2023)).unwrap();
    let names: Vec<&str> = managed.resources.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["LaunchTemplate", "ManagedNodeGroup", "NodeInstanceRole"]
    );
    let boot = Boot {
        image: "ami-1",
        user_data: "eA==",
    };
    let own = Template::read(&unmanaged("c", &group, &[], boot)).unwrap();
    assert!(own.resources.contains_key("EgressInterClusterAPI"));
    let mut account = ServiceAccount::default();
    account.metadata.name = "lbc".to_owned();
    account.metadata.namespace = "kube-system".to_owned();
    let provider = "arn:aws:iam::1:oidc-provider/oidc.eks.us-west-2.amazonaws.com/id/X";
    let text = service_account(&account, provider);
    assert!(text.contains("oidc.eks.us-west-2.amazonaws.com/id/X:sub"));
    Template::read(&text).unwrap();
}
