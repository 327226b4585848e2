//! Objects as `kubectl` works on them, and refusals.

use crate::cluster::Cluster;
use crate::kube::APP;

/// K8S-API: apply, patch, scale, edit, get, describe, explain, delete by an unmodified kubectl.
#[test]
fn kubectl_works_on_objects() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    assert!(
        cluster
            .ok(&["apply", "-f", "-"], APP)
            .contains("deployment.apps/web created")
    );
    assert!(
        cluster
            .ok(&["apply", "-f", "-"], APP)
            .contains("service/web unchanged")
    );
    let changed = APP.replace("replicas: 2", "replicas: 4");
    assert!(cluster.refused(&["diff", "-f", "-"], &changed).is_empty());
    assert!(
        cluster
            .ok(&["apply", "-f", "-"], &changed)
            .contains("web configured")
    );
    let field = |path: &str| {
        cluster.ok(
            &["get", "deploy", "web", "-o", &format!("jsonpath={path}")],
            "",
        )
    };
    assert_eq!(field("{.spec.replicas}"), "4");
    for words in [
        &["scale", "deploy/web", "--replicas=1"][..],
        &["set", "image", "deploy/web", "c=web:2"],
        &["set", "env", "deploy/web", "A=b"],
        &["label", "deploy", "web", "tier=front"],
        &[
            "patch",
            "deploy",
            "web",
            "-p",
            r#"{"spec":{"paused":true}}"#,
        ],
        &[
            "patch",
            "deploy",
            "web",
            "--type=merge",
            "-p",
            r#"{"spec":{"minReadySeconds":3}}"#,
        ],
        &[
            "patch",
            "deploy",
            "web",
            "--type=json",
            "-p",
            r#"[{"op":"remove","path":"/spec/paused"}]"#,
        ],
        &["rollout", "restart", "deploy/web"],
        &["create", "configmap", "settings", "--from-literal=a=b"],
        &["create", "secret", "generic", "keys", "--from-literal=a=b"],
        &["expose", "deploy", "web", "--name=inner", "--port=80"],
        &["describe", "deploy", "web"],
        &["explain", "deployment.spec.strategy"],
        &["auth", "can-i", "create", "pods"],
        &["api-resources"],
        &["cluster-info"],
        &[
            "wait",
            "deploy/web",
            "--for=jsonpath={.spec.replicas}=1",
            "--timeout=10s",
        ],
    ] {
        cluster.ok(words, "");
    }
    let container = "{.spec.template.spec.containers[0]";
    assert_eq!(field(&format!("{container}.image}}")), "web:2");
    assert_eq!(field(&format!("{container}.env[0].value}}")), "b");
    assert_eq!(
        field(&format!("{container}.ports[0].containerPort}}")),
        "80"
    );
    assert_eq!(field("{.spec.paused}"), "");
    let services = cluster.ok(&["get", "svc", "web", "-o", "wide"], "");
    assert!(
        services.contains("80:31000/TCP") && services.contains("app=web"),
        "{services}"
    );
    cluster.ok(&["delete", "-f", "-"], APP);
    assert!(
        cluster
            .refused(&["get", "deploy", "web"], "")
            .contains("(NotFound)")
    );
}

/// K8S-API: what can't be is refused in upstream's words, and changes nothing.
#[test]
fn refusals_are_kubernetes_own() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    cluster.ok(&["apply", "-f", "-"], APP);
    let service = |name: &str, rest: &str| {
        format!("apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{{rest}}}\n")
    };
    let cases = [
        (
            service("Bad_name", "ports: [{port: 80}]"),
            "a DNS-1035 label must consist of",
        ),
        (
            service("other", "ports: [{port: 0}]"),
            "must be between 1 and 65535, inclusive",
        ),
        (
            service(
                "other",
                "type: NodePort, ports: [{port: 80, nodePort: 31000}]",
            ),
            "provided port is already allocated",
        ),
        (
            service("other", "ports: [{port: 80}], clusterIP: 1.2.3.4"),
            "the provided IP is not in the valid range",
        ),
        (
            service("other", "prots: []"),
            "unknown field \"spec.prots\"",
        ),
        (
            APP.replace(
                "    metadata: {labels: {app: web}}",
                "    metadata: {labels: {app: other}}",
            )
            .replace("name: web,", "name: x,"),
            "does not match template `labels`",
        ),
        (
            APP.replace("{app: web}", "{app: other}"),
            "field is immutable",
        ),
    ];
    for (manifest, told) in cases {
        let refused = cluster.refused(&["apply", "-f", "-"], &manifest);
        assert!(refused.contains(told), "{manifest}\n{refused}");
    }
    let refused = cluster.refused(&["-n", "nowhere", "create", "configmap", "a"], "");
    assert!(
        refused.contains("namespaces \"nowhere\" not found"),
        "{refused}"
    );
    // The kubeconfig's own token would win over the flag.
    let config = std::fs::read_to_string(cluster.folder.join("config")).unwrap();
    let token = config
        .split("\"token\": \"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let wrong = cluster.folder.join("wrong");
    std::fs::write(&wrong, config.replace(token, "wrong")).unwrap();
    let file = ["--kubeconfig", wrong.to_str().unwrap()];
    let refused = cluster.refused(&[file[0], file[1], "get", "pods"], "");
    assert!(
        refused.contains("Unauthorized") || refused.contains("logged in"),
        "{refused}"
    );
    // Anybody may know the version, and nothing else.
    let curl = |path: &str| {
        let url = format!("https://192.0.2.100:6443{path}");
        cluster
            .lab
            .ok(&["exec", "internet", "--", "curl", "-sk", &url])
    };
    assert!(curl("/version").contains("gitVersion"));
    assert!(curl("/api/v1/namespaces").contains("Unauthorized"));
}
