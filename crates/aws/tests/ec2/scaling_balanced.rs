//! Auto Scaling groups whose instances serve load balancers.

use crate::account::Document;
use crate::ground::Ground;
use aws::model::load_balancer::{Probe, TargetKey, health};

/// A group `g` of two in both subnets, with more said of it.
fn scaled(ground: &mut Ground, more: &[(&str, &str)]) {
    let image = ground.account.make("imageId", "DescribeImages", &[]);
    let template = [
        ("LaunchTemplateName", "workers"),
        ("LaunchTemplateData.ImageId", image.as_str()),
        ("LaunchTemplateData.InstanceType", "t3.small"),
    ];
    ground.account.ok("CreateLaunchTemplate", &template);
    let subnets = ground.subnets.join(",");
    let mut asked = vec![
        ("AutoScalingGroupName", "g"),
        ("LaunchTemplate.LaunchTemplateName", "workers"),
        ("MinSize", "0"),
        ("MaxSize", "4"),
        ("DesiredCapacity", "2"),
        ("VPCZoneIdentifier", subnets.as_str()),
    ];
    asked.extend(more);
    scaling(ground, "CreateAutoScalingGroup", &asked);
}

fn scaling(ground: &mut Ground, action: &str, asked: &[(&str, &str)]) -> Document {
    ground
        .account
        .scaling(action, asked)
        .unwrap_or_else(|(code, message)| panic!("{action}: {code}: {message}"))
}

/// A target group's targets: ids and states.
fn targets(ground: &mut Ground, group: &str) -> Vec<(String, String)> {
    let told = ground.ok("DescribeTargetHealth", &[("TargetGroupArn", group)]);
    told.all("Id").into_iter().zip(told.all("State")).collect()
}

const GROUP: (&str, &str) = ("AutoScalingGroupName", "g");

/// AWS-EC2, AWS-ALB: instances join target groups when they serve and leave them when they go; one that its balancer
/// finds ill is replaced where the group asks balancers.
#[test]
fn instances_join_and_leave_target_groups() {
    let mut ground = Ground::new();
    let web = ground.group("web", "HTTP", &[]);
    let balancer = ground.balancer("front", &[]);
    ground.listener(&balancer, "HTTP", "80", &web);
    let more = [
        ("TargetGroupARNs.member.1", web.as_str()),
        ("HealthCheckType", "ELB"),
    ];
    scaled(&mut ground, &more);
    let before = targets(&mut ground, &web);
    assert_eq!(before.len(), 2);
    let state = |ground: &mut Ground| {
        scaling(ground, "DescribeLoadBalancerTargetGroups", &[GROUP]).one("State")
    };
    assert_eq!(state(&mut ground), "Added");
    let probe = |ground: &mut Ground, id: &str, probe: Probe| {
        let key = TargetKey {
            group: web.clone(),
            id: id.to_owned(),
            port: 80,
        };
        let now = ground.account.now;
        assert!(health::observe(&mut ground.account.state, &key, probe, now));
    };
    let (ill, well) = (before[0].0.clone(), before[1].0.clone());
    probe(&mut ground, &well, Probe::Passed);
    assert_eq!(state(&mut ground), "InService");
    probe(&mut ground, &ill, Probe::TimedOut);
    probe(&mut ground, &ill, Probe::TimedOut);
    ground.account.wait(1);
    ground.account.wait(60);
    let after = targets(&mut ground, &web);
    assert_eq!(after.len(), 2, "{after:?}");
    assert!(after.iter().any(|(id, _)| *id == well));
    assert!(
        after.iter().all(|(id, _)| *id != ill),
        "the ill one was replaced"
    );
    let detach = [GROUP, ("TargetGroupARNs.member.1", web.as_str())];
    scaling(&mut ground, "DetachLoadBalancerTargetGroups", &detach);
    ground.account.wait(60);
    assert!(targets(&mut ground, &web).is_empty());
    scaling(&mut ground, "AttachLoadBalancerTargetGroups", &detach);
    assert_eq!(targets(&mut ground, &web).len(), 2);
    let unknown = [GROUP, ("TargetGroupARNs.member.1", "x")];
    let refused = ground
        .account
        .scaling("AttachLoadBalancerTargetGroups", &unknown);
    assert_eq!(refused.unwrap_err().0, "ValidationError");
}

/// AWS-EC2, AWS-CLB: the same with a classic load balancer.
#[test]
fn instances_join_and_leave_classic_load_balancers() {
    let mut ground = Ground::new();
    let subnets = ground.subnets.clone();
    let asked = [
        ("LoadBalancerName", "old"),
        ("Subnets.member.1", subnets[0].as_str()),
        ("Subnets.member.2", subnets[1].as_str()),
        ("Listeners.member.1.Protocol", "TCP"),
        ("Listeners.member.1.LoadBalancerPort", "80"),
        ("Listeners.member.1.InstancePort", "80"),
    ];
    ground
        .account
        .classic("CreateLoadBalancer", &asked)
        .unwrap();
    scaled(&mut ground, &[("LoadBalancerNames.member.1", "old")]);
    let count = |ground: &mut Ground| {
        let told = ground
            .account
            .classic("DescribeInstanceHealth", &asked[..1])
            .unwrap();
        told.all("InstanceId").len()
    };
    assert_eq!(count(&mut ground), 2);
    let told = scaling(&mut ground, "DescribeLoadBalancers", &[GROUP]);
    assert_eq!(told.one("LoadBalancerName"), "old");
    scaling(
        &mut ground,
        "SetDesiredCapacity",
        &[GROUP, ("DesiredCapacity", "1")],
    );
    assert_eq!(count(&mut ground), 1);
    let detach = [GROUP, ("LoadBalancerNames.member.1", "old")];
    scaling(&mut ground, "DetachLoadBalancers", &detach);
    assert_eq!(count(&mut ground), 0);
}
