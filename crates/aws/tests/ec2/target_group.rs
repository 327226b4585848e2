//! Target groups, targets and their health.

use crate::ground::Ground;
use aws::model::load_balancer::{Probe, TargetKey, health};

fn register(ground: &mut Ground, group: &str, id: &str) {
    let asked = [("TargetGroupArn", group), ("Targets.member.1.Id", id)];
    ground.ok("RegisterTargets", &asked);
}

fn probe(ground: &mut Ground, group: &str, id: &str, probe: Probe) -> bool {
    let key = TargetKey {
        group: group.to_owned(),
        id: id.to_owned(),
        port: 80,
    };
    health::observe(&mut ground.account.state, &key, probe, ground.account.now)
}

/// Every target's state and reason.
fn states(ground: &mut Ground, group: &str) -> Vec<String> {
    let told = ground.ok("DescribeTargetHealth", &[("TargetGroupArn", group)]);
    let (states, reasons) = (told.all("State"), told.all("Reason"));
    let mut reasons = reasons.into_iter();
    let with = |state: String| match state.as_str() {
        "healthy" => state,
        _ => format!("{state} {}", reasons.next().unwrap_or_default()),
    };
    states.into_iter().map(with).collect()
}

/// AWS-ALB: what a target is goes from its place in the account to what checks find.
#[test]
fn health_follows_place_and_checks() {
    let mut ground = Ground::new();
    let subnet = ground.subnets[0].clone();
    let instance = ground.account.instance(&subnet, &[]);
    let group = ground.group("web", "HTTP", &[]);
    register(&mut ground, &group, &instance);
    assert_eq!(states(&mut ground, &group), ["unused Target.NotInUse"]);
    assert!(
        !probe(&mut ground, &group, &instance, Probe::Passed),
        "nobody checks it"
    );
    let balancer = ground.balancer("front", &[]);
    let listener = ground.listener(&balancer, "HTTP", "80", &group);
    assert_eq!(
        states(&mut ground, &group),
        ["initial Elb.InitialHealthChecking"]
    );
    assert!(probe(&mut ground, &group, &instance, Probe::Passed));
    assert_eq!(states(&mut ground, &group), ["healthy"]);
    probe(&mut ground, &group, &instance, Probe::Code(503));
    assert_eq!(
        states(&mut ground, &group),
        ["healthy"],
        "one bad answer is not enough"
    );
    probe(&mut ground, &group, &instance, Probe::Code(503));
    assert_eq!(
        states(&mut ground, &group),
        ["unhealthy Target.ResponseCodeMismatch"]
    );
    let told = ground.ok("DescribeTargetHealth", &[("TargetGroupArn", &group)]);
    assert_eq!(
        told.one("Description"),
        "Health checks failed with these codes: [503]"
    );
    assert_eq!(told.one("HealthCheckPort"), "80");
    probe(&mut ground, &group, &instance, Probe::TimedOut);
    assert_eq!(states(&mut ground, &group), ["unhealthy Target.Timeout"]);
    let named = [("InstanceId.1", instance.as_str())];
    ground.account.ok("StopInstances", &named);
    assert_eq!(states(&mut ground, &group), ["unused Target.InvalidState"]);
    ground.account.wait(0);
    ground.account.ok("StartInstances", &named);
    ground.account.wait(0);
    let gone = [
        ("TargetGroupArn", group.as_str()),
        ("Targets.member.1.Id", "i-00000000"),
    ];
    let told = ground.ok("DescribeTargetHealth", &gone);
    assert_eq!(told.one("Reason"), "Target.NotRegistered");
    ground.ok("DeleteListener", &[("ListenerArn", &listener)]);
    assert_eq!(states(&mut ground, &group), ["unused Target.NotInUse"]);
    ground.listener(&balancer, "HTTP", "80", &group);
    assert_eq!(
        states(&mut ground, &group),
        ["initial Elb.InitialHealthChecking"],
        "what checks found was forgotten"
    );
}

/// AWS-ALB: a target in use is drained for the deregistration delay, another goes at once; terminated instances go.
#[test]
fn targets_drain() {
    let mut ground = Ground::new();
    let subnet = ground.subnets[0].clone();
    let first = ground.account.instance(&subnet, &[]);
    let second = ground.account.instance(&subnet, &[]);
    let group = ground.group("web", "HTTP", &[]);
    register(&mut ground, &group, &first);
    let leave = |id: &str| {
        vec![
            ("TargetGroupArn".to_owned(), group.clone()),
            ("Targets.member.1.Id".to_owned(), id.to_owned()),
        ]
    };
    let call = |ground: &mut Ground, asked: Vec<(String, String)>| {
        let asked: Vec<(&str, &str)> = asked
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        ground.ok("DeregisterTargets", &asked);
    };
    call(&mut ground, leave(&first));
    assert!(states(&mut ground, &group).is_empty(), "nobody used it");
    let balancer = ground.balancer("front", &[]);
    ground.listener(&balancer, "HTTP", "80", &group);
    register(&mut ground, &group, &first);
    register(&mut ground, &group, &second);
    call(&mut ground, leave(&first));
    call(&mut ground, leave("i-00000000"));
    let mut now = states(&mut ground, &group);
    now.sort();
    assert_eq!(
        now,
        [
            "draining Target.DeregistrationInProgress",
            "initial Elb.InitialHealthChecking"
        ]
    );
    // 300 seconds are 30 at the fast pace.
    ground.account.wait(29);
    assert_eq!(states(&mut ground, &group).len(), 2);
    ground.account.wait(1);
    assert_eq!(
        states(&mut ground, &group),
        ["initial Elb.InitialHealthChecking"]
    );
    ground
        .account
        .ok("TerminateInstances", &[("InstanceId.1", &second)]);
    ground.account.wait(0);
    assert_eq!(states(&mut ground, &group), ["unused Target.InvalidState"]);
    ground.account.wait(7200);
    assert!(states(&mut ground, &group).is_empty());
}

/// AWS-ALB, AWS-NLB: groups have AWS's defaults, the same words make nothing new, and one in use stays.
#[test]
fn groups_are_made_and_kept() {
    let mut ground = Ground::new();
    let web = ground.group("web", "HTTP", &[]);
    let again = ground.group("web", "HTTP", &[("ProtocolVersion", "")]);
    assert_eq!(again, web, "as Terraform asks");
    let told = ground.ok("DescribeTargetGroups", &[("Names.member.1", "web")]);
    assert_eq!(told.one("HealthCheckTimeoutSeconds"), "5");
    assert_eq!(told.one("HealthCheckPath"), "/");
    assert_eq!(told.one("HttpCode"), "200");
    assert_eq!(told.one("ProtocolVersion"), "HTTP1");
    let balancer = ground.balancer("front", &[]);
    ground.listener(&balancer, "HTTP", "80", &web);
    let told = ground.ok("DescribeTargetGroups", &[("LoadBalancerArn", &balancer)]);
    assert_eq!(told.one("TargetGroupName"), "web");
    let own = [("TargetGroupArn", web.as_str())];
    let (code, words) = ground.refusal("DeleteTargetGroup", &own);
    assert_eq!(code, "ResourceInUse");
    assert!(words.ends_with("is currently in use by a listener or a rule"));
    let other = ground.balancer("other", &[]);
    let asked = [
        ("LoadBalancerArn", other.as_str()),
        ("Protocol", "HTTP"),
        ("Port", "80"),
        ("DefaultActions.member.1.Type", "forward"),
        ("DefaultActions.member.1.TargetGroupArn", web.as_str()),
    ];
    assert_eq!(
        ground.refused("CreateListener", &asked),
        "TargetGroupAssociationLimit"
    );
    ground.ok("DeleteLoadBalancer", &[("LoadBalancerArn", &balancer)]);
    ground.ok("DeleteTargetGroup", &own);
    ground.ok("DeleteTargetGroup", &own);
}

/// AWS-ALB, AWS-NLB, AWS-GWLB: groups that can't be are refused.
#[test]
fn groups_that_cant_be_are_refused() {
    let mut ground = Ground::new();
    ground.group("taken", "HTTP", &[]);
    let vpc = ground.vpc.clone();
    let base = [
        ("Name", "new"),
        ("Protocol", "HTTP"),
        ("Port", "80"),
        ("VpcId", vpc.as_str()),
    ];
    for (more, code) in [
        (
            vec![("Name", "taken"), ("Port", "81")],
            "DuplicateTargetGroupName",
        ),
        (vec![("Name", "a_b")], "ValidationError"),
        (vec![("Protocol", "QUIC")], "UnsupportedProtocol"),
        (vec![("Protocol", "NONE")], "ValidationError"),
        (vec![("Port", "0")], "ValidationError"),
        (vec![("Port", "")], "ValidationError"),
        (vec![("VpcId", "vpc-00000000")], "ValidationError"),
        (vec![("HealthCheckProtocol", "TCP")], "ValidationError"),
        (
            vec![("HealthCheckEnabled", "false")],
            "InvalidConfigurationRequest",
        ),
        (vec![("HealthCheckIntervalSeconds", "4")], "ValidationError"),
        (vec![("HealthCheckTimeoutSeconds", "30")], "ValidationError"),
        (vec![("HealthyThresholdCount", "1")], "ValidationError"),
        (vec![("UnhealthyThresholdCount", "11")], "ValidationError"),
        (vec![("HealthCheckPort", "web")], "ValidationError"),
        (vec![("HealthCheckPath", "x")], "ValidationError"),
        (vec![("Matcher.HttpCode", "200-500")], "ValidationError"),
        (
            vec![("Matcher.GrpcCode", "0")],
            "InvalidConfigurationRequest",
        ),
        (vec![("ProtocolVersion", "HTTP3")], "ValidationError"),
        (vec![("TargetType", "lambda")], "ValidationError"),
        (vec![("TargetType", "alb")], "ValidationError"),
        (vec![("Protocol", "GENEVE")], "ValidationError"),
        (
            vec![("Protocol", "TCP"), ("HealthCheckPath", "/x")],
            "InvalidConfigurationRequest",
        ),
        (vec![("IpAddressType", "ipv6")], "UnsupportedOperation"),
    ] {
        let mut asked = base.to_vec();
        asked.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
        asked.extend(more.iter().filter(|(_, value)| !value.is_empty()));
        assert_eq!(
            ground.refused("CreateTargetGroup", &asked),
            code,
            "{more:?}"
        );
    }
}

/// AWS-ALB, AWS-NLB: what can be a target, and what the refusals say.
#[test]
fn targets_that_cant_be_are_refused() {
    let mut ground = Ground::new();
    let subnet = ground.subnets[0].clone();
    let stopped = ground.account.instance(&subnet, &[]);
    ground
        .account
        .ok("StopInstances", &[("InstanceId.1", &stopped)]);
    let away = ground.account.vpc("10.7.0.0/16");
    let away = ground.account.subnet(&away, "10.7.1.0/24");
    let away = ground.account.instance(&away, &[]);
    let by_instance = ground.group("instances", "HTTP", &[]);
    let by_address = ground.group("addresses", "HTTP", &[("TargetType", "ip")]);
    for (group, id, zone, code, words) in [
        (
            &by_instance,
            stopped.as_str(),
            "",
            "InvalidTarget",
            "not in a running state",
        ),
        (
            &by_instance,
            away.as_str(),
            "",
            "InvalidTarget",
            "not in the target group VPC",
        ),
        (
            &by_instance,
            "i-00000000",
            "",
            "ValidationError",
            "Instance ID",
        ),
        (
            &by_instance,
            "10.0.1.5",
            "",
            "ValidationError",
            "Instance ID '10.0.1.5' is not valid",
        ),
        (
            &by_address,
            stopped.as_str(),
            "",
            "ValidationError",
            "is not a valid IPv4 address",
        ),
        (
            &by_address,
            "198.51.100.7",
            "all",
            "ValidationError",
            "must be within the VPC",
        ),
        (
            &by_address,
            "10.44.0.7",
            "",
            "ValidationError",
            "You must specify a valid Availability Zone",
        ),
        (
            &by_address,
            "10.0.1.7",
            "all",
            "ValidationError",
            "cannot have its Availability Zone overridden to 'all' from 'us-west-2a'",
        ),
    ] {
        let mut asked = vec![
            ("TargetGroupArn", group.as_str()),
            ("Targets.member.1.Id", id),
        ];
        if !zone.is_empty() {
            asked.push(("Targets.member.1.AvailabilityZone", zone));
        }
        let (told, message) = ground.refusal("RegisterTargets", &asked);
        assert_eq!(told, code, "{id}");
        assert!(message.contains(words), "{id}: {message}");
    }
    let outside = [
        ("TargetGroupArn", by_address.as_str()),
        ("Targets.member.1.Id", "10.44.0.7"),
        ("Targets.member.1.AvailabilityZone", "all"),
    ];
    ground.ok("RegisterTargets", &outside);
    let balancer = ground.balancer("front", &[("Scheme", "internal")]);
    let node = ground.interfaces("ELB app/front/*").one("privateIpAddress");
    register(&mut ground, &by_address, &node);
    ground.listener(&balancer, "HTTP", "80", &by_address);
    let mut now = states(&mut ground, &by_address);
    now.sort();
    assert_eq!(
        now,
        [
            "initial Elb.InitialHealthChecking",
            "unused Target.IpUnusable"
        ]
    );
}

/// AWS-NLB: an application load balancer can be a target, and is held by its group.
#[test]
fn a_balancer_can_be_a_target() {
    let mut ground = Ground::new();
    let web = ground.group("web", "HTTP", &[]);
    let inner = ground.balancer("inner", &[("Scheme", "internal")]);
    let outer = ground.group("outer", "TCP", &[("TargetType", "alb")]);
    let asked = [
        ("TargetGroupArn", outer.as_str()),
        ("Targets.member.1.Id", inner.as_str()),
    ];
    assert_eq!(
        ground.refused("RegisterTargets", &asked),
        "InvalidTarget",
        "it has no listener"
    );
    ground.listener(&inner, "HTTP", "80", &web);
    ground.ok("RegisterTargets", &asked);
    let own = [("LoadBalancerArn", inner.as_str())];
    assert_eq!(ground.refused("DeleteLoadBalancer", &own), "ResourceInUse");
    ground.ok("DeregisterTargets", &asked);
    ground.ok("DeleteLoadBalancer", &own);
}

/// AWS-ALB, AWS-NLB, AWS-GWLB: attributes' defaults follow protocol and type, and their bounds hold.
#[test]
fn attributes_follow_the_protocol() {
    let mut ground = Ground::new();
    let of = |ground: &mut Ground, group: &str, key: &str| {
        let all = ground.ok(
            "DescribeTargetGroupAttributes",
            &[("TargetGroupArn", group)],
        );
        let position = all.all("Key").iter().position(|of| of == key);
        position.map(|position| all.all("Value")[position].clone())
    };
    let tcp = ground.group("tcp", "TCP", &[]);
    let by_address = ground.group("tcp-ip", "TCP", &[("TargetType", "ip")]);
    let udp = ground.group("udp", "UDP", &[("TargetType", "ip")]);
    let web = ground.group("web", "HTTP", &[]);
    let preserve = "preserve_client_ip.enabled";
    for (group, value) in [
        (&tcp, Some("true")),
        (&by_address, Some("false")),
        (&udp, Some("true")),
        (&web, None),
    ] {
        assert_eq!(of(&mut ground, group, preserve).as_deref(), value);
    }
    let asked = [
        ("Name", "packets"),
        ("Protocol", "GENEVE"),
        ("Port", "6081"),
    ];
    let vpc = ground.vpc.clone();
    let asked = [&asked[..], &[("VpcId", vpc.as_str())]].concat();
    let packets = ground.ok("CreateTargetGroup", &asked).one("TargetGroupArn");
    let failover = "target_failover.on_unhealthy";
    assert_eq!(
        of(&mut ground, &packets, failover).as_deref(),
        Some("no_rebalance")
    );
    for (group, key, value, code) in [
        (&udp, preserve, "false", "InvalidConfigurationRequest"),
        (&web, preserve, "true", "InvalidConfigurationRequest"),
        (
            &web,
            "deregistration_delay.timeout_seconds",
            "3601",
            "ValidationError",
        ),
        (&web, "stickiness.type", "source_ip", "ValidationError"),
        (&web, "slow_start.duration_seconds", "29", "ValidationError"),
        (
            &web,
            "stickiness.app_cookie.cookie_name",
            "AWSALBX",
            "InvalidConfigurationRequest",
        ),
        (
            &packets,
            failover,
            "rebalance",
            "InvalidConfigurationRequest",
        ),
    ] {
        let asked = [
            ("TargetGroupArn", group.as_str()),
            ("Attributes.member.1.Key", key),
            ("Attributes.member.1.Value", value),
        ];
        assert_eq!(
            ground.refused("ModifyTargetGroupAttributes", &asked),
            code,
            "{key}={value}"
        );
    }
    let asked = [
        ("TargetGroupArn", by_address.as_str()),
        ("Attributes.member.1.Key", preserve),
        ("Attributes.member.1.Value", "true"),
    ];
    ground.ok("ModifyTargetGroupAttributes", &asked);
    assert_eq!(
        of(&mut ground, &by_address, preserve).as_deref(),
        Some("true")
    );
}
