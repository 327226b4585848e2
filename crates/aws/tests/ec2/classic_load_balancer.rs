//! Classic load balancers.

use crate::account::Document;
use crate::ground::Ground;
use aws::model::InstanceId;
use aws::model::classic_load_balancer::{instance, key};
use aws::model::load_balancer::Probe;

const NAME: (&str, &str) = ("LoadBalancerName", "old");

fn ok(ground: &mut Ground, action: &str, asked: &[(&str, &str)]) -> Document {
    ground
        .account
        .classic(action, asked)
        .unwrap_or_else(|(code, message)| panic!("{action} {asked:?}: {code}: {message}"))
}

fn refused(ground: &mut Ground, action: &str, asked: &[(&str, &str)]) -> String {
    let before = ground.account.state.clone();
    match ground.account.classic(action, asked) {
        Ok(document) => panic!("{action} {asked:?} succeeded: {}", document.0),
        Err((code, _)) => {
            assert!(ground.account.state.changes(&before).is_empty(), "{action}");
            code
        }
    }
}

/// Listener number `n` as parameters: protocol, port, instances' protocol and port.
fn listener(
    protocol: &'static str,
    port: &'static str,
    back: &'static str,
) -> Vec<(&'static str, &'static str)> {
    vec![
        ("Listeners.member.1.Protocol", protocol),
        ("Listeners.member.1.LoadBalancerPort", port),
        ("Listeners.member.1.InstanceProtocol", back),
        ("Listeners.member.1.InstancePort", "8080"),
    ]
}

/// A balancer `old` for HTTP in both subnets.
fn made() -> Ground {
    let mut ground = Ground::new();
    let subnets = ground.subnets.clone();
    let mut asked = vec![
        NAME,
        ("Subnets.member.1", subnets[0].as_str()),
        ("Subnets.member.2", subnets[1].as_str()),
    ];
    asked.extend(listener("HTTP", "80", "HTTP"));
    let name = ok(&mut ground, "CreateLoadBalancer", &asked).one("DNSName");
    assert!(
        name.starts_with("old-") && name.ends_with(".us-west-2.elb.amazonaws.com"),
        "{name}"
    );
    let again = ok(&mut ground, "CreateLoadBalancer", &asked).one("DNSName");
    assert_eq!(again, name, "the same words make nothing new");
    ground
}

/// AWS-CLB: a balancer has an interface in each subnet, a health check of its first port, and goes whole.
#[test]
fn balancers_are_made_and_go() {
    let mut ground = made();
    let told = ok(
        &mut ground,
        "DescribeLoadBalancers",
        &[("LoadBalancerNames.member.1", "old")],
    );
    assert_eq!(told.one("Target"), "TCP:8080");
    assert_eq!(told.one("HealthyThreshold"), "10");
    assert_eq!(told.one("Scheme"), "internet-facing");
    assert_eq!(told.one("CanonicalHostedZoneNameID"), "Z1H1FL5HABSF5");
    assert_eq!(told.one("GroupName"), "default");
    let nodes = ground.interfaces("ELB old");
    assert_eq!(nodes.all("requesterId"), ["amazon-elb"; 2]);
    assert_eq!(nodes.all("publicIp").len() % 2, 0);
    let subnet = ground.subnets[0].clone();
    let held = [("SubnetId", subnet.as_str())];
    assert_eq!(
        ground.account.refused("DeleteSubnet", &held),
        "DependencyViolation"
    );
    let detach = [NAME, ("Subnets.member.1", subnet.as_str())];
    let left = ok(&mut ground, "DetachLoadBalancerFromSubnets", &detach);
    assert!(!left.0.contains(&subnet));
    ground.account.ok("DeleteSubnet", &held);
    ok(&mut ground, "DeleteLoadBalancer", &[NAME]);
    ok(&mut ground, "DeleteLoadBalancer", &[NAME]);
    assert!(
        ground
            .interfaces("ELB old")
            .all("networkInterfaceId")
            .is_empty()
    );
    let gone = [("LoadBalancerNames.member.1", "old")];
    assert_eq!(
        refused(&mut ground, "DescribeLoadBalancers", &gone),
        "LoadBalancerNotFound"
    );
}

/// AWS-CLB: an instance is out of service until it is healthy, and thresholds count in a row.
#[test]
fn health_takes_instances_in_and_out() {
    let mut ground = made();
    let subnet = ground.subnets[0].clone();
    let id = ground.account.instance(&subnet, &[]);
    let check = [
        NAME,
        ("HealthCheck.Target", "HTTP:8080/ping"),
        ("HealthCheck.Interval", "10"),
        ("HealthCheck.Timeout", "5"),
        ("HealthCheck.UnhealthyThreshold", "2"),
        ("HealthCheck.HealthyThreshold", "2"),
    ];
    assert_eq!(
        ok(&mut ground, "ConfigureHealthCheck", &check).one("Target"),
        "HTTP:8080/ping"
    );
    let named = [NAME, ("Instances.member.1.InstanceId", id.as_str())];
    ok(&mut ground, "RegisterInstancesWithLoadBalancer", &named);
    let health = |ground: &mut Ground| {
        let told = ok(ground, "DescribeInstanceHealth", &named);
        (told.one("State"), told.one("Description"))
    };
    let probe = |ground: &mut Ground, probe: Probe| {
        let (key, now) = (key("us-west-2", "old"), ground.account.now);
        let id = InstanceId::from(id.as_str());
        instance::observe(&mut ground.account.state, &key, &id, probe, now)
    };
    let (state, words) = health(&mut ground);
    assert_eq!(
        (state.as_str(), words.as_str()),
        (
            "OutOfService",
            "Instance registration is still in progress."
        )
    );
    probe(&mut ground, Probe::Passed);
    assert_eq!(
        health(&mut ground).0,
        "OutOfService",
        "one good answer is not enough"
    );
    probe(&mut ground, Probe::Passed);
    assert_eq!(
        health(&mut ground),
        ("InService".to_owned(), "N/A".to_owned())
    );
    probe(&mut ground, Probe::Failed);
    probe(&mut ground, Probe::TimedOut);
    let (state, words) = health(&mut ground);
    assert_eq!(state, "OutOfService");
    assert!(words.contains("UnhealthyThreshold"), "{words}");
    ground.account.ok("StopInstances", &[("InstanceId.1", &id)]);
    ground.account.wait(0);
    assert_eq!(health(&mut ground).1, "Instance is in stopped state.");
    ok(&mut ground, "DeregisterInstancesFromLoadBalancer", &named);
    assert_eq!(
        health(&mut ground).1,
        "Instance is not currently registered with the LoadBalancer."
    );
    let none = [NAME, ("Instances.member.1.InstanceId", "i-00000000")];
    for action in [
        "RegisterInstancesWithLoadBalancer",
        "DescribeInstanceHealth",
    ] {
        assert_eq!(refused(&mut ground, action, &none), "InvalidInstance");
    }
}

/// AWS-CLB: instances in service are drained where that is on.
#[test]
fn instances_drain() {
    let mut ground = made();
    let subnet = ground.subnets[0].clone();
    let id = ground.account.instance(&subnet, &[]);
    let named = [NAME, ("Instances.member.1.InstanceId", id.as_str())];
    ok(&mut ground, "RegisterInstancesWithLoadBalancer", &named);
    let key = key("us-west-2", "old");
    for _ in 0..10 {
        let now = ground.account.now;
        let id = InstanceId::from(id.as_str());
        instance::observe(&mut ground.account.state, &key, &id, Probe::Passed, now);
    }
    let drain = [
        NAME,
        ("LoadBalancerAttributes.ConnectionDraining.Enabled", "true"),
        ("LoadBalancerAttributes.ConnectionDraining.Timeout", "100"),
        (
            "LoadBalancerAttributes.CrossZoneLoadBalancing.Enabled",
            "true",
        ),
    ];
    ok(&mut ground, "ModifyLoadBalancerAttributes", &drain);
    let told = ok(&mut ground, "DescribeLoadBalancerAttributes", &[NAME]);
    assert_eq!(
        (told.one("Timeout"), told.one("IdleTimeout")),
        ("100".to_owned(), "60".to_owned())
    );
    let left = ok(&mut ground, "DeregisterInstancesFromLoadBalancer", &named);
    assert!(left.all("InstanceId").is_empty());
    let told = ok(&mut ground, "DescribeInstanceHealth", &[NAME]);
    assert_eq!(
        told.one("Description"),
        "Instance deregistration currently in progress."
    );
    ground.account.wait(10);
    assert!(
        ok(&mut ground, "DescribeInstanceHealth", &[NAME])
            .all("State")
            .is_empty()
    );
}

/// AWS-CLB: stickiness and other policies belong to listeners they go with.
#[test]
fn policies_belong_to_listeners() {
    let mut ground = made();
    let sticky = [
        NAME,
        ("PolicyName", "sticky"),
        ("CookieExpirationPeriod", "60"),
    ];
    ok(&mut ground, "CreateLBCookieStickinessPolicy", &sticky);
    assert_eq!(
        refused(&mut ground, "CreateLBCookieStickinessPolicy", &sticky),
        "DuplicatePolicyName"
    );
    let set = [
        NAME,
        ("LoadBalancerPort", "80"),
        ("PolicyNames.member.1", "sticky"),
    ];
    ok(&mut ground, "SetLoadBalancerPoliciesOfListener", &set);
    let told = ok(&mut ground, "DescribeLoadBalancers", &[]);
    assert_eq!(told.one("CookieExpirationPeriod"), "60");
    assert!(
        told.0
            .contains("<PolicyNames><member>sticky</member></PolicyNames>"),
        "{}",
        told.0
    );
    let delete = [NAME, ("PolicyName", "sticky")];
    assert_eq!(
        refused(&mut ground, "DeleteLoadBalancerPolicy", &delete),
        "InvalidConfigurationRequest"
    );
    let mut asked = vec![NAME];
    asked.extend(listener("TCP", "443", "TCP"));
    ok(&mut ground, "CreateLoadBalancerListeners", &asked);
    let wrong = [
        NAME,
        ("LoadBalancerPort", "443"),
        ("PolicyNames.member.1", "sticky"),
    ];
    let code = refused(&mut ground, "SetLoadBalancerPoliciesOfListener", &wrong);
    assert_eq!(code, "InvalidConfigurationRequest");
    let none = [
        NAME,
        ("LoadBalancerPort", "81"),
        ("PolicyNames.member.1", "sticky"),
    ];
    assert_eq!(
        refused(&mut ground, "SetLoadBalancerPoliciesOfListener", &none),
        "ListenerNotFound"
    );
    let proxy = [
        NAME,
        ("PolicyName", "proxy"),
        ("PolicyTypeName", "ProxyProtocolPolicyType"),
        ("PolicyAttributes.member.1.AttributeName", "ProxyProtocol"),
        ("PolicyAttributes.member.1.AttributeValue", "true"),
    ];
    ok(&mut ground, "CreateLoadBalancerPolicy", &proxy);
    let back = [
        NAME,
        ("InstancePort", "8080"),
        ("PolicyNames.member.1", "proxy"),
    ];
    ok(
        &mut ground,
        "SetLoadBalancerPoliciesForBackendServer",
        &back,
    );
    let mut kind = proxy;
    kind[1].1 = "other";
    kind[2].1 = "NoPolicyType";
    assert_eq!(
        refused(&mut ground, "CreateLoadBalancerPolicy", &kind),
        "PolicyTypeNotFound"
    );
    let types = ok(&mut ground, "DescribeLoadBalancerPolicyTypes", &[]);
    assert_eq!(types.all("PolicyTypeName").len(), 6);
    let own = ok(&mut ground, "DescribeLoadBalancerPolicies", &[]);
    assert!(
        own.all("PolicyName")
            .contains(&"ELBSecurityPolicy-2016-08".to_owned())
    );
}

/// AWS-CLB: tags come and go.
#[test]
fn tags_come_and_go() {
    let mut ground = made();
    let names = ("LoadBalancerNames.member.1", "old");
    let add = [
        names,
        ("Tags.member.1.Key", "a"),
        ("Tags.member.1.Value", "1"),
    ];
    ok(&mut ground, "AddTags", &add);
    assert_eq!(ok(&mut ground, "DescribeTags", &[names]).one("Value"), "1");
    ok(
        &mut ground,
        "RemoveTags",
        &[names, ("Tags.member.1.Key", "a")],
    );
    assert!(
        ok(&mut ground, "DescribeTags", &[names])
            .all("Key")
            .is_empty()
    );
}

/// AWS-CLB: what can't be is refused in AWS's codes.
#[test]
fn what_cant_be_is_refused() {
    let mut ground = made();
    let subnet = ground.subnets[0].clone();
    let base = |more: Vec<(&'static str, &'static str)>| {
        let mut asked = vec![
            ("LoadBalancerName", "new"),
            ("Subnets.member.1", subnet.as_str()),
        ];
        asked.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
        asked.extend(more.into_iter().filter(|(_, value)| !value.is_empty()));
        asked
    };
    let with = |more: &[(&'static str, &'static str)]| {
        [listener("HTTP", "80", "HTTP"), more.to_vec()].concat()
    };
    for (more, code) in [
        (vec![], "ValidationError"),
        (listener("UDP", "80", "UDP"), "UnsupportedProtocol"),
        (listener("HTTP", "0", "HTTP"), "ValidationError"),
        (listener("HTTP", "80", "TCP"), "InvalidConfigurationRequest"),
        (listener("HTTPS", "443", "HTTP"), "ValidationError"),
        (
            with(&[("LoadBalancerName", "old")]),
            "DuplicateLoadBalancerName",
        ),
        (with(&[("LoadBalancerName", "a.b")]), "ValidationError"),
        (with(&[("Subnets.member.1", "")]), "ValidationError"),
        (
            with(&[("Subnets.member.1", "subnet-00000000")]),
            "SubnetNotFound",
        ),
        (
            with(&[("AvailabilityZones.member.1", "us-west-2a")]),
            "ValidationError",
        ),
        (with(&[("Scheme", "hidden")]), "InvalidScheme"),
        (
            with(&[("SecurityGroups.member.1", "sg-00000000")]),
            "InvalidSecurityGroup",
        ),
    ] {
        let asked = base(more);
        assert_eq!(
            refused(&mut ground, "CreateLoadBalancer", &asked),
            code,
            "{asked:?}"
        );
    }
    let arn = "arn:aws:acm:us-west-2:123456789012:certificate/0";
    let secure = [
        listener("HTTPS", "443", "HTTP"),
        vec![("Listeners.member.1.SSLCertificateId", arn)],
    ];
    let asked = base(secure.concat());
    assert_eq!(
        refused(&mut ground, "CreateLoadBalancer", &asked),
        "CertificateNotFound"
    );
    let mut other = vec![NAME];
    other.extend(listener("TCP", "80", "TCP"));
    assert_eq!(
        refused(&mut ground, "CreateLoadBalancerListeners", &other),
        "DuplicateListener"
    );
    let short = [
        NAME,
        ("HealthCheck.Target", "TCP:80"),
        ("HealthCheck.Interval", "5"),
        ("HealthCheck.Timeout", "5"),
        ("HealthCheck.UnhealthyThreshold", "2"),
        ("HealthCheck.HealthyThreshold", "2"),
    ];
    assert_eq!(
        refused(&mut ground, "ConfigureHealthCheck", &short),
        "ValidationError"
    );
    let attribute = [
        NAME,
        (
            "LoadBalancerAttributes.AdditionalAttributes.member.1.Key",
            "elb.none",
        ),
        (
            "LoadBalancerAttributes.AdditionalAttributes.member.1.Value",
            "x",
        ),
    ];
    let code = refused(&mut ground, "ModifyLoadBalancerAttributes", &attribute);
    assert_eq!(code, "LoadBalancerAttributeNotFound");
}
