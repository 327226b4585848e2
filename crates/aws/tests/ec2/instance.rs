//! Instances.

use crate::account::Account;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// AWS-EC2: states, what each allows, and what goes when an instance does.
#[test]
fn instances_live_and_die() {
    let mut account = Account::new();
    let vpc = account.vpc("10.0.0.0/16");
    let subnet = account.subnet(&vpc, "10.0.0.0/24");
    let image = account.make("imageId", "DescribeImages", &[]);
    let asked = [
        ("ImageId", image.as_str()),
        ("InstanceType", "t3.micro"),
        ("MinCount", "2"),
        ("MaxCount", "3"),
        ("SubnetId", &subnet),
    ];
    let started = account.ok("RunInstances", &asked);
    let mut ids = started.all("instanceId");
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3);
    assert!(started.all("name").contains(&"pending".to_owned()));
    account.wait(60);
    let id = ids[0].as_str();
    let state = |account: &mut Account| {
        account
            .ok("DescribeInstances", &[("InstanceId.1", id)])
            .one("name")
    };
    assert_eq!(state(&mut account), "running");
    assert_eq!(
        account.refused(
            "StartInstances",
            &[
                ("InstanceId.1", &ids[0]),
                ("InstanceId.2", "i-0123456789abcdef0")
            ]
        ),
        "InvalidInstanceID.NotFound"
    );
    account.ok("StopInstances", &[("InstanceId.1", id)]);
    account.wait(120);
    assert_eq!(state(&mut account), "stopped");
    account.ok(
        "ModifyInstanceAttribute",
        &[("InstanceId", id), ("DisableApiTermination.Value", "true")],
    );
    assert_eq!(
        account.refused("TerminateInstances", &[("InstanceId.1", id)]),
        "OperationNotPermitted"
    );
    account.ok(
        "ModifyInstanceAttribute",
        &[("InstanceId", id), ("DisableApiTermination.Value", "false")],
    );
    account.ok("TerminateInstances", &[("InstanceId.1", id)]);
    account.wait(120);
    assert_eq!(state(&mut account), "terminated");
    let of_instance = [
        ("Filter.1.Name", "attachment.instance-id"),
        ("Filter.1.Value.1", id),
    ];
    assert!(
        account
            .ok("DescribeNetworkInterfaces", &of_instance)
            .all("networkInterfaceId")
            .is_empty()
    );
    assert_eq!(
        account.refused("StartInstances", &[("InstanceId.1", id)]),
        "IncorrectInstanceState"
    );
    account.wait(7200);
    assert_eq!(
        account.refused("DescribeInstances", &[("InstanceId.1", id)]),
        "InvalidInstanceID.NotFound"
    );
}

/// AWS-EC2: types are real ones, fit their image, and share the account's vCPUs.
#[test]
fn types_have_limits() {
    let mut account = Account::new();
    let types = account.ok("DescribeInstanceTypes", &[("InstanceType.1", "m5.large")]);
    assert_eq!(types.one("maximumNetworkInterfaces"), "3");
    assert_eq!(types.one("ipv4AddressesPerInterface"), "10");
    let vpc = account.vpc("10.0.0.0/16");
    let subnet = account.subnet(&vpc, "10.0.0.0/24");
    let image = account.make(
        "imageId",
        "DescribeImages",
        &[
            ("Filter.1.Name", "architecture"),
            ("Filter.1.Value.1", "x86_64"),
        ],
    );
    let run = |kind: &'static str, count: &'static str| {
        vec![
            ("ImageId", image.clone()),
            ("InstanceType", kind.to_owned()),
            ("MinCount", count.to_owned()),
            ("MaxCount", count.to_owned()),
            ("SubnetId", subnet.clone()),
        ]
    };
    let mut refused = |parameters: Vec<(&'static str, String)>| {
        let parameters: Vec<(&str, &str)> = parameters
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        account.refused("RunInstances", &parameters)
    };
    assert_eq!(refused(run("m5.gigantic", "1")), "InvalidParameterValue");
    assert_eq!(refused(run("m6g.large", "1")), "InvalidParameterValue");
    assert_eq!(refused(run("m5.large", "33")), "VcpuLimitExceeded");
    assert_eq!(refused(run("m5.large", "0")), "InvalidParameterValue");
}

/// AWS-EC2: a repeated token starts nothing twice.
#[test]
fn launches_are_idempotent() {
    let mut account = Account::new();
    let vpc = account.vpc("10.0.0.0/16");
    let subnet = account.subnet(&vpc, "10.0.0.0/24");
    let first = account.instance(&subnet, &[("ClientToken", "once")]);
    let again = account.instance(&subnet, &[("ClientToken", "once")]);
    assert_eq!(first, again);
}

/// AWS-EC2: user data comes back as it was given; too much of it is refused.
#[test]
fn user_data() {
    let mut account = Account::new();
    let vpc = account.vpc("10.0.0.0/16");
    let subnet = account.subnet(&vpc, "10.0.0.0/24");
    let data = STANDARD.encode("#!/bin/sh\necho hello\n");
    let id = account.instance(&subnet, &[("UserData", &data)]);
    let shown = account.ok(
        "DescribeInstanceAttribute",
        &[("InstanceId", &id), ("Attribute", "userData")],
    );
    assert_eq!(shown.one("value"), data);
    let image = account.make("imageId", "DescribeImages", &[]);
    let large = STANDARD.encode(vec![b'x'; 16 * 1024 + 1]);
    let asked = [
        ("ImageId", image.as_str()),
        ("InstanceType", "t3.micro"),
        ("MinCount", "1"),
        ("MaxCount", "1"),
        ("SubnetId", &subnet),
        ("UserData", &large),
    ];
    assert_eq!(
        account.refused("RunInstances", &asked),
        "InvalidParameterValue"
    );
}

/// AWS-EC2: key pairs: a private key is given once; fingerprints are AWS's. The imported key and its
/// fingerprint are from `ssh-keygen` and `openssl md5`.
#[test]
fn key_pairs() {
    const KEY: &str = include_str!("key.pub");
    let mut account = Account::new();
    let made = account.ok(
        "CreateKeyPair",
        &[("KeyName", "mine"), ("KeyType", "ed25519")],
    );
    assert!(
        made.one("keyMaterial")
            .contains("BEGIN OPENSSH PRIVATE KEY")
    );
    assert_eq!(
        account.refused("CreateKeyPair", &[("KeyName", "mine")]),
        "InvalidKeyPair.Duplicate"
    );
    let imported = account.ok(
        "ImportKeyPair",
        &[
            ("KeyName", "theirs"),
            ("PublicKeyMaterial", &STANDARD.encode(KEY)),
        ],
    );
    assert_eq!(
        imported.one("keyFingerprint"),
        include_str!("key.fingerprint").trim()
    );
    assert_eq!(
        account.refused(
            "ImportKeyPair",
            &[
                ("KeyName", "bad"),
                ("PublicKeyMaterial", &STANDARD.encode("ssh-rsa AAAA"))
            ]
        ),
        "InvalidKey.Format"
    );
    let shown = account.ok(
        "DescribeKeyPairs",
        &[("KeyName.1", "theirs"), ("IncludePublicKey", "true")],
    );
    assert!(KEY.starts_with(shown.one("publicKey").rsplit_once(' ').unwrap().0));
    account.ok("DeleteKeyPair", &[("KeyName", "theirs")]);
    account.ok("DeleteKeyPair", &[("KeyName", "theirs")]);
    assert_eq!(
        account.refused("DescribeKeyPairs", &[("KeyName.1", "theirs")]),
        "InvalidKeyPair.NotFound"
    );
}
