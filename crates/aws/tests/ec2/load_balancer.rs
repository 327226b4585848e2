//! Application, network and gateway load balancers: what they are made of, and what they refuse.

use crate::ground::Ground;

/// AWS-ALB: a balancer is named as AWS names it and has an interface in each subnet, which nobody but the service
/// changes and which holds its subnet.
#[test]
fn an_application_load_balancer_has_nodes() {
    let mut ground = Ground::new();
    let subnets = ground.subnets.clone();
    let asked = [
        ("Name", "web"),
        ("Subnets.member.1", subnets[0].as_str()),
        ("Subnets.member.2", subnets[1].as_str()),
        ("Tags.member.1.Key", "team"),
        ("Tags.member.1.Value", "a"),
    ];
    let made = ground.ok("CreateLoadBalancer", &asked);
    assert_eq!(made.one("Code"), "provisioning");
    let arn = made.one("LoadBalancerArn");
    let (path, hash) = arn.rsplit_once('/').unwrap();
    assert_eq!(
        path,
        "arn:aws:elasticloadbalancing:us-west-2:123456789012:loadbalancer/app/web"
    );
    let name = made.one("DNSName");
    assert!(
        name.starts_with("web-") && name.ends_with(".us-west-2.elb.amazonaws.com"),
        "{name}"
    );
    assert_eq!(made.one("CanonicalHostedZoneId"), "Z1H1FL5HABSF5");
    let there = ground.ok("DescribeLoadBalancers", &[("Names.member.1", "web")]);
    assert_eq!(there.one("Code"), "active");
    assert_eq!(there.all("ZoneName"), ["us-west-2a", "us-west-2b"]);
    assert_eq!(there.one("Scheme"), "internet-facing");
    let reserved = ground.ok("DescribeCapacityReservation", &[("LoadBalancerArn", &arn)]);
    assert!(reserved.all("CapacityUnits").is_empty());
    let nodes = ground.interfaces(&format!("ELB app/web/{hash}"));
    assert_eq!(nodes.all("requesterId"), ["amazon-elb"; 2]);
    assert_eq!(nodes.all("requesterManaged"), ["true"; 2]);
    assert!(
        nodes
            .all("ipOwnerId")
            .iter()
            .all(|owner| owner == "amazon-elb")
    );
    assert!(
        nodes
            .all("attachmentId")
            .iter()
            .all(|id| id.starts_with("ela-attach-"))
    );
    let node = nodes.one("networkInterfaceId");
    let own = [("NetworkInterfaceId", node.as_str())];
    assert_eq!(
        ground.account.refused("DeleteNetworkInterface", &own),
        "AuthFailure"
    );
    let attachment = nodes.one("attachmentId");
    let detach = [("AttachmentId", attachment.as_str())];
    assert_eq!(
        ground.account.refused("DetachNetworkInterface", &detach),
        "OperationNotPermitted"
    );
    let subnet = [("SubnetId", subnets[0].as_str())];
    assert_eq!(
        ground.account.refused("DeleteSubnet", &subnet),
        "DependencyViolation"
    );
    let tags = ground.ok("DescribeTags", &[("ResourceArns.member.1", &arn)]);
    assert_eq!(
        (tags.one("Key"), tags.one("Value")),
        ("team".to_owned(), "a".to_owned())
    );
    let again = ground.ok("CreateLoadBalancer", &asked);
    assert_eq!(
        again.one("LoadBalancerArn"),
        arn,
        "the same words make nothing new"
    );
    ground.ok("DeleteLoadBalancer", &[("LoadBalancerArn", &arn)]);
    ground.ok("DeleteLoadBalancer", &[("LoadBalancerArn", &arn)]);
    assert!(
        ground
            .interfaces("ELB app/web/*")
            .all("networkInterfaceId")
            .is_empty()
    );
    ground.account.ok("DeleteSubnet", &subnet);
    let gone = ground.refused(
        "DescribeLoadBalancers",
        &[("LoadBalancerArns.member.1", &arn)],
    );
    assert_eq!(gone, "LoadBalancerNotFound");
}

/// AWS-NLB: an Elastic IP or a chosen private address a subnet, and the address is free again afterwards.
#[test]
fn a_network_load_balancer_has_static_addresses() {
    let mut ground = Ground::new();
    let elastic = ground.account.ok("AllocateAddress", &[]);
    let (allocation, public) = (elastic.one("allocationId"), elastic.one("publicIp"));
    let subnet = ground.subnets[0].clone();
    let asked = [
        ("Name", "static"),
        ("Type", "network"),
        ("SubnetMappings.member.1.SubnetId", subnet.as_str()),
        ("SubnetMappings.member.1.AllocationId", allocation.as_str()),
    ];
    let made = ground.ok("CreateLoadBalancer", &asked);
    assert_eq!(made.one("IpAddress"), public);
    let arn = made.one("LoadBalancerArn");
    assert!(arn.contains(":loadbalancer/net/static/"));
    assert_eq!(made.one("CanonicalHostedZoneId"), "Z18D5FSROUN65G");
    let hash = arn.rsplit('/').next().unwrap().to_owned();
    assert_eq!(
        made.one("DNSName"),
        format!("static-{hash}.elb.us-west-2.amazonaws.com")
    );
    let node = ground.interfaces(&format!("ELB net/static/{hash}"));
    assert_eq!(node.one("interfaceType"), "network_load_balancer");
    assert!(
        node.all("groupId").is_empty(),
        "nobody gave it a security group"
    );
    let release = [("AllocationId", allocation.as_str())];
    assert_eq!(
        ground.account.refused("ReleaseAddress", &release),
        "InvalidIPAddress.InUse"
    );
    let mut other = asked;
    other[0].1 = "other";
    assert_eq!(
        ground.refused("CreateLoadBalancer", &other),
        "AllocationIdNotFound"
    );
    ground.ok("DeleteLoadBalancer", &[("LoadBalancerArn", &arn)]);
    ground.account.ok("ReleaseAddress", &release);
    let inside = [
        ("Name", "inside"),
        ("Type", "network"),
        ("Scheme", "internal"),
        ("SubnetMappings.member.1.SubnetId", subnet.as_str()),
        ("SubnetMappings.member.1.PrivateIPv4Address", "10.0.1.77"),
    ];
    let made = ground.ok("CreateLoadBalancer", &inside);
    assert_eq!(made.one("PrivateIPv4Address"), "10.0.1.77");
    let node = ground.interfaces("ELB net/inside/*");
    assert_eq!(node.one("privateIpAddress"), "10.0.1.77");
    assert!(node.all("publicIp").is_empty());
}

/// AWS-GWLB: a gateway load balancer has no scheme, no security groups and no name in DNS.
#[test]
fn a_gateway_load_balancer_has_neither_scheme_nor_name() {
    let mut ground = Ground::new();
    let made = ground.balancer("scrub", &[("Type", "gateway")]);
    let there = ground.ok(
        "DescribeLoadBalancers",
        &[("LoadBalancerArns.member.1", &made)],
    );
    assert!(there.all("Scheme").is_empty() && there.all("DNSName").is_empty());
    let nodes = ground.interfaces("ELB gwy/scrub/*");
    assert_eq!(nodes.all("interfaceType"), ["gateway_load_balancer"; 2]);
}

/// AWS-ALB, AWS-NLB, AWS-GWLB: what can't be made is refused in AWS's codes.
#[test]
fn balancers_that_cant_be_are_refused() {
    let mut ground = Ground::new();
    ground.balancer("taken", &[]);
    let [a, b] = ground.subnets.clone();
    let private = ground.account.vpc("10.9.0.0/16");
    let lone = ground.account.subnet(&private, "10.9.1.0/24");
    let tiny = ground.account.subnet(&ground.vpc.clone(), "10.0.3.0/28");
    for _ in 0..4 {
        ground.account.interface(&tiny);
    }
    let with = |more: &[(&'static str, String)]| {
        let mut asked = vec![
            ("Name", "new".to_owned()),
            ("Subnets.member.1", a.clone()),
            ("Subnets.member.2", b.clone()),
        ];
        asked.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
        asked.extend(more.iter().cloned());
        asked.retain(|(_, value)| !value.is_empty());
        asked
    };
    let s = str::to_owned;
    for (more, code) in [
        (
            vec![("Name", s("taken")), ("Scheme", s("internal"))],
            "DuplicateLoadBalancerName",
        ),
        (vec![("Name", s("-x"))], "ValidationError"),
        (vec![("Name", s("internal-x"))], "ValidationError"),
        (vec![("Name", s(&"x".repeat(33)))], "ValidationError"),
        (vec![("Name", s(""))], "ValidationError"),
        (vec![("Type", s("classic"))], "ValidationError"),
        (vec![("Subnets.member.2", s(""))], "ValidationError"),
        (
            vec![("Subnets.member.2", s("subnet-00000000"))],
            "SubnetNotFound",
        ),
        (
            vec![("Subnets.member.2", a.clone())],
            "InvalidConfigurationRequest",
        ),
        (
            vec![("Subnets.member.2", lone.clone())],
            "InvalidConfigurationRequest",
        ),
        (
            vec![
                ("Type", s("network")),
                ("Subnets.member.1", lone),
                ("Subnets.member.2", s("")),
            ],
            "InvalidSubnet",
        ),
        (
            vec![
                ("Type", s("network")),
                ("Subnets.member.1", tiny.clone()),
                ("Subnets.member.2", s("")),
            ],
            "InvalidSubnet",
        ),
        (
            vec![("SecurityGroups.member.1", s("sg-00000000"))],
            "InvalidSecurityGroup",
        ),
        (
            vec![("Type", s("gateway")), ("Scheme", s("internal"))],
            "InvalidConfigurationRequest",
        ),
        (vec![("IpAddressType", s("dualstack"))], "InvalidSubnet"),
        (
            vec![("CustomerOwnedIpv4Pool", s("x"))],
            "UnsupportedOperation",
        ),
        (vec![("Whatever", s("x"))], "UnknownParameter"),
    ] {
        let asked = with(&more);
        let asked: Vec<(&str, &str)> = asked
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        assert_eq!(
            ground.refused("CreateLoadBalancer", &asked),
            code,
            "{more:?}"
        );
    }
    let (_, words) = ground.refusal("CreateLoadBalancer", &[]);
    assert!(words.contains("Name"), "{words}");
}

/// AWS-ALB, AWS-NLB: attributes have AWS's defaults and bounds, and protect against deletion.
#[test]
fn attributes_are_checked_and_kept() {
    let mut ground = Ground::new();
    let web = ground.balancer("web", &[]);
    let flows = ground.balancer("flows", &[("Type", "network")]);
    let set = |balancer: &str, key: &str, value: &str| {
        vec![
            ("LoadBalancerArn".to_owned(), balancer.to_owned()),
            ("Attributes.member.1.Key".to_owned(), key.to_owned()),
            ("Attributes.member.1.Value".to_owned(), value.to_owned()),
        ]
    };
    let action = "ModifyLoadBalancerAttributes";
    for (balancer, key, value, code) in [
        (&web, "idle_timeout.timeout_seconds", "0", "ValidationError"),
        (
            &web,
            "idle_timeout.timeout_seconds",
            "4001",
            "ValidationError",
        ),
        (
            &web,
            "deletion_protection.enabled",
            "yes",
            "ValidationError",
        ),
        (
            &web,
            "load_balancing.cross_zone.enabled",
            "false",
            "InvalidConfigurationRequest",
        ),
        (
            &web,
            "dns_record.client_routing_policy",
            "x",
            "InvalidConfigurationRequest",
        ),
        (
            &web,
            "access_logs.s3.enabled",
            "true",
            "InvalidConfigurationRequest",
        ),
        (
            &flows,
            "idle_timeout.timeout_seconds",
            "60",
            "InvalidConfigurationRequest",
        ),
        (
            &flows,
            "dns_record.client_routing_policy",
            "x",
            "ValidationError",
        ),
    ] {
        let asked = set(balancer, key, value);
        let asked: Vec<(&str, &str)> = asked
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        assert_eq!(ground.refused(action, &asked), code, "{key}={value}");
    }
    let asked = set(&web, "deletion_protection.enabled", "true");
    let asked: Vec<(&str, &str)> = asked
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect();
    ground.ok(action, &asked);
    let own = [("LoadBalancerArn", web.as_str())];
    let all = ground.ok("DescribeLoadBalancerAttributes", &own);
    let of = |key: &str| {
        let position = all.all("Key").iter().position(|of| of == key).unwrap();
        all.all("Value")[position].clone()
    };
    assert_eq!(of("deletion_protection.enabled"), "true");
    assert_eq!(of("idle_timeout.timeout_seconds"), "60");
    assert_eq!(of("routing.http2.enabled"), "true");
    let (code, words) = ground.refusal("DeleteLoadBalancer", &own);
    assert_eq!(code, "OperationNotPermitted");
    assert!(words.contains("cannot be deleted because deletion protection is enabled"));
}

/// AWS-ALB, AWS-NLB: subnets and security groups can be changed, and the nodes follow.
#[test]
fn nodes_follow_subnets_and_security_groups() {
    let mut ground = Ground::new();
    let web = ground.balancer("web", &[]);
    let vpc = ground.vpc.clone();
    let asked = [
        ("VpcId", vpc.as_str()),
        ("CidrBlock", "10.0.4.0/24"),
        ("AvailabilityZone", "us-west-2c"),
    ];
    let third = ground.account.make("subnetId", "CreateSubnet", &asked);
    let first = ground.subnets[0].clone();
    let before = ground.interfaces("ELB app/web/*").all("networkInterfaceId");
    let asked = [
        ("LoadBalancerArn", web.as_str()),
        ("Subnets.member.1", first.as_str()),
        ("Subnets.member.2", third.as_str()),
    ];
    let set = ground.ok("SetSubnets", &asked);
    assert_eq!(set.all("SubnetId"), [first, third]);
    let after = ground.interfaces("ELB app/web/*");
    let kept = after.all("networkInterfaceId");
    assert_eq!(kept.iter().filter(|id| before.contains(id)).count(), 1);
    let group = ground.account.group(&vpc, "front");
    let asked = [
        ("LoadBalancerArn", web.as_str()),
        ("SecurityGroups.member.1", group.as_str()),
    ];
    ground.ok("SetSecurityGroups", &asked);
    let nodes = ground.interfaces("ELB app/web/*");
    assert!(nodes.all("groupId").iter().all(|of| *of == group));
    let held = [("GroupId", group.as_str())];
    assert_eq!(
        ground.account.refused("DeleteSecurityGroup", &held),
        "DependencyViolation"
    );
    let flows = ground.balancer("flows", &[("Type", "network")]);
    let asked = [
        ("LoadBalancerArn", flows.as_str()),
        ("SecurityGroups.member.1", group.as_str()),
    ];
    assert_eq!(
        ground.refused("SetSecurityGroups", &asked),
        "InvalidConfigurationRequest"
    );
}

/// AWS-ALB: listings come in pages, and quotas and policies are told.
#[test]
fn listings_have_pages() {
    let mut ground = Ground::new();
    for name in ["a", "b", "c"] {
        ground.balancer(name, &[("Scheme", "internal")]);
    }
    let first = ground.ok("DescribeLoadBalancers", &[("PageSize", "2")]);
    let marker = first.one("NextMarker");
    let second = ground.ok(
        "DescribeLoadBalancers",
        &[("PageSize", "2"), ("Marker", &marker)],
    );
    let mut names = first.all("LoadBalancerName");
    names.extend(second.all("LoadBalancerName"));
    names.sort();
    assert_eq!(names, ["a", "b", "c"]);
    assert!(second.all("NextMarker").is_empty());
    let foreign = [("Marker", "foreign")];
    assert_eq!(
        ground.refused("DescribeLoadBalancers", &foreign),
        "ValidationError"
    );
    let limits = ground.ok("DescribeAccountLimits", &[]);
    assert!(limits.all("Name").contains(&"target-groups".to_owned()));
    let policy = [("Names.member.1", "ELBSecurityPolicy-TLS13-1-2-2021-06")];
    let policies = ground.ok("DescribeSSLPolicies", &policy);
    assert_eq!(policies.all("Priority").len(), 11);
    assert!(policies.0.contains("<member>TLSv1.3</member>"));
    let none = [("Names.member.1", "none")];
    assert_eq!(
        ground.refused("DescribeSSLPolicies", &none),
        "SSLPolicyNotFound"
    );
}
