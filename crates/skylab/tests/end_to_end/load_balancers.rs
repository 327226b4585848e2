//! Load balancers as their users meet them: built by aws-cli, asked from the lab's internet.

use crate::lab::{Lab, text};
use crate::walkthrough::{Ids, Server, absent, call, client, ids, runs};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

fn walkthrough(file: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../walkthroughs");
    root.join(file)
}

/// What aws-cli says, as text.
fn aws(lab: &Lab, words: &[&str]) -> String {
    let mut command = client(lab, "aws", &walkthrough("figure-6-8"));
    let output = command.args(words).args(["--output", "text"]).output();
    let output = output.unwrap();
    assert!(
        output.status.success(),
        "{words:?}: {}",
        text(&output.stderr)
    );
    text(&output.stdout).trim().to_owned()
}

/// Waits until the targets of a group stand as they should.
fn await_health(lab: &Lab, group: &str, wanted: &str) {
    let query = "TargetHealthDescriptions[].TargetHealth.[State,Reason]";
    let words = [
        "elbv2",
        "describe-target-health",
        "--target-group-arn",
        group,
    ];
    let begun = Instant::now();
    loop {
        let found = aws(lab, &[&words[..], &["--query", query]].concat());
        if found.lines().all(|line| line.contains(wanted)) {
            return;
        }
        let waited = begun.elapsed() < Duration::from_secs(120);
        assert!(waited, "{group}: {found}, not {wanted}");
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// A request from the internet: its status and body.
fn ask(lab: &Lab, ids: &Ids, path: &str) -> String {
    let url = format!("https://{}{path}", ids["dns"]);
    let curl = ["curl", "-sk", "-m", "15", "-w", " %{http_code}", &url];
    text(
        &lab.run(&[&["exec", "internet", "--"], &curl[..]].concat())
            .stdout,
    )
}

/// AWS-ALB: figure 6-8 by aws-cli, every kind of rule and action asked by real requests. Health checks
/// are traffic: a security group that blocks them makes targets unhealthy, with AWS's reason, and
/// `explain` says which rule is missing.
#[test]
fn figure_6_8_answers_and_its_health_checks_are_traffic() {
    if !runs(Command::new("aws").arg("--version")) || !runs(Command::new("openssl").arg("version"))
    {
        return absent("aws or openssl");
    }
    let Some(lab) = Lab::start(&[]) else { return };
    let ids = ids(
        &lab,
        Command::new(walkthrough("figure-6-8/build.sh")),
        &walkthrough("figure-6-8"),
    );
    let mut check = client(
        &lab,
        walkthrough("figure-6-8/check.sh").to_str().unwrap(),
        &walkthrough("figure-6-8"),
    );
    let skylab = format!(
        "{} --state {}",
        env!("CARGO_BIN_EXE_skylab"),
        lab.state().display()
    );
    let checked = check.env("dns", &ids["dns"]).env("SKYLAB", skylab).output();
    let checked = checked.unwrap();
    assert!(checked.status.success(), "{}", text(&checked.stderr));

    let told = lab.ok(&["explain", "internet", "lb/shop", "--port", "443"]);
    assert!(
        told.contains("delivered") && told.contains("balance"),
        "{told}"
    );

    let (back, front) = (ids["back"].as_str(), ids["front"].as_str());
    let rule = ["--group-id", back, "--protocol", "tcp", "--port", "8080"];
    let rule = [&rule[..], &["--source-group", front]].concat();
    let revoke = ["ec2", "revoke-security-group-ingress"];
    aws(&lab, &[&revoke[..], &rule].concat());
    await_health(&lab, &ids["api"], "Target.Timeout");
    let explained = lab.run(&["explain", "lb/shop", &ids["api1"], "--port", "8080"]);
    let told = text(&explained.stdout);
    assert_eq!(explained.status.code(), Some(1), "{told}");
    assert!(told.contains(back), "{told}");
    let allow = ["ec2", "authorize-security-group-ingress"];
    aws(&lab, &[&allow[..], &rule].concat());
    await_health(&lab, &ids["api"], "healthy\tNone");
    await_health(&lab, &ids["web"], "healthy\tNone");
    assert!(ask(&lab, &ids, "/api/x").starts_with("api-1 /api/x"));

    // One of two servers stops: no request is lost once that is known.
    aws(
        &lab,
        &["ec2", "stop-instances", "--instance-ids", &ids["web1"]],
    );
    let begun = Instant::now();
    while ask(&lab, &ids, "/").contains(" 50") {
        assert!(begun.elapsed() < Duration::from_secs(60));
    }
    for _ in 0..6 {
        assert!(ask(&lab, &ids, "/").starts_with("web-2 /"));
    }
}

/// AWS-NLB, AWS-CLB: an instance without a way out answers clients of the internet through a network
/// load balancer, which it knows by their own addresses or by the node's, and through a classic one.
#[test]
fn an_instance_without_a_way_out_answers_through_balancers() {
    if !runs(Command::new("aws").arg("--version")) {
        return absent("aws");
    }
    let Some(lab) = Lab::start(&[]) else { return };
    let directory = walkthrough("network-load-balancer");
    let ids = ids(&lab, Command::new(directory.join("build.sh")), &directory);
    let _server = Server::start(&lab, &ids["instance"], 8080, "server");
    let wait = ["elbv2", "wait", "target-in-service", "--target-group-arn"];
    aws(&lab, &[&wait[..], &[ids["targets"].as_str()]].concat());
    let wait = ["elb", "wait", "instance-in-service", "--load-balancer-name"];
    aws(&lab, &[&wait[..], &["old"]].concat());

    let visitor = "internet:203.0.113.9";
    let raw = format!("{}:80", ids["address"]);
    let kept = call(&lab, visitor, &raw);
    assert_eq!(kept.as_deref(), Some("server saw 203.0.113.9"));
    let told = lab.ok(&["explain", visitor, "lb/raw"]);
    assert!(told.contains("which passed on what it answers"), "{told}");

    let hide = "Key=preserve_client_ip.enabled,Value=false";
    let modify = ["elbv2", "modify-target-group-attributes"];
    let words = ["--target-group-arn", &ids["targets"], "--attributes", hide];
    aws(&lab, &[&modify[..], &words].concat());
    let hidden = call(&lab, visitor, &raw);
    assert_eq!(hidden, Some(format!("server saw {}", ids["node"])));

    let found = lab.ok(&["exec", "internet", "--", "getent", "hosts", &ids["classic"]]);
    let classic = found.split_whitespace().next().unwrap();
    let heard = call(&lab, visitor, &format!("{classic}:80")).unwrap();
    assert!(heard.starts_with("server saw 10.0.1."), "{heard}");
}
