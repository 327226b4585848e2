//! VPCs, subnets and network interfaces.

use crate::account::Account;

/// AWS-VPC: several CIDRs come and go, the default VPC is there and comes back, delete takes along what
/// AWS made with it.
#[test]
fn vpcs() {
    let mut account = Account::new();
    let default = [
        ("Filter.1.Name", "is-default"),
        ("Filter.1.Value.1", "true"),
    ];
    let first = account.ok("DescribeVpcs", &default);
    assert_eq!(first.one("cidrBlock"), "172.31.0.0/16");
    assert_eq!(
        account.refused("CreateDefaultVpc", &[]),
        "DefaultVpcAlreadyExists"
    );

    let vpc = account.vpc("10.0.0.0/16");
    let second = account.ok(
        "AssociateVpcCidrBlock",
        &[("VpcId", &vpc), ("CidrBlock", "10.1.0.0/16")],
    );
    let association = second.one("associationId");
    let subnet = account.subnet(&vpc, "10.1.0.0/24");
    assert_eq!(
        account.refused(
            "DisassociateVpcCidrBlock",
            &[("AssociationId", &association)]
        ),
        "DependencyViolation"
    );
    account.ok("DeleteSubnet", &[("SubnetId", &subnet)]);
    account.ok(
        "DisassociateVpcCidrBlock",
        &[("AssociationId", &association)],
    );
    assert_eq!(
        account.refused(
            "CreateSubnet",
            &[("VpcId", &vpc), ("CidrBlock", "10.1.0.0/24")]
        ),
        "InvalidSubnet.Range"
    );
    account.ok("DeleteVpc", &[("VpcId", &vpc)]);
    for action in [
        "DescribeSecurityGroups",
        "DescribeNetworkAcls",
        "DescribeRouteTables",
    ] {
        let left = account.ok(
            action,
            &[("Filter.1.Name", "vpc-id"), ("Filter.1.Value.1", &vpc)],
        );
        assert!(!left.0.contains(&vpc), "{action}: {}", left.0);
    }
}

/// AWS-VPC: the two DNS attributes; two VPCs may have the same range, public ranges too.
#[test]
fn vpc_attributes_and_ranges() {
    let mut account = Account::new();
    let (one, other) = (account.vpc("10.0.0.0/16"), account.vpc("10.0.0.0/16"));
    assert_ne!(one, other);
    account.vpc("54.0.0.0/16");
    let mut attribute = |name: &str| {
        let asked = [("VpcId", one.as_str()), ("Attribute", name)];
        account.ok("DescribeVpcAttribute", &asked).one("value")
    };
    assert_eq!(attribute("enableDnsSupport"), "true");
    assert_eq!(attribute("enableDnsHostnames"), "false");
    account.ok(
        "ModifyVpcAttribute",
        &[("VpcId", &one), ("EnableDnsHostnames.Value", "true")],
    );
    let asked = [("VpcId", one.as_str()), ("Attribute", "enableDnsHostnames")];
    assert_eq!(
        account.ok("DescribeVpcAttribute", &asked).one("value"),
        "true"
    );
}

/// AWS-SUBNET: five addresses of a /24 are AWS's own, the free count is true, and public addresses come
/// where the subnet says so.
#[test]
fn subnets() {
    let mut account = Account::new();
    let vpc = account.vpc("10.0.0.0/16");
    let subnet = account.subnet(&vpc, "10.0.0.0/24");
    let free = |account: &mut Account| {
        account
            .ok("DescribeSubnets", &[("SubnetId.1", &subnet)])
            .one("availableIpAddressCount")
    };
    assert_eq!(free(&mut account), "251");
    let interface = account.interface(&subnet);
    assert_eq!(free(&mut account), "250");
    account.ok(
        "AssignPrivateIpAddresses",
        &[("NetworkInterfaceId", &interface), ("Ipv4PrefixCount", "1")],
    );
    assert_eq!(free(&mut account), "234");
    for reserved in [
        "10.0.0.0",
        "10.0.0.1",
        "10.0.0.2",
        "10.0.0.3",
        "10.0.0.255",
        "10.0.1.9",
    ] {
        let asked = [
            ("SubnetId", subnet.as_str()),
            ("PrivateIpAddress", reserved),
        ];
        assert_eq!(
            account.refused("CreateNetworkInterface", &asked),
            "InvalidParameterValue",
            "{reserved}"
        );
    }
    account.ok(
        "ModifySubnetAttribute",
        &[("SubnetId", &subnet), ("MapPublicIpOnLaunch.Value", "true")],
    );
    let instance = account.instance(&subnet, &[]);
    let described = account.ok("DescribeInstances", &[("InstanceId.1", &instance)]);
    let public = described
        .one("ipAddress")
        .parse::<std::net::Ipv4Addr>()
        .unwrap();
    assert!(!public.is_private());
}

/// AWS-SUBNET: a subnet that is full says so; one whose free addresses lie apart has no prefix to give.
#[test]
fn subnets_run_out() {
    let mut account = Account::new();
    let vpc = account.vpc("10.0.0.0/16");
    let small = account.subnet(&vpc, "10.0.0.0/28");
    for _ in 0..11 {
        account.interface(&small);
    }
    assert_eq!(
        account.refused("CreateNetworkInterface", &[("SubnetId", &small)]),
        "InsufficientFreeAddressesInSubnet"
    );
    let broken = account.subnet(&vpc, "10.0.1.0/26");
    let interface = account.interface(&broken);
    for middle in ["10.0.1.20", "10.0.1.40"] {
        // The primary may have it already.
        let _ = account.call(
            "AssignPrivateIpAddresses",
            &[
                ("NetworkInterfaceId", &interface),
                ("PrivateIpAddress.1", middle),
            ],
        );
    }
    assert_eq!(
        account.refused(
            "AssignPrivateIpAddresses",
            &[("NetworkInterfaceId", &interface), ("Ipv4PrefixCount", "1")]
        ),
        "InsufficientCidrBlocks"
    );
}

/// AWS-ENI: secondary addresses and prefixes within the type's limits; what is attached keeps all it
/// has when it moves.
#[test]
fn interfaces_move_with_all_they_have() {
    let mut account = Account::new();
    let vpc = account.vpc("10.0.0.0/16");
    let subnet = account.subnet(&vpc, "10.0.0.0/24");
    let (one, other) = (
        account.instance(&subnet, &[]),
        account.instance(&subnet, &[]),
    );
    let asked = [
        ("SubnetId", subnet.as_str()),
        ("PrivateIpAddress", "10.0.0.50"),
        ("Description", "moves"),
    ];
    let interface = account.make("networkInterfaceId", "CreateNetworkInterface", &asked);
    account.ok(
        "AssignPrivateIpAddresses",
        &[
            ("NetworkInterfaceId", &interface),
            ("PrivateIpAddress.1", "10.0.0.51"),
        ],
    );
    let shown = |account: &mut Account| {
        let shown = account.ok(
            "DescribeNetworkInterfaces",
            &[("NetworkInterfaceId.1", &interface)],
        );
        (
            shown.one("macAddress"),
            shown.all("privateIpAddress"),
            shown.one("description"),
            shown.all("instanceId"),
        )
    };
    let (mac, addresses, description, _) = shown(&mut account);
    let attach = |to: &str| {
        [
            ("NetworkInterfaceId", interface.clone()),
            ("InstanceId", to.to_owned()),
            ("DeviceIndex", "1".to_owned()),
        ]
    };
    let mut attachment = String::new();
    for to in [&one, &other] {
        if !attachment.is_empty() {
            account.ok("DetachNetworkInterface", &[("AttachmentId", &attachment)]);
        }
        let parameters = attach(to);
        let parameters: Vec<(&str, &str)> = parameters
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        attachment = account.make("attachmentId", "AttachNetworkInterface", &parameters);
        let now = shown(&mut account);
        assert_eq!((&now.0, &now.1, &now.2), (&mac, &addresses, &description));
        assert_eq!(now.3, [to.as_str()]);
    }
    assert_eq!(
        account.refused(
            "DeleteNetworkInterface",
            &[("NetworkInterfaceId", &interface)]
        ),
        "InvalidParameterValue"
    );
    // A t3.micro has two interfaces with two addresses each.
    let third = account.interface(&subnet);
    assert_eq!(
        account.refused(
            "AttachNetworkInterface",
            &[
                ("NetworkInterfaceId", &third),
                ("InstanceId", &other),
                ("DeviceIndex", "2")
            ]
        ),
        "AttachmentLimitExceeded"
    );
    assert_eq!(
        account.refused(
            "AssignPrivateIpAddresses",
            &[
                ("NetworkInterfaceId", &interface),
                ("SecondaryPrivateIpAddressCount", "1")
            ]
        ),
        "PrivateIpAddressLimitExceeded"
    );
    let primary = account.ok(
        "DescribeNetworkInterfaces",
        &[
            ("Filter.1.Name", "attachment.instance-id"),
            ("Filter.1.Value.1", &one),
        ],
    );
    assert_eq!(
        account.refused(
            "DetachNetworkInterface",
            &[("AttachmentId", &primary.one("attachmentId"))]
        ),
        "OperationNotPermitted"
    );
}

/// AWS-ENI: an address can be taken over from another interface, but only when that is said.
#[test]
fn addresses_are_reassigned() {
    let mut account = Account::new();
    let vpc = account.vpc("10.0.0.0/16");
    let subnet = account.subnet(&vpc, "10.0.0.0/24");
    let (from, to) = (account.interface(&subnet), account.interface(&subnet));
    account.ok(
        "AssignPrivateIpAddresses",
        &[
            ("NetworkInterfaceId", &from),
            ("PrivateIpAddress.1", "10.0.0.77"),
        ],
    );
    let take = [
        ("NetworkInterfaceId", to.as_str()),
        ("PrivateIpAddress.1", "10.0.0.77"),
    ];
    assert_eq!(
        account.refused("AssignPrivateIpAddresses", &take),
        "InvalidParameterValue"
    );
    account.ok(
        "AssignPrivateIpAddresses",
        &[take[0], take[1], ("AllowReassignment", "true")],
    );
    let has = [
        ("Filter.1.Name", "private-ip-address"),
        ("Filter.1.Value.1", "10.0.0.77"),
    ];
    assert_eq!(
        account
            .ok("DescribeNetworkInterfaces", &has)
            .all("networkInterfaceId"),
        [to]
    );
}
