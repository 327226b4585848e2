//! `kubectl exec`, `attach`, `cp` and `port-forward` through the API server to a kubelet that speaks what
//! kubelets speak; this machine's own programs and ports are the pod's.

use crate::kubectl::Kubectl;
use crate::wire::acceptor;
use crate::world::{World, issue};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use kube::certificates::Usage;
use std::convert::Infallible;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Stdio};
use streams::{
    Exec, Exit, Target, Wanted, negotiate_exec, negotiate_port_forward, serve_exec,
    serve_port_forward,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

/// What makes kubectl speak what it spoke before WebSockets.
const OLD: [(&str, &str); 2] = [
    ("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", "false"),
    ("KUBECTL_PORT_FORWARD_WEBSOCKETS", "false"),
];

async fn kubelet(world: &World) -> u16 {
    let own = issue(
        &world.authority,
        "system:node:n1",
        "system:nodes",
        Usage::Server,
    );
    let tls = acceptor(&own, Some(&world.trusted));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let tls = tls.clone();
            tokio::spawn(async move {
                let stream = tls.accept(stream).await.unwrap();
                let serving = http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service_fn(answer))
                    .with_upgrades();
                let _ = serving.await;
            });
        }
    });
    port
}

async fn answer(mut request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let upgrade = hyper::upgrade::on(&mut request);
    if path == "/portForward/default/p" {
        let accepted = negotiate_port_forward(&request).unwrap();
        tokio::spawn(async move {
            let io = TokioIo::new(upgrade.await.unwrap());
            let target = Target {
                pod: "p".to_owned(),
                uid: "u".to_owned(),
            };
            let dial = |port| TcpStream::connect(("127.0.0.1", port));
            serve_port_forward(io, accepted.protocol, target, dial).await;
        });
        return Ok(accepted.response.map(|()| Full::default()));
    }
    let accepted = negotiate_exec(&request).unwrap();
    let wanted = Wanted::from_uri(request.uri()).unwrap();
    assert!(
        path == "/exec/default/p/c" || path == "/attach/default/p/c",
        "{path}"
    );
    tokio::spawn(async move {
        let io = TokioIo::new(upgrade.await.unwrap());
        let exec = run(&wanted);
        serve_exec(io, accepted.protocol, &wanted, exec).await;
    });
    Ok(accepted.response.map(|()| Full::default()))
}

fn run(wanted: &Wanted) -> Exec {
    let attached = ["sh", "-c", "echo attached; cat"].map(str::to_owned);
    let words = match wanted.command[..] {
        [] => &attached[..],
        _ => &wanted.command,
    };
    let input = if wanted.stdin {
        Stdio::piped()
    } else {
        Stdio::null()
    };
    let mut child = Command::new(&words[0])
        .args(&words[1..])
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    Exec {
        stdin: child.stdin.take().map(|stdin| Box::new(stdin) as _),
        stdout: child.stdout.take().map(|stdout| Box::new(stdout) as _),
        stderr: child.stderr.take().map(|stderr| Box::new(stderr) as _),
        resize: None,
        exit: Box::pin(async move {
            match child.wait().await.unwrap().code() {
                Some(0) => Exit::Success,
                code => Exit::Code(code.unwrap_or(137)),
            }
        }),
    }
}

/// A pod whose kubelet speaks, and a kubectl of each time.
async fn clients(name: &str) -> Option<(World, [Kubectl; 2])> {
    let world = World::new().await;
    let new = Kubectl::new(&world, &format!("{name}-new"), None)?;
    let mut old = Kubectl::new(&world, &format!("{name}-old"), None)?;
    old.variables = OLD.to_vec();
    let port = kubelet(&world).await;
    world.node("n1", port).await;
    world.pod("p", "n1").await;
    world.running("p").await;
    Some((world, [new, old]))
}

/// Gives a command some input, and what it printed when it ended.
async fn with_input(kubectl: &Kubectl, words: &[&str], input: Vec<u8>) -> Vec<u8> {
    let mut command = kubectl.command(words);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let ran = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let feeding = std::thread::spawn(move || stdin.write_all(&input));
        let output = child.wait_with_output().unwrap();
        feeding.join().unwrap().unwrap();
        assert!(output.status.success());
        output.stdout
    });
    ran.await.unwrap()
}

/// K8S-API: exec, attach and cp by WebSocket and by SPDY: output, errors, input, exit codes, files.
#[tokio::test(flavor = "multi_thread")]
async fn commands_run_in_pods() {
    let Some((_world, kubectls)) = clients("exec").await else {
        return;
    };
    let much: Vec<u8> = (0..1_000_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    for kubectl in &kubectls {
        let told = kubectl.ok(&["exec", "p", "--", "echo", "a b", "c"]).await;
        assert_eq!(told, "a b c\n");
        let told = kubectl
            .refused(&["exec", "p", "--", "sh", "-c", "echo no >&2; exit 3"])
            .await;
        assert_eq!(told, "no\ncommand terminated with exit code 3\n");
        let words = ["exec", "-i", "p", "--", "cat"];
        assert_eq!(with_input(kubectl, &words, much.clone()).await, much);
        let told = with_input(kubectl, &["attach", "-i", "p"], b"hello\n".to_vec()).await;
        assert!(
            String::from_utf8(told)
                .unwrap()
                .contains("attached\nhello\n")
        );
        let (here, there) = (kubectl.folder.join("here"), kubectl.folder.join("there"));
        std::fs::write(&here, &much).unwrap();
        let to = format!("p:{}", there.display());
        kubectl.ok(&["cp", here.to_str().unwrap(), &to]).await;
        assert_eq!(std::fs::read(&there).unwrap(), much);
        let back = kubectl.folder.join("back");
        kubectl.ok(&["cp", &to, back.to_str().unwrap()]).await;
        assert_eq!(std::fs::read(&back).unwrap(), much);
    }
}

/// A `kubectl port-forward` that is at work.
struct Forward(Child);

impl Drop for Forward {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// K8S-API: connections to a forwarded port reach the pod's, several at once, whole and both ways.
#[tokio::test(flavor = "multi_thread")]
async fn ports_are_forwarded() {
    let Some((_world, kubectls)) = clients("forward").await else {
        return;
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    for kubectl in &kubectls {
        let mut command = kubectl.command(&["port-forward", "p", &format!(":{port}")]);
        command.stdout(Stdio::piped());
        let mut forward = Forward(command.spawn().unwrap());
        let stdout = forward.0.stdout.take().unwrap();
        let reading = tokio::task::spawn_blocking(move || {
            let mut reader = BufReader::new(stdout);
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            // What else it prints must not hold it up.
            std::thread::spawn(move || reader.read_to_end(&mut Vec::new()));
            line
        });
        let line = reading.await.unwrap();
        let (_, rest) = line.split_once("127.0.0.1:").unwrap();
        let local: u16 = rest.split(' ').next().unwrap().parse().unwrap();
        let mut connections = Vec::new();
        for letter in [b'a', b'b', b'c'] {
            let mut stream = TcpStream::connect(("127.0.0.1", local)).await.unwrap();
            stream.write_all(&[letter; 100_000]).await.unwrap();
            connections.push((letter, stream));
        }
        for (letter, mut stream) in connections {
            let mut back = vec![0; 100_000];
            stream.read_exact(&mut back).await.unwrap();
            assert!(back.iter().all(|byte| *byte == letter));
        }
    }
}
