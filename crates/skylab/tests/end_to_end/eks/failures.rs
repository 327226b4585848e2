//! What goes wrong with a cluster's network, as its users see it.

use super::{add_nodegroup, aws, create, demo, eventually, meet, refused, settled};
use crate::cluster::{Cluster, kubectl};
use crate::lab::Lab;

/// Makes a subnet of the default VPC with this range, in the zone of the region with this letter: its id.
pub(super) fn subnet(lab: &Lab, zone: char, range: &str) -> String {
    let vpc = ["ec2", "describe-vpcs", "--query", "Vpcs[0].VpcId"];
    let vpc = aws(lab, &vpc);
    let zone = format!("us-west-2{zone}");
    let create = ["ec2", "create-subnet", "--vpc-id", &vpc];
    let place = ["--availability-zone", &zone, "--cidr-block", range];
    let query = ["--query", "Subnet.SubnetId"];
    aws(lab, &[&create[..], &place, &query].concat())
}

/// Gives a subnet of the default VPC a route table without ways out: its id.
pub(super) fn table_without_ways(lab: &Lab, subnet: &str) -> String {
    let vpc = ["ec2", "describe-vpcs", "--query", "Vpcs[0].VpcId"];
    let vpc = aws(lab, &vpc);
    let table = ["ec2", "create-route-table", "--vpc-id", &vpc];
    let query = ["--query", "RouteTable.RouteTableId"];
    let table = aws(lab, &[&table[..], &query].concat());
    let associate = ["ec2", "associate-route-table", "--route-table-id", &table];
    aws(lab, &[&associate[..], &["--subnet-id", subnet]].concat());
    table
}

/// Gives a route table a way out, by a NAT gateway in the zone's default subnet.
pub(super) fn route_out(lab: &Lab, table: &str) {
    let query = "Subnets[?DefaultForAz].SubnetId | [0]";
    let public = aws(lab, &["ec2", "describe-subnets", "--query", query]);
    let query = ["--query", "AllocationId"];
    let address = aws(lab, &[&["ec2", "allocate-address"][..], &query].concat());
    let create = ["ec2", "create-nat-gateway", "--subnet-id", &public];
    let query = [
        "--allocation-id",
        &address,
        "--query",
        "NatGateway.NatGatewayId",
    ];
    let nat = aws(lab, &[&create[..], &query].concat());
    let available = [
        "ec2",
        "wait",
        "nat-gateway-available",
        "--nat-gateway-ids",
        &nat,
    ];
    aws(lab, &available);
    let route = ["ec2", "create-route", "--route-table-id", table];
    let to = [
        "--destination-cidr-block",
        "0.0.0.0/0",
        "--nat-gateway-id",
        &nat,
    ];
    aws(lab, &[&route[..], &to].concat());
}

/// What keeps a node from the cluster is on its instance's console.
fn console(lab: &Lab, instance: &str) -> String {
    let get = ["ec2", "get-console-output", "--instance-id", instance];
    aws(lab, &[&get[..], &["--query", "Output"]].concat())
}

/// F-1, AWS-EKS: nodes in subnets without a way out never join: the group goes on being made, the console says what
/// nodeadm waits for, and `explain` why it doesn't come. With a NAT gateway they join by themselves.
#[test]
fn nodes_without_a_way_out_dont_join() {
    let Some(cluster) = demo() else { return };
    let lab = &cluster.lab;
    let private = subnet(lab, 'a', "172.31.128.0/24");
    let table = table_without_ways(lab, &private);
    add_nodegroup(lab, 1, &[private], &[]);
    let mut instance = String::new();
    let query = "Reservations[].Instances[?State.Name=='running'].InstanceId[]";
    let describe = ["ec2", "describe-instances", "--query", query];
    eventually("the node's instance", || {
        instance = aws(lab, &describe);
        !instance.is_empty()
    });
    eventually("nodeadm's word", || {
        console(lab, &instance).contains("nodeadm: ")
    });
    assert_eq!(cluster.ok(&["get", "nodes", "-o", "name"], ""), "");
    let place = format!("instance/{instance}");
    let told = lab.run(&["explain", &place, "internet", "--port", "443"]);
    let told = crate::lab::text(&told.stdout);
    assert!(told.contains("no route"), "{told}");
    route_out(lab, &table);
    assert_eq!(settled(lab, "CREATING"), "ACTIVE");
    let node = cluster.ok(&["get", "nodes", "-o", "name"], "");
    assert!(node.contains("172-31-128-"), "{node}");
}

/// F-12, AWS-EKS: services' addresses lie in private ranges and apart from the VPC's.
#[test]
fn services_cant_have_the_vpcs_addresses() {
    let Some(lab) = Lab::start(&[]) else { return };
    let query = "Subnets[0:2].SubnetId";
    let subnets = aws(&lab, &["ec2", "describe-subnets", "--query", query]);
    let config = format!("subnetIds={}", subnets.replace('\t', ","));
    let role = super::role(
        &lab,
        "eks",
        "eks.amazonaws.com",
        &["AmazonEKSClusterPolicy"],
    );
    let create = [
        "eks",
        "create-cluster",
        "--name",
        "demo",
        "--role-arn",
        &role,
    ];
    let config = ["--resources-vpc-config", &config];
    for (range, words) in [
        ("172.31.0.0/20", "overlaps with the VPC CIDR 172.31.0.0/16"),
        ("198.18.0.0/16", "must be within 10.0.0.0/8"),
        ("10.96.0.0/8", "between /24 and /12"),
    ] {
        let range = format!("serviceIpv4Cidr={range}");
        let network = ["--kubernetes-network-config", &range];
        let said = refused(&lab, &[&create[..], &config, &network].concat());
        assert!(said.contains("InvalidParameterException"), "{said}");
        assert!(said.contains(words), "{said}");
    }
}

/// So many pods that ask for nothing.
const MANY: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: many}
spec:
  replicas: 14
  selector: {matchLabels: {app: many}}
  template:
    metadata: {labels: {app: many}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - {name: main, image: skylab.local/host, command: [sleep, "3600"]}
"#;

/// F-2, F-3, AWS-CNI, AWS-MAXPODS: in a subnet without addresses pods stay being created, with the plugin's words; pods
/// beyond what the instance's interfaces hold stay pending.
#[test]
fn a_node_runs_out_of_addresses_and_of_pods() {
    let Some(kubectl) = kubectl() else { return };
    let Some(lab) = Lab::start(&[]) else { return };
    create(&lab);
    let small = subnet(&lab, 'a', "172.31.128.0/28");
    let modify = ["ec2", "modify-subnet-attribute", "--subnet-id", &small];
    aws(
        &lab,
        &[&modify[..], &["--map-public-ip-on-launch"]].concat(),
    );
    let types = ["--instance-types", "m5.large"];
    add_nodegroup(&lab, 1, &[small], &types);
    assert_eq!(settled(&lab, "CREATING"), "ACTIVE");
    let cluster = Cluster::of(lab, kubectl);
    meet(&cluster);
    let most = [
        "get",
        "nodes",
        "-o",
        "jsonpath={.items[0].status.allocatable.pods}",
    ];
    assert_eq!(cluster.ok(&most, ""), "29");
    cluster.ok(&["apply", "-f", "-"], MANY);
    let events = ["get", "events", "-o", "jsonpath={.items[*].message}"];
    eventually("the plugin's words", || {
        let said = cluster.ok(&events, "");
        said.contains("failed to assign an IP address to container")
    });
    let pods = cluster.ok(&["get", "pods"], "");
    assert!(pods.contains("ContainerCreating"), "{pods}");
    cluster.ok(&["scale", "deployment", "many", "--replicas=40"], "");
    eventually("the scheduler's words", || {
        let said = cluster.ok(&events, "");
        said.contains("0/1 nodes are available: 1 Too many pods")
    });
    let pending = "--field-selector=status.phase=Pending,spec.nodeName=";
    let pending = cluster.ok(&["get", "pods", "-o", "name", pending], "");
    // The node's 29 less aws-node, kube-proxy and two of CoreDNS.
    assert_eq!(pending.lines().count(), 40 - 25, "{pending}");
}
