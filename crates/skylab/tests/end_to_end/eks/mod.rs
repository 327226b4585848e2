//! EKS as its users meet it: `aws eks` and an unmodified `kubectl`.

mod chapter;
mod control_plane;
mod eksctl;
mod failures;
mod fargate;
mod identity;
mod loss;
mod nodes;
mod plugin;

use crate::cluster::{Cluster, kubectl};
use crate::lab::{Lab, text};
use crate::walkthrough::{absent, client, runs};
use std::process::Command;
use std::time::{Duration, Instant};

/// What aws-cli says, as text.
pub(crate) fn aws(lab: &Lab, words: &[&str]) -> String {
    let output = called(lab, words);
    let said = text(&output.stderr);
    assert!(output.status.success(), "{words:?}: {said}");
    text(&output.stdout).trim().to_owned()
}

/// What aws-cli says when it is refused.
pub(crate) fn refused(lab: &Lab, words: &[&str]) -> String {
    let output = called(lab, words);
    assert!(!output.status.success(), "{words:?} was not refused");
    text(&output.stderr)
}

pub(crate) fn called(lab: &Lab, words: &[&str]) -> std::process::Output {
    let mut command = client(lab, "aws", lab.state());
    command
        .args(words)
        .args(["--output", "text"])
        .output()
        .unwrap()
}

/// A lab with a cluster `demo`, and a kubectl that meets it; `None` where the machine has not what that takes.
pub(crate) fn demo() -> Option<Cluster> {
    if !runs(Command::new("aws").arg("--version")) {
        absent("aws");
        return None;
    }
    let kubectl = kubectl()?;
    let lab = Lab::start(&[])?;
    create(&lab);
    let cluster = Cluster::of(lab, kubectl);
    meet(&cluster);
    Some(cluster)
}

/// The ARN of a role that a service may take, with policies of AWS's; made if it isn't there.
pub(crate) fn role(lab: &Lab, name: &str, service: &str, policies: &[&str]) -> String {
    let query = ["--query", "Role.Arn"];
    let get = ["iam", "get-role", "--role-name", name];
    let found = called(lab, &[&get[..], &query].concat());
    if found.status.success() {
        return text(&found.stdout).trim().to_owned();
    }
    let trust = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Service":"{service}"}},"Action":"sts:AssumeRole"}}]}}"#
    );
    let create = [
        "iam",
        "create-role",
        "--role-name",
        name,
        "--assume-role-policy-document",
        &trust,
    ];
    let arn = aws(lab, &[&create[..], &query].concat());
    for policy in policies {
        let policy = format!("arn:aws:iam::aws:policy/{policy}");
        aws(
            lab,
            &[
                "iam",
                "attach-role-policy",
                "--role-name",
                name,
                "--policy-arn",
                &policy,
            ],
        );
    }
    arn
}

/// Makes a cluster `demo` in two subnets of the default VPC.
pub(crate) fn create(lab: &Lab) {
    create_with(lab, &[]);
}

/// As [`create`], with more options.
pub(crate) fn create_with(lab: &Lab, more: &[&str]) {
    let query = "Subnets[0:2].SubnetId";
    let subnets = aws(lab, &["ec2", "describe-subnets", "--query", query]);
    let config = format!("subnetIds={}", subnets.replace('\t', ","));
    let role = role(lab, "eks", "eks.amazonaws.com", &["AmazonEKSClusterPolicy"]);
    let create = [
        "eks",
        "create-cluster",
        "--name",
        "demo",
        "--role-arn",
        &role,
    ];
    aws(
        lab,
        &[&create[..], &["--resources-vpc-config", &config], more].concat(),
    );
    aws(lab, &["eks", "wait", "cluster-active", "--name", "demo"]);
}

/// Gives kubectl the file by which the cluster is reached now. A lab that has just come up is ready before its clusters'
/// control planes are.
pub(crate) fn meet(cluster: &Cluster) {
    eventually("the control plane", || {
        cluster.lab.run(&["env", "kube"]).status.success()
    });
    let config = cluster.lab.state().join("kubeconfig-demo");
    std::fs::copy(config, cluster.folder.join("config")).unwrap();
}

/// Adds a managed node group of two, and waits until it is active.
pub(crate) fn nodegroup(lab: &Lab) {
    add_nodegroup(lab, 2, &subnets(lab), &[]);
    let status = settled(lab, "CREATING");
    assert_eq!(status, "ACTIVE");
}

/// The subnets of the cluster.
pub(crate) fn subnets(lab: &Lab) -> Vec<String> {
    let query = "cluster.resourcesVpcConfig.subnetIds";
    let describe = ["eks", "describe-cluster", "--name", "demo"];
    let told = aws(lab, &[&describe[..], &["--query", query]].concat());
    told.split_whitespace().map(str::to_owned).collect()
}

/// Begins to make a managed node group `ng` of so many nodes in these subnets, with more options.
pub(crate) fn add_nodegroup(lab: &Lab, nodes: usize, subnets: &[String], more: &[&str]) {
    let policies = [
        "AmazonEKSWorkerNodePolicy",
        "AmazonEKS_CNI_Policy",
        "AmazonEC2ContainerRegistryReadOnly",
    ];
    let role = role(lab, "node", "ec2.amazonaws.com", &policies);
    let create = ["eks", "create-nodegroup", "--cluster-name", "demo"];
    let name = ["--nodegroup-name", "ng", "--node-role", &role];
    let size = format!("minSize=1,maxSize={nodes},desiredSize={nodes}");
    let size = ["--scaling-config", &size, "--subnets"];
    let subnets: Vec<&str> = subnets.iter().map(String::as_str).collect();
    aws(lab, &[&create[..], &name, &size, &subnets, more].concat());
}

/// Waits until the node group has another status than this one, and gives it.
pub(crate) fn settled(lab: &Lab, passing: &str) -> String {
    let query = ["--query", "nodegroup.status"];
    let describe = ["eks", "describe-nodegroup", "--cluster-name", "demo"];
    let describe = [&describe[..], &["--nodegroup-name", "ng"], &query].concat();
    let mut status = String::new();
    let told = || aws(lab, &describe);
    eventually("the node group to settle", || {
        status = told();
        status != passing
    });
    status
}

/// Waits until something holds. A machine with much to do takes its time; what never comes fails.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        let waited = begun.elapsed() < Duration::from_secs(180);
        assert!(waited, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(500));
    }
}
