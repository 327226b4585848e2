//! Captures inside a cluster.

use crate::cluster::Cluster;
use crate::lab::text;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

/// A web server and somebody who calls it.
const PAIR: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers:
  - name: web
    image: skylab.local/host
    imagePullPolicy: IfNotPresent
    command: [skylab, example-web]
    readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Pod
metadata: {name: client}
spec:
  containers:
  - {name: client, image: skylab.local/host, imagePullPolicy: IfNotPresent, command: [sleep, "3600"]}
"#;

/// A capture under way.
struct Capture {
    file: PathBuf,
    child: Child,
}

impl Capture {
    /// Begins one and waits until it listens: it writes its header then.
    fn begin(cluster: &Cluster, name: &str, words: &[&str]) -> Self {
        let file = cluster.folder.join(name);
        let write = ["-w", file.to_str().unwrap()];
        let words = [&["capture", words[0]], &write[..], &words[1..]].concat();
        let child = cluster.lab.command(&words).spawn().unwrap();
        while std::fs::metadata(&file).map_or(0, |file| file.len()) == 0 {
            std::thread::sleep(Duration::from_millis(10));
        }
        Self { file, child }
    }

    /// Ends it; what it wrote, as far as it is text.
    fn end(mut self) -> String {
        kill(
            Pid::from_raw(i32::try_from(self.child.id()).unwrap()),
            Signal::SIGINT,
        )
        .unwrap();
        assert!(self.child.wait().unwrap().success());
        text(&std::fs::read(self.file).unwrap())
    }
}

/// OPS-SEE: a pod's packets, and those of a node with the links to its pods.
#[test]
fn pods_and_nodes_are_captured() {
    let Some(cluster) = Cluster::with_nodes(1) else {
        return;
    };
    cluster.ok(&["apply", "-f", "-"], PAIR);
    let ready = [
        "wait",
        "--for=condition=Ready",
        "pod/web",
        "pod/client",
        "--timeout=60s",
    ];
    cluster.ok(&ready, "");
    let address = ["get", "pod", "web", "-o", "jsonpath={.status.podIP}"];
    let url = format!("http://{}:8080/seen-in-packets", cluster.ok(&address, ""));

    let pod = Capture::begin(&cluster, "pod", &["pod/default/web", "tcp", "port", "8080"]);
    let node = ["node/dev-node-1", "tcp", "port", "8080", "--cluster", "dev"];
    let node = Capture::begin(&cluster, "node", &node);
    let other = Capture::begin(&cluster, "other", &["pod/default/client", "port", "9"]);
    cluster.ok(&["exec", "client", "--", "curl", "-s", &url], "");
    let (pod, node, other) = (pod.end(), node.end(), other.end());
    assert!(pod.contains("GET /seen-in-packets") && pod.contains("pod/default/web"));
    // The node has it twice: from the one pod, and to the other.
    assert!(node.matches("GET /seen-in-packets").count() >= 2, "{node}");
    assert!(!other.contains("GET"), "{other}");

    for words in [
        &["capture", "pod/default/none"][..],
        &["capture", "node/none"],
        &["capture", "pod/default/web", "--cluster", "none"],
    ] {
        let refused = cluster.lab.run(words);
        assert!(!refused.status.success(), "{words:?}");
        assert!(
            text(&refused.stderr).contains("none"),
            "{}",
            text(&refused.stderr)
        );
    }
}
