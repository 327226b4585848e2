//! Kubernetes clusters as `kubectl` meets them.

use crate::lab::{Lab, text};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The oldest `kubectl` that is tried: 1.30.
const OLDEST: u64 = 30;

/// A `kubectl` of this machine that is new enough; without one the tests say so and pass. Google's SDK
/// calls a dispatcher `kubectl`, so its own are looked at first.
fn kubectl() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path: Vec<PathBuf> = std::env::split_paths(&path)
        .map(|folder| folder.join("kubectl"))
        .collect();
    let sdk = PathBuf::from("/usr/lib/google-cloud-sdk/bin/kubectl.1.32");
    let mut known = std::iter::once(sdk)
        .chain(on_path)
        .filter(|path| path.exists());
    let found = known.find(|path| minor(path).is_some_and(|minor| minor >= OLDEST));
    if found.is_none() {
        eprintln!("skipped: this machine has no kubectl 1.{OLDEST} or newer");
    }
    found
}

/// The minor version of a `kubectl`.
fn minor(kubectl: &Path) -> Option<u64> {
    let words = ["version", "--client", "--output=json"];
    let output = Command::new(kubectl).args(words).output().ok()?;
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
    let minor = told["clientVersion"]["minor"].as_str()?;
    minor.trim_end_matches('+').parse().ok()
}

pub(crate) struct Cluster {
    pub(crate) lab: Lab,
    kubectl: PathBuf,
    folder: PathBuf,
}

impl Cluster {
    /// A control plane without nodes.
    fn start() -> Option<Self> {
        Self::start_with(&[], 0)
    }

    /// A cluster with so many nodes.
    pub(crate) fn with_nodes(nodes: usize) -> Option<Self> {
        Self::start_with(&[], nodes)
    }

    fn start_with(flags: &[&str], nodes: usize) -> Option<Self> {
        let kubectl = kubectl()?;
        let lab = Lab::start(flags)?;
        let folder = lab.state().join("test");
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("config");
        let file = file.to_str().unwrap();
        let nodes = nodes.to_string();
        let create = ["kube", "create", "dev", "--nodes", &nodes];
        lab.ok(&[&create[..], &["--kubeconfig", file]].concat());
        Some(Self {
            lab,
            kubectl,
            folder,
        })
    }

    pub(crate) fn run(&self, words: &[&str], input: &str) -> Output {
        let mut child = Command::new(&self.kubectl)
            .arg("--cache-dir")
            .arg(self.folder.join("cache"))
            .args(words)
            .env("KUBECONFIG", self.folder.join("config"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        child.wait_with_output().unwrap()
    }

    pub(crate) fn ok(&self, words: &[&str], input: &str) -> String {
        let output = self.run(words, input);
        assert!(
            output.status.success(),
            "{words:?}: {}",
            text(&output.stderr)
        );
        text(&output.stdout)
    }

    fn refused(&self, words: &[&str], input: &str) -> String {
        let output = self.run(words, input);
        assert!(
            !output.status.success(),
            "{words:?}: {}",
            text(&output.stdout)
        );
        text(&output.stderr)
    }
}

const APP: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: "web:1", ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: NodePort, selector: {app: web}, ports: [{port: 80, nodePort: 31000}]}
"#;

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
    let before = items(&cluster.ok(&all, ""));
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

const DEFINITION: &str = r#"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: crontabs.stable.example.com}
spec:
  group: stable.example.com
  scope: Namespaced
  names: {plural: crontabs, singular: crontab, kind: CronTab, shortNames: [ct]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}, scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas}}
    additionalPrinterColumns:
    - {name: Spec, type: string, jsonPath: .spec.cronSpec}
    - {name: Replicas, type: integer, jsonPath: .spec.replicas}
    - {name: Age, type: date, jsonPath: .metadata.creationTimestamp}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            description: What it does
            required: [cronSpec]
            properties:
              cronSpec: {type: string, pattern: '^(\d+|\*)(/\d+)?(\s+(\d+|\*)(/\d+)?){4}$', description: When}
              image: {type: string, default: busybox}
              replicas: {type: integer, minimum: 1, maximum: 10}
          status: {type: object, properties: {replicas: {type: integer}}}
"#;

const CRON_TAB: &str = r#"
apiVersion: stable.example.com/v1
kind: CronTab
metadata: {name: mine}
spec: {cronSpec: "* * * * */5", replicas: 2}
"#;

/// K8S-API: a kind that the user defines: its schema, defaults, columns, scale and end.
#[test]
fn users_define_kinds() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    cluster.ok(&["apply", "-f", "-"], DEFINITION);
    let name = "crd/crontabs.stable.example.com";
    cluster.ok(
        &["wait", "--for=condition=established", name, "--timeout=10s"],
        "",
    );
    cluster.ok(&["apply", "-f", "-"], CRON_TAB);
    assert!(cluster.ok(&["get", "ct"], "").contains("* * * * */5"));
    let image = ["get", "ct", "mine", "-o", "jsonpath={.spec.image}"];
    assert_eq!(cluster.ok(&image, ""), "busybox");
    cluster.ok(&["scale", "ct/mine", "--replicas=5"], "");
    let replicas = ["get", "ct", "mine", "-o", "jsonpath={.spec.replicas}"];
    assert_eq!(cluster.ok(&replicas, ""), "5");
    assert!(
        cluster
            .ok(&["explain", "crontab.spec.cronSpec"], "")
            .contains("When")
    );
    for (wrong, told) in [
        (
            CRON_TAB.replace("replicas: 2", "replicas: 20"),
            "should be less than or equal to 10",
        ),
        (
            CRON_TAB.replace("* * * * */5", "often"),
            "spec.cronSpec in body should match",
        ),
        (
            CRON_TAB.replace("replicas: 2", "repl: 2"),
            "unknown field \"spec.repl\"",
        ),
        (
            CRON_TAB.replace("cronSpec", "image"),
            "spec.cronSpec: Required value",
        ),
    ] {
        let refused = cluster.refused(&["apply", "-f", "-"], &wrong);
        assert!(refused.contains(told), "{refused}");
    }
    let wrong = DEFINITION.replace("plural: crontabs", "plural: other");
    let refused = cluster.refused(&["apply", "-f", "-"], &wrong);
    assert!(refused.contains("must be spec.names.plural"), "{refused}");
    cluster.ok(&["delete", name], "");
    assert!(cluster.refused(&["get", "ct"], "").contains("NotFound"));
    cluster.ok(&["apply", "-f", "-"], DEFINITION);
    assert!(
        cluster.ok(&["get", "ct"], "").is_empty(),
        "objects outlived their kind"
    );
}

/// K8S-API: server-side apply knows who owns which field, of users' kinds too.
#[test]
fn fields_have_owners() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let apply = ["apply", "--server-side", "-f", "-"];
    cluster.ok(&apply, APP);
    let version = [
        "get",
        "svc",
        "web",
        "-o",
        "jsonpath={.metadata.resourceVersion}",
    ];
    let before = cluster.ok(&version, "");
    cluster.ok(&apply, APP);
    assert_eq!(
        cluster.ok(&version, ""),
        before,
        "the same again made a revision"
    );
    cluster.ok(&["scale", "deploy/web", "--replicas=5"], "");
    let refused = cluster.refused(&apply, APP);
    assert!(
        refused.contains("Apply failed with 1 conflict"),
        "{refused}"
    );
    assert!(
        refused.contains("with subresource \"scale\" using apps/v1"),
        "{refused}"
    );
    let replicas = ["get", "deploy", "web", "-o", "jsonpath={.spec.replicas}"];
    assert_eq!(cluster.ok(&replicas, ""), "5");
    cluster.ok(
        &["apply", "--server-side", "--force-conflicts", "-f", "-"],
        APP,
    );
    assert_eq!(cluster.ok(&replicas, ""), "2");
    // What is left out goes, if nobody else owns it.
    cluster.ok(
        &apply,
        &APP.replace(
            ", labels: {app: web}}\nspec:\n  replicas",
            "}\nspec:\n  replicas",
        ),
    );
    let labels = ["get", "deploy", "web", "-o", "jsonpath={.metadata.labels}"];
    assert_eq!(cluster.ok(&labels, ""), "");
    cluster.ok(&apply, DEFINITION);
    cluster.ok(&apply, CRON_TAB);
    let other = ["apply", "--server-side", "--field-manager=other", "-f", "-"];
    let refused = cluster.refused(&other, &CRON_TAB.replace("replicas: 2", "replicas: 3"));
    assert!(refused.contains(".spec.replicas"), "{refused}");
}
