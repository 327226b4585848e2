//! Ingresses on EKS, as their users meet them: the AWS Load Balancer Controller, installed by its add-on, with a role of
//! its own.

mod balancers;
mod failures;
mod many;
mod services;

use crate::cluster::{Cluster, kubectl};
use crate::eks::{aws, eventually};
use crate::lab::{Lab, text};
use crate::walkthrough::{absent, runs};
use std::process::Command;

/// The policy that the controller's documentation gives its role.
const POLICY: &str =
    include_str!("../../../../load-balancer-controller/src/manifest/iam-policy.json");

/// The chapter's web server, without its database, behind a service with node ports.
pub(super) const APPLICATION: &str = r#"
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
        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
        env:
        - {name: MY_NODE_NAME, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
        - {name: MY_POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: NodePort
  selector: {app: app}
  ports: [{port: 80, targetPort: 8080}]
"#;

/// A lab with a cluster `demo` of two nodes; `None` where the machine has not what that takes.
pub(super) fn demo(flags: &[&str]) -> Option<Cluster> {
    if !runs(Command::new("aws").arg("--version")) {
        absent("aws");
        return None;
    }
    let kubectl = kubectl()?;
    let cluster = Cluster::of(Lab::start(flags)?, kubectl);
    let config = cluster.folder.join("config");
    let create = ["eks", "create", "cluster", "--name", "demo", "-N", "2"];
    let more = ["--with-oidc", "--kubeconfig", config.to_str().unwrap()];
    cluster.lab.ok(&[&create[..], &more].concat());
    Some(cluster)
}

/// Installs the controller as its documentation says: a policy, a service account with a role, the add-on.
pub(super) fn install(cluster: &Cluster) {
    let lab = &cluster.lab;
    let file = cluster.folder.join("policy.json");
    std::fs::write(&file, POLICY).unwrap();
    let document = format!("file://{}", file.display());
    let create = [
        "iam",
        "create-policy",
        "--policy-name",
        "AWSLoadBalancerControllerIAMPolicy",
    ];
    let more = ["--policy-document", &document, "--query", "Policy.Arn"];
    let policy = aws(lab, &[&create[..], &more].concat());
    let name = "aws-load-balancer-controller";
    let of = [
        "--cluster",
        "demo",
        "--namespace",
        "kube-system",
        "--name",
        name,
    ];
    let more = ["--attach-policy-arn", &policy, "--approve"];
    let create = ["eks", "create", "iamserviceaccount"];
    lab.ok(&[&create[..], &of, &more].concat());
    lab.ok(&[
        "eks",
        "create",
        "addon",
        "--cluster",
        "demo",
        "--name",
        name,
    ]);
}

/// What an object says at a path; its namespace may stand behind it as `-n <name>`.
pub(super) fn said(cluster: &Cluster, object: &str, path: &str) -> String {
    let path = format!("jsonpath={{{path}}}");
    let mut words = vec!["get"];
    words.extend(object.split(' '));
    cluster.ok(&[&words[..], &["-o", &path]].concat(), "")
}

/// The name by which an ingress or service is reached, once it has one.
pub(super) fn hostname(cluster: &Cluster, object: &str) -> String {
    let path = ".status.loadBalancer.ingress[0].hostname";
    let mut name = String::new();
    eventually(&format!("{object}'s load balancer"), || {
        name = said(cluster, object, path);
        !name.is_empty()
    });
    name
}

/// Calls a URL from the lab's internet until it answers as wanted.
pub(super) fn call(cluster: &Cluster, more: &[&str], url: &str, wanted: &str) -> String {
    let words = [
        "exec",
        "internet",
        "--",
        "curl",
        "-s",
        "-m",
        "3",
        "-w",
        "%{http_code}",
    ];
    let words = [&words[..], more, &[url]].concat();
    let mut answer = String::new();
    eventually(&format!("{wanted} from {url}"), || {
        answer = text(&cluster.lab.run(&words).stdout);
        answer.contains(wanted)
    });
    answer
}

/// Waits for an event with a reason, and gives its words.
pub(super) fn event(cluster: &Cluster, name: &str, reason: &str) -> String {
    let field = format!("involvedObject.name={name},reason={reason}");
    let get = ["get", "events", "-A", "--field-selector", &field];
    let words = ["-o", "jsonpath={.items[*].message}"];
    let mut told = String::new();
    eventually(&format!("{reason} of {name}"), || {
        told = cluster.ok(&[&get[..], &words].concat(), "");
        !told.is_empty()
    });
    told
}
