//! Auto Scaling groups in a running lab, and capacity that the user takes away.

use crate::lab::{Lab, text};
use crate::slice::build;
use std::thread;
use std::time::Duration;

/// AWS-EC2, OPS-STATE: a group's instances send packets; what a zone lacks is refused and told, is
/// remembered over a SIGKILL, and comes when it is there again.
#[test]
fn groups_launch_until_capacity_is_missing() {
    let Some(lab) = Lab::start(&[]) else { return };
    let api = lab.api();
    let pair = build(&api);
    let image = api.ec2("DescribeImages", &[]).all("imageId").remove(0);
    let template = [
        ("LaunchTemplateName", "workers"),
        ("LaunchTemplateData.ImageId", image.as_str()),
        ("LaunchTemplateData.InstanceType", "m5.large"),
    ];
    api.ec2("CreateLaunchTemplate", &template);
    let limit = ["capacity", "limit", "m5.large", "1", "--json"];
    assert!(lab.ok(&limit).contains("\"instances\": 1"));
    let group = [
        ("AutoScalingGroupName", "workers"),
        ("LaunchTemplate.LaunchTemplateName", "workers"),
        ("MinSize", "2"),
        ("MaxSize", "2"),
        ("VPCZoneIdentifier", pair.subnet.as_str()),
    ];
    let made = api.call("autoscaling", "CreateAutoScalingGroup", &group);
    assert_eq!(made.status, 200, "{}", made.body);
    let members = |lab: &Lab| {
        let told = lab
            .api()
            .call("autoscaling", "DescribeAutoScalingInstances", &[]);
        told.all("InstanceId")
    };
    while members(&lab).is_empty() {
        thread::sleep(Duration::from_millis(20));
    }
    let first = members(&lab);
    assert_eq!(first.len(), 1, "more instances than the zone has");
    assert!(lab.reaches(&format!("instance/{}", first[0]), &pair.addresses[0]));
    let told = api.call("autoscaling", "DescribeScalingActivities", &[]);
    assert!(
        told.body
            .contains("do not have sufficient m5.large capacity")
    );

    lab.kill();
    lab.gone();
    assert!(lab.up(&[]).status.success());
    assert_eq!(members(&lab), first);
    assert!(lab.ok(&["capacity"]).contains("at most 1 of m5.large"));
    assert!(lab.ok(&["capacity", "reset"]).contains("Nothing is set"));
    while members(&lab).len() < 2 {
        thread::sleep(Duration::from_millis(20));
    }
    let wrong = lab.run(&["capacity", "limit", "m5.tiny", "1"]);
    assert_eq!(wrong.status.code(), Some(64));
    assert!(text(&wrong.stderr).contains("'m5.tiny'"));
}
