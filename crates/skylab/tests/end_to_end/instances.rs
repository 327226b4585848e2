//! What an instance finds inside: its metadata, its names, its own disk and user data.

use crate::api::Api;
use crate::lab::Lab;
use crate::slice::{build, run};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::thread;
use std::time::Duration;

/// Asks again until it is so; the test's harness ends what never comes.
fn until(what: impl Fn() -> bool) {
    while !what() {
        thread::sleep(Duration::from_millis(50));
    }
}

fn console(api: &Api, instance: &str) -> String {
    let response = api.ec2("GetConsoleOutput", &[("InstanceId", instance)]);
    let output = response.all("output").pop().unwrap_or_default();
    String::from_utf8(STANDARD.decode(output).unwrap()).unwrap()
}

/// AWS-EC2: metadata v1 and v2 are the caller's own, and a session belongs to one instance.
#[test]
fn metadata_knows_its_caller() {
    let Some(lab) = Lab::start(&[]) else { return };
    let pair = build(&lab.api());
    for (id, address) in pair.ids.iter().zip(&pair.addresses) {
        let script = "\
            t=$(curl -sf -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token)\n\
            curl -sf -H \"X-aws-ec2-metadata-token: $t\" http://169.254.169.254/latest/meta-data/instance-id; echo\n\
            curl -sf -H \"X-aws-ec2-metadata-token: $t\" http://169.254.169.254/latest/meta-data/local-ipv4";
        let told = lab.ok(&["exec", id, "--", "sh", "-c", script]);
        let told: Vec<&str> = told.lines().collect();
        assert_eq!(told, [id.as_str(), address.as_str()]);
    }
}

/// AWS-VPC: the VPC's resolver knows its instances; names of other networks don't exist there.
#[test]
fn names_resolve_where_they_belong() {
    let Some(lab) = Lab::start(&[]) else { return };
    let pair = build(&lab.api());
    let name = format!(
        "ip-{}.us-west-2.compute.internal",
        pair.addresses[1].replace('.', "-")
    );
    let found = lab.ok(&["exec", &pair.ids[0], "--", "getent", "ahostsv4", &name]);
    assert!(found.starts_with(&pair.addresses[1]), "{found}");
    let outside = lab.run(&["exec", "internet", "--", "getent", "ahostsv4", &name]);
    assert!(!outside.status.success());
    let public = [
        "exec",
        "internet",
        "--",
        "getent",
        "ahostsv4",
        "ec2.us-west-2.amazonaws.com",
    ];
    assert!(lab.ok(&public).starts_with("192.0.2.80"));
}

/// AWS-EC2, OPS-STATE: user data runs once a disk; a reboot keeps the disk and doesn't run it.
#[test]
fn user_data_runs_once_a_disk() {
    let Some(lab) = Lab::start(&[]) else { return };
    let api = lab.api();
    let subnet = build(&api).subnet;
    let script = STANDARD.encode("#!/bin/sh\necho ran on $(hostname) | tee -a /var/count\n");
    let parameters = [
        ("MinCount", "1"),
        ("MaxCount", "1"),
        ("UserData", script.as_str()),
    ];
    let id = run(&api, &subnet, &parameters).remove(0);
    until(|| console(&api, &id).contains("status 0"));
    assert!(console(&api, &id).contains("ran on ip-10-0-1-"));
    let count = ["exec", &id, "--", "wc", "-l", "/var/count"];
    assert!(lab.ok(&count).starts_with("1 "));
    api.ec2("RebootInstances", &[("InstanceId.1", &id)]);
    until(|| lab.run(&count).status.success());
    assert!(lab.ok(&count).starts_with("1 "), "a reboot keeps the disk");
    assert!(!std::path::Path::new("/var/count").exists());

    lab.kill();
    assert!(lab.up(&[]).status.success());
    let api = lab.api();
    until(|| console(&api, &id).contains("status 0"));
    assert!(
        lab.ok(&count).starts_with("1 "),
        "a new lab has fresh disks"
    );
}
