//! What an instance of an image for Kubernetes nodes is in the fabric.

use crate::account::Account;
use aws::compile::{self, Outside};
use fabric::{HostId, PortId};
use ipnet::Ipv4Net;

/// AWS-CNI: a node has its first interface's primary address and its routes, and forwards. Secondary
/// addresses and other interfaces' routes are its network plugin's. Any other instance has them itself.
#[test]
fn a_node_leaves_the_rest_to_its_plugin() {
    let mut account = Account::new();
    let vpc = account.vpc("10.0.0.0/16");
    let subnet = account.subnet(&vpc, "10.0.0.0/24");
    let named = [
        ("Filter.1.Name", "name"),
        (
            "Filter.1.Value.1",
            "amazon-eks-node-al2023-x86_64-standard-*",
        ),
    ];
    let node_image = account.make("imageId", "DescribeImages", &named);
    for (image, node) in [(Some(node_image), true), (None, false)] {
        let asked = [
            ("MinCount", "1"),
            ("MaxCount", "1"),
            ("SubnetId", subnet.as_str()),
            ("InstanceType", "m5.large"),
            ("ImageId", image.as_deref().unwrap_or_default()),
        ];
        let instance = match &image {
            Some(_) => account.make("instanceId", "RunInstances", &asked),
            None => account.instance(&subnet, &[("InstanceType", "m5.large")]),
        };
        account.wait(60);
        let asked = [
            ("SubnetId", subnet.as_str()),
            ("SecondaryPrivateIpAddressCount", "2"),
        ];
        let interface = account.make("networkInterfaceId", "CreateNetworkInterface", &asked);
        let asked = [
            ("NetworkInterfaceId", interface.as_str()),
            ("InstanceId", instance.as_str()),
            ("DeviceIndex", "1"),
        ];
        account.ok("AttachNetworkInterface", &asked);
        let outside = Outside {
            internet: "internet".into(),
        };
        let fabric = compile::fabric(&account.state, &outside);
        let host = &fabric.hosts[&HostId::from(instance.as_str())];
        let port = &fabric.ports[&PortId::from(interface.as_str())];
        assert_eq!(host.forwarding, node);
        let by_it = host.routes.iter().filter(|route| route.port == port.id);
        assert_eq!(by_it.count() == 0, node);
        let own = (port.addresses.len(), port.prefixes.len());
        assert_eq!(own, if node { (1, 2) } else { (3, 0) });
        let single = |prefix: &Ipv4Net| prefix.prefix_len() == 32;
        assert!(port.prefixes.iter().all(single));
    }
}
