//! An unmodified kubectl, where this machine has one.

use crate::wire::{Wire, acceptor};
use crate::world::{ADMIN, World, issue};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube::certificates::{Issued, Usage};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tokio::net::TcpListener;

/// Google's SDK calls a dispatcher `kubectl`; its own are beside it.
fn kubectl() -> Option<PathBuf> {
    let sdk = PathBuf::from("/usr/lib/google-cloud-sdk/bin/kubectl.1.32");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join("kubectl"));
    let found = std::iter::once(sdk)
        .chain(on_path)
        .find(|path| path.exists());
    if found.is_none() {
        eprintln!("skipped: this machine has no kubectl");
    }
    found
}

struct Kubectl {
    program: PathBuf,
    folder: PathBuf,
}

impl Drop for Kubectl {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Kubectl {
    /// As the administrator, or as whom a certificate names.
    fn new(world: &World, name: &str, shown: Option<&Issued>) -> Option<Self> {
        let program = kubectl()?;
        let folder =
            std::env::temp_dir().join(format!("skylab-kubectl-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let user = match shown {
            Some(shown) => json!({
                "client-certificate-data": STANDARD.encode(&shown.certificate),
                "client-key-data": STANDARD.encode(&shown.key),
            }),
            None => json!({"token": ADMIN}),
        };
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
            "clusters": [{"name": "c", "cluster": {
                "server": format!("https://{}", world.address),
                "certificate-authority-data": STANDARD.encode(&world.trusted),
            }}],
            "users": [{"name": "c", "user": user}],
        });
        std::fs::write(folder.join("config"), config.to_string()).unwrap();
        Some(Self { program, folder })
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    async fn run(&self, words: &[&str]) -> Output {
        let mut command = Command::new(&self.program);
        command
            .arg("--cache-dir")
            .arg(self.folder.join("cache"))
            .args(words)
            .env("KUBECONFIG", self.folder.join("config"))
            .env("HOME", &self.folder)
            .stdin(Stdio::null());
        let ran = tokio::task::spawn_blocking(move || command.output());
        ran.await.unwrap().unwrap()
    }

    async fn ok(&self, words: &[&str]) -> String {
        let output = self.run(words).await;
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    async fn refused(&self, words: &[&str]) -> String {
        let output = self.run(words).await;
        assert!(!output.status.success(), "{words:?}");
        String::from_utf8(output.stderr).unwrap()
    }
}

fn openssl(folder: &Path, words: &[&str]) -> Option<()> {
    let output = Command::new("openssl")
        .args(words)
        .current_dir(folder)
        .output();
    match output {
        Ok(output) => {
            assert!(output.status.success(), "{words:?}");
            Some(())
        }
        Err(_) => {
            eprintln!("skipped: this machine has no openssl");
            None
        }
    }
}

/// K8S-API: a request for a certificate is approved by kubectl, signed, and its holder is known by it.
#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_approved() {
    let world = World::new().await;
    let Some(admin) = Kubectl::new(&world, "csr", None) else {
        return;
    };
    let signing = kube::certificates::signer::run(world.cluster.clone(), world.authority.clone());
    tokio::spawn(signing);
    let words = [
        "req",
        "-new",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-keyout",
        "key.pem",
        "-subj",
        "/O=dev/O=ops/CN=ann",
        "-out",
        "ann.csr",
    ];
    if openssl(&admin.folder, &words).is_none() {
        return;
    }
    let asked = std::fs::read(admin.folder.join("ann.csr")).unwrap();
    let object = json!({
        "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest",
        "metadata": {"name": "ann"},
        "spec": {
            "request": STANDARD.encode(asked), "usages": ["client auth"],
            "signerName": "kubernetes.io/kube-apiserver-client", "expirationSeconds": 86_400,
        },
    });
    let file = admin.file("csr.json", &object.to_string());
    admin.ok(&["apply", "-f", &file]).await;
    let listed = admin.ok(&["get", "csr"]).await;
    assert!(
        listed.contains("kubernetes-admin") && listed.contains("24h") && listed.contains("Pending"),
        "{listed}"
    );
    // Who may approve is a question of the signer.
    let told = admin
        .refused(&["--as=bob", "certificate", "approve", "ann"])
        .await;
    assert!(told.contains("cannot get resource"), "{told}");
    admin.ok(&["certificate", "approve", "ann"]).await;
    let issued = "--for=jsonpath={.status.certificate}";
    admin
        .ok(&["wait", issued, "csr/ann", "--timeout=20s"])
        .await;
    assert!(admin.ok(&["get", "csr"]).await.contains("Approved,Issued"));
    let described = admin.ok(&["describe", "csr", "ann"]).await;
    assert!(
        described.contains("Organization:   dev\\nops") || described.contains("ann"),
        "{described}"
    );
    let encoded = admin
        .ok(&["get", "csr", "ann", "-o", "jsonpath={.status.certificate}"])
        .await;
    let shown = Issued {
        certificate: String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap(),
        key: std::fs::read_to_string(admin.folder.join("key.pem")).unwrap(),
    };
    let ann = Kubectl::new(&world, "ann", Some(&shown)).unwrap();
    let told = ann.ok(&["auth", "whoami", "-o", "json"]).await;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let user = &told["status"]["userInfo"];
    assert_eq!(
        (&user["username"], &user["groups"]),
        (
            &json!("ann"),
            &json!(["dev", "ops", "system:authenticated"])
        )
    );
    let told = ann.refused(&["get", "pods"]).await;
    assert!(
        told.contains("User \"ann\" cannot list resource \"pods\""),
        "{told}"
    );
    admin
        .ok(&[
            "create",
            "clusterrolebinding",
            "dev",
            "--clusterrole=view",
            "--group=dev",
        ])
        .await;
    ann.ok(&["get", "pods"]).await;
}

/// K8S-API, F-13: logs by kubectl, and its words when the kubelet is out of reach.
#[tokio::test(flavor = "multi_thread")]
async fn logs_by_kubectl() {
    let world = World::new().await;
    let Some(admin) = Kubectl::new(&world, "logs", None) else {
        return;
    };
    let own = issue(
        &world.authority,
        "system:node:n1",
        "system:nodes",
        Usage::Server,
    );
    let tls = acceptor(&own, Some(&world.trusted));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(stream) = tls.accept(stream).await else {
                continue;
            };
            let mut wire = Wire::new(stream);
            let asked = wire.message().await;
            let body = if asked
                .first
                .starts_with("GET /containerLogs/default/p/c?tailLines=2 ")
            {
                "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\none\ntwo\n"
            } else {
                "HTTP/1.1 400 Bad Request\r\ncontent-length: 68\r\n\r\ncontainer \"c\" in pod \"p\" is waiting to start: ContainerCreating      "
            };
            wire.send(body.as_bytes()).await;
        }
    });
    world.node("n1", port).await;
    world.pod("p", "n1").await;
    assert_eq!(admin.ok(&["logs", "p", "--tail=2"]).await, "one\ntwo\n");
    let told = admin.refused(&["logs", "p"]).await;
    assert!(
        told.contains(
            "(BadRequest): container \"c\" in pod \"p\" is waiting to start: ContainerCreating"
        ),
        "{told}"
    );
    let told = admin.refused(&["logs", "p", "-c", "x"]).await;
    assert!(
        told.contains("container x is not valid for pod p"),
        "{told}"
    );
    serving.abort();
    let _ = serving.await;
    let told = admin.refused(&["logs", "p"]).await;
    let why = format!(
        "Error from server: Get \"https://127.0.0.1:{port}/containerLogs/default/p/c\": dial tcp 127.0.0.1:{port}: connect: connection refused"
    );
    assert!(told.contains(&why), "{told}");
    let told = admin.refused(&["exec", "p", "--", "true"]).await;
    assert!(
        told.contains(&format!(
            "error dialing backend: dial tcp 127.0.0.1:{port}: connect: connection refused"
        )),
        "{told}"
    );
}

/// K8S-API: webhooks by kubectl: their warnings, their refusals, and what it shows of them.
#[tokio::test(flavor = "multi_thread")]
async fn webhooks_by_kubectl() {
    let world = World::new().await;
    let Some(admin) = Kubectl::new(&world, "hooks", None) else {
        return;
    };
    let object = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "guard"},
        "webhooks": [{
            "name": "guard.example.com", "sideEffects": "None", "admissionReviewVersions": ["v1"],
            "clientConfig": {"service": {"namespace": "default", "name": "guard"}},
            "rules": [{
                "operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"],
                "resources": ["configmaps"],
            }],
        }],
    });
    let file = admin.file("hook.json", &object.to_string());
    admin.ok(&["apply", "-f", &file]).await;
    let listed = admin.ok(&["get", "validatingwebhookconfigurations"]).await;
    assert!(
        listed.starts_with("NAME    WEBHOOKS   AGE\nguard   1 "),
        "{listed}"
    );
    admin
        .ok(&[
            "explain",
            "validatingwebhookconfiguration.webhooks.failurePolicy",
        ])
        .await;
    let told = admin.refused(&["create", "configmap", "m"]).await;
    let why = "error: failed to create configmap: Internal error occurred: failed calling webhook \"guard.example.com\": failed to call webhook: Post \"https://guard.default.svc:443/?timeout=10s\": service \"guard\" not found";
    assert_eq!(told.trim(), why);
    admin
        .ok(&["delete", "validatingwebhookconfiguration", "guard"])
        .await;
    admin.ok(&["create", "configmap", "m"]).await;
}

/// K8S-API: drain evicts a node's pods and leaves those of daemon sets; apply prunes; rollouts go back.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_are_drained_and_rollouts_undone() {
    let world = World::new().await;
    let Some(admin) = Kubectl::new(&world, "drain", None) else {
        return;
    };
    tokio::spawn(kube::controllers::run(world.cluster.clone()));
    world.node("n1", 1).await;
    let deployment = |image: &str| {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "d", "labels": {"app": "d"}},
            "spec": {
                "selector": {"matchLabels": {"app": "d"}},
                "template": {
                    "metadata": {"labels": {"app": "d"}},
                    "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": image}]},
                },
            },
        })
        .to_string()
    };
    let file = admin.file("d.json", &deployment("i:1"));
    admin.ok(&["apply", "-f", &file]).await;
    let file = admin.file("d.json", &deployment("i:2"));
    admin.ok(&["apply", "-f", &file]).await;
    let history = ["rollout", "history", "deploy/d"];
    while !admin.ok(&history).await.contains("\n2 ") {}
    admin.ok(&["rollout", "undo", "deploy/d"]).await;
    let image = "jsonpath={.spec.template.spec.containers[0].image}";
    assert_eq!(admin.ok(&["get", "deploy", "d", "-o", image]).await, "i:1");
    let told = admin
        .refused(&["rollout", "status", "deploy/d", "--timeout=1s"])
        .await;
    assert!(
        told.contains("timed out waiting for the condition"),
        "{told}"
    );
    // Pods without a kubelet are drained when they are pending: they go at once.
    let pods = ["get", "pods", "-o", "name"];
    while admin.ok(&pods).await.is_empty() {}
    admin.ok(&["delete", "deploy", "d"]).await;
    let drain = [
        "drain",
        "n1",
        "--ignore-daemonsets",
        "--force",
        "--grace-period=0",
        "--timeout=20s",
    ];
    let drained = admin.ok(&drain).await;
    assert!(drained.contains("node/n1 drained"), "{drained}");
    let one = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one", "labels": {"set": "s"}}});
    let two = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "two", "labels": {"set": "s"}}});
    let both = admin.file("both.json", &format!("{one}\n{two}"));
    let only = admin.file("one.json", &one.to_string());
    admin.ok(&["apply", "-f", &both]).await;
    let pruned = [
        "apply",
        "-f",
        &only,
        "--prune",
        "-l",
        "set=s",
        "--prune-allowlist=core/v1/ConfigMap",
    ];
    let told = admin.ok(&pruned).await;
    assert!(told.contains("configmap/two pruned"), "{told}");
    admin.ok(&["apply", "-f", &both]).await;
    assert_eq!(
        admin.ok(&["auth", "can-i", "list", "pods"]).await.trim(),
        "yes"
    );
    let listed = admin.ok(&["auth", "can-i", "--list"]).await;
    assert!(listed.contains("*.*"), "{listed}");
}
