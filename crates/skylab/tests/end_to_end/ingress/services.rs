//! Services as network load balancers, and pods whose readiness waits for their target's health.

use super::{call, demo, event, hostname, install, said};
use crate::cluster::Cluster;
use crate::eks::{aws, eventually};
use crate::lab::text;
use std::process::Stdio;

/// A web server whose pods wait for their targets, and take their time to go.
const GATED: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: gated, labels: {elbv2.k8s.aws/pod-readiness-gate-inject: enabled}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: gated}
spec:
  selector: {app: app}
  ports: [{port: 80, targetPort: 8080}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web
  namespace: gated
  annotations:
    alb.ingress.kubernetes.io/scheme: internet-facing
    alb.ingress.kubernetes.io/target-type: ip
    alb.ingress.kubernetes.io/healthcheck-interval-seconds: "5"
    alb.ingress.kubernetes.io/healthcheck-timeout-seconds: "2"
spec:
  ingressClassName: alb
  defaultBackend: {service: {name: web, port: {number: 80}}}
"#;

const PODS: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: app, namespace: gated}
spec:
  replicas: 2
  strategy: {rollingUpdate: {maxUnavailable: 0, maxSurge: 1}}
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec:
      containers:
      - name: go-web
        image: skylab.local/host
        imagePullPolicy: IfNotPresent
        command: [skylab, example-web]
        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
        lifecycle: {preStop: {exec: {command: [sleep, "8"]}}}
        env:
        - {name: MY_NODE_NAME, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
        - {name: MY_POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
"#;

/// A service of type LoadBalancer that names no class.
const SERVICE: &str = r#"
apiVersion: v1
kind: Service
metadata:
  name: direct
  namespace: gated
  annotations:
    service.beta.kubernetes.io/aws-load-balancer-scheme: internet-facing
    service.beta.kubernetes.io/aws-load-balancer-nlb-target-type: TARGET
spec:
  type: LoadBalancer
  selector: {app: app}
  ports: [{port: 80, targetPort: 8080}]
"#;

/// Whether all pods' gates are open.
fn gates(cluster: &Cluster) -> String {
    let path = r#"jsonpath={range .items[*]}{.spec.readinessGates[0].conditionType}={.status.conditions[?(@.status=="True")].type}{"\n"}{end}"#;
    cluster.ok(&["get", "pods", "-n", "gated", "-o", path], "")
}

/// AWS-LBC: a new service of type LoadBalancer gets the controller's class from its webhook and a network load balancer,
/// with pods or with nodes behind it, which the internet reaches by name. Pods get gates, which open with their targets'
/// health, so that no request is lost while a deployment is rolled.
#[test]
fn services_get_network_load_balancers_and_pods_wait_for_their_targets() {
    let Some(cluster) = demo(&[]) else { return };
    install(&cluster);
    cluster.ok(&["apply", "-f", "-"], GATED);
    let name = hostname(&cluster, "ingress/web -n gated");
    cluster.ok(&["apply", "-f", "-"], PODS);
    call(&cluster, &[], &format!("http://{name}/host"), "POD IP");
    eventually("gates to open", || {
        let told = gates(&cluster);
        let open = told.lines().filter(|line| {
            line.starts_with("target-health.elbv2.k8s.aws/k8s-gated-web-")
                && line.matches("target-health.").count() == 2
        });
        open.count() == 2
    });
    rolled(&cluster, &format!("http://{name}/host"));

    for target in ["ip", "instance"] {
        cluster.ok(&["apply", "-f", "-"], &SERVICE.replace("TARGET", target));
        let class = said(
            &cluster,
            "service/direct -n gated",
            ".spec.loadBalancerClass",
        );
        assert_eq!(class, "service.k8s.aws/nlb");
        let name = hostname(&cluster, "service/direct -n gated");
        assert!(name.starts_with("k8s-gated-direct-"), "{name}");
        call(&cluster, &[], &format!("http://{name}/host"), "POD IP");
        event(&cluster, "direct", "SuccessfullyReconciled");
        let delete = [
            "delete",
            "service",
            "direct",
            "-n",
            "gated",
            "--timeout=120s",
        ];
        cluster.ok(&delete, "");
    }
    cluster.ok(&["delete", "namespace", "gated", "--timeout=120s"], "");
    let query = ["--query", "LoadBalancers[].LoadBalancerName"];
    let describe = ["elbv2", "describe-load-balancers"];
    assert_eq!(aws(&cluster.lab, &[&describe[..], &query].concat()), "");
    let filter = "Name=tag-key,Values=elbv2.k8s.aws/cluster";
    let describe = ["ec2", "describe-security-groups", "--filters", filter];
    let query = ["--query", "SecurityGroups[].GroupName"];
    eventually("security groups to go", || {
        aws(&cluster.lab, &[&describe[..], &query].concat()).is_empty()
    });
}

/// Rolls the deployment while somebody calls it all the time.
fn rolled(cluster: &Cluster, url: &str) {
    let script = format!(
        "while sleep 0.05; do curl -s -o /dev/null -m 10 -w '%{{http_code}}\\n' {url}; done"
    );
    let words = ["exec", "internet", "--", "sh", "-c", &script];
    let mut calling = cluster
        .lab
        .command(&words)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    cluster.ok(&["rollout", "restart", "deployment/app", "-n", "gated"], "");
    let status = [
        "rollout",
        "status",
        "deployment/app",
        "-n",
        "gated",
        "--timeout=180s",
    ];
    cluster.ok(&status, "");
    calling.kill().unwrap();
    let called = calling.wait_with_output().unwrap();
    let answers = text(&called.stdout);
    // The last line may be half a one.
    let whole = answers.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let lost: Vec<&str> = whole.lines().filter(|line| *line != "200").collect();
    assert!(lost.is_empty(), "of {}: {lost:?}", answers.lines().count());
    assert!(answers.lines().count() > 20, "{answers}");
}
