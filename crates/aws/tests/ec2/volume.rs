//! EBS volumes.

use crate::account::Account;

/// AWS-EBS: a volume is made with its tags, attached to an instance of its zone, detached and deleted.
#[test]
fn volumes_come_and_go() {
    let mut account = Account::new();
    let vpc = account.vpc("10.0.0.0/16");
    let subnet = account.subnet(&vpc, "10.0.0.0/24");
    let instance = account.instance(&subnet, &[]);
    let zone = account
        .ok("DescribeSubnets", &[("SubnetId.1", &subnet)])
        .one("availabilityZone");
    let make = [
        ("AvailabilityZone", zone.as_str()),
        ("Size", "3"),
        ("VolumeType", "gp3"),
        ("ClientToken", "once"),
        ("TagSpecification.1.ResourceType", "volume"),
        (
            "TagSpecification.1.Tag.1.Key",
            "kubernetes.io/created-for/pv/name",
        ),
        ("TagSpecification.1.Tag.1.Value", "pvc-1"),
    ];
    let made = account.ok("CreateVolume", &make);
    assert_eq!(made.one("status"), "creating");
    let volume = made.one("volumeId");
    assert_eq!(account.ok("CreateVolume", &make).one("volumeId"), volume);
    let by_tag = [
        ("Filter.1.Name", "tag:kubernetes.io/created-for/pv/name"),
        ("Filter.1.Value.1", "*"),
    ];
    let shown = account.ok("DescribeVolumes", &by_tag);
    assert_eq!(shown.one("volumeId"), volume);
    assert_eq!(shown.all("status"), ["available"]);

    let attach = [
        ("VolumeId", volume.as_str()),
        ("InstanceId", &instance),
        ("Device", "/dev/xvdba"),
    ];
    let attached = account.ok("AttachVolume", &attach);
    assert_eq!(attached.one("status"), "attaching");
    assert_eq!(account.refused("AttachVolume", &attach), "VolumeInUse");
    let delete = [("VolumeId", volume.as_str())];
    assert_eq!(account.refused("DeleteVolume", &delete), "VolumeInUse");
    let shown = account.ok("DescribeInstances", &[("InstanceId.1", &instance)]);
    assert_eq!(shown.all("deviceName"), ["/dev/xvda", "/dev/xvdba"]);
    let by_instance = [
        ("Filter.1.Name", "attachment.instance-id"),
        ("Filter.1.Value.1", instance.as_str()),
    ];
    let shown = account.ok("DescribeVolumes", &by_instance);
    assert!(shown.all("volumeId").contains(&volume));

    account.ok("DetachVolume", &delete);
    assert_eq!(account.refused("DetachVolume", &delete), "IncorrectState");
    account.ok("DeleteVolume", &delete);
    assert_eq!(
        account.refused("DeleteVolume", &delete),
        "InvalidVolume.NotFound"
    );
    assert!(
        account
            .ok("DescribeVolumes", &by_tag)
            .all("volumeId")
            .is_empty()
    );
}

/// AWS-EBS: a volume that was attached outlives its instance; its root device doesn't.
#[test]
fn attached_volumes_outlive_their_instance() {
    let mut account = Account::new();
    let vpc = account.vpc("10.0.0.0/16");
    let subnet = account.subnet(&vpc, "10.0.0.0/24");
    let instance = account.instance(&subnet, &[]);
    let zone = account
        .ok("DescribeSubnets", &[("SubnetId.1", &subnet)])
        .one("availabilityZone");
    let make = [("AvailabilityZone", zone.as_str()), ("Size", "1")];
    let volume = account.ok("CreateVolume", &make).one("volumeId");
    let attach = [
        ("VolumeId", volume.as_str()),
        ("InstanceId", &instance),
        ("Device", "/dev/sdf"),
    ];
    account.ok("AttachVolume", &attach);
    account.ok("TerminateInstances", &[("InstanceId.1", &instance)]);
    account.wait(3600);
    let shown = account.ok("DescribeVolumes", &[]);
    assert_eq!(shown.all("volumeId"), [volume]);
    assert_eq!(shown.all("status"), ["available"]);
}

/// AWS-EBS: what can't be is refused in EC2's words.
#[test]
fn volumes_that_cannot_be_are_refused() {
    let mut account = Account::new();
    let refused = |account: &mut Account, more: &[(&str, &str)]| {
        let parameters: Vec<(&str, &str)> = more.to_vec();
        account.refused("CreateVolume", &parameters)
    };
    let here = ("AvailabilityZone", "us-west-2a");
    let cases: [(&[(&str, &str)], &str); 6] = [
        (&[("Size", "1")], "MissingParameter"),
        (&[here], "MissingParameter"),
        (
            &[("AvailabilityZone", "us-west-2z"), ("Size", "1")],
            "InvalidZone.NotFound",
        ),
        (&[here, ("Size", "0")], "InvalidParameterValue"),
        (
            &[here, ("Size", "9"), ("VolumeType", "io1")],
            "InvalidParameterCombination",
        ),
        (
            &[here, ("Size", "9"), ("VolumeType", "gp2"), ("Iops", "200")],
            "InvalidParameterCombination",
        ),
    ];
    for (parameters, code) in cases {
        assert_eq!(refused(&mut account, parameters), code, "{parameters:?}");
    }
    let vpc = account.vpc("10.0.0.0/16");
    let subnet = account.subnet(&vpc, "10.0.0.0/24");
    let instance = account.instance(&subnet, &[]);
    let root = account
        .ok("DescribeInstances", &[("InstanceId.1", &instance)])
        .one("volumeId");
    assert_eq!(
        account.refused("DetachVolume", &[("VolumeId", &root)]),
        "OperationNotPermitted"
    );
    let elsewhere = [("AvailabilityZone", "us-west-2c"), ("Size", "1")];
    let volume = account.ok("CreateVolume", &elsewhere).one("volumeId");
    let attach = |device: &'static str| {
        [
            ("VolumeId", volume.clone()),
            ("InstanceId", instance.clone()),
            ("Device", device.to_owned()),
        ]
    };
    let of = attach("/dev/sdf");
    let of: Vec<(&str, &str)> = of
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    assert_eq!(
        account.refused("AttachVolume", &of),
        "InvalidVolume.ZoneMismatch"
    );
}
