//! A cluster's nodes and pods as their users meet them.

use crate::cluster::Cluster;
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
    if let Some(cluster) = Cluster::with_nodes(2) {
        chapter(&cluster);
    }
}

/// K8S-RUN, OPS-SAFE: an ordinary user's lab has nodes and pods as root's has.
#[test]
fn an_ordinary_users_pods_work() {
    if let Some(cluster) = Cluster::of_ordinary_user(2) {
        chapter(&cluster);
    }
}

fn chapter(cluster: &Cluster) {
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
    let answer = call(cluster, &format!("http://{pod}:8080/host"));
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
        let answer = call(cluster, &url);
        assert!(answer.starts_with("NODE: dev-node-"), "{url}: {answer}");
    }
    let log = get(&["logs", "-lapp=app"]);
    assert!(log.contains("Server started on port 8080"), "{log}");
}

/// Waits until something holds.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(90), "{what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Two pods that wait a second for a node that doesn't answer.
const IMPATIENT: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: impatient}
spec:
  replicas: 2
  selector: {matchLabels: {app: impatient}}
  template:
    metadata: {labels: {app: impatient}}
    spec:
      terminationGracePeriodSeconds: 1
      tolerations:
      - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 1}
      - {key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 1}
      containers:
      - {name: c, image: skylab.local/host, imagePullPolicy: IfNotPresent, command: [sleep, "3600"]}
"#;

/// K8S-RUN: a node whose power fails is found out, its pods are replaced elsewhere, and when it is back
/// nothing of the old ones is left.
#[test]
fn a_killed_nodes_pods_move() {
    let Some(cluster) = Cluster::with_nodes(2) else {
        return;
    };
    let get = |words: &[&str]| cluster.ok(&[&["get"], words].concat(), "");
    cluster.ok(&["apply", "-f", "-"], IMPATIENT);
    let wait = ["wait", "--for=condition=Available", "deployment/impatient"];
    cluster.ok(&[&wait[..], &["--timeout=60s"]].concat(), "");
    // Names, nodes and ends of the pods.
    let pods = || -> Vec<[String; 3]> {
        let columns = r#"jsonpath={range .items[*]}{.metadata.name} {.spec.nodeName} {.metadata.deletionTimestamp}{"\n"}{end}"#;
        let told = get(&["pods", "-lapp=impatient", "-o", columns]);
        let line = |line: &str| {
            let mut words = line.split(' ').map(str::to_owned);
            [(); 3].map(|()| words.next().unwrap_or_default())
        };
        told.lines().map(line).collect()
    };
    let victim = pods()[0][1].clone();
    let old: Vec<String> = pods()
        .into_iter()
        .filter(|[_, node, _]| *node == victim)
        .map(|[name, ..]| name)
        .collect();
    cluster.lab.ok(&["kube", "node", "stop", "dev", &victim]);
    let again = cluster.lab.run(&["kube", "node", "stop", "dev", &victim]);
    assert!(text(&again.stderr).contains("is stopped already"));
    until("the node is unreachable", || {
        let taints = get(&["node", &victim, "-o", "jsonpath={.spec.taints}"]);
        taints.contains("node.kubernetes.io/unreachable")
    });
    let status = get(&["node", &victim]);
    assert!(status.contains("NotReady"), "{status}");
    until("two pods elsewhere", || {
        let elsewhere = pods()
            .iter()
            .filter(|[_, node, end]| !node.is_empty() && *node != victim && end.is_empty())
            .count();
        let ready = [
            "deployment",
            "impatient",
            "-o",
            "jsonpath={.status.readyReplicas}",
        ];
        elsewhere == 2 && get(&ready) == "2"
    });
    // Nobody there can say that the old ones ended.
    let left = pods();
    let waiting = left
        .iter()
        .filter(|[name, _, end]| old.contains(name) && !end.is_empty());
    assert_eq!(waiting.count(), old.len(), "{left:?}");
    cluster.lab.ok(&["kube", "node", "start", "dev", &victim]);
    let ready = format!("node/{victim}");
    cluster.ok(
        &["wait", "--for=condition=Ready", &ready, "--timeout=60s"],
        "",
    );
    until("the old pods' end", || {
        pods().iter().all(|[name, ..]| !old.contains(name))
    });
    let unknown = cluster
        .lab
        .run(&["kube", "node", "start", "dev", "dev-node-9"]);
    assert!(text(&unknown.stderr).contains("it has dev-node-1, dev-node-2"));
}

/// Web servers at a port of their nodes, and a pod to call from.
const AT_HOST_PORTS: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: go-web
        image: skylab.local/host
        imagePullPolicy: IfNotPresent
        command: [skylab, example-web]
        ports: [{containerPort: 8080, hostPort: 18080}]
        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
        env:
        - {name: MY_NODE_NAME, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
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

/// K8S-RUN, K8S-NET: pods with a host port are placed on a node each, and are reached there from the
/// other node too; a third finds no node, and says why. `explain` tells of the port.
#[test]
fn host_ports_lead_to_pods() {
    let Some(cluster) = Cluster::with_nodes(2) else {
        return;
    };
    cluster.ok(&["apply", "-f", "-"], AT_HOST_PORTS);
    for wait in [
        ["wait", "--for=condition=Available", "deployment/web"],
        ["wait", "--for=condition=Ready", "pod/dnsutils"],
    ] {
        cluster.ok(&[&wait[..], &["--timeout=60s"]].concat(), "");
    }
    for node in ["dev-node-1", "dev-node-2"] {
        let path = "jsonpath={.status.addresses[?(@.type==\"InternalIP\")].address}";
        let address = cluster.ok(&["get", "node", node, "-o", path], "");
        let answer = call(&cluster, &format!("http://{address}:18080/host"));
        assert!(answer.starts_with(&format!("NODE: {node}")), "{answer}");
        let words = [
            "explain",
            "pod/default/dnsutils",
            &address,
            "--port",
            "18080",
        ];
        let told = cluster.lab.ok(&words);
        assert!(told.contains("hostPort"), "{told}");
    }
    cluster.ok(&["scale", "deployment/web", "--replicas=3"], "");
    until("a pod without a node, and why", || {
        let told = cluster.ok(&["get", "events", "-o", "jsonpath={.items[*].message}"], "");
        told.contains("node(s) didn't have free ports for the requested pod ports")
    });
    cluster.ok(&["delete", "deployment/web", "--wait"], "");
    cluster.ok(
        &["wait", "--for=delete", "pod", "-lapp=web", "--timeout=60s"],
        "",
    );
    let address = "jsonpath={.items[0].status.addresses[?(@.type==\"InternalIP\")].address}";
    let address = cluster.ok(&["get", "nodes", "-o", address], "");
    let url = format!("http://{address}:18080/host");
    let words = ["exec", "dnsutils", "--", "curl", "-s", "-m", "2", &url];
    assert!(!cluster.run(&words, "").status.success());
}

/// A claim, a pod that writes to its volume and to memory.
const WRITER: &str = r#"
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Mi}}
---
apiVersion: v1
kind: Pod
metadata: {name: writer}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: writer
    image: skylab.local/host
    imagePullPolicy: IfNotPresent
    command: [sh, -c, "echo kept > /data/file; echo quick > /fast/file; exec sleep 3600"]
    volumeMounts: [{name: data, mountPath: /data}, {name: fast, mountPath: /fast}]
  - name: reader
    image: skylab.local/host
    imagePullPolicy: IfNotPresent
    command: [sleep, "3600"]
    volumeMounts: [{name: fast, mountPath: /fast}]
  volumes:
  - {name: data, persistentVolumeClaim: {claimName: data}}
  - {name: fast, emptyDir: {medium: Memory, sizeLimit: 4Mi}}
"#;

/// K8S-RUN: an `emptyDir` in memory is shared by the pod's containers and holds what its limit says; a
/// persistent volume's directory goes when the volume does.
#[test]
fn volumes_are_what_they_say_and_go() {
    let Some(cluster) = Cluster::with_nodes(1) else {
        return;
    };
    cluster.ok(&["apply", "-f", "-"], WRITER);
    let ready = ["wait", "--for=condition=Ready", "pod/writer"];
    cluster.ok(&[&ready[..], &["--timeout=60s"]].concat(), "");
    let reader = |command: &str| {
        let words = ["exec", "writer", "-c", "reader", "--", "sh", "-c", command];
        cluster.run(&words, "")
    };
    until("what the other container wrote", || {
        text(&reader("cat /fast/file").stdout) == "quick\n"
    });
    let kind = text(&reader("stat -f -c %T /fast").stdout);
    assert_eq!(kind, "tmpfs\n");
    let full = reader("head -c 8388608 /dev/zero > /fast/more");
    assert!(text(&full.stderr).contains("No space left"), "{full:?}");
    let volumes = cluster.lab.state().join("volumes/dev");
    let count = || std::fs::read_dir(&volumes).map_or(0, Iterator::count);
    assert_eq!(count(), 1);
    cluster.ok(&["delete", "pod/writer", "pvc/data"], "");
    until("the directory's end", || count() == 0);
}
