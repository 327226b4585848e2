//! Kubelets, pods and services behind the API server.

use crate::wire::{Wire, acceptor};
use crate::world::{ADMIN, World, authority, issue};
use kube::certificates::Usage;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::server::TlsStream;

/// A kubelet that answers one request a connection by a function, and tells whom it saw.
pub(crate) async fn kubelet<F, T>(
    world: &World,
    answer: F,
) -> (u16, mpsc::UnboundedReceiver<String>)
where
    F: Fn(Wire) -> T + Clone + Send + Sync + 'static,
    T: Future<Output = ()> + Send,
{
    let own = issue(
        &world.authority,
        "system:node:n1",
        "system:nodes",
        Usage::Server,
    );
    let tls = acceptor(&own, Some(&world.trusted));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (seen, callers) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (tls, answer, seen) = (tls.clone(), answer.clone(), seen.clone());
            tokio::spawn(async move {
                let Ok(stream) = tls.accept(stream).await else {
                    return;
                };
                let _ = seen.send(caller(&stream));
                answer(Wire::new(stream)).await;
            });
        }
    });
    (port, callers)
}

fn caller(stream: &TlsStream<TcpStream>) -> String {
    let shown = stream.get_ref().1.peer_certificates().unwrap();
    let subject = kube::certificates::subject_of(&shown[0]).unwrap();
    format!("{} {}", subject.user, subject.groups.join(","))
}

fn head(more: &str) -> String {
    format!("authorization: Bearer {ADMIN}\r\n{more}")
}

/// K8S-API: a log comes from the node's kubelet as it is written, and a refusal as upstream tells it.
#[tokio::test(flavor = "multi_thread")]
async fn logs_come_as_they_are_written() {
    let world = World::new().await;
    let (port, mut callers) = kubelet(&world, |mut wire| async move {
        let asked = wire.message().await;
        let answer: &[u8] = match asked.first.as_str() {
            "GET /containerLogs/default/p/c?follow=true&tailLines=5 HTTP/1.1" => {
                wire.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\none\n\r\n")
                    .await;
                // The second line follows when the caller has seen the first.
                assert!(!wire.take(1).await.is_empty());
                return;
            }
            "GET /containerLogs/default/p/c?previous=true HTTP/1.1" => {
                b"HTTP/1.1 400 Bad Request\r\ncontent-length: 4\r\n\r\nwhy?"
            }
            "GET /containerLogs/default/p/c?timestamps=true HTTP/1.1" => {
                b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"
            }
            "GET /containerLogs/default/p/c HTTP/1.1" => {
                b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 4\r\n\r\noops"
            }
            other => panic!("{other}"),
        };
        assert_eq!(asked.header("authorization"), None);
        wire.send(answer).await;
    })
    .await;
    world.node("n1", port).await;
    world.pod("p", "n1").await;
    let log = "/api/v1/namespaces/default/pods/p/log";
    let mut wire = world.connect(None).await;
    let request = format!(
        "GET {log}?tailLines=5&follow=true HTTP/1.1\r\nhost: api\r\n{}\r\n",
        head("")
    );
    wire.send(request.as_bytes()).await;
    let answer = wire.head().await;
    assert_eq!(
        (answer.code, answer.header("content-type")),
        (200, Some("text/plain"))
    );
    assert_eq!(wire.piece().await, b"one\n");
    drop(wire);
    assert_eq!(
        callers.recv().await.unwrap(),
        "kube-apiserver system:masters"
    );
    let refused = |query: &'static str| world.ask("GET", query, &serde_json::Value::Null);
    for (query, code, message) in [
        ("previous=true", 400, "why?"),
        (
            "timestamps=true",
            404,
            "the server could not find the requested resource ( pods/log p)",
        ),
        ("", 500, "Internal error occurred: oops"),
    ] {
        let path: &'static str = format!("{log}?{query}").leak();
        let (answered, status) = refused(path).await;
        assert_eq!(answered, code);
        assert_eq!(status["message"], message);
    }
}

/// K8S-API: after both have agreed, the two sides' bytes pass as they are, both ways, until both end.
#[tokio::test(flavor = "multi_thread")]
async fn upgrades_pass_byte_for_byte() {
    let world = World::new().await;
    let (port, _callers) = kubelet(&world, |mut wire| async move {
        let asked = wire.message().await;
        if asked.first.contains("/attach/") {
            wire.send(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno").await;
            return;
        }
        if asked.first == "GET /exec/default/p/c?command=cat&input=1&output=1 HTTP/1.1" {
            assert_eq!(asked.header("sec-websocket-protocol"), Some("v5.channel.k8s.io"));
            assert_eq!(asked.header("authorization"), None);
        } else {
            assert_eq!(asked.first, "POST /portForward/default/p HTTP/1.1");
            assert_eq!(asked.header("x-stream-protocol-version"), Some("portforward.k8s.io"));
        }
        let protocol = asked.header("upgrade").unwrap();
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: {protocol}\r\nx-own: yes\r\n\r\nhello"
        );
        wire.send(answer.as_bytes()).await;
        let heard = wire.take(300_000).await;
        wire.send(&heard).await;
    })
    .await;
    world.node("n1", port).await;
    world.pod("p", "n1").await;
    let pod = "/api/v1/namespaces/default/pods/p";
    let sent: Vec<u8> = (0..300_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    for (line, more) in [
        (
            format!("GET {pod}/exec?command=cat&container=c&stdin=true&stdout=true"),
            "upgrade: websocket\r\nsec-websocket-protocol: v5.channel.k8s.io\r\n",
        ),
        (
            format!("POST {pod}/portforward"),
            "upgrade: SPDY/3.1\r\nx-stream-protocol-version: portforward.k8s.io\r\n",
        ),
    ] {
        let mut wire = world.connect(None).await;
        let request = format!(
            "{line} HTTP/1.1\r\nhost: api\r\nconnection: Upgrade\r\n{}\r\n",
            head(more)
        );
        wire.send(request.as_bytes()).await;
        let answer = wire.head().await;
        assert_eq!(answer.code, 101, "{answer:?}");
        assert_eq!(answer.header("x-own"), Some("yes"));
        assert_eq!(wire.take(5).await, b"hello");
        wire.send(&sent).await;
        assert_eq!(wire.take(sent.len()).await, sent);
        assert!(wire.take(1).await.is_empty(), "the other side has ended");
    }
    let mut wire = world.connect(None).await;
    let more = head("connection: Upgrade\r\nupgrade: websocket\r\n");
    let answer = wire.ask("GET", &format!("{pod}/attach"), &more, "").await;
    assert_eq!((answer.code, answer.text().as_str()), (403, "no"));
    let (code, status) = world
        .ask("POST", &format!("{pod}/exec"), &json!(null))
        .await;
    assert_eq!(
        (code, &status["message"]),
        (400, &json!("Upgrade request required"))
    );
}

/// F-13, K8S-API: a kubelet that can't be reached, or isn't one, is told as upstream tells it.
#[tokio::test(flavor = "multi_thread")]
async fn kubelets_out_of_reach_are_told() {
    let world = World::new().await;
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    world.node("n1", port).await;
    world.pod("p", "n1").await;
    let pod = "/api/v1/namespaces/default/pods/p";
    let (code, status) = world
        .ask("GET", &format!("{pod}/log?tailLines=1"), &json!(null))
        .await;
    let told = format!(
        "Get \"https://127.0.0.1:{port}/containerLogs/default/p/c?tailLines=1\": dial tcp 127.0.0.1:{port}: connect: connection refused"
    );
    assert_eq!((code, &status["message"]), (500, &json!(told)));
    let mut wire = world.connect(None).await;
    let more = head("connection: Upgrade\r\nupgrade: SPDY/3.1\r\n");
    let answer = wire
        .ask("POST", &format!("{pod}/exec?command=a"), &more, "")
        .await;
    let told =
        format!("error dialing backend: dial tcp 127.0.0.1:{port}: connect: connection refused");
    assert_eq!(answer.document()["message"], told);
    // Somebody else's authority vouches for this one.
    let (_, other) = authority();
    let tls = acceptor(&issue(&other, "n1", "", Usage::Server), None);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    world
        .node("n2", listener.local_addr().unwrap().port())
        .await;
    world.pod("q", "n2").await;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(stream) = tls.accept(stream).await {
                let mut wire = Wire::new(stream);
                wire.message().await;
                wire.send(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nhi\n")
                    .await;
            }
        }
    });
    let log = "/api/v1/namespaces/default/pods/q/log";
    let (code, status) = world.ask("GET", log, &json!(null)).await;
    let message = status["message"].as_str().unwrap();
    let told = "tls: failed to verify certificate: x509: certificate signed by unknown authority";
    assert!(code == 500 && message.ends_with(told), "{message}");
    let mut wire = world.connect(None).await;
    let path = format!("{log}?insecureSkipTLSVerifyBackend=true");
    let answer = wire.ask("GET", &path, &head(""), "").await;
    assert_eq!(answer.text(), "hi\n");
}

/// K8S-API: pods, services and nodes are reached through the API, and see who forwarded.
#[tokio::test(flavor = "multi_thread")]
async fn proxies_pass_requests_on() {
    let world = World::new().await;
    let (port, _callers) = kubelet(&world, |mut wire| async move {
        let asked = wire.message().await;
        let body = format!("{} {}", asked.first, asked.text());
        let head = "HTTP/1.1 200 OK\r\nconnection: x-hop\r\nx-hop: 1\r\nx-own: 2\r\n";
        let answer = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
        wire.send(answer.as_bytes()).await;
    })
    .await;
    world.node("n1", port).await;
    let mut wire = world.connect(None).await;
    let path = "/api/v1/nodes/n1/proxy/a%20b/?x=%2F";
    let answer = wire.ask("PUT", path, &head(""), "{\"a\":1}").await;
    assert_eq!(answer.text(), "PUT /a%20b/?x=%2F HTTP/1.1 {\"a\":1}");
    assert_eq!(
        (answer.header("x-own"), answer.header("x-hop")),
        (Some("2"), None)
    );
    let answer = wire
        .ask("GET", "/api/v1/nodes/n1/proxy?a=b", &head(""), "")
        .await;
    assert_eq!(
        (answer.code, answer.header("location")),
        (301, Some("/api/v1/nodes/n1/proxy/?a=b"))
    );
    let answer = wire
        .ask("GET", "/api/v1/nodes/n9/proxy/", &head(""), "")
        .await;
    assert_eq!(answer.code, 404);
}

/// K8S-API: malformed upgrades are answered, and nothing ends but their connection.
#[tokio::test(flavor = "multi_thread")]
async fn malformed_upgrades_are_answered() {
    let world = World::new().await;
    let (port, _callers) = kubelet(&world, |mut wire| async move {
        let asked = wire.message().await;
        let answers: [&[u8]; 6] = [
            b"",
            b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\ncontent-length: 5\r\nconnection: Upgrade\r\n\r\nab",
            b"garbage\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            b"HTTP/1.1 999 ?\r\n\r\n",
        ];
        let which = asked.header("x-which").and_then(|n| n.parse::<usize>().ok());
        wire.send(answers[which.unwrap_or_default() % answers.len()]).await;
    })
    .await;
    world.node("n1", port).await;
    world.pod("p", "n1").await;
    let path = "/api/v1/namespaces/default/pods/p/exec?command=a&command=%00&stdout=%ff";
    for which in 0..6 {
        for upgrade in ["", "upgrade: \r\n", "upgrade: websocket, SPDY/3.1, \"\r\n"] {
            for connection in [
                "connection: upgrade\r\n",
                "connection: close, ,upgrade,,\r\n",
            ] {
                let mut wire = world.connect(None).await;
                let request = format!(
                    "GET {path} HTTP/1.1\r\nhost: api\r\nx-which: {which}\r\n{connection}{upgrade}{}\r\n",
                    head("sec-websocket-key: ?\r\n")
                );
                wire.send(request.as_bytes()).await;
                let answer = wire.head().await;
                // An answer whose body makes no sense, or has no end, may end before it begins.
                assert!(
                    answer.code >= 100 || which >= 4,
                    "{which} {upgrade} {connection}"
                );
            }
        }
    }
    let (code, _) = world
        .ask("GET", "/api/v1/namespaces/default/pods/p", &json!(null))
        .await;
    assert_eq!(code, 200);
}
