//! A lab as one file: saved while it runs and while it doesn't, brought back here and elsewhere.

use crate::lab::{Lab, text};
use crate::slice::build;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

fn file(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("skylab-{name}-{}.skylab", std::process::id()))
}

/// OPS-STATE: a running lab is saved as it stands; loaded, it has the same ids, addresses, keys and
/// traffic, here and in another state, and what happened after the snapshot is gone.
#[test]
fn a_lab_is_kept_and_restored_as_one_file() {
    let Some(lab) = Lab::start(&[]) else { return };
    let pair = build(&lab.api());
    let keys = lab.variables()["AWS_ACCESS_KEY_ID"].clone();
    let file = file("running");
    let path = file.to_str().unwrap();
    lab.ok(&["snapshot", "save", path]);
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let instance = [("InstanceId.1", pair.ids[0].as_str())];
    lab.api().ec2("TerminateInstances", &instance);

    let running = lab.run(&["snapshot", "load", path, "--force"]);
    assert!(text(&running.stderr).contains("skylab down"));
    lab.ok(&["down"]);
    let occupied = lab.run(&["snapshot", "load", path]);
    assert!(text(&occupied.stderr).contains("--force"));
    lab.ok(&["snapshot", "load", path, "--force"]);
    let Some(other) = Lab::start(&["--packets", "none"]) else {
        return;
    };
    other.ok(&["down"]);
    other.ok(&["reset"]);
    other.ok(&["snapshot", "load", path]);
    std::fs::remove_file(&file).unwrap();
    for lab in [&lab, &other] {
        assert!(lab.up(&[]).status.success());
        assert_eq!(lab.variables()["AWS_ACCESS_KEY_ID"], keys);
        let described = lab.api().ec2("DescribeInstances", &instance);
        assert_eq!(described.one("privateIpAddress"), pair.addresses[0]);
        assert!(lab.reaches(&pair.ids[0], &pair.addresses[1]));
    }
}

/// OPS-STATE: a lab that doesn't run is saved from its file; what is no snapshot is refused and
/// changes nothing; nothing is made of nothing.
#[test]
fn what_cant_be_loaded_changes_nothing() {
    let Some(lab) = Lab::start(&["--packets", "none"]) else {
        return;
    };
    let vpc = lab.api().ec2("CreateVpc", &[("CidrBlock", "10.9.0.0/16")]);
    let vpc = vpc.one("vpcId");
    lab.kill();
    lab.gone();
    let file = file("stopped");
    let path = file.to_str().unwrap();
    lab.ok(&["snapshot", "save", path]);
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let half = lab.run(&["snapshot", "load", path, "--force"]);
    assert_eq!(half.status.code(), Some(64), "{}", text(&half.stderr));
    std::fs::remove_file(&file).unwrap();
    let missing = lab.run(&["snapshot", "load", path, "--force"]);
    assert_eq!(missing.status.code(), Some(64));
    assert!(lab.up(&["--packets", "none"]).status.success());
    lab.api().ec2("DescribeVpcs", &[("VpcId.1", &vpc)]);
    lab.ok(&["reset"]);
    let nothing = lab.run(&["snapshot", "save", path]);
    assert_eq!(nothing.status.code(), Some(1));
    assert!(!file.exists(), "no half file is left");
}
