//! What keeps the controller's load balancers from working.

use super::{APPLICATION, call, demo, event, hostname, install, said};
use crate::cluster::Cluster;
use crate::eks::{aws, eventually};
use crate::lab::text;

const INGRESS: &str = r#"
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: NAME
  annotations: {alb.ingress.kubernetes.io/scheme: internet-facing, MORE}
spec:
  ingressClassName: alb
  defaultBackend: {service: {name: web, port: {number: 80}}}
"#;

/// F-4, AWS-LBC: without the tags of their role subnets are not found, which an event tells; with them the load balancer
/// comes by itself. F-5: nodes whose group doesn't let the load balancer in are unhealthy, and `explain` says which rule
/// is missing.
#[test]
fn subnets_without_tags_and_nodes_that_let_nobody_in() {
    let Some(cluster) = demo(&[]) else { return };
    let lab = &cluster.lab;
    let filter = "Name=tag-key,Values=kubernetes.io/role/elb";
    let subnets = ["ec2", "describe-subnets", "--filters", filter];
    let query = ["--query", "Subnets[].SubnetId"];
    let subnets = aws(lab, &[&subnets[..], &query].concat());
    let subnets: Vec<&str> = subnets.split_whitespace().collect();
    assert!(subnets.len() >= 2, "{subnets:?}");
    let tag = |verb: &str, tag: &str| {
        let words = [
            &["ec2", verb, "--resources"][..],
            &subnets,
            &["--tags", tag],
        ];
        aws(lab, &words.concat());
    };
    tag("delete-tags", "Key=kubernetes.io/role/elb");
    install(&cluster);
    cluster.ok(&["apply", "-f", "-"], APPLICATION);
    let ingress = |name: &str, more: &str| {
        let text = INGRESS.replace("NAME", name).replace("MORE", more);
        cluster.ok(&["apply", "-f", "-"], &text);
    };
    ingress("web", "");
    let told = event(&cluster, "web", "FailedBuildModel");
    assert!(
        told.contains("couldn't auto-discover subnets: unable to resolve at least one subnet (0 match VPC and tags: [kubernetes.io/role/elb])"),
        "{told}"
    );
    tag("create-tags", "Key=kubernetes.io/role/elb,Value=1");
    let name = hostname(&cluster, "ingress/web");
    call(&cluster, &[], &format!("http://{name}/host"), "POD IP");
    cluster.ok(&["delete", "ingress", "web", "--timeout=120s"], "");

    let group = own_group(&cluster);
    let more = format!("alb.ingress.kubernetes.io/security-groups: {group}");
    ingress("closed", &more);
    let name = hostname(&cluster, "ingress/closed");
    let health = ["elbv2", "describe-target-health", "--target-group-arn"];
    let groups = [
        "elbv2",
        "describe-target-groups",
        "--query",
        "TargetGroups[0].TargetGroupArn",
    ];
    let groups = aws(lab, &groups);
    let query = ["--query", "TargetHealthDescriptions[].TargetHealth.Reason"];
    eventually("targets to be unhealthy", || {
        aws(lab, &[&health[..], &[&groups], &query].concat()).contains("Target.Timeout")
    });
    let explained = lab.run(&["explain", "internet", "ing/default/closed"]);
    let told = text(&explained.stdout);
    assert_eq!(explained.status.code(), Some(1), "{told}");
    assert!(told.contains("authorize-security-group-ingress"), "{told}");
    let port = said(&cluster, "service/web", ".spec.ports[0].nodePort");
    assert!(told.contains(&port), "{told}");
    open(&cluster, &group, &port);
    call(&cluster, &[], &format!("http://{name}/host"), "POD IP");
}

/// A security group of a user's own for load balancers, which lets everybody in at port 80.
fn own_group(cluster: &Cluster) -> String {
    let lab = &cluster.lab;
    let query = ["--query", "cluster.resourcesVpcConfig.vpcId"];
    let vpc = aws(
        lab,
        &[&["eks", "describe-cluster", "--name", "demo"][..], &query].concat(),
    );
    let create = [
        "ec2",
        "create-security-group",
        "--group-name",
        "own",
        "--description",
        "own",
    ];
    let more = ["--vpc-id", &vpc, "--query", "GroupId"];
    let group = aws(lab, &[&create[..], &more].concat());
    let allow = [
        "ec2",
        "authorize-security-group-ingress",
        "--group-id",
        &group,
    ];
    let everybody = ["--protocol", "tcp", "--port", "80", "--cidr", "0.0.0.0/0"];
    aws(lab, &[&allow[..], &everybody].concat());
    group
}

/// Makes the nodes' group let a group in at a port.
fn open(cluster: &Cluster, group: &str, port: &str) {
    let lab = &cluster.lab;
    let query = [
        "--query",
        "cluster.resourcesVpcConfig.clusterSecurityGroupId",
    ];
    let nodes = aws(
        lab,
        &[&["eks", "describe-cluster", "--name", "demo"][..], &query].concat(),
    );
    let allow = [
        "ec2",
        "authorize-security-group-ingress",
        "--group-id",
        &nodes,
    ];
    let from = ["--protocol", "tcp", "--port", port, "--source-group", group];
    aws(lab, &[&allow[..], &from].concat());
}
