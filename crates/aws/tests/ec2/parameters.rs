//! Parameters that can't be, or can't be together, and those that say what is made.

use crate::account::Account;

type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);

fn check(account: &mut Account, cases: &[Case<'_>]) {
    for (action, parameters, code) in cases {
        let refused = account.refused(action, parameters);
        assert_eq!(refused, *code, "{action} {parameters:?}");
    }
}

/// Lists that must not be empty.
#[test]
fn lists_that_are_missing() {
    let mut account = Account::new();
    for action in [
        "DescribeSecurityGroupReferences",
        "ModifyInstanceCreditSpecification",
        "TerminateInstances",
        "CreateTags",
        "CreateDhcpOptions",
    ] {
        assert_eq!(account.refused(action, &[]), "MissingParameter", "{action}");
    }
}

/// Ranges that no VPC has, and options that no DHCP server gives.
#[test]
fn ranges_and_options_that_cannot_be() {
    let mut account = Account::new();
    let vpc = account.vpc("10.0.0.0/16");
    for cidr in [
        "127.0.0.0/16",
        "0.0.0.0/16",
        "169.254.0.0/16",
        "224.0.0.0/16",
        "239.1.0.0/24",
    ] {
        let code = account.refused("CreateVpc", &[("CidrBlock", cidr)]);
        assert_eq!(code, "InvalidVpc.Range", "{cidr}");
        let parameters = [("VpcId", vpc.as_str()), ("CidrBlock", cidr)];
        let code = account.refused("AssociateVpcCidrBlock", &parameters);
        assert_eq!(code, "InvalidVpc.Range", "{cidr}");
    }
    let other = [("VpcId", vpc.as_str()), ("CidrBlock", "172.31.0.0/16")];
    let code = account.refused("AssociateVpcCidrBlock", &other);
    assert_eq!(code, "InvalidVpc.Range");
    for (key, value) in [
        ("domain-name-servers", "somewhere"),
        ("ntp-servers", "AmazonProvidedDNS"),
        ("netbios-node-type", "3"),
        ("domain-name", ""),
    ] {
        let options = [
            ("DhcpConfiguration.1.Key", key),
            ("DhcpConfiguration.1.Value.1", value),
        ];
        let code = account.refused("CreateDhcpOptions", &options);
        assert_eq!(code, "InvalidParameterValue", "{key} {value}");
    }
    let good = [
        ("DhcpConfiguration.1.Key", "domain-name-servers"),
        ("DhcpConfiguration.1.Value.1", "10.0.0.2"),
        ("DhcpConfiguration.1.Value.2", "AmazonProvidedDNS"),
    ];
    account.ok("CreateDhcpOptions", &good);
}

/// Targets of routes and addresses of interfaces.
#[test]
fn targets_and_addresses() {
    let mut account = Account::new();
    let vpc = account.vpc("10.0.0.0/16");
    let subnet = account.subnet(&vpc, "10.0.1.0/24");
    let table = account.make("routeTableId", "CreateRouteTable", &[("VpcId", &vpc)]);
    let interface = account.interface(&subnet);
    let route = |target: (&'static str, &'static str)| {
        [
            ("RouteTableId", table.as_str()),
            ("DestinationCidrBlock", "0.0.0.0/0"),
            target,
        ]
    };
    let (subnet, interface) = (("SubnetId", subnet.as_str()), interface.as_str());
    let interface = ("NetworkInterfaceId", interface);
    check(
        &mut account,
        &[
            (
                "CreateRoute",
                &route(("GatewayId", "igw-0123456789abcdef0")),
                "InvalidGatewayID.NotFound",
            ),
            (
                "CreateRoute",
                &route(("NatGatewayId", "nat-0123456789abcdef0")),
                "InvalidNatGatewayID.NotFound",
            ),
            (
                "DetachNetworkInterface",
                &[("AttachmentId", "eni-0123456789abcdef0")],
                "InvalidNetworkInterfaceAttachmentId.Malformed",
            ),
            (
                "DescribeAddresses",
                &[("PublicIp.1", "somewhere")],
                "InvalidAddress.Malformed",
            ),
            ("AssignPrivateIpAddresses", &[interface], "MissingParameter"),
            (
                "AssignPrivateIpAddresses",
                &[
                    interface,
                    ("PrivateIpAddress.1", "10.0.1.70"),
                    ("SecondaryPrivateIpAddressCount", "1"),
                ],
                "InvalidParameterCombination",
            ),
            (
                "CreateNetworkInterface",
                &[
                    subnet,
                    ("Ipv4Prefix.1.Ipv4Prefix", "10.0.1.128/28"),
                    ("Ipv4PrefixCount", "1"),
                ],
                "InvalidParameterCombination",
            ),
            (
                "CreateNetworkInterface",
                &[
                    subnet,
                    ("PrivateIpAddresses.1.PrivateIpAddress", "10.0.1.70"),
                    ("SecondaryPrivateIpAddressCount", "1"),
                ],
                "InvalidParameterCombination",
            ),
            (
                "DescribeNetworkInterfaces",
                &[("NetworkInterfaceId.1", interface.1), ("MaxResults", "5")],
                "InvalidParameterCombination",
            ),
        ],
    );
}

/// AWS-EC2: a launch's place and root volume; the volume is what was asked for.
#[test]
fn places_and_volumes_of_launches() {
    let mut account = Account::new();
    let vpc = account.vpc("10.0.0.0/16");
    let subnet = account.subnet(&vpc, "10.0.1.0/24");
    let image = account.make("imageId", "DescribeImages", &[]);
    let base = [
        ("ImageId", image.as_str()),
        ("MinCount", "1"),
        ("MaxCount", "1"),
        ("SubnetId", &subnet),
        ("InstanceType", "t3.micro"),
    ];
    const EBS: &str = "BlockDeviceMapping.1.Ebs.";
    let ebs = |name: &str| format!("{EBS}{name}");
    for (name, value, code) in [
        (
            "Placement.AvailabilityZone".to_owned(),
            "us-east-1a",
            "InvalidParameterValue",
        ),
        (
            "Placement.AvailabilityZone".to_owned(),
            "us-west-2d",
            "InvalidParameterCombination",
        ),
        (ebs("VolumeSize"), "1", "InvalidBlockDeviceMapping"),
        (ebs("VolumeSize"), "0", "InvalidParameterValue"),
        (ebs("VolumeType"), "io2", "InvalidParameterCombination"),
        (ebs("Iops"), "10", "InvalidParameterValue"),
        (ebs("Throughput"), "5000", "InvalidParameterValue"),
    ] {
        let mut asked = base.to_vec();
        asked.push((&name, value));
        assert_eq!(
            account.refused("RunInstances", &asked),
            code,
            "{name} {value}"
        );
    }
    let mut anywhere = base.to_vec();
    anywhere.push(("Placement.AvailabilityZone", ""));
    anywhere.push(("DryRun", "true"));
    let refused = account.refused("RunInstances", &anywhere);
    assert_eq!(refused, "DryRunOperation");
    let (size, iops, encrypted) = (ebs("VolumeSize"), ebs("Iops"), ebs("Encrypted"));
    let mut asked = base.to_vec();
    asked.extend([
        (size.as_str(), "20"),
        (&iops, "4000"),
        (&encrypted, "true"),
        ("Placement.AvailabilityZone", "us-west-2a"),
    ]);
    account.ok("RunInstances", &asked);
    let volume = account.ok("DescribeVolumes", &[]);
    let shown = ["size", "iops", "throughput", "encrypted"].map(|element| volume.one(element));
    assert_eq!(shown, ["20", "4000", "125", "true"]);
}

/// AWS-EC2: an instance's attributes change one a request, by either way of saying which.
#[test]
fn attributes_change_one_by_one() {
    let mut account = Account::new();
    let vpc = account.vpc("10.0.0.0/16");
    let subnet = account.subnet(&vpc, "10.0.1.0/24");
    let id = account.instance(&subnet, &[]);
    let instance = ("InstanceId", id.as_str());
    check(
        &mut account,
        &[
            (
                "ModifyInstanceAttribute",
                &[instance],
                "InvalidParameterCombination",
            ),
            (
                "ModifyInstanceAttribute",
                &[
                    instance,
                    ("SourceDestCheck.Value", "false"),
                    ("DisableApiTermination.Value", "true"),
                ],
                "InvalidParameterCombination",
            ),
            (
                "ModifyInstanceAttribute",
                &[instance, ("InstanceType.Value", "moon.large")],
                "InvalidInstanceAttributeValue",
            ),
            (
                "ModifyInstanceAttribute",
                &[instance, ("Attribute", "sourceDestCheck")],
                "MissingParameter",
            ),
            (
                "ModifyInstanceAttribute",
                &[
                    instance,
                    ("Attribute", "sourceDestCheck"),
                    ("Value", "maybe"),
                ],
                "InvalidParameterValue",
            ),
        ],
    );
    let by_name = [
        instance,
        ("Attribute", "disableApiTermination"),
        ("Value", "true"),
    ];
    account.ok("ModifyInstanceAttribute", &by_name);
    let terminate = [("InstanceId.1", id.as_str())];
    let refused = account.refused("TerminateInstances", &terminate);
    assert_eq!(refused, "OperationNotPermitted");
    let second = account.interface(&subnet);
    let attach = [
        ("NetworkInterfaceId", second.as_str()),
        instance,
        ("DeviceIndex", "1"),
    ];
    account.ok("AttachNetworkInterface", &attach);
    let check = [instance, ("SourceDestCheck.Value", "false")];
    let refused = account.refused("ModifyInstanceAttribute", &check);
    assert_eq!(refused, "InvalidInstanceID");
}
