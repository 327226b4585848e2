//! Auto Scaling groups and what they meet.

use crate::account::{Account, Document};
use aws::model::capacity::{self, TypeLimit};

/// An account with a template of t3.small, and a subnet in each of two zones.
struct Ground {
    account: Account,
    subnets: String,
}

impl Ground {
    fn new() -> Self {
        let mut account = Account::new();
        let image = account.make("imageId", "DescribeImages", &[]);
        let template = [
            ("LaunchTemplateName", "workers"),
            ("LaunchTemplateData.ImageId", image.as_str()),
            ("LaunchTemplateData.InstanceType", "t3.small"),
        ];
        account.ok("CreateLaunchTemplate", &template);
        let vpc = account.vpc("10.0.0.0/16");
        let mut subnet = |cidr, zone| {
            let asked = [
                ("VpcId", vpc.as_str()),
                ("CidrBlock", cidr),
                ("AvailabilityZone", zone),
            ];
            account.make("subnetId", "CreateSubnet", &asked)
        };
        let subnets = [
            subnet("10.0.1.0/24", "us-west-2a"),
            subnet("10.0.2.0/24", "us-west-2b"),
        ];
        Self {
            account,
            subnets: subnets.join(","),
        }
    }

    /// Makes the group `g` of so many.
    fn group(&mut self, min: &str, max: &str, more: &[(&str, &str)]) {
        let subnets = self.subnets.clone();
        let mut asked = vec![
            ("AutoScalingGroupName", "g"),
            ("LaunchTemplate.LaunchTemplateName", "workers"),
            ("MinSize", min),
            ("MaxSize", max),
            ("VPCZoneIdentifier", subnets.as_str()),
        ];
        asked.extend(more);
        self.ok("CreateAutoScalingGroup", &asked);
    }

    fn ok(&mut self, action: &str, asked: &[(&str, &str)]) -> Document {
        self.account
            .scaling(action, asked)
            .unwrap_or_else(|(code, message)| panic!("{action}: {code}: {message}"))
    }

    fn refused(&mut self, action: &str, asked: &[(&str, &str)]) -> String {
        let before = self.account.state.clone();
        let refusal = self.account.scaling(action, asked).unwrap_err();
        assert!(self.account.state.changes(&before).is_empty());
        refusal.0
    }

    /// The group's instances: ids and zones.
    fn members(&mut self) -> Vec<(String, String)> {
        let group = self.ok("DescribeAutoScalingInstances", &[]);
        let ids = group.all("InstanceId");
        ids.into_iter().zip(group.all("AvailabilityZone")).collect()
    }

    fn zones(&mut self) -> Vec<String> {
        let mut zones: Vec<_> = self.members().into_iter().map(|(_, zone)| zone).collect();
        zones.sort();
        zones
    }

    fn desired(&mut self, desired: &str) {
        let asked = [("AutoScalingGroupName", "g"), ("DesiredCapacity", desired)];
        self.ok("SetDesiredCapacity", &asked);
    }
}

/// AWS-EC2: a group launches from its template, over its subnets, with its tags, and serves.
#[test]
fn groups_spread_over_their_subnets() {
    let mut ground = Ground::new();
    let tags = [
        ("Tags.member.1.Key", "Team"),
        ("Tags.member.1.Value", "web"),
        ("Tags.member.1.PropagateAtLaunch", "true"),
        ("Tags.member.2.Key", "Own"),
        ("Tags.member.2.Value", "only the group's"),
    ];
    ground.group("4", "6", &tags);
    let zones = ["us-west-2a", "us-west-2a", "us-west-2b", "us-west-2b"];
    assert_eq!(ground.zones(), zones);
    let group = ground.ok("DescribeAutoScalingGroups", &[]);
    assert_eq!(group.all("LifecycleState"), ["InService"; 4]);
    assert_eq!(group.all("HealthStatus"), ["Healthy"; 4]);
    let (first, _) = ground.members().remove(0);
    let of = [
        ("Filter.1.Name", "resource-id"),
        ("Filter.1.Value.1", first.as_str()),
    ];
    let tags = ground.account.ok("DescribeTags", &of);
    let keys = tags.all("key");
    for key in [
        "Team",
        "aws:autoscaling:groupName",
        "aws:ec2launchtemplate:id",
    ] {
        assert!(keys.contains(&key.to_owned()), "{key} is not in {keys:?}");
    }
    assert!(!keys.contains(&"Own".to_owned()));
    let activities = ground.ok("DescribeScalingActivities", &[]);
    assert_eq!(activities.all("StatusCode"), ["Successful"; 4]);
}

/// AWS-EC2: the desired capacity is met up and down, the zones stay balanced, protected instances
/// are spared.
#[test]
fn groups_grow_and_shrink() {
    let mut ground = Ground::new();
    ground.group("0", "6", &[("DesiredCapacity", "4")]);
    let (protected, _) = ground.members().remove(0);
    let protect = [
        ("AutoScalingGroupName", "g"),
        ("InstanceIds.member.1", protected.as_str()),
        ("ProtectedFromScaleIn", "true"),
    ];
    ground.ok("SetInstanceProtection", &protect);
    ground.desired("2");
    assert_eq!(ground.zones(), ["us-west-2a", "us-west-2b"]);
    ground.desired("1");
    assert_eq!(ground.members()[0].0, protected);
    ground.desired("0");
    assert_eq!(
        ground.members()[0].0,
        protected,
        "a protected instance went"
    );
    ground.desired("5");
    assert_eq!(ground.members().len(), 5);
    assert_eq!(
        ground.refused(
            "SetDesiredCapacity",
            &[("AutoScalingGroupName", "g"), ("DesiredCapacity", "7")]
        ),
        "ValidationError"
    );
}

/// AWS-EC2: what is terminated, stopped or called unhealthy is replaced; a suspended group doesn't.
#[test]
fn groups_replace_what_fails() {
    let mut ground = Ground::new();
    ground.group("2", "2", &[]);
    let before = ground.members();
    let gone = before[0].0.clone();
    ground
        .account
        .ok("TerminateInstances", &[("InstanceId.1", &gone)]);
    ground.account.wait(0);
    ground.account.wait(1);
    let after = ground.members();
    assert_eq!(after.len(), 2);
    assert!(after.iter().all(|(id, _)| *id != gone));
    let ill = after[0].0.clone();
    let word = [("InstanceId", ill.as_str()), ("HealthStatus", "Unhealthy")];
    ground.ok(
        "SuspendProcesses",
        &[
            ("AutoScalingGroupName", "g"),
            ("ScalingProcesses.member.1", "ReplaceUnhealthy"),
        ],
    );
    ground.ok("SetInstanceHealth", &word);
    assert!(
        ground.members().iter().any(|(id, _)| *id == ill),
        "replaced though suspended"
    );
    ground.ok("ResumeProcesses", &[("AutoScalingGroupName", "g")]);
    ground.account.wait(1);
    let after = ground.members();
    assert_eq!(after.len(), 2);
    assert!(after.iter().all(|(id, _)| *id != ill));
}

/// AWS-EC2: a type that AWS has run out of in one zone comes from another, and when the zone has it
/// again the group balances itself.
#[test]
fn missing_capacity_is_met() {
    let mut ground = Ground::new();
    let limit = |instances| TypeLimit {
        instance_type: "t3.small".to_owned(),
        zone: Some("us-west-2a".to_owned()),
        instances,
    };
    capacity::limit_type(&mut ground.account.state, "us-west-2", limit(0)).unwrap();
    ground.group("4", "6", &[]);
    assert_eq!(ground.zones(), ["us-west-2b"; 4]);
    let activities = ground.ok("DescribeScalingActivities", &[]);
    let why = activities.all("StatusMessage").remove(0);
    assert!(why.contains("We currently do not have sufficient t3.small capacity in the Availability Zone you requested (us-west-2a)"), "{why}");
    let image = ground.account.make("imageId", "DescribeImages", &[]);
    let subnet = ground.subnets.split(',').next().unwrap().to_owned();
    let launch = [
        ("ImageId", image.as_str()),
        ("InstanceType", "t3.small"),
        ("MinCount", "1"),
        ("MaxCount", "1"),
        ("SubnetId", subnet.as_str()),
    ];
    assert_eq!(
        ground.account.refused("RunInstances", &launch),
        "InsufficientInstanceCapacity"
    );
    capacity::reset(&mut ground.account.state, None).unwrap();
    for _ in 0..8 {
        ground.account.wait(60);
    }
    let zones = ["us-west-2a", "us-west-2a", "us-west-2b", "us-west-2b"];
    assert_eq!(ground.zones(), zones);
}

/// AWS-EC2, F-15: a quota that is met leaves failed activities, and the rest comes when it is raised.
#[test]
fn a_quota_is_met_and_raised() {
    let mut ground = Ground::new();
    capacity::set_vcpus(&mut ground.account.state, "us-west-2", 4).unwrap();
    ground.group("0", "6", &[("DesiredCapacity", "3")]);
    assert_eq!(ground.members().len(), 2);
    let activities = ground.ok("DescribeScalingActivities", &[]);
    assert_eq!(activities.all("StatusCode")[0], "Failed");
    assert!(activities.all("StatusMessage")[0].contains("vCPU limit of 4"));
    capacity::set_vcpus(&mut ground.account.state, "us-west-2", 64).unwrap();
    ground.account.wait(3600);
    assert_eq!(ground.members().len(), 3);
}

/// AWS-EC2: a group with instances is deleted by force only, and takes them with it.
#[test]
fn deleting_takes_the_instances_along() {
    let mut ground = Ground::new();
    ground.group("2", "2", &[]);
    let named = [("AutoScalingGroupName", "g")];
    assert_eq!(
        ground.refused("DeleteAutoScalingGroup", &named),
        "ResourceInUse"
    );
    ground.ok(
        "DeleteAutoScalingGroup",
        &[named[0], ("ForceDelete", "true")],
    );
    assert!(
        ground
            .ok("DescribeAutoScalingGroups", &[])
            .all("AutoScalingGroupName")
            .is_empty()
    );
    let states = ground.account.ok("DescribeInstances", &[]).all("name");
    assert!(states.iter().all(|state| state != "running"), "{states:?}");
}

/// AWS-EC2: instances join and leave a group as they run.
#[test]
fn instances_are_attached_and_detached() {
    let mut ground = Ground::new();
    ground.group("0", "6", &[("DesiredCapacity", "2")]);
    let (id, _) = ground.members().remove(0);
    let detach = [
        ("AutoScalingGroupName", "g"),
        ("InstanceIds.member.1", id.as_str()),
        ("ShouldDecrementDesiredCapacity", "true"),
    ];
    ground.ok("DetachInstances", &detach);
    assert_eq!(ground.members().len(), 1);
    let asked = [("InstanceId.1", id.as_str())];
    let states = ground.account.ok("DescribeInstances", &asked).all("name");
    assert_eq!(states, ["running"]);
    ground.ok("AttachInstances", &detach[..2]);
    assert_eq!(ground.members().len(), 2);
    let end = [
        ("InstanceId", id.as_str()),
        ("ShouldDecrementDesiredCapacity", "false"),
    ];
    ground.ok("TerminateInstanceInAutoScalingGroup", &end);
    let now = ground.members();
    assert_eq!(now.len(), 2);
    assert!(now.iter().all(|(other, _)| *other != id));
}

/// AWS-EC2: bad input gets Auto Scaling's own codes and changes nothing.
#[test]
fn refusals_are_auto_scalings_own() {
    let mut ground = Ground::new();
    ground.group("0", "1", &[]);
    let subnets = ground.subnets.clone();
    let base = |name| {
        vec![
            ("AutoScalingGroupName", name),
            ("LaunchTemplate.LaunchTemplateName", "workers"),
            ("MinSize", "1"),
            ("MaxSize", "2"),
            ("VPCZoneIdentifier", subnets.as_str()),
        ]
    };
    let with = |name, value| {
        let mut asked = base("other");
        asked.retain(|(other, _)| *other != name);
        asked.push((name, value));
        asked
    };
    let cases = [
        (base("g"), "AlreadyExists"),
        (with("MaxSize", "0"), "ValidationError"),
        (with("DesiredCapacity", "3"), "ValidationError"),
        (with("VPCZoneIdentifier", ""), "ValidationError"),
        (
            with("VPCZoneIdentifier", "subnet-00000000"),
            "ValidationError",
        ),
        (
            with("LaunchTemplate.LaunchTemplateName", "none"),
            "ValidationError",
        ),
        (with("LaunchTemplate.Version", "9"), "ValidationError"),
        (
            with("TerminationPolicies.member.1", "Whatever"),
            "ValidationError",
        ),
        (with("HealthCheckType", "VPC_LATTICE"), "ValidationError"),
        (with("CapacityRebalance", "true"), "UnsupportedOperation"),
        (with("Whatever", "true"), "UnknownParameter"),
    ];
    for (asked, code) in cases {
        assert_eq!(
            ground.refused("CreateAutoScalingGroup", &asked),
            code,
            "{asked:?}"
        );
    }
    for action in [
        "SetDesiredCapacity",
        "DeleteAutoScalingGroup",
        "SuspendProcesses",
    ] {
        let mut asked = vec![("AutoScalingGroupName", "none")];
        if action == "SetDesiredCapacity" {
            asked.push(("DesiredCapacity", "1"));
        }
        assert_eq!(ground.refused(action, &asked), "ValidationError");
    }
    let token = [("NextToken", "foreign")];
    assert_eq!(
        ground.refused("DescribeAutoScalingGroups", &token),
        "InvalidNextToken"
    );
}
