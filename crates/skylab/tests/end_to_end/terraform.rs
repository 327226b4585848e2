//! Configurations as teams have them: applied, planned again without a difference, destroyed without
//! a trace. Where Terraform or its provider for AWS is missing, that is said and passed over.

use crate::lab::{Lab, text};
use crate::walkthrough::{client, runs, tempdir};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What an account has, by the listings that the configurations touch.
fn listed(lab: &Lab) -> Vec<usize> {
    let api = lab.api();
    [
        ("DescribeVpcs", "vpcId"),
        ("DescribeSubnets", "subnetId"),
        ("DescribeRouteTables", "routeTableId"),
        ("DescribeInternetGateways", "internetGatewayId"),
        ("DescribeAddresses", "allocationId"),
        ("DescribeNetworkAcls", "networkAclId"),
        ("DescribeSecurityGroups", "groupId"),
        ("DescribeNetworkInterfaces", "networkInterfaceId"),
        ("DescribeDhcpOptions", "dhcpOptionsId"),
    ]
    .map(|(action, element)| api.ec2(action, &[]).all(element).len())
    .into()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Applies, plans and destroys an example of the VPC module's.
fn holds(example: &str) {
    let directory = tempdir();
    copy(&walkthroughs().join("vpc-module"), &directory);
    holds_in(&directory, example);
    fs::remove_dir_all(&directory).unwrap();
}

fn walkthroughs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../walkthroughs")
}

/// Applies, plans and destroys what is in a folder of a directory.
fn holds_in(directory: &Path, example: &str) {
    holds_with(directory, example, &["--packets", "none"]);
}

/// As [`holds_in`], in a lab with these options.
fn holds_with(directory: &Path, example: &str, flags: &[&str]) {
    let place = directory.join(example);
    let mut init = Command::new("terraform");
    if !runs(init.args(["init", "-input=false"]).current_dir(&place)) {
        eprintln!("skipped: no terraform here, or no provider for it");
        return;
    }
    let Some(lab) = Lab::start(flags) else {
        return;
    };
    let before = listed(&lab);
    let run = |words: &[&str]| {
        let output = client(&lab, "terraform", &place)
            .args(words)
            .args(["-input=false", "-no-color"])
            .output()
            .unwrap();
        let (said, told) = (text(&output.stderr), text(&output.stdout));
        assert!(output.status.success(), "{example} {words:?}: {said}{told}");
    };
    run(&["apply", "-auto-approve"]);
    run(&["plan", "-detailed-exitcode"]);
    run(&["destroy", "-auto-approve"]);
    assert_eq!(listed(&lab), before, "{example} left something");
}

/// AWS-VPC, AWS-SUBNET, AWS-RTB, AWS-NACL, AWS-SG: a VPC whose defaults are taken over and emptied.
#[test]
fn a_simple_network_holds() {
    holds("simple");
}

/// AWS-RTB, AWS-NAT, AWS-EIP, AWS-NACL, AWS-VPC: tables, ACLs and options by kind of subnet.
#[test]
fn separate_route_tables_hold() {
    holds("separate-route-tables");
}

/// AWS-VPC: ranges that come later, and go before the VPC.
#[test]
fn secondary_cidr_blocks_hold() {
    holds("secondary-cidr-blocks");
}

/// AWS-VPC: the default VPC is taken over, and left when it is let go.
#[test]
fn the_default_network_holds() {
    holds("manage-default-vpc");
}

/// AWS-ALB, AWS-NLB: figure 6-8 with rules of all kinds and actions, and a network load balancer.
#[test]
fn load_balancers_hold() {
    let directory = tempdir();
    copy(&walkthroughs().join("figure-6-8"), &directory);
    let (certificate, key) = (directory.join("cert.pem"), directory.join("key.pem"));
    let mut openssl = Command::new("openssl");
    openssl.args([
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30",
    ]);
    openssl
        .args(["-subj", "/CN=www.example.com", "-keyout"])
        .arg(&key);
    if !runs(openssl.arg("-out").arg(&certificate)) {
        eprintln!("skipped: no openssl here");
        return fs::remove_dir_all(&directory).unwrap();
    }
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    let pair = serde_json::json!({"body": read(&certificate), "key": read(&key)});
    let variables = serde_json::json!({"certificate": pair});
    fs::write(
        directory.join("terraform.tfvars.json"),
        variables.to_string(),
    )
    .unwrap();
    holds_in(&directory, "");
    fs::remove_dir_all(&directory).unwrap();
}

/// AWS-EKS: a cluster with a node group whose node joins, an add-on that it makes work, and a Fargate profile.
#[test]
fn an_eks_cluster_holds() {
    let directory = tempdir();
    copy(&walkthroughs().join("eks-terraform"), &directory);
    holds_with(&directory, "", &[]);
    fs::remove_dir_all(&directory).unwrap();
}
