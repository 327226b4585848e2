//! Public addresses: Elastic IPs, internet and NAT gateways.

use crate::account::Account;

/// AWS-EIP: one association at a time, moved only when that is said, kept through it all.
#[test]
fn elastic_ips_move() {
    let mut account = Account::new();
    let vpc = account.vpc("10.0.0.0/16");
    let subnet = account.subnet(&vpc, "10.0.0.0/24");
    account.internet_gateway(&vpc);
    let (one, other) = (
        account.instance(&subnet, &[]),
        account.instance(&subnet, &[]),
    );
    let made = account.ok("AllocateAddress", &[("Domain", "vpc")]);
    let (allocation, public) = (made.one("allocationId"), made.one("publicIp"));
    account.ok(
        "AssociateAddress",
        &[("AllocationId", &allocation), ("InstanceId", &one)],
    );
    let take = [
        ("AllocationId", allocation.as_str()),
        ("InstanceId", &other),
        ("AllowReassociation", "false"),
    ];
    assert_eq!(
        account.refused("AssociateAddress", &take),
        "Resource.AlreadyAssociated"
    );
    account.ok(
        "AssociateAddress",
        &[take[0], take[1], ("AllowReassociation", "true")],
    );
    let shown = account.ok("DescribeAddresses", &[("AllocationId.1", &allocation)]);
    assert_eq!(
        (shown.one("instanceId"), shown.one("publicIp")),
        (other.clone(), public.clone())
    );
    account.ok(
        "DisassociateAddress",
        &[("AssociationId", &shown.one("associationId"))],
    );
    assert!(
        account
            .ok("DescribeAddresses", &[("PublicIp.1", &public)])
            .all("associationId")
            .is_empty()
    );
    account.ok("ReleaseAddress", &[("AllocationId", &allocation)]);
    assert_eq!(
        account.refused("DescribeAddresses", &[("AllocationId.1", &allocation)]),
        "InvalidAllocationID.NotFound"
    );
}

/// AWS-EIP, AWS-IGW: without an internet gateway in its VPC nothing takes an Elastic IP.
#[test]
fn elastic_ips_need_a_gateway() {
    let mut account = Account::new();
    let vpc = account.vpc("10.0.0.0/16");
    let subnet = account.subnet(&vpc, "10.0.0.0/24");
    let interface = account.interface(&subnet);
    let allocation = account.make("allocationId", "AllocateAddress", &[]);
    let associate = [
        ("AllocationId", allocation.as_str()),
        ("NetworkInterfaceId", &interface),
    ];
    assert_eq!(
        account.refused("AssociateAddress", &associate),
        "Gateway.NotAttached"
    );
}

/// AWS-EIP: an automatic address goes when its instance stops; an Elastic IP stays.
#[test]
fn automatic_addresses_come_and_go() {
    let mut account = Account::new();
    let vpc = account.vpc("10.0.0.0/16");
    let subnet = account.subnet(&vpc, "10.0.0.0/24");
    account.internet_gateway(&vpc);
    let public = [
        ("NetworkInterface.1.DeviceIndex", "0"),
        ("NetworkInterface.1.SubnetId", subnet.as_str()),
        ("NetworkInterface.1.AssociatePublicIpAddress", "true"),
        ("InstanceType", "t3.micro"),
        ("MinCount", "1"),
        ("MaxCount", "1"),
    ];
    let image = account.make("imageId", "DescribeImages", &[]);
    let asked = [&public[..], &[("ImageId", image.as_str())]].concat();
    let automatic = account.make("instanceId", "RunInstances", &asked);
    let elastic = account.instance(&subnet, &[]);
    let allocation = account.make("allocationId", "AllocateAddress", &[]);
    account.ok(
        "AssociateAddress",
        &[("AllocationId", &allocation), ("InstanceId", &elastic)],
    );
    let address = |account: &mut Account, id: &str| {
        account
            .ok("DescribeInstances", &[("InstanceId.1", id)])
            .all("ipAddress")
    };
    let before = address(&mut account, &elastic);
    assert_eq!(address(&mut account, &automatic).len(), 1);
    for action in ["StopInstances", "StartInstances"] {
        account.ok(
            action,
            &[("InstanceId.1", &automatic), ("InstanceId.2", &elastic)],
        );
        account.wait(120);
    }
    assert_eq!(address(&mut account, &elastic), before);
}

/// AWS-NAT: a gateway keeps its address for life, tells its states, and frees the address when it goes.
#[test]
fn nat_gateways_live_and_die() {
    let mut account = Account::new();
    let vpc = account.vpc("10.0.0.0/16");
    let subnet = account.subnet(&vpc, "10.0.0.0/24");
    account.internet_gateway(&vpc);
    let elastic = account.ok("AllocateAddress", &[]);
    let allocation = elastic.one("allocationId");
    let asked = [("SubnetId", subnet.as_str()), ("AllocationId", &allocation)];
    let gateway = account.make("natGatewayId", "CreateNatGateway", &asked);
    account.wait(120);
    let shown = account.ok("DescribeNatGateways", &[("NatGatewayId.1", &gateway)]);
    assert_eq!(
        (shown.one("state"), shown.one("publicIp")),
        ("available".to_owned(), elastic.one("publicIp"))
    );
    let interface = shown.one("networkInterfaceId");
    assert_eq!(
        account.refused(
            "DeleteNetworkInterface",
            &[("NetworkInterfaceId", &interface)]
        ),
        "AuthFailure"
    );
    let association = account
        .ok("DescribeAddresses", &[("AllocationId.1", &allocation)])
        .one("associationId");
    assert_eq!(
        account.refused("DisassociateAddress", &[("AssociationId", &association)]),
        "AuthFailure"
    );
    assert_eq!(
        account.refused("ReleaseAddress", &[("AllocationId", &allocation)]),
        "InvalidIPAddress.InUse"
    );

    let table = account.of_vpc("routeTableId", "DescribeRouteTables", &vpc);
    account.ok(
        "CreateRoute",
        &[
            ("RouteTableId", &table),
            ("DestinationCidrBlock", "0.0.0.0/0"),
            ("NatGatewayId", &gateway),
        ],
    );
    account.ok("DeleteNatGateway", &[("NatGatewayId", &gateway)]);
    account.wait(120);
    assert_eq!(
        account
            .ok("DescribeNatGateways", &[("NatGatewayId.1", &gateway)])
            .one("state"),
        "deleted"
    );
    account.ok("ReleaseAddress", &[("AllocationId", &allocation)]);
    // F-9: the route stays, and drops.
    let routes = account.ok("DescribeRouteTables", &[("RouteTableId.1", &table)]);
    assert_eq!(
        routes
            .all("state")
            .iter()
            .filter(|state| *state == "blackhole")
            .count(),
        1
    );
    account.wait(7200);
    assert!(
        account
            .ok("DescribeNatGateways", &[])
            .all("natGatewayId")
            .is_empty()
    );
}

/// AWS-NAT: a private NAT gateway has no Elastic IP, a public one needs one.
#[test]
fn private_nat_gateways() {
    let mut account = Account::new();
    let vpc = account.vpc("10.0.0.0/16");
    let subnet = account.subnet(&vpc, "10.0.0.0/24");
    assert_eq!(
        account.refused("CreateNatGateway", &[("SubnetId", &subnet)]),
        "MissingParameter"
    );
    let private = account.ok(
        "CreateNatGateway",
        &[("SubnetId", &subnet), ("ConnectivityType", "private")],
    );
    assert!(private.all("publicIp").is_empty());
}
