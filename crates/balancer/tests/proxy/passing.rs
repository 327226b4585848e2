//! Requests that are passed on, and what members and the log see of them.

use crate::member::{echo, web};
use crate::world::{PORT, World, http, parts, pool, values};
use bytes::Bytes;
use fabric::balancer::http::ForwardedFor;
use fabric::balancer::{Function, Service};
use futures_core::Stream;
use futures_sink::Sink;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_websockets::{ClientBuilder, Message, ServerBuilder, WebSocketStream};

/// AWS-ALB: members are told about the client, and not about its connection.
#[tokio::test]
async fn headers() {
    let world = World::http(http("p"), vec![pool("p", &[echo("a").await])]).await;
    let more = "X-Forwarded-For: 203.0.113.7\r\nKeep-Alive: 5\r\nX-Hop: 1\r\n";
    let text =
        format!("GET /x?y HTTP/1.1\r\nHost: web.example\r\nConnection: close, x-hop\r\n{more}\r\n");
    let answer = world.say(text).await;
    let (status, _, body) = parts(&answer);
    assert_eq!(status, 200);
    assert!(body.starts_with("a\nGET /x?y\n"), "{body}");
    for line in [
        "host: web.example\n",
        "x-forwarded-for: 203.0.113.7, 127.0.0.1\n",
        "x-forwarded-proto: http\n",
        "x-forwarded-port: 80\n",
        "x-amzn-trace-id: Root=1-",
    ] {
        assert!(body.contains(line), "{line}: {body}");
    }
    for gone in ["keep-alive:", "x-hop:", "connection:"] {
        assert!(!body.contains(gone), "{gone}: {body}");
    }
    assert_eq!(values(&answer, "date").len(), 1);
}

/// AWS-ALB: the modes of X-Forwarded-For, the client's port, the listener's port in Host, invalid names.
#[tokio::test]
async fn header_modes() {
    let member = echo("a").await;
    let mut listener = http("p");
    let mut world = World::http(listener.clone(), vec![pool("p", &[member])]).await;
    let sent = "X-Forwarded-For: 1.2.3.4\r\nbad_name: 1\r\n";
    assert!(world.get("/", sent).await.contains("bad_name: 1"));
    listener.headers.forwarded_for = ForwardedFor::Preserve;
    listener.headers.drop_invalid = true;
    world.listen(PORT, Service::Http(listener.clone()));
    world.apply().await;
    let answer = world.get("/", sent).await;
    assert!(answer.contains("x-forwarded-for: 1.2.3.4\n"), "{answer}");
    assert!(!answer.contains("bad_name"), "{answer}");
    listener.headers.forwarded_for = ForwardedFor::Remove;
    world.listen(PORT, Service::Http(listener.clone()));
    world.apply().await;
    assert!(!world.get("/", sent).await.contains("x-forwarded-for"));
    listener.headers.forwarded_for = ForwardedFor::Append;
    listener.headers.client_port = true;
    world.words.listeners.clear();
    world.listen(8080, Service::Http(listener));
    world.apply().await;
    let mut stream = TcpStream::connect(world.at(8080)).await.unwrap();
    let own = stream.local_addr().unwrap();
    let text = "GET / HTTP/1.0\r\nHost: web.example\r\n\r\n";
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains("host: web.example:8080\n"), "{answer}");
    assert!(
        answer.contains(&format!("x-forwarded-for: {own}\n")),
        "{answer}"
    );
}

/// AWS-ALB: one connection to the member serves many requests of many clients, one after another.
#[tokio::test]
async fn member_connections_are_kept() {
    let answer = |_| async { Response::new(Full::new(Bytes::from("hello"))) };
    let (member, taken) = web(answer).await;
    let world = World::http(http("p"), vec![pool("p", &[member])]).await;
    let mut stream = TcpStream::connect(world.at(PORT)).await.unwrap();
    for _ in 0..20 {
        let text = "GET / HTTP/1.1\r\nHost: a.b\r\n\r\n";
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = [0; 4096];
        let length = stream.read(&mut answer).await.unwrap();
        assert!(answer[..length].ends_with(b"\r\n\r\nhello"));
    }
    assert_eq!(taken.load(Ordering::SeqCst), 1);
}

/// AWS-ALB: long bodies pass both ways, with a length and in chunks, and `Expect: 100-continue` is met.
#[tokio::test]
async fn bodies() {
    let echo = |request: Request<hyper::body::Incoming>| async {
        let body = request.into_body().collect().await.unwrap().to_bytes();
        Response::new(Full::new(body))
    };
    let (member, _) = web(echo).await;
    let world = World::http(http("p"), vec![pool("p", &[member])]).await;
    let body = "x".repeat(3_000_000);
    let head = format!(
        "POST / HTTP/1.1\r\nHost: a.b\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let answer = world.say(format!("{head}{body}")).await;
    assert_eq!(parts(&answer).2.len(), body.len());
    let head =
        "POST / HTTP/1.1\r\nHost: a.b\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n";
    let answer = world
        .say(format!("{head}\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"))
        .await;
    assert_eq!(parts(&answer).2, "abcde");
    let mut stream = TcpStream::connect(world.at(PORT)).await.unwrap();
    let head = "POST / HTTP/1.1\r\nHost: a.b\r\nConnection: close\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut first = [0; 25];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"ok").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert_eq!(parts(&answer).2, "ok");
}

/// AWS-ALB: a client by HTTP/1.0 gets no chunks.
#[tokio::test]
async fn old_clients() {
    let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
    let member = crate::member::says(text).await;
    let world = World::http(http("p"), vec![pool("p", &[member])]).await;
    let answer = world.say("GET / HTTP/1.0\r\nHost: a.b\r\n\r\n").await;
    assert_eq!(parts(&answer).2, "hi");
    assert!(!parts(&answer).1.contains("chunked"), "{answer}");
}

/// AWS-ALB: members take turns; the one with fewer requests under way is preferred if that is wanted.
#[tokio::test]
async fn turns() {
    let members = [echo("a").await, echo("b").await];
    let world = World::http(http("p"), vec![pool("p", &members)]).await;
    let mut names = Vec::new();
    for _ in 0..4 {
        let answer = world.get("/", "").await;
        names.push(parts(&answer).2.lines().next().unwrap().to_owned());
    }
    assert!(
        names == ["a", "b", "a", "b"] || names == ["b", "a", "b", "a"],
        "{names:?}"
    );
}

/// AWS-ALB: who has fewer requests under way is preferred, if that is wanted.
#[tokio::test]
async fn least_outstanding() {
    let members = [crate::member::silent().await, echo("quick").await];
    let mut least = pool("p", &members);
    least.conduct.algorithm = fabric::balancer::Algorithm::LeastOutstanding;
    let world = World::http(http("p"), vec![least]).await;
    // Requests are sent until one waits at the silent member; from then on the other gets them all.
    let mut waiting = Vec::new();
    while waiting.is_empty() {
        let mut stream = TcpStream::connect(world.at(PORT)).await.unwrap();
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: a.b\r\n\r\n")
            .await
            .unwrap();
        let limit = std::time::Duration::from_millis(300);
        let mut answer = [0; 4096];
        if tokio::time::timeout(limit, stream.read(&mut answer))
            .await
            .is_err()
        {
            waiting.push(stream);
        }
    }
    for _ in 0..6 {
        assert!(world.get("/", "").await.contains("quick"));
    }
}

/// AWS-ALB: a WebSocket passes through.
#[tokio::test]
async fn web_sockets() {
    let member = crate::member::each(|stream| async move {
        let (_, mut socket) = ServerBuilder::new().accept(stream).await.unwrap();
        while let Some(Ok(message)) = next(&mut socket).await {
            if message.is_text() {
                let text = format!("heard {}", message.as_text().unwrap());
                send(&mut socket, Message::text(text)).await;
            }
        }
    })
    .await;
    let mut listener = http("p");
    listener.access_log = true;
    let world = World::http(listener, vec![pool("p", &[member])]).await;
    let uri = format!("ws://{}/chat", world.at(PORT)).parse().unwrap();
    let (mut socket, _) = ClientBuilder::from_uri(uri).connect().await.unwrap();
    for text in ["one", "two"] {
        send(&mut socket, Message::text(text)).await;
        let answer = next(&mut socket).await.unwrap().unwrap();
        assert_eq!(answer.as_text(), Some(format!("heard {text}").as_str()));
    }
    drop(socket);
    let line = world.lines(1).await.remove(0);
    assert!(line.starts_with("ws "), "{line}");
    assert!(line.contains(" 101 101 "), "{line}");
}

async fn next<T: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<T>,
) -> Option<Result<Message, tokio_websockets::Error>> {
    poll_fn(|context| Pin::new(&mut *socket).poll_next(context)).await
}

async fn send<T: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<T>,
    message: Message,
) {
    poll_fn(|context| Pin::new(&mut *socket).poll_ready(context))
        .await
        .unwrap();
    Pin::new(&mut *socket).start_send(message).unwrap();
    poll_fn(|context| Pin::new(&mut *socket).poll_flush(context))
        .await
        .unwrap();
}

/// AWS-ALB: a line of the log has AWS's fields, also for what is no request.
#[tokio::test]
async fn access_log() {
    let mut listener = http("arn:pool");
    listener.access_log = true;
    let member = echo("a").await;
    let world = World::http(listener, vec![pool("arn:pool", &[member])]).await;
    let _ = world
        .get(
            "/a?b=c",
            "User-Agent: test \"x\"\r\nX-Amzn-Trace-Id: Root=1-a-b\r\n",
        )
        .await;
    let line = world.lines(1).await.remove(0);
    let plain = line.split(' ').collect::<Vec<_>>();
    assert_eq!(
        (plain[0], plain[2], plain[4]),
        ("http", "app/web/50dc", member.to_string().as_str())
    );
    assert_eq!((plain[8], plain[9]), ("200", "200"));
    assert!(
        plain[5..8]
            .iter()
            .all(|time| time.parse::<f64>().unwrap() >= 0.0),
        "{line}"
    );
    let after = "\"GET http://web.example:80/a?b=c HTTP/1.1\" \"test \\x22x\\x22\" - - arn:pool \
                 \"Root=1-a-b\" \"-\" \"-\" 0 ";
    assert!(line.contains(after), "{line}");
    let end = format!(" \"forward\" \"-\" \"-\" \"{member}\" \"200\" \"-\" \"-\" TID_");
    assert!(line.contains(&end), "{line}");
    let _ = world.say("nonsense\r\n\r\n").await;
    let line = world.lines(2).await.remove(1);
    assert!(
        line.contains(" - -1 -1 -1 400 - 0 0 \"- - - \" \"-\" - - - \"-\""),
        "{line}"
    );
}

/// AWS-ALB: a client that goes away before the answer is logged as 460.
#[tokio::test]
async fn client_goes() {
    let mut listener = http("p");
    listener.access_log = true;
    let world = World::http(listener, vec![pool("p", &[crate::member::silent().await])]).await;
    let mut stream = TcpStream::connect(world.at(PORT)).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: a.b\r\n\r\n")
        .await
        .unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    drop(stream);
    let line = world.lines(1).await.remove(0);
    assert!(line.contains(" -1 -1 -1 460 - "), "{line}");
}

/// AWS-ALB: a function's answer is passed on; without one it is 502.
#[tokio::test]
async fn functions() {
    let mut functions = pool("arn:pool", &[]);
    functions.conduct.function = Some(Function {
        name: "f".into(),
        many_valued: false,
    });
    let world = World::http(http("arn:pool"), vec![functions]).await;
    assert_eq!(parts(&world.get("/", "").await).0, 502);
    *world.here.0.invoke.lock().unwrap() = Some(Arc::new(|name, event| {
        let event: serde_json::Value = serde_json::from_slice(&event).unwrap();
        let body = format!("{name} got {}", event["path"].as_str().unwrap());
        let answer = serde_json::json!({"statusCode": 201, "headers": {"x-a": "b"}, "body": body});
        Ok(answer.to_string().into())
    }));
    let answer = world.get("/here", "").await;
    let (status, head, body) = parts(&answer);
    assert_eq!((status, body.as_str()), (201, "f got /here"));
    assert!(head.contains("x-a: b"), "{head}");
}
