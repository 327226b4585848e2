//! Every command of `kubectl` that is known to reach an API server, once, on a cluster with nodes: what it prints,
//! and how it prints refusals.

mod objects;
mod refusals;
mod streams;

use crate::cluster::Cluster;
use crate::lab::text;
use std::time::{Duration, Instant};

/// What the commands work on.
const OBJECTS: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: p1, labels: {app: p1}}
spec:
  containers:
  - {name: c, image: skylab.local/host, imagePullPolicy: IfNotPresent, command: [skylab, example-web]}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec:
      containers:
      - {name: c, image: skylab.local/host, imagePullPolicy: IfNotPresent, command: [sleep, "3600"]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: ing}
spec:
  rules:
  - {http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}
---
apiVersion: v1
kind: Pod
metadata: {name: parrot}
spec:
  containers:
  - {name: c, image: skylab.local/host, imagePullPolicy: IfNotPresent, command: [cat], stdin: true, stdinOnce: true}
"#;

const APP: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: c
        image: skylab.local/host
        imagePullPolicy: IfNotPresent
        command: [skylab, example-web]
        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
"#;

/// What a command should come to.
enum Wanted {
    /// It succeeds and prints this.
    Prints(&'static str),
    /// It succeeds with this, in its own time.
    InTime(&'static str),
    /// It fails and says this.
    Fails(&'static str),
}

use Wanted::{Fails, InTime, Prints};

/// A command, what it reads, and what it should come to. Words are parted by blanks.
type Row<'a> = (&'a str, &'a str, Wanted);

/// Runs commands one after another and says all that went otherwise.
fn check(cluster: &Cluster, rows: &[Row<'_>]) {
    let mut wrong = Vec::new();
    for (command, input, wanted) in rows {
        let command = command.replace("FOLDER", cluster.folder.to_str().unwrap());
        let words: Vec<&str> = command.split_whitespace().collect();
        let begun = Instant::now();
        let said = loop {
            let output = cluster.run(&words, input);
            let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
            let (succeeds, part) = match wanted {
                Prints(part) | InTime(part) => (true, part),
                Fails(part) => (false, part),
            };
            if output.status.success() == succeeds && said.contains(part) {
                break None;
            }
            if !matches!(wanted, InTime(_)) || begun.elapsed() > Duration::from_secs(60) {
                let code = output.status.code();
                break Some(format!(
                    "kubectl {command}: {code:?}, wanted {part:?}:\n{said}"
                ));
            }
            std::thread::sleep(Duration::from_millis(300));
        };
        wrong.extend(said);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
