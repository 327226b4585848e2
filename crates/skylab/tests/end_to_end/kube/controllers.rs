//! Controllers at work.

use crate::cluster::Cluster;
use crate::kube::APP;

/// K8S-API, K8S-RUN: deployments make replica sets make pods, which are placed on a node; a rollout, an
/// undo, a scale, garbage collection, and a namespace that goes with all that is in it.
#[test]
fn controllers_make_objects_come_true() {
    // A node whose kubelet is this test: it says once that it is ready, and has upstream's time for it.
    let Some(cluster) = Cluster::start_with(&["--pace", "real"], 0) else {
        return;
    };
    cluster.ok(&["apply", "-f", "-"], APP);
    let pods = |selector: &str| {
        let words = ["get", "pods", "-l", selector, "-o", "name"];
        cluster
            .ok(&words, "")
            .lines()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let until = |what: &dyn Fn() -> bool| {
        while !what() {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    };
    until(&|| pods("app=web").len() == 2);
    let events = || cluster.ok(&["get", "events"], "");
    until(&|| events().contains("no nodes available to schedule pods"));
    assert!(events().contains("Scaled up replica set"));
    let node = r#"{"apiVersion":"v1","kind":"Node","metadata":{"name":"n1"}}"#;
    cluster.ok(&["create", "-f", "-"], node);
    until(&|| events().contains("untolerated taint"));
    let ready = r#"{"status":{"conditions":[{"type":"Ready","status":"True"}]}}"#;
    cluster.ok(
        &[
            "patch",
            "node",
            "n1",
            "--subresource=status",
            "--type=merge",
            "-p",
            ready,
        ],
        "",
    );
    let placed = ["get", "pods", "-o", "jsonpath={.items[*].spec.nodeName}"];
    until(&|| cluster.ok(&placed, "") == "n1 n1");
    cluster.ok(&["cordon", "n1"], "");
    cluster.ok(&["set", "image", "deploy/web", "c=web:2"], "");
    until(&|| cluster.ok(&["get", "rs"], "").lines().count() == 3);
    until(&|| events().contains("1 node(s) were unschedulable"));
    cluster.ok(&["rollout", "undo", "deploy/web"], "");
    let image = [
        "get",
        "deploy",
        "web",
        "-o",
        "jsonpath={.spec.template.spec.containers[0].image}",
    ];
    assert_eq!(cluster.ok(&image, ""), "web:1");
    cluster.ok(&["scale", "deploy/web", "--replicas=1"], "");
    let desired = ["get", "rs", "-o", "jsonpath={.items[*].spec.replicas}"];
    until(&|| cluster.ok(&desired, "").matches('1').count() == 2);
    // Nobody ends pods of a node without a kubelet but who forces it.
    cluster.ok(&["delete", "deploy", "web"], "");
    cluster.ok(&["delete", "pods", "--all", "--force"], "");
    until(&|| pods("app=web").is_empty());
    assert!(cluster.ok(&["get", "rs"], "").is_empty());
    cluster.ok(&["create", "namespace", "shop"], "");
    cluster.ok(
        &["-n", "shop", "apply", "-f", "-"],
        &APP.replace(", nodePort: 31000", ""),
    );
    cluster.ok(&["delete", "namespace", "shop"], "");
    assert!(
        cluster
            .refused(&["get", "namespace", "shop"], "")
            .contains("NotFound")
    );
    assert!(!cluster.ok(&["get", "all", "-A"], "").contains("shop"));
}
