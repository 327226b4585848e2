//! Application load balancers of ingresses, in both modes.

use super::{APPLICATION, call, demo, event, hostname, install, said};
use crate::cluster::Cluster;
use crate::eks::{aws, eventually};

fn ingress(name: &str, annotations: &str, service: &str) -> String {
    format!(
        r#"
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {name}
  annotations: {{alb.ingress.kubernetes.io/scheme: internet-facing, {annotations}}}
spec:
  ingressClassName: alb
  rules:
  - http:
      paths:
      - path: /data
        pathType: Prefix
        backend: {{service: {{name: {service}, port: {{number: 80}}}}}}
      - path: /host
        pathType: Prefix
        backend: {{service: {{name: {service}, port: {{number: 80}}}}}}
"#
    )
}

/// What there is of load balancers, target groups and the controller's security groups.
fn left(cluster: &Cluster) -> String {
    let lab = &cluster.lab;
    let balancers = [
        "elbv2",
        "describe-load-balancers",
        "--query",
        "LoadBalancers[].LoadBalancerName",
    ];
    let groups = [
        "elbv2",
        "describe-target-groups",
        "--query",
        "TargetGroups[].TargetGroupName",
    ];
    let filter = "Name=tag-key,Values=elbv2.k8s.aws/cluster";
    let security = ["ec2", "describe-security-groups", "--filters", filter];
    let names = ["--query", "SecurityGroups[].GroupName"];
    [
        aws(lab, &balancers),
        aws(lab, &groups),
        aws(lab, &[&security[..], &names].concat()),
    ]
    .join("|")
}

/// The ports that nodes' groups let load balancers in at.
fn opened(cluster: &Cluster) -> String {
    let query = "SecurityGroups[].IpPermissions[?UserIdGroupPairs[?Description=='elbv2.k8s.aws/targetGroupBinding=shared']].[FromPort,ToPort][]";
    let describe = ["ec2", "describe-security-groups", "--query", query];
    aws(&cluster.lab, &describe)
}

/// AWS-LBC, AWS-ALB, AWS-IAM: the controller comes by its add-on and works with its account's role. An ingress in
/// instance mode gets a load balancer whose rules lead to nodes' ports, one in IP mode to pods themselves; the internet
/// reaches both by name; what no rule takes is answered 404; a service without node ports is refused by an event until
/// the ingress wants pods. With the ingresses all of it goes.
#[test]
fn ingresses_get_application_load_balancers() {
    let Some(cluster) = demo(&[]) else { return };
    install(&cluster);
    cluster.ok(&["apply", "-f", "-"], APPLICATION);
    cluster.ok(&["apply", "-f", "-"], &ingress("nodes", "", "web"));
    let name = hostname(&cluster, "ingress/nodes");
    assert!(name.starts_with("k8s-default-nodes-"), "{name}");
    let answer = call(&cluster, &[], &format!("http://{name}/host"), "POD IP");
    assert!(answer.ends_with("200"), "{answer}");
    call(&cluster, &[], &format!("http://{name}/other"), "404");
    assert_eq!(
        event(&cluster, "nodes", "SuccessfullyReconciled"),
        "Successfully reconciled"
    );
    let told = cluster
        .lab
        .ok(&["explain", "internet", "ing/default/nodes"]);
    assert!(told.contains("GET") && told.contains("/data"), "{told}");
    let port = said(&cluster, "service/web", ".spec.ports[0].nodePort");
    assert_eq!(opened(&cluster), format!("{port}\t{port}"));

    cluster.ok(
        &["create", "service", "clusterip", "inner", "--tcp=80:8080"],
        "",
    );
    let selector = r#"{"spec":{"selector":{"app":"app"}}}"#;
    cluster.ok(&["patch", "service", "inner", "-p", selector], "");
    cluster.ok(&["apply", "-f", "-"], &ingress("pods", "", "inner"));
    let refused = event(&cluster, "pods", "FailedBuildModel");
    assert!(
        refused.contains("your service must be of type 'NodePort' or 'LoadBalancer'"),
        "{refused}"
    );
    let by_address = "alb.ingress.kubernetes.io/target-type: ip";
    cluster.ok(&["apply", "-f", "-"], &ingress("pods", by_address, "inner"));
    let name = hostname(&cluster, "ingress/pods");
    call(
        &cluster,
        &[],
        &format!("http://{name}/host"),
        "POD IP:192.168.",
    );
    let told = cluster.lab.ok(&["explain", "internet", "ing/default/pods"]);
    assert!(told.contains("pod/default/app-"), "{told}");
    let bindings = cluster.ok(&["get", "targetgroupbindings"], "");
    assert_eq!(bindings.matches("k8s-default-").count(), 2, "{bindings}");
    assert_eq!(opened(&cluster), format!("8080\t{port}"));

    // Both at once: no rule and no group is left behind.
    cluster.ok(&["delete", "ingress", "--all", "--timeout=120s"], "");
    eventually("everything to go", || left(&cluster) == "||");
    assert_eq!(opened(&cluster), "");
}
