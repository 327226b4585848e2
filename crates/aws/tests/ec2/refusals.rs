//! Bad input of every kind gets AWS's own error code and changes nothing: [`Account::refused`] checks
//! both.

use crate::account::Account;

type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);

fn check(account: &mut Account, cases: &[Case<'_>]) {
    for (action, parameters, code) in cases {
        assert_eq!(
            account.refused(action, parameters),
            *code,
            "{action} {parameters:?}"
        );
    }
}

/// Unknown ids of every kind, and ids that can't be ids.
#[test]
fn ids_that_are_not_there() {
    let mut account = Account::new();
    let vpc = account.vpc("10.0.0.0/16");
    let subnet = account.subnet(&vpc, "10.0.0.0/24");
    let absent = "0123456789abcdef0";
    let (no_vpc, no_subnet, no_table) = (
        format!("vpc-{absent}"),
        format!("subnet-{absent}"),
        format!("rtb-{absent}"),
    );
    let (no_igw, no_nat, no_eni) = (
        format!("igw-{absent}"),
        format!("nat-{absent}"),
        format!("eni-{absent}"),
    );
    let (no_sg, no_acl, no_instance) = (
        format!("sg-{absent}"),
        format!("acl-{absent}"),
        format!("i-{absent}"),
    );
    let (no_eip, no_image, no_options) = (
        format!("eipalloc-{absent}"),
        format!("ami-{absent}"),
        format!("dopt-{absent}"),
    );
    let image = account.make("imageId", "DescribeImages", &[]);
    check(
        &mut account,
        &[
            ("DeleteVpc", &[("VpcId", &no_vpc)], "InvalidVpcID.NotFound"),
            (
                "DescribeVpcs",
                &[("VpcId.1", &no_vpc)],
                "InvalidVpcID.NotFound",
            ),
            (
                "CreateSubnet",
                &[("VpcId", &no_vpc), ("CidrBlock", "10.0.0.0/24")],
                "InvalidVpcID.NotFound",
            ),
            (
                "DeleteSubnet",
                &[("SubnetId", &no_subnet)],
                "InvalidSubnetID.NotFound",
            ),
            (
                "DescribeSubnets",
                &[("SubnetId.1", &no_subnet)],
                "InvalidSubnetID.NotFound",
            ),
            (
                "DeleteRouteTable",
                &[("RouteTableId", &no_table)],
                "InvalidRouteTableID.NotFound",
            ),
            (
                "AssociateRouteTable",
                &[("RouteTableId", &no_table), ("SubnetId", &subnet)],
                "InvalidRouteTableID.NotFound",
            ),
            (
                "AttachInternetGateway",
                &[("InternetGatewayId", &no_igw), ("VpcId", &vpc)],
                "InvalidInternetGatewayID.NotFound",
            ),
            (
                "DeleteNatGateway",
                &[("NatGatewayId", &no_nat)],
                "NatGatewayNotFound",
            ),
            (
                "DescribeNatGateways",
                &[("NatGatewayId.1", &no_nat)],
                "NatGatewayNotFound",
            ),
            (
                "DeleteNetworkInterface",
                &[("NetworkInterfaceId", &no_eni)],
                "InvalidNetworkInterfaceID.NotFound",
            ),
            (
                "DeleteSecurityGroup",
                &[("GroupId", &no_sg)],
                "InvalidGroup.NotFound",
            ),
            (
                "DescribeSecurityGroups",
                &[("GroupId.1", &no_sg)],
                "InvalidGroup.NotFound",
            ),
            (
                "DeleteNetworkAcl",
                &[("NetworkAclId", &no_acl)],
                "InvalidNetworkAclID.NotFound",
            ),
            (
                "TerminateInstances",
                &[("InstanceId.1", &no_instance)],
                "InvalidInstanceID.NotFound",
            ),
            (
                "ReleaseAddress",
                &[("AllocationId", &no_eip)],
                "InvalidAllocationID.NotFound",
            ),
            (
                "DescribeAddresses",
                &[("PublicIp.1", "192.0.2.1")],
                "InvalidAddress.NotFound",
            ),
            (
                "DescribeImages",
                &[("ImageId.1", &no_image)],
                "InvalidAMIID.NotFound",
            ),
            (
                "AssociateDhcpOptions",
                &[("DhcpOptionsId", &no_options), ("VpcId", &vpc)],
                "InvalidDhcpOptionID.NotFound",
            ),
            (
                "DeleteVpc",
                &[("VpcId", "vpc-nonsense")],
                "InvalidVpcID.Malformed",
            ),
            (
                "DeleteSubnet",
                &[("SubnetId", "subnet-xyz")],
                "InvalidSubnetID.Malformed",
            ),
            (
                "TerminateInstances",
                &[("InstanceId.1", "web")],
                "InvalidInstanceID.Malformed",
            ),
            (
                "DeleteSecurityGroup",
                &[("GroupId", "default")],
                "InvalidGroupId.Malformed",
            ),
            (
                "RunInstances",
                &[
                    ("ImageId", &image),
                    ("MinCount", "1"),
                    ("MaxCount", "1"),
                    ("InstanceType", "t3.micro"),
                    ("KeyName", "lost"),
                ],
                "InvalidKeyPair.NotFound",
            ),
        ],
    );
}

/// AWS-VPC, AWS-SUBNET: ranges that can't be.
#[test]
fn ranges() {
    let mut account = Account::new();
    let vpc = account.vpc("10.0.0.0/16");
    account.subnet(&vpc, "10.0.1.0/24");
    let second: &[(&str, &str)] = &[("VpcId", &vpc), ("CidrBlock", "10.0.0.0/20")];
    check(
        &mut account,
        &[
            (
                "CreateVpc",
                &[("CidrBlock", "10.0.0.0/33")],
                "InvalidParameterValue",
            ),
            (
                "CreateVpc",
                &[("CidrBlock", "ten")],
                "InvalidParameterValue",
            ),
            (
                "CreateVpc",
                &[("CidrBlock", "10.0.0.0/15")],
                "InvalidVpc.Range",
            ),
            (
                "CreateVpc",
                &[("CidrBlock", "10.0.0.0/29")],
                "InvalidVpc.Range",
            ),
            ("CreateVpc", &[], "MissingParameter"),
            (
                "CreateSubnet",
                &[("VpcId", &vpc), ("CidrBlock", "10.0.1.128/25")],
                "InvalidSubnet.Conflict",
            ),
            (
                "CreateSubnet",
                &[("VpcId", &vpc), ("CidrBlock", "10.1.0.0/24")],
                "InvalidSubnet.Range",
            ),
            (
                "CreateSubnet",
                &[("VpcId", &vpc), ("CidrBlock", "10.0.9.0/29")],
                "InvalidSubnet.Range",
            ),
            (
                "CreateSubnet",
                &[("VpcId", &vpc), ("CidrBlock", "10.0.0/24")],
                "InvalidParameterValue",
            ),
            (
                "CreateSubnet",
                &[
                    ("VpcId", &vpc),
                    ("CidrBlock", "10.0.2.0/24"),
                    ("AvailabilityZone", "us-west-2z"),
                ],
                "InvalidParameterValue",
            ),
            ("AssociateVpcCidrBlock", second, "CidrConflict"),
        ],
    );
}

/// What still has dependents stays.
#[test]
fn dependents() {
    let mut account = Account::new();
    let vpc = account.vpc("10.0.0.0/16");
    let subnet = account.subnet(&vpc, "10.0.0.0/24");
    let gateway = account.internet_gateway(&vpc);
    let (used, referred) = (account.group(&vpc, "used"), account.group(&vpc, "referred"));
    let rule = [
        ("GroupId", used.as_str()),
        ("IpPermissions.1.IpProtocol", "-1"),
        ("IpPermissions.1.Groups.1.GroupId", &referred),
    ];
    account.ok("AuthorizeSecurityGroupIngress", &rule);
    let instance = account.instance(&subnet, &[("SecurityGroupId.1", &used)]);
    let allocation = account.make("allocationId", "AllocateAddress", &[]);
    account.ok(
        "AssociateAddress",
        &[("AllocationId", &allocation), ("InstanceId", &instance)],
    );
    let default_group = account.make(
        "groupId",
        "DescribeSecurityGroups",
        &[
            ("Filter.1.Name", "vpc-id"),
            ("Filter.1.Value.1", &vpc),
            ("Filter.2.Name", "group-name"),
            ("Filter.2.Value.1", "default"),
        ],
    );
    let default_acl = account.of_vpc("networkAclId", "DescribeNetworkAcls", &vpc);
    let main = account.of_vpc("routeTableId", "DescribeRouteTables", &vpc);
    let attached: &[(&str, &str)] = &[("InternetGatewayId", &gateway), ("VpcId", &vpc)];
    check(
        &mut account,
        &[
            ("DeleteVpc", &[("VpcId", &vpc)], "DependencyViolation"),
            (
                "DeleteSubnet",
                &[("SubnetId", &subnet)],
                "DependencyViolation",
            ),
            (
                "DeleteSecurityGroup",
                &[("GroupId", &used)],
                "DependencyViolation",
            ),
            (
                "DeleteSecurityGroup",
                &[("GroupId", &referred)],
                "DependencyViolation",
            ),
            (
                "DeleteSecurityGroup",
                &[("GroupId", &default_group)],
                "CannotDelete",
            ),
            (
                "DeleteInternetGateway",
                &[("InternetGatewayId", &gateway)],
                "DependencyViolation",
            ),
            ("DetachInternetGateway", attached, "DependencyViolation"),
            (
                "AttachInternetGateway",
                attached,
                "Resource.AlreadyAssociated",
            ),
            (
                "ReleaseAddress",
                &[("AllocationId", &allocation)],
                "InvalidIPAddress.InUse",
            ),
            (
                "DeleteNetworkAcl",
                &[("NetworkAclId", &default_acl)],
                "InvalidParameterValue",
            ),
            (
                "DeleteRouteTable",
                &[("RouteTableId", &main)],
                "DependencyViolation",
            ),
        ],
    );
}

/// AWS-EIP, AWS-SG, AWS-NACL: quotas are AWS's defaults, and `--quotas none` lifts them.
#[test]
fn limits() {
    let mut account = Account::new();
    let here = account.vpc("10.0.0.0/16");
    for number in 1..4 {
        account.vpc(&format!("10.{number}.0.0/16"));
    }
    for _ in 0..5 {
        account.ok("AllocateAddress", &[]);
    }
    let group = account.group(&here, "full");
    let acl = account.make("networkAclId", "CreateNetworkAcl", &[("VpcId", &here)]);
    for number in 1..=60 {
        let port = number.to_string();
        let rule = [
            ("GroupId", group.as_str()),
            ("IpProtocol", "tcp"),
            ("FromPort", &port),
            ("ToPort", &port),
            ("CidrIp", "0.0.0.0/0"),
        ];
        account.ok("AuthorizeSecurityGroupIngress", &rule);
    }
    for number in 1..=20 {
        let number = number.to_string();
        account.ok("CreateNetworkAclEntry", &entry(&acl, &number));
    }
    check(
        &mut account,
        &[
            (
                "CreateVpc",
                &[("CidrBlock", "10.9.0.0/16")],
                "VpcLimitExceeded",
            ),
            ("AllocateAddress", &[], "AddressLimitExceeded"),
            (
                "AuthorizeSecurityGroupIngress",
                &[
                    ("GroupId", &group),
                    ("IpProtocol", "tcp"),
                    ("FromPort", "99"),
                    ("ToPort", "99"),
                    ("CidrIp", "0.0.0.0/0"),
                ],
                "RulesPerSecurityGroupLimitExceeded",
            ),
            (
                "CreateNetworkAclEntry",
                &entry(&acl, "99"),
                "NetworkAclEntryLimitExceeded",
            ),
        ],
    );
    account.quotas = false;
    account.vpc("10.9.0.0/16");
    account.ok("AllocateAddress", &[]);
}

fn entry<'a>(acl: &'a str, number: &'a str) -> [(&'a str, &'a str); 6] {
    [
        ("NetworkAclId", acl),
        ("RuleNumber", number),
        ("Protocol", "-1"),
        ("RuleAction", "allow"),
        ("Egress", "false"),
        ("CidrBlock", "0.0.0.0/0"),
    ]
}

/// Parameters that are unknown, missing, wrong or do not go together; actions nobody has.
#[test]
fn requests() {
    let mut account = Account::new();
    let vpc = account.vpc("10.0.0.0/16");
    check(
        &mut account,
        &[
            ("MakeCoffee", &[], "InvalidAction"),
            ("CreateTransitGateway", &[], "UnsupportedOperation"),
            (
                "CreateVpc",
                &[("CidrBlock", "10.1.0.0/16"), ("Colour", "red")],
                "UnknownParameter",
            ),
            (
                "CreateVpc",
                &[("CidrBlock", "10.1.0.0/16"), ("Ipv6CidrBlock", "::/56")],
                "UnsupportedOperation",
            ),
            (
                "CreateVpc",
                &[("CidrBlock", "10.1.0.0/16"), ("DryRun", "true")],
                "DryRunOperation",
            ),
            (
                "CreateVpc",
                &[("CidrBlock", "10.1.0.0/16"), ("DryRun", "perhaps")],
                "InvalidParameterValue",
            ),
            (
                "DescribeVpcs",
                &[("Filter.1.Name", "colour"), ("Filter.1.Value.1", "red")],
                "InvalidParameterValue",
            ),
            (
                "DescribeVpcs",
                &[("MaxResults", "1")],
                "InvalidParameterValue",
            ),
            (
                "DescribeVpcs",
                &[("MaxResults", "5"), ("NextToken", "made-up")],
                "InvalidParameterValue",
            ),
            ("ModifyVpcAttribute", &[("VpcId", &vpc)], "MissingParameter"),
            ("CreateTags", &[("ResourceId.1", &vpc)], "MissingParameter"),
            (
                "CreateTags",
                &[
                    ("ResourceId.1", &vpc),
                    ("Tag.1.Key", "aws:mine"),
                    ("Tag.1.Value", "x"),
                ],
                "InvalidParameterValue",
            ),
            (
                "RunInstances",
                &[("MinCount", "1"), ("MaxCount", "1")],
                "MissingParameter",
            ),
        ],
    );
}
