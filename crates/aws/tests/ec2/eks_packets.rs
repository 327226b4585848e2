//! Who reaches a cluster's Kubernetes API, and whom it reaches.

use crate::eks_ground::Ground;
use aws::compile::{self, Outside};
use aws::model::State;
use aws::model::eks::dns;
use fabric::{
    Fabric, Flow, Host, HostId, HostRoute, Mac, Network, Origin, Port, Route, RouteOrigin,
    RouteTable, Segment, Target, Transport, Verdict, walk::walk,
};
use ipnet::Ipv4Net;
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::sync::Arc;

const CLIENT: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);

fn everywhere() -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0)
}

/// The account's fabric beside an internet with a client; it is the same whether compiled at once or by steps.
fn world(before: &State, state: &State) -> Fabric {
    let outside = Outside {
        internet: "internet".into(),
    };
    let mut fabric = compile::fabric(before, &outside);
    compile::update(&mut fabric, before, state, &outside);
    assert!(fabric == compile::fabric(state, &outside));
    let network = Network {
        id: "internet".into(),
        mtu: 1500,
        services: Vec::new(),
    };
    let table = RouteTable {
        id: "internet".into(),
        network: "internet".into(),
        routes: vec![Route {
            id: "0.0.0.0/0".into(),
            prefix: everywhere(),
            target: Target::Local,
            origin: RouteOrigin::System,
            preference: 0,
        }],
    };
    let segment = Segment {
        id: "internet".into(),
        network: "internet".into(),
        prefixes: vec![Ipv4Net::new_assert(Ipv4Addr::new(203, 0, 113, 0), 24)],
        zone: None,
        route_table: "internet".into(),
        boundary: None,
    };
    let client = Host {
        id: "client".into(),
        running: true,
        forwarding: false,
        routes: vec![HostRoute {
            from: None,
            prefix: everywhere(),
            port: "client".into(),
            metric: 0,
        }],
        source_translation: None,
        answers: Vec::new(),
        opaque: None,
    };
    let port = Port {
        id: "client".into(),
        network: "internet".into(),
        segment: "internet".into(),
        host: Some(("client".into(), 0)),
        mac: Mac([2, 0, 0, 0, 0, 1]),
        addresses: vec![CLIENT],
        prefixes: Vec::new(),
        guard: true,
        layers: Vec::new(),
        always_tracked: false,
    };
    fabric.networks.insert("internet".into(), Arc::new(network));
    fabric
        .route_tables
        .insert("internet".into(), Arc::new(table));
    fabric.segments.insert("internet".into(), Arc::new(segment));
    fabric.hosts.insert("client".into(), Arc::new(client));
    fabric.ports.insert("client".into(), Arc::new(port));
    fabric
}

fn call(to: Ipv4Addr, port: u16) -> Flow {
    Flow {
        source: Ipv4Addr::UNSPECIFIED,
        destination: to,
        transport: Transport::Tcp {
            source_port: 40_000,
            destination_port: port,
        },
    }
}

fn reaches(fabric: &Fabric, from: &str, to: Ipv4Addr, port: u16) -> Verdict {
    walk(fabric, &Origin::Host(HostId::from(from)), call(to, port)).verdict
}

fn delivered(fabric: &Fabric, from: &str, to: Ipv4Addr, port: u16) -> bool {
    reaches(fabric, from, to, port) == Verdict::Delivered
}

fn private(ground: &Ground) -> Vec<Ipv4Addr> {
    let state = &ground.account.state;
    state.eks_clusters[&ground.key("c")].private_addresses(state)
}

fn public(ground: &Ground) -> Ipv4Addr {
    ground.account.state.eks_clusters[&ground.key("c")]
        .endpoint
        .public_address
}

fn configure(ground: &mut Ground, network: &Value) {
    let asked = json!({ "resourcesVpcConfig": network });
    ground.ok("POST", "/clusters/c/update-config", &asked);
}

/// AWS-EKS-MODE, F-7: the internet reaches a public endpoint from its CIDRs, and a private one not at all.
#[test]
fn the_internet_reaches_public_endpoints_from_their_cidrs() {
    let mut ground = Ground::new();
    let before = ground.account.state.clone();
    ground.cluster("c", &json!({}));
    let address = public(&ground);
    let open = world(&before, &ground.account.state);
    assert!(delivered(&open, "client", address, 443));
    assert!(!delivered(&open, "client", address, 80));
    let before = ground.account.state.clone();
    configure(
        &mut ground,
        &json!({ "publicAccessCidrs": ["198.51.100.0/24"] }),
    );
    let limited = world(&before, &ground.account.state);
    assert!(matches!(
        reaches(&limited, "client", address, 443),
        Verdict::Dropped(_, fabric::DropReason::PortFilter { .. })
    ));
    let before = ground.account.state.clone();
    let network = json!({ "endpointPublicAccess": false, "endpointPrivateAccess": true });
    configure(&mut ground, &network);
    let closed = world(&before, &ground.account.state);
    assert!(matches!(
        reaches(&closed, "client", address, 443),
        Verdict::Dropped(_, fabric::DropReason::NoSuchAddress { .. })
    ));
    let before = ground.account.state.clone();
    ground.ok("DELETE", "/clusters/c", &Value::Null);
    let gone = world(&before, &ground.account.state);
    assert!(
        !gone
            .hosts
            .keys()
            .any(|host| host.as_str().starts_with("eks/"))
    );
}

/// AWS-EKS, AWS-EKS-MODE: in the VPC the interfaces take members of the cluster security group and nobody else.
#[test]
fn the_cluster_security_group_admits_to_the_interfaces() {
    let mut ground = Ground::new();
    let shown = ground.cluster("c", &json!({}));
    let group = shown["resourcesVpcConfig"]["clusterSecurityGroupId"]
        .as_str()
        .unwrap();
    let subnet = ground.subnets[0].clone();
    let member = ground
        .account
        .instance(&subnet, &[("SecurityGroupId.1", group)]);
    let stranger = ground.account.instance(&subnet, &[]);
    let fabric = world(&ground.account.state, &ground.account.state);
    let addresses = private(&ground);
    assert_eq!(addresses.len(), 2);
    for address in addresses {
        assert!(delivered(&fabric, &member, address, 443));
        assert!(!delivered(&fabric, &stranger, address, 443));
    }
}

/// F-13: the API server reaches a kubelet through its interface, unless a security group is in the way.
#[test]
fn security_groups_decide_whether_kubelets_are_reached() {
    let mut ground = Ground::new();
    let shown = ground.cluster("c", &json!({}));
    let group = shown["resourcesVpcConfig"]["clusterSecurityGroupId"]
        .as_str()
        .unwrap();
    let vpc = ground.vpc.clone();
    let own = ground.account.group(&vpc, "nodes");
    let subnet = ground.subnets[1].clone();
    let node = ground
        .account
        .instance(&subnet, &[("SecurityGroupId.1", own.as_str())]);
    let address = {
        let state = &ground.account.state;
        let mut all = state.network_interfaces.values();
        let of = |of: &&Arc<aws::model::network_interface::NetworkInterface>| {
            of.instance().is_some_and(|id| id.as_str() == node)
        };
        all.find(of).unwrap().primary().unwrap().ip
    };
    let api = "eks/c/us-west-2";
    let closed = world(&ground.account.state, &ground.account.state);
    assert!(matches!(
        reaches(&closed, api, address, 10250),
        Verdict::Dropped(_, fabric::DropReason::PortFilter { ingress: true, .. })
    ));
    let rule = [
        ("GroupId", own.as_str()),
        ("IpPermissions.1.IpProtocol", "tcp"),
        ("IpPermissions.1.FromPort", "10250"),
        ("IpPermissions.1.ToPort", "10250"),
        ("IpPermissions.1.Groups.1.GroupId", group),
    ];
    ground.account.ok("AuthorizeSecurityGroupIngress", &rule);
    let open = world(&ground.account.state, &ground.account.state);
    assert!(delivered(&open, api, address, 10250));
    assert!(!delivered(&open, api, address, 22));
}

/// AWS-EKS-MODE: the endpoint's name stands for the interfaces in the VPC with private access, and everywhere without
/// public access; private names need both of the VPC's attributes.
#[test]
fn the_endpoints_name_depends_on_who_asks() {
    let mut ground = Ground::new();
    ground.cluster("c", &json!({}));
    let name = ground.account.state.eks_clusters[&ground.key("c")]
        .endpoint
        .host
        .to_lowercase();
    let vpc = aws::model::VpcId::from(ground.vpc.as_str());
    let asked = |ground: &Ground| {
        let state = &ground.account.state;
        let [inside, outside] = [Some(&vpc), None].map(|asker| dns::addresses(state, asker, &name));
        (inside.unwrap(), outside.unwrap())
    };
    let (public, private) = (vec![public(&ground)], private(&ground));
    assert_eq!(asked(&ground), (public.clone(), public.clone()));
    configure(&mut ground, &json!({ "endpointPrivateAccess": true }));
    assert_eq!(asked(&ground), (private.clone(), public.clone()));
    let attribute = [
        ("VpcId", vpc.as_str()),
        ("EnableDnsHostnames.Value", "false"),
    ];
    ground.account.ok("ModifyVpcAttribute", &attribute);
    assert_eq!(asked(&ground), (public.clone(), public));
    configure(&mut ground, &json!({ "endpointPublicAccess": false }));
    assert_eq!(asked(&ground), (private.clone(), private));
    let state = &ground.account.state;
    assert_eq!(
        dns::addresses(state, None, "x.gr7.us-west-2.eks.amazonaws.com"),
        None
    );
}

/// AWS-EKS-MODE, F-7, F-13: what is in the way is named with what would help.
#[test]
fn what_is_in_the_way_has_a_remedy() {
    let mut ground = Ground::new();
    let limited = json!({ "resourcesVpcConfig": { "publicAccessCidrs": ["198.51.100.0/24"] } });
    let shown = ground.cluster("c", &limited);
    let group = shown["resourcesVpcConfig"]["clusterSecurityGroupId"].clone();
    let group = group.as_str().unwrap();
    let subnet = ground.subnets[0].clone();
    let stranger = ground.account.instance(&subnet, &[]);
    let remedies = |ground: &Ground, from: &str, to: Ipv4Addr| {
        let state = &ground.account.state;
        let fabric = world(state, state);
        let trace = walk(&fabric, &Origin::Host(HostId::from(from)), call(to, 443));
        aws::explain::remedies(state, &fabric, &trace).join("\n")
    };
    let told = remedies(&ground, "client", public(&ground));
    let command = "update-cluster-config --region us-west-2 --name c --resources-vpc-config publicAccessCidrs=198.51.100.0/24,203.0.113.10/32";
    assert!(told.contains(command), "{told}");
    let inside = private(&ground)[0];
    let told = remedies(&ground, &stranger, inside);
    assert!(
        told.contains(&format!("{group} is the cluster security group of c")),
        "{told}"
    );
    let network = json!({ "endpointPublicAccess": false, "endpointPrivateAccess": true });
    configure(&mut ground, &network);
    let told = remedies(&ground, "client", inside);
    assert!(
        told.contains("is private") && told.contains("endpointPublicAccess=true"),
        "{told}"
    );
}
