//! Clusters that come back, and who may do what in them.

use crate::cluster::Cluster;
use crate::kube::APP;
use crate::lab::text;
use std::path::Path;

/// K8S-API, OPS-STATE: a cluster and its objects survive a SIGKILL, revisions go on, and a deleted
/// cluster leaves nothing.
#[test]
fn clusters_come_back() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    cluster.ok(&["apply", "-f", "-"], APP);
    let all = ["get", "deploy,svc,ns", "-o", "json"];
    let items = |text: &str| {
        let list: serde_json::Value = serde_json::from_str(text).unwrap();
        list["items"].clone()
    };
    // What controllers make of the objects, once they have.
    let ready = [
        "deploy",
        "web",
        "-o",
        "jsonpath={.status.unavailableReplicas}",
    ];
    while cluster.ok(&[&["get"], &ready[..]].concat(), "") != "2" {
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let mut before = items(&cluster.ok(&all, ""));
    loop {
        std::thread::sleep(std::time::Duration::from_millis(500));
        let later = items(&cluster.ok(&all, ""));
        if later == before {
            break;
        }
        before = later;
    }
    cluster.lab.kill();
    cluster.lab.gone();
    assert!(cluster.lab.up(&[]).status.success());
    // The proxy's port is another one now.
    let config = cluster.lab.ok(&["env", "kube", "--format", "json"]);
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    std::fs::copy(
        Path::new(config["KUBECONFIG"].as_str().unwrap()),
        cluster.folder.join("config"),
    )
    .unwrap();
    assert_eq!(items(&cluster.ok(&all, "")), before);
    assert!(cluster.lab.ok(&["kube", "list"]).contains("dev"));
    cluster.lab.ok(&["kube", "delete", "dev"]);
    assert!(
        cluster
            .lab
            .ok(&["kube", "list"])
            .contains("There are no clusters")
    );
    let wrong = cluster.lab.run(&["kube", "delete", "dev"]);
    assert_eq!(wrong.status.code(), Some(64));
    let file = cluster.folder.join("config");
    cluster.lab.ok(&[
        "kube",
        "create",
        "dev",
        "--kubeconfig",
        file.to_str().unwrap(),
    ]);
    assert!(!cluster.ok(&["get", "deploy", "-A"], "").contains("web"));
}

/// K8S-API: roles decide what a user may, and `--as` shows it.
#[test]
fn roles_decide() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let can = |who: &str, words: &[&str]| {
        let mut all = vec!["auth", "can-i", "--as", who];
        all.extend(words);
        text(&cluster.run(&all, "").stdout).trim() == "yes"
    };
    assert!(!can("ann", &["list", "pods"]));
    cluster.ok(
        &[
            "create",
            "rolebinding",
            "ann",
            "--clusterrole=view",
            "--user=ann",
        ],
        "",
    );
    assert!(can("ann", &["list", "pods"]));
    assert!(can("ann", &["get", "pods/log"]));
    assert!(!can("ann", &["delete", "pods"]));
    assert!(!can("ann", &["get", "secrets"]));
    assert!(!can("ann", &["list", "pods", "-n", "kube-system"]));
    let refused = cluster.refused(&["--as=ann", "create", "configmap", "a"], "");
    let told = "User \"ann\" cannot create resource \"configmaps\" in API group \"\" in the namespace \"default\"";
    assert!(refused.contains(told), "{refused}");
    cluster.ok(
        &[
            "--as=ann",
            "--as-group=system:masters",
            "create",
            "configmap",
            "a",
        ],
        "",
    );
}
