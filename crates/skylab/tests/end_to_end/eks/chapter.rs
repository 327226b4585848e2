//! The chapter's section on EKS, from the cluster to the cleanup.

use crate::cluster::kubectl;
use crate::lab::text;
use crate::walkthrough::{absent, runs, tempdir};
use std::process::{Command, Stdio};

/// AWS-WALK, AWS-LBC, AWS-EBS, AWS-IAM, AWS-EKSCTL, AWS-CLB, AWS-ALB: the demo plays the chapter by aws, kubectl and
/// skylab, checks every answer, and leaves nothing behind.
#[test]
fn the_chapter_holds_and_leaves_nothing() {
    if !runs(Command::new("aws").arg("--version")) {
        return absent("aws");
    }
    if kubectl().is_none() {
        return;
    }
    let temporary = tempdir();
    let output = Command::new(env!("CARGO_BIN_EXE_skylab"))
        .args(["demo", "eks"])
        .env("TMPDIR", &temporary)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let left: Vec<_> = std::fs::read_dir(&temporary).unwrap().collect();
    std::fs::remove_dir_all(&temporary).unwrap();
    let said = text(&output.stderr);
    if said.contains("does not let an ordinary process make namespaces")
        && std::env::var_os("SKYLAB_REQUIRE_NAMESPACES").is_none()
    {
        eprintln!("skipped: {said}");
        return;
    }
    let told = text(&output.stdout);
    assert!(output.status.success(), "{said}\n{told}");
    assert!(left.is_empty(), "{left:?}");
    for phrase in [
        "kubernetes.io/created-for/pv/name",
        "SuccessfullyReconciled",
        "nothing is left",
    ] {
        assert!(told.contains(phrase), "no {phrase:?} in\n{told}");
    }
}
