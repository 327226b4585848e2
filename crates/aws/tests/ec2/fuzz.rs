//! Requests that no client would send: any parameters with any values. Each gets an answer, never a
//! panic, and a refused one changes nothing.

use crate::account::Account;
use proptest::prelude::*;
use wire::ec2::Request;

/// Names that operations have, and some that none has.
const NAMES: &[&str] = &[
    "VpcId",
    "SubnetId",
    "GroupId",
    "GroupName",
    "InstanceId",
    "InstanceId.1",
    "NetworkInterfaceId",
    "AllocationId",
    "AssociationId",
    "RouteTableId",
    "NetworkAclId",
    "InternetGatewayId",
    "CidrBlock",
    "DestinationCidrBlock",
    "PrivateIpAddress",
    "PrivateIpAddress.1",
    "IpPermissions.1.IpProtocol",
    "IpPermissions.1.FromPort",
    "IpPermissions.1.ToPort",
    "IpPermissions.1.IpRanges.1.CidrIp",
    "IpPermissions.1.Groups.1.GroupId",
    "Filter.1.Name",
    "Filter.1.Value.1",
    "Filter.99999.Name",
    "MaxResults",
    "NextToken",
    "MinCount",
    "MaxCount",
    "ImageId",
    "InstanceType",
    "UserData",
    "NetworkInterface.1.DeviceIndex",
    "NetworkInterface.1.SubnetId",
    "Ipv4PrefixCount",
    "Ipv4Prefix.1",
    "SecondaryPrivateIpAddressCount",
    "RuleNumber",
    "Protocol",
    "RuleAction",
    "Egress",
    "PortRange.From",
    "PortRange.To",
    "TagSpecification.1.ResourceType",
    "TagSpecification.1.Tag.1.Key",
    "ResourceId.1",
    "Tag.1.Key",
    "Tag.1.Value",
    "DryRun",
    "KeyName",
    "PublicKeyMaterial",
    "Attribute",
    "DeviceIndex",
    "PublicIp",
    "PrefixListName",
    "MaxEntries",
    "AddressFamily",
    "Entry.1.Cidr",
    "Domain",
    "ClientToken",
    "BlockDeviceMapping.1.Ebs.VolumeSize",
    "",
    ".",
    "..1",
    "VpcId.1.2.3",
    "\u{0}",
];

fn values() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "",
        "0",
        "1",
        "-1",
        "2147483648",
        "9223372036854775808",
        "true",
        "maybe",
        "10.0.0.0/16",
        "10.0.0.0/8",
        "0.0.0.0/0",
        "255.255.255.255/32",
        "::/0",
        "10.0.0.4",
        "tcp",
        "-1",
        "all",
        "icmp",
        "65536",
        "vpc-",
        "vpc-0",
        "i-0123456789abcdef0",
        "ami-0a1b2c3d4e5f60001",
        "t3.micro",
        "*",
        "tag:",
        "\u{202e}",
        "AAAA====",
        "vpc-id",
    ]);
    prop_oneof![
        known.prop_map(str::to_owned),
        any::<String>(),
        Just("x".repeat(70_000))
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// OPS-SAFE.
    #[test]
    fn every_request_is_answered(
        calls in prop::collection::vec(
            (
                prop::sample::select(Request::OPERATIONS),
                prop::collection::vec((prop::sample::select(NAMES), values()), 0..7),
            ),
            1..12,
        )
    ) {
        let mut account = Account::new();
        for (operation, parameters) in calls {
            let parameters: Vec<(&str, &str)> =
                parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let before = account.state.clone();
            if account.call(operation, &parameters).is_err() {
                prop_assert!(account.state.changes(&before).is_empty());
            }
        }
    }
}
