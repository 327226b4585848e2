//! Services of type LoadBalancer on EKS, as their users meet them: a name that the internet reaches.

use crate::cluster::{Cluster, kubectl};
use crate::lab::{Lab, text};
use crate::walkthrough::{absent, client, runs};
use std::process::Command;
use std::time::{Duration, Instant};

/// The chapter's web server, without its database.
const APPLICATION: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec:
  replicas: 2
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec:
      containers:
      - name: go-web
        image: skylab.local/host
        imagePullPolicy: IfNotPresent
        command: [skylab, example-web]
        ports: [{containerPort: 8080}]
        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
        env:
        - {name: MY_NODE_NAME, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
        - {name: MY_POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: LoadBalancer
  selector: {app: app}
  ports: [{port: 80, targetPort: 8080}]
"#;

/// What aws-cli says, as text.
fn aws(lab: &Lab, words: &[&str]) -> String {
    let mut command = client(lab, "aws", lab.state());
    let output = command.args(words).args(["--output", "text"]).output();
    let output = output.unwrap();
    assert!(
        output.status.success(),
        "{words:?}: {}",
        text(&output.stderr)
    );
    text(&output.stdout).trim().to_owned()
}

/// Looks until something is said; what is said.
fn until(what: &str, look: impl Fn() -> Option<String>) -> String {
    let begun = Instant::now();
    loop {
        if let Some(said) = look() {
            return said;
        }
        assert!(begun.elapsed() < Duration::from_secs(180), "{what}");
        std::thread::sleep(Duration::from_millis(300));
    }
}

fn service(cluster: &Cluster, path: &str) -> String {
    let path = format!("jsonpath={{{path}}}");
    cluster.ok(&["get", "service", "web", "-o", &path], "")
}

/// Calls a URL from the lab's internet until it answers.
fn call(lab: &Lab, url: &str) -> String {
    let words = ["exec", "internet", "--", "curl", "-s", "-f", "-m", "3", url];
    until(url, || {
        let output = lab.run(&words);
        output.status.success().then(|| text(&output.stdout))
    })
}

/// AWS-LBC, AWS-CLB, AWS-EKSCTL: a cluster by eksctl's command; a service of type LoadBalancer gets a classic load
/// balancer with its security group, its health check and its nodes; the internet reaches pods through its name; with
/// the service all of it goes.
#[test]
fn a_service_gets_a_classic_load_balancer() {
    if !runs(Command::new("aws").arg("--version")) {
        return absent("aws");
    }
    let Some(kubectl) = kubectl() else { return };
    let Some(lab) = Lab::start(&[]) else { return };
    let cluster = Cluster::of(lab, kubectl);
    let config = cluster.folder.join("config");
    let create = [
        "eks",
        "create",
        "cluster",
        "--name",
        "demo",
        "-N",
        "2",
        "--version",
        "1.20",
        "--kubeconfig",
    ];
    let config = config.to_str().unwrap();
    cluster.lab.ok(&[&create[..], &[config]].concat());
    cluster.ok(&["apply", "-f", "-"], APPLICATION);
    let name = until("no load balancer", || {
        let name = service(&cluster, ".status.loadBalancer.ingress[0].hostname");
        (!name.is_empty()).then_some(name)
    });
    let uid = service(&cluster, ".metadata.uid").replace('-', "");
    let balancer = format!("a{}", &uid[..31]);
    assert!(name.starts_with(&format!("{balancer}-")), "{name}");
    assert!(name.ends_with(".us-west-2.elb.amazonaws.com"), "{name}");
    let lab = &cluster.lab;
    let describe = ["elb", "describe-load-balancers", "--query"];
    let query =
        "LoadBalancerDescriptions[0].[HealthCheck.Target,length(Instances),length(Subnets)]";
    let port = service(&cluster, ".spec.ports[0].nodePort");
    let said = aws(lab, &[&describe[..], &[query]].concat());
    assert_eq!(said, format!("TCP:{port}\t2\t3"));
    let answer = call(lab, &format!("http://{name}/host"));
    assert!(answer.contains("POD IP:192.168."), "{answer}");
    let reasons = "jsonpath={.items[*].reason}";
    let field = "--field-selector=involvedObject.name=web";
    let events = until("no event", || {
        let events = cluster.ok(&["get", "events", field, "-o", reasons], "");
        events.contains("EnsuredLoadBalancer").then_some(events)
    });
    assert!(events.contains("EnsuringLoadBalancer"), "{events}");
    cluster.ok(&["delete", "service", "web", "--timeout=120s"], "");
    let names = "LoadBalancerDescriptions[].DNSName";
    assert_eq!(aws(lab, &[&describe[..], &[names]].concat()), "");
    let group = format!("Name=group-name,Values=k8s-elb-{balancer}");
    let groups = ["ec2", "describe-security-groups", "--filters", &group];
    let ids = ["--query", "SecurityGroups[].GroupId"];
    assert_eq!(aws(lab, &[&groups[..], &ids].concat()), "");
}
