//! A cluster's nodes and pods as their users meet them.

use crate::kube::Cluster;
use crate::lab::text;
use std::time::{Duration, Instant};

/// The chapter's application, from the machine's own files: a web server that three pods serve behind
/// a service, and a pod to call from.
const APPLICATION: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec:
  replicas: 3
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
metadata: {name: clusterip-service}
spec:
  type: NodePort
  selector: {app: app}
  ports: [{port: 80, targetPort: 8080}]
---
apiVersion: v1
kind: Pod
metadata: {name: dnsutils}
spec:
  containers:
  - name: dnsutils
    image: skylab.local/host
    imagePullPolicy: IfNotPresent
    command: [sleep, "3600"]
"#;

/// Calls from the pod `dnsutils` until something answers; what it said.
fn call(cluster: &Cluster, url: &str) -> String {
    let words = ["exec", "dnsutils", "--", "curl", "-s", "-m", "2", url];
    let begun = Instant::now();
    loop {
        let output = cluster.run(&words, "");
        if output.status.success() || begun.elapsed() > Duration::from_secs(30) {
            assert!(output.status.success(), "{url}: {}", text(&output.stderr));
            return text(&output.stdout);
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// K8S-RUN, K8S-NET: three pods behind a service answer by pod address, cluster address, name and node
/// port; `exec` and `logs` reach them.
#[test]
fn the_chapters_application_answers() {
    let Some(cluster) = Cluster::with_nodes(2) else {
        return;
    };
    cluster.ok(&["apply", "-f", "-"], APPLICATION);
    let wait = ["wait", "--for=condition=Available", "deployment/app"];
    cluster.ok(&[&wait[..], &["--timeout=60s"]].concat(), "");
    let ready = ["wait", "--for=condition=Ready", "pod/dnsutils"];
    cluster.ok(&[&ready[..], &["--timeout=60s"]].concat(), "");
    let get = |words: &[&str]| cluster.ok(words, "");
    let pod = get(&[
        "get",
        "pods",
        "-lapp=app",
        "-o",
        "jsonpath={.items[0].status.podIP}",
    ]);
    let answer = call(&cluster, &format!("http://{pod}:8080/host"));
    assert!(answer.contains(&format!("POD IP:{pod}")), "{answer}");
    let service = |path: &str| {
        let path = format!("jsonpath={{{path}}}");
        get(&["get", "service", "clusterip-service", "-o", &path])
    };
    let (address, port) = (
        service(".spec.clusterIP"),
        service(".spec.ports[0].nodePort"),
    );
    let node = get(&[
        "get",
        "nodes",
        "-o",
        "jsonpath={.items[0].status.addresses[?(@.type==\"InternalIP\")].address}",
    ]);
    for url in [
        format!("http://{address}/host"),
        "http://clusterip-service/host".to_owned(),
        "http://clusterip-service.default.svc.cluster.local/host".to_owned(),
        format!("http://{node}:{port}/host"),
    ] {
        let answer = call(&cluster, &url);
        assert!(answer.starts_with("NODE: dev-node-"), "{url}: {answer}");
    }
    let log = get(&["logs", "-lapp=app"]);
    assert!(log.contains("Server started on port 8080"), "{log}");
}
