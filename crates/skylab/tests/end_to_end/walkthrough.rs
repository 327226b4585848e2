//! The walkthroughs: figure 6-7 by Skylab's own demo and by the clouds' own clients.
//!
//! A client that isn't installed is said and passed over, unless `SKYLAB_REQUIRE_CLIENTS` is set.

use crate::lab::{Lab, text};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Somebody on the internet with a server of their own.
const SOMEBODY: &str = "203.0.113.80";

/// AWS-IGW, AWS-NAT, AWS-EIP, AWS-NACL, AWS-RTB, AN-EXPLAIN, F-6, F-9: the demo proves each with
/// packets and explanations, and leaves nothing behind.
#[test]
fn the_demo_holds_and_leaves_nothing() {
    let temporary = tempdir();
    let output = Command::new(env!("CARGO_BIN_EXE_skylab"))
        .args(["demo", "vpc"])
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
        "blackhole",
        "create-network-acl-entry",
        "agreed at every step",
    ] {
        assert!(told.contains(phrase), "no {phrase:?} in\n{told}");
    }
}

/// AWS-VPC, AWS-SUBNET, AWS-RTB, AWS-IGW, AWS-NAT, AWS-EIP, AWS-SG, AWS-EC2: built by aws-cli.
#[test]
fn figure_6_7_by_aws_cli() {
    built_by("aws", |lab| {
        ids(lab, Command::new(walkthrough("build.sh")), &walkthrough(""))
    });
}

/// The same by boto3.
#[test]
fn figure_6_7_by_boto3() {
    if !runs(Command::new("python3").args(["-c", "import boto3"])) {
        return absent("boto3");
    }
    built_by("python3", |lab| {
        let mut command = Command::new("python3");
        command.arg(walkthrough("build.py"));
        ids(lab, command, &walkthrough(""))
    });
}

/// The same by Terraform, whose second plan is empty.
#[test]
fn figure_6_7_by_terraform() {
    let directory = tempdir();
    std::fs::copy(walkthrough("main.tf"), directory.join("main.tf")).unwrap();
    let mut init = Command::new("terraform");
    if !runs(init.args(["init", "-input=false"]).current_dir(&directory)) {
        std::fs::remove_dir_all(&directory).unwrap();
        // Its provider comes from a registry, which a test doesn't ask for.
        eprintln!("skipped: no terraform here, or no provider for it");
        return;
    }
    built_by("terraform", |lab| {
        let run = |words: &[&str]| {
            let mut command = client(lab, "terraform", &directory);
            let output = command.args(words).output().unwrap();
            assert!(
                output.status.success(),
                "{words:?}: {}",
                text(&output.stderr)
            );
            text(&output.stdout)
        };
        run(&["apply", "-auto-approve", "-input=false", "-no-color"]);
        run(&["plan", "-detailed-exitcode", "-input=false", "-no-color"]);
        let outputs: serde_json::Value =
            serde_json::from_str(&run(&["output", "-json", "ids"])).unwrap();
        let pairs = outputs.as_object().unwrap().iter();
        pairs
            .map(|(name, id)| (name.clone(), id.as_str().unwrap().to_owned()))
            .collect()
    });
    std::fs::remove_dir_all(&directory).unwrap();
}

pub(crate) fn tempdir() -> PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("skylab-walkthrough-{}-{number}", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::create_dir(&path).unwrap();
    path
}

fn walkthrough(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../walkthroughs/figure-6-7")
        .join(file)
}

pub(crate) fn runs(command: &mut Command) -> bool {
    let quiet = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

pub(crate) fn absent(client: &str) {
    assert!(
        std::env::var_os("SKYLAB_REQUIRE_CLIENTS").is_none(),
        "{client} is not installed"
    );
    eprintln!("skipped: {client} is not installed");
}

/// A client's command, pointed at a lab.
pub(crate) fn client(lab: &Lab, program: &str, directory: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(directory).stdin(Stdio::null());
    for (name, value) in lab.variables().as_object().unwrap() {
        command.env(name, value.as_str().unwrap());
    }
    command
        .env_remove("AWS_PROFILE")
        .env_remove("AWS_SESSION_TOKEN");
    command
}

pub(crate) type Ids = BTreeMap<String, String>;

/// Runs a walkthrough's script and reads its `NAME=ID` lines.
pub(crate) fn ids(lab: &Lab, script: Command, directory: &Path) -> Ids {
    let mut command = client(lab, script.get_program().to_str().unwrap(), directory);
    let output = command.args(script.get_args()).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let lines = text(&output.stdout);
    let pairs = lines.lines().filter_map(|line| line.split_once('='));
    pairs
        .map(|(name, id)| (name.to_owned(), id.to_owned()))
        .collect()
}

fn built_by(program: &str, build: impl FnOnce(&Lab) -> Ids) {
    if !runs(Command::new(program).arg("--version")) {
        return absent(program);
    }
    let Some(lab) = Lab::start(&[]) else { return };
    let ids = build(&lab);
    let api = lab.api();
    let web = |name: &str| format!("{}:80", ids[name]);
    let somebody = format!("{SOMEBODY}:80");
    let _servers = [
        Server::start(&lab, &ids["web1"], 80, "web-1"),
        Server::start(&lab, &ids["web2"], 80, "web-2"),
        Server::start(&lab, &ids["database"], 5432, "db"),
        Server::start(&lab, &format!("internet:{SOMEBODY}"), 80, "somebody"),
    ];
    let visitor = "internet:203.0.113.10";
    let heard = |from: &str, to: &str| call(&lab, from, to);

    assert_eq!(
        heard(visitor, &web("web1_address")).as_deref(),
        Some("web-1 saw 203.0.113.10")
    );
    assert_eq!(heard(visitor, "10.0.2.21:5432"), None);
    assert_eq!(
        heard(&ids["web1"], "10.0.2.21:5432").as_deref(),
        Some("db saw 10.0.1.11")
    );
    let by_nat = format!("somebody saw {}", ids["nat_address"]);
    assert_eq!(heard(&ids["database"], &somebody), Some(by_nat));

    let of_web = [
        ("Filter.1.Name", "public-ip"),
        ("Filter.1.Value.1", ids["web1_address"].as_str()),
    ];
    let allocation = api.ec2("DescribeAddresses", &of_web).one("allocationId");
    let to_web2 = [
        ("AllocationId", allocation.as_str()),
        ("InstanceId", &ids["web2"]),
        ("AllowReassociation", "true"),
    ];
    api.ec2("AssociateAddress", &to_web2);
    assert_eq!(
        heard(visitor, &web("web1_address")).as_deref(),
        Some("web-2 saw 203.0.113.10")
    );

    api.ec2("DeleteNatGateway", &[("NatGatewayId", &ids["nat"])]);
    assert_eq!(heard(&ids["database"], &somebody), None);
    let explained = lab.run(&["explain", &ids["database"], &format!("internet:{SOMEBODY}")]);
    assert_eq!(explained.status.code(), Some(1));
    let told = text(&explained.stdout);
    assert!(
        told.contains("blackhole") && told.contains(&ids["main"]),
        "{told}"
    );
}

/// What a call hears; `None` when nothing comes.
pub(crate) fn call(lab: &Lab, from: &str, to: &str) -> Option<String> {
    let output = lab.run(&["exec", from, "--", "skylab", "probe", "call", to]);
    match output.status.code() {
        Some(0) => Some(text(&output.stdout)),
        Some(3) => None,
        _ => panic!("{from} to {to}: {} {}", output.status, text(&output.stderr)),
    }
}

/// A server at a place, as long as this lives.
pub(crate) struct Server(Child);

impl Server {
    pub(crate) fn start(lab: &Lab, place: &str, port: u16, name: &str) -> Self {
        let port = port.to_string();
        let words = [
            "exec", place, "--", "skylab", "probe", "serve", "--port", &port, "--name", name,
        ];
        let mut child = lab.command(&words).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "{name}");
        Self(child)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
