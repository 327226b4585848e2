//! Route tables, network ACLs and security groups.

use crate::account::Account;

/// AWS-RTB: a VPC has one main table, which every subnet without one of its own uses; it can be
/// replaced but not deleted.
#[test]
fn main_route_tables() {
    let mut account = Account::new();
    let vpc = account.vpc("10.0.0.0/16");
    let subnet = account.subnet(&vpc, "10.0.0.0/24");
    let main = account.of_vpc("routeTableId", "DescribeRouteTables", &vpc);
    let association = account.of_vpc("routeTableAssociationId", "DescribeRouteTables", &vpc);
    let custom = account.make("routeTableId", "CreateRouteTable", &[("VpcId", &vpc)]);
    let own = account.make(
        "associationId",
        "AssociateRouteTable",
        &[("RouteTableId", &custom), ("SubnetId", &subnet)],
    );
    assert_eq!(
        account.refused(
            "AssociateRouteTable",
            &[("RouteTableId", &main), ("SubnetId", &subnet)]
        ),
        "Resource.AlreadyAssociated"
    );
    assert_eq!(
        account.refused("DisassociateRouteTable", &[("AssociationId", &association)]),
        "InvalidParameterValue"
    );
    assert_eq!(
        account.refused("DeleteRouteTable", &[("RouteTableId", &custom)]),
        "DependencyViolation"
    );
    account.ok("DisassociateRouteTable", &[("AssociationId", &own)]);
    account.ok(
        "ReplaceRouteTableAssociation",
        &[("AssociationId", &association), ("RouteTableId", &custom)],
    );
    assert_eq!(
        account.refused("DeleteRouteTable", &[("RouteTableId", &custom)]),
        "DependencyViolation"
    );
    account.ok("DeleteRouteTable", &[("RouteTableId", &main)]);
}

/// AWS-RTB: the local route stays, a route is there once, targets are the VPC's own.
#[test]
fn routes() {
    let mut account = Account::new();
    let (vpc, other) = (account.vpc("10.0.0.0/16"), account.vpc("10.9.0.0/16"));
    let gateway = account.internet_gateway(&vpc);
    let table = account.of_vpc("routeTableId", "DescribeRouteTables", &vpc);
    let far = account.of_vpc("routeTableId", "DescribeRouteTables", &other);
    let route = |table: &str, to: &str| -> Vec<(&'static str, String)> {
        vec![
            ("RouteTableId", table.to_owned()),
            ("DestinationCidrBlock", to.to_owned()),
            ("GatewayId", gateway.clone()),
        ]
    };
    let borrowed =
        |route: &[(&'static str, String)]| -> Vec<(&'static str, String)> { route.to_vec() };
    let mut call = |action: &str, route: Vec<(&'static str, String)>| {
        let parameters: Vec<(&str, &str)> = route
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        account.call(action, &parameters).map_err(|(code, _)| code)
    };
    let refused = |outcome: Result<_, String>| outcome.err().unwrap_or_default();
    let default = route(&table, "0.0.0.0/0");
    assert!(call("CreateRoute", borrowed(&default)).is_ok());
    assert_eq!(
        refused(call("CreateRoute", borrowed(&default))),
        "RouteAlreadyExists"
    );
    assert_eq!(
        refused(call("CreateRoute", route(&far, "0.0.0.0/0"))),
        "InvalidParameterValue"
    );
    assert_eq!(
        refused(call("ReplaceRoute", route(&table, "10.8.0.0/16"))),
        "InvalidParameterValue"
    );
    let local = vec![
        ("RouteTableId", table.clone()),
        ("DestinationCidrBlock", "10.0.0.0/16".to_owned()),
    ];
    assert_eq!(refused(call("DeleteRoute", local)), "InvalidParameterValue");
    let absent = vec![
        ("RouteTableId", table.clone()),
        ("DestinationCidrBlock", "10.7.0.0/16".to_owned()),
    ];
    assert_eq!(
        refused(call("DeleteRoute", absent)),
        "InvalidRoute.NotFound"
    );
    assert!(call("DeleteRoute", default[..2].to_vec()).is_ok());
}

/// AWS-RTB: a route through an instance is a blackhole while the instance is stopped.
#[test]
fn routes_through_instances() {
    let mut account = Account::new();
    let vpc = account.vpc("10.0.0.0/16");
    let subnet = account.subnet(&vpc, "10.0.0.0/24");
    let instance = account.instance(&subnet, &[]);
    let table = account.of_vpc("routeTableId", "DescribeRouteTables", &vpc);
    account.ok(
        "CreateRoute",
        &[
            ("RouteTableId", &table),
            ("DestinationCidrBlock", "0.0.0.0/0"),
            ("InstanceId", &instance),
        ],
    );
    let states = |account: &mut Account| {
        account
            .ok("DescribeRouteTables", &[("RouteTableId.1", &table)])
            .all("state")
    };
    assert!(!states(&mut account).contains(&"blackhole".to_owned()));
    account.ok("StopInstances", &[("InstanceId.1", &instance)]);
    account.wait(120);
    assert!(states(&mut account).contains(&"blackhole".to_owned()));
    account.ok("StartInstances", &[("InstanceId.1", &instance)]);
    account.wait(120);
    assert!(!states(&mut account).contains(&"blackhole".to_owned()));
}

/// AWS-NACL: the default one lets all through, a custom one nothing until told; numbers are unique in
/// each direction; every subnet has exactly one.
#[test]
fn network_acls() {
    let mut account = Account::new();
    let vpc = account.vpc("10.0.0.0/16");
    let subnet = account.subnet(&vpc, "10.0.0.0/24");
    let of_vpc = [
        ("Filter.1.Name", "vpc-id"),
        ("Filter.1.Value.1", vpc.as_str()),
    ];
    let default = account.ok("DescribeNetworkAcls", &of_vpc);
    assert_eq!(default.all("ruleNumber"), ["100", "32767", "100", "32767"]);
    let custom = account.ok("CreateNetworkAcl", &[("VpcId", &vpc)]);
    let id = custom.one("networkAclId");
    assert_eq!(custom.all("ruleAction"), ["deny", "deny"]);
    let entry = |number: &'static str, egress: &'static str| {
        [
            ("NetworkAclId", id.clone()),
            ("RuleNumber", number.to_owned()),
            ("Egress", egress.to_owned()),
            ("Protocol", "6".to_owned()),
            ("RuleAction", "allow".to_owned()),
            ("CidrBlock", "0.0.0.0/0".to_owned()),
            ("PortRange.From", "80".to_owned()),
            ("PortRange.To", "80".to_owned()),
        ]
    };
    let call = |account: &mut Account, number, egress| {
        let entry = entry(number, egress);
        let parameters: Vec<(&str, &str)> = entry
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        account
            .call("CreateNetworkAclEntry", &parameters)
            .map(drop)
            .map_err(|(code, _)| code)
    };
    assert_eq!(call(&mut account, "100", "false"), Ok(()));
    assert_eq!(call(&mut account, "100", "true"), Ok(()));
    assert_eq!(
        call(&mut account, "100", "true"),
        Err("NetworkAclEntryAlreadyExists".to_owned())
    );
    for number in ["0", "32767", "-1"] {
        assert!(call(&mut account, number, "true").is_err(), "{number}");
    }
    let association = default.one("networkAclAssociationId");
    account.ok(
        "ReplaceNetworkAclAssociation",
        &[("AssociationId", &association), ("NetworkAclId", &id)],
    );
    let of_subnet = [
        ("Filter.1.Name", "association.subnet-id"),
        ("Filter.1.Value.1", subnet.as_str()),
    ];
    let now = account.ok("DescribeNetworkAcls", &of_subnet);
    let mut acls = now.all("networkAclId");
    acls.dedup();
    assert_eq!(acls, [id.as_str()]);
    assert_eq!(
        account.refused("DeleteNetworkAcl", &[("NetworkAclId", &id)]),
        "DependencyViolation"
    );
    assert_eq!(
        account.refused(
            "DeleteNetworkAclEntry",
            &[
                ("NetworkAclId", &id),
                ("RuleNumber", "7"),
                ("Egress", "true")
            ]
        ),
        "InvalidNetworkAclEntry.NotFound"
    );
}

/// AWS-SG: a new group lets nothing in and everything out; rules have ids, are there once, and go by id
/// or by what they say.
#[test]
fn security_groups() {
    let mut account = Account::new();
    let vpc = account.vpc("10.0.0.0/16");
    let group = account.group(&vpc, "web");
    assert_eq!(
        account.refused(
            "CreateSecurityGroup",
            &[
                ("GroupName", "web"),
                ("GroupDescription", "x"),
                ("VpcId", &vpc)
            ]
        ),
        "InvalidGroup.Duplicate"
    );
    let of_group = [
        ("Filter.1.Name", "group-id"),
        ("Filter.1.Value.1", group.as_str()),
    ];
    let fresh = account.ok("DescribeSecurityGroupRules", &of_group);
    assert_eq!(
        (fresh.all("isEgress"), fresh.one("ipProtocol")),
        (vec!["true".to_owned()], "-1".to_owned())
    );
    let rule = [
        ("GroupId", group.as_str()),
        ("IpPermissions.1.IpProtocol", "tcp"),
        ("IpPermissions.1.FromPort", "80"),
        ("IpPermissions.1.ToPort", "90"),
        ("IpPermissions.1.IpRanges.1.CidrIp", "10.0.0.0/8"),
        ("IpPermissions.1.IpRanges.1.Description", "ours"),
    ];
    let id = account.make(
        "securityGroupRuleId",
        "AuthorizeSecurityGroupIngress",
        &rule,
    );
    assert!(id.starts_with("sgr-"));
    assert_eq!(
        account.refused("AuthorizeSecurityGroupIngress", &rule),
        "InvalidPermission.Duplicate"
    );
    account.ok(
        "RevokeSecurityGroupIngress",
        &[("GroupId", &group), ("SecurityGroupRuleId.1", &id)],
    );
    assert_eq!(
        account.refused("RevokeSecurityGroupIngress", &rule[..5]),
        "InvalidPermission.NotFound"
    );
    account.ok("AuthorizeSecurityGroupIngress", &rule);
    account.ok("RevokeSecurityGroupIngress", &rule[..5]);
    let mut bad = |more: [(&str, &str); 4]| {
        let parameters = [&[("GroupId", group.as_str())][..], &more].concat();
        account.refused("AuthorizeSecurityGroupIngress", &parameters)
    };
    let range = ("CidrIp", "0.0.0.0/0");
    assert_eq!(
        bad([
            ("IpProtocol", "tcp"),
            ("FromPort", "9"),
            ("ToPort", "8"),
            range
        ]),
        "InvalidParameterValue"
    );
    assert_eq!(
        bad([
            ("IpProtocol", "tcp"),
            ("FromPort", "80"),
            ("ToPort", "70000"),
            range
        ]),
        "InvalidParameterValue"
    );
    assert_eq!(
        bad([
            ("IpProtocol", "tcpp"),
            ("FromPort", "1"),
            ("ToPort", "2"),
            range
        ]),
        "InvalidParameterValue"
    );
    assert_eq!(
        bad([
            ("IpProtocol", "tcp"),
            ("FromPort", "1"),
            ("ToPort", "2"),
            ("CidrIp", "10.0.0.0/40")
        ]),
        "InvalidParameterValue"
    );
    // The chapter lists interfaces and gateways as sources; AWS refuses them.
    assert_eq!(
        bad([
            ("IpProtocol", "tcp"),
            ("FromPort", "1"),
            ("ToPort", "2"),
            ("CidrIp", "igw-0123456789abcdef0")
        ]),
        "InvalidParameterValue"
    );
}

/// AWS-SG: a managed prefix list as source, and its versions.
#[test]
fn prefix_lists() {
    let mut account = Account::new();
    let vpc = account.vpc("10.0.0.0/16");
    let group = account.group(&vpc, "web");
    let asked = [
        ("PrefixListName", "offices"),
        ("MaxEntries", "3"),
        ("AddressFamily", "IPv4"),
        ("Entry.1.Cidr", "203.0.113.0/24"),
    ];
    let list = account.make("prefixListId", "CreateManagedPrefixList", &asked);
    let rule = [
        ("GroupId", group.as_str()),
        ("IpPermissions.1.IpProtocol", "-1"),
        ("IpPermissions.1.PrefixListIds.1.PrefixListId", &list),
    ];
    account.ok("AuthorizeSecurityGroupIngress", &rule);
    account.ok(
        "ModifyManagedPrefixList",
        &[
            ("PrefixListId", &list),
            ("CurrentVersion", "1"),
            ("AddEntry.1.Cidr", "192.0.2.0/24"),
        ],
    );
    let entries = account.ok("GetManagedPrefixListEntries", &[("PrefixListId", &list)]);
    assert_eq!(entries.all("cidr").len(), 2);
    assert_eq!(
        account.refused(
            "ModifyManagedPrefixList",
            &[
                ("PrefixListId", &list),
                ("CurrentVersion", "1"),
                ("AddEntry.1.Cidr", "198.18.0.0/24")
            ]
        ),
        "PrefixListVersionMismatch"
    );
}
