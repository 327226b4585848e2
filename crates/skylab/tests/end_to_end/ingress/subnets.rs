//! Subnets that the controller can't find.

use super::{APPLICATION, call, demo, event, hostname, install};
use crate::eks::aws;

const INGRESS: &str = r#"
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web
  annotations: {alb.ingress.kubernetes.io/scheme: internet-facing}
spec:
  ingressClassName: alb
  defaultBackend: {service: {name: web, port: {number: 80}}}
"#;

/// F-4, AWS-LBC: without the tags of their role subnets are not found, which an event tells; with them the load balancer
/// comes by itself.
#[test]
fn subnets_without_tags_are_not_found() {
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
    cluster.ok(&["apply", "-f", "-"], INGRESS);
    let told = event(&cluster, "web", "FailedBuildModel");
    assert!(
        told.contains("couldn't auto-discover subnets: unable to resolve at least one subnet (0 match VPC and tags: [kubernetes.io/role/elb])"),
        "{told}"
    );
    tag("create-tags", "Key=kubernetes.io/role/elb,Value=1");
    let name = hostname(&cluster, "ingress/web");
    call(&cluster, &[], &format!("http://{name}/host"), "POD IP");
}
