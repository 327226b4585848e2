//! Idempotency tokens: the same request again gives what it made, another one with the token is refused.

use crate::account::Account;

/// Every operation with a token: twice the same gives the same, and something else is refused.
#[test]
fn a_token_stands_for_its_request() {
    let mut account = Account::new();
    let vpc = account.vpc("10.0.0.0/16");
    let subnet = account.subnet(&vpc, "10.0.1.0/24");
    account.internet_gateway(&vpc);
    let image = account.make("imageId", "DescribeImages", &[]);
    let allocation = account.make("allocationId", "AllocateAddress", &[]);
    let (vpc, subnet) = (vpc.as_str(), subnet.as_str());
    type Case<'a> = (
        &'a str,
        &'a str,
        &'a [(&'a str, &'a str)],
        (&'a str, &'a str),
    );
    let cases: &[Case<'_>] = &[
        (
            "CreateRouteTable",
            "routeTableId",
            &[("VpcId", vpc)],
            ("TagSpecification.1.ResourceType", "route-table"),
        ),
        (
            "CreateNetworkAcl",
            "networkAclId",
            &[("VpcId", vpc)],
            ("TagSpecification.1.ResourceType", "network-acl"),
        ),
        (
            "CreateNetworkInterface",
            "networkInterfaceId",
            &[("SubnetId", subnet)],
            ("Description", "other"),
        ),
        (
            "CreateNatGateway",
            "natGatewayId",
            &[("SubnetId", subnet), ("AllocationId", &allocation)],
            ("PrivateIpAddress", "10.0.1.99"),
        ),
        (
            "CreateManagedPrefixList",
            "prefixListId",
            &[
                ("PrefixListName", "list"),
                ("MaxEntries", "5"),
                ("AddressFamily", "IPv4"),
            ],
            ("Entry.1.Cidr", "10.0.0.0/8"),
        ),
        (
            "CreateLaunchTemplate",
            "launchTemplateId",
            &[
                ("LaunchTemplateName", "template"),
                ("LaunchTemplateData.InstanceType", "t3.micro"),
            ],
            ("VersionDescription", "other"),
        ),
        (
            "CreateLaunchTemplateVersion",
            "versionNumber",
            &[
                ("LaunchTemplateName", "template"),
                ("LaunchTemplateData.InstanceType", "t3.small"),
            ],
            ("VersionDescription", "other"),
        ),
        (
            "RunInstances",
            "instanceId",
            &[
                ("ImageId", &image),
                ("MinCount", "1"),
                ("MaxCount", "1"),
                ("SubnetId", subnet),
                ("InstanceType", "t3.micro"),
            ],
            ("KeyName", "other"),
        ),
    ];
    for (action, element, parameters, other) in cases {
        let mut asked = parameters.to_vec();
        asked.push(("ClientToken", "once"));
        let first = account.make(element, action, &asked);
        assert_eq!(account.make(element, action, &asked), first, "{action}");
        asked.push(*other);
        let refused = account.refused(action, &asked);
        assert_eq!(refused, "IdempotentParameterMismatch", "{action}");
        let long = "t".repeat(129);
        let mut asked = parameters.to_vec();
        asked.push(("ClientToken", &long));
        assert_eq!(account.refused(action, &asked), "InvalidClientToken");
    }
}

/// What a token made and is gone is not made again within the same token, for instances.
#[test]
fn terminated_instances_keep_their_token() {
    let mut account = Account::new();
    let vpc = account.vpc("10.0.0.0/16");
    let subnet = account.subnet(&vpc, "10.0.1.0/24");
    let image = account.make("imageId", "DescribeImages", &[]);
    let parameters = [
        ("ImageId", image.as_str()),
        ("MinCount", "1"),
        ("MaxCount", "1"),
        ("SubnetId", &subnet),
        ("InstanceType", "t3.micro"),
        ("ClientToken", "once"),
    ];
    let id = account.make("instanceId", "RunInstances", &parameters);
    account.wait(60);
    account.ok("TerminateInstances", &[("InstanceId.1", &id)]);
    account.wait(60);
    assert_eq!(
        account.refused("RunInstances", &parameters),
        "IdempotentInstanceTerminated"
    );
}
