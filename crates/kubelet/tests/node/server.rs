//! A kubelet's own server, by way of the API server and an unmodified `kubectl`.

use crate::world::{ADMIN, World};
use kube_client::Credential;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

/// A `kubectl` of this machine; without one the tests say so and pass. Google's SDK calls a dispatcher
/// `kubectl`, so its own are looked at first.
fn kubectl(world: &World) -> Option<Kubectl> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join("kubectl"));
    let sdk = PathBuf::from("/usr/lib/google-cloud-sdk/bin/kubectl.1.32");
    let found = std::iter::once(sdk)
        .chain(on_path)
        .find(|path| path.exists());
    if found.is_none() {
        eprintln!("skipped: this machine has no kubectl");
    }
    Some(Kubectl {
        program: found?,
        config: world.kubeconfig(),
        home: world.folder.clone(),
    })
}

struct Kubectl {
    program: PathBuf,
    config: PathBuf,
    home: PathBuf,
}

impl Kubectl {
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(words)
            .env("KUBECONFIG", &self.config)
            .env("HOME", &self.home);
        command
    }

    /// Runs it to its end.
    async fn run(&self, words: &[&str], input: &str) -> Output {
        let mut command = self.command(words);
        let input = input.to_owned();
        let ran = tokio::task::spawn_blocking(move || {
            let mut child = command
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let mut stdin = child.stdin.take().unwrap();
            stdin.write_all(input.as_bytes()).unwrap();
            drop(stdin);
            child.wait_with_output().unwrap()
        });
        ran.await.unwrap()
    }

    async fn ok(&self, words: &[&str]) -> String {
        let output = self.run(words, "").await;
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn start(&self, words: &[&str]) -> Running {
        let child = self.command(words).stdout(Stdio::piped()).spawn();
        Running(child.unwrap())
    }
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// The next line that it prints.
    async fn line(&mut self) -> String {
        let stdout = self.0.stdout.take().unwrap();
        let read = tokio::task::spawn_blocking(move || {
            let mut reader = BufReader::new(stdout);
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            (line, reader)
        });
        let (line, reader) = read.await.unwrap();
        assert!(reader.buffer().is_empty(), "one line at a time");
        self.0.stdout = Some(reader.into_inner());
        line
    }
}

async fn with_pod() -> (World, Option<Kubectl>) {
    let world = World::new().await;
    let spec = json!({"containers": [{"name": "c", "image": "a:1"}]});
    world.pod("web", spec).await;
    world
        .until_pod("web", |status| status["phase"] == "Running")
        .await;
    let kubectl = kubectl(&world);
    (world, kubectl)
}

/// K8S-RUN: `kubectl logs`, of what runs and of what ran before, and as it is written.
#[tokio::test(flavor = "multi_thread")]
async fn logs() {
    let (world, kubectl) = with_pod().await;
    let Some(kubectl) = kubectl else { return };
    assert_eq!(kubectl.ok(&["logs", "web"]).await, "c 0\n");
    let timed = kubectl.ok(&["logs", "web", "--timestamps"]).await;
    assert_eq!(timed, "2024-01-01T00:00:00.000000001Z c 0\n");
    let none = kubectl.run(&["logs", "web", "--previous"], "").await;
    let error = String::from_utf8_lossy(&none.stderr).into_owned();
    assert!(
        error.contains("previous terminated container \"c\" in pod \"web\" not found"),
        "{error}"
    );
    let mut following = kubectl.start(&["logs", "web", "--follow"]);
    assert_eq!(following.line().await, "c 0\n");
    world.runtime.print("c", "more");
    assert_eq!(following.line().await, "more\n");
    world.runtime.end("c", 1);
    let left = following.line().await;
    assert_eq!(left, "", "it ends with its container");
    world
        .until_pod("web", |status| {
            status["containerStatuses"][0]["restartCount"] == 1
        })
        .await;
    assert_eq!(kubectl.ok(&["logs", "web"]).await, "c 1\n");
    assert_eq!(
        kubectl.ok(&["logs", "web", "--previous", "--tail=1"]).await,
        "more\n"
    );
}

/// K8S-RUN: `kubectl exec`, with input, both outputs and the exit code, by WebSocket and by SPDY.
#[tokio::test(flavor = "multi_thread")]
async fn exec() {
    let (_world, kubectl) = with_pod().await;
    let Some(kubectl) = kubectl else { return };
    for sockets in ["true", "false"] {
        let run = async |words: &[&str], input: &str| {
            let mut command = kubectl.command(words);
            command.env("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", sockets);
            let input = input.to_owned();
            let ran = tokio::task::spawn_blocking(move || {
                let mut child = command
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn()
                    .unwrap();
                let mut stdin = child.stdin.take().unwrap();
                stdin.write_all(input.as_bytes()).unwrap();
                drop(stdin);
                child.wait_with_output().unwrap()
            });
            ran.await.unwrap()
        };
        let said = run(
            &[
                "exec",
                "web",
                "--",
                "sh",
                "-c",
                "echo out; echo err >&2; exit 3",
            ],
            "",
        )
        .await;
        assert_eq!(String::from_utf8_lossy(&said.stdout), "out\n");
        assert!(String::from_utf8_lossy(&said.stderr).starts_with("err\n"));
        assert_eq!(said.status.code(), Some(3), "{sockets}");
        let long = "x".repeat(100_000);
        let counted = run(&["exec", "-i", "web", "--", "wc", "-c"], &long).await;
        assert_eq!(String::from_utf8_lossy(&counted.stdout).trim(), "100000");
    }
    let nobody = kubectl.run(&["exec", "web", "--", "nonsense"], "").await;
    assert!(!nobody.status.success());
}

/// K8S-RUN: `kubectl port-forward` reaches what listens in the pod.
#[tokio::test(flavor = "multi_thread")]
async fn ports_are_forwarded() {
    let (_world, kubectl) = with_pod().await;
    let Some(kubectl) = kubectl else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut heard = [0; 4];
        stream.read_exact(&mut heard).unwrap();
        stream.write_all(b"pong").unwrap();
        heard
    });
    let ports = format!(":{port}");
    let mut forwarding = kubectl.start(&["port-forward", "--address=127.0.0.1", "web", &ports]);
    let line = forwarding.line().await;
    let at = line.split(' ').nth(2).unwrap().to_owned();
    let answered = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(at).unwrap();
        stream.write_all(b"ping").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    assert_eq!(answered.await.unwrap(), "pong");
    assert_eq!(&serving.join().unwrap(), b"ping");
}

/// K8S-RUN: what a node's containers use, by the API server's proxy.
#[tokio::test(flavor = "multi_thread")]
async fn metrics() {
    let (world, kubectl) = with_pod().await;
    let Some(kubectl) = kubectl else { return };
    let path = "/api/v1/nodes/n1/proxy";
    let text = kubectl
        .ok(&["get", "--raw", &format!("{path}/metrics/resource")])
        .await;
    let line =
        "container_cpu_usage_seconds_total{container=\"c\",namespace=\"default\",pod=\"web\"} 1.5 ";
    assert!(text.contains(line), "{text}");
    let summary = world
        .admin
        .get(&format!("{path}/stats/summary"))
        .await
        .unwrap();
    assert_eq!(summary["node"]["nodeName"], "n1");
    assert_eq!(summary["pods"][0]["podRef"]["name"], "web");
    let pods = world.admin.get(&format!("{path}/pods")).await.unwrap();
    assert_eq!(pods["items"][0]["status"]["phase"], "Running");
}

/// OPS-SAFE, K8S-RUN: nobody is answered whom the API doesn't know, or who may not.
#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_refused() {
    let (world, _) = with_pod().await;
    let code = async |credential: Credential| {
        let client = world.kubelet_client(credential).await;
        client.get("/pods").await.map_err(|error| error.code())
    };
    assert_eq!(code(Credential::Anonymous).await, Err(Some(401)));
    assert_eq!(code(Credential::Token("x".into())).await, Err(Some(401)));
    let path = "/api/v1/namespaces/default/serviceaccounts/default/token";
    let made = world
        .create(
            path,
            json!({"kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1", "spec": {}}),
        )
        .await;
    let token = made["status"]["token"].as_str().unwrap().to_owned();
    assert_eq!(code(Credential::Token(token)).await, Err(Some(403)));
    let pods: Value = code(Credential::Token(ADMIN.into())).await.unwrap();
    assert_eq!(pods["items"][0]["metadata"]["name"], "web");
}
