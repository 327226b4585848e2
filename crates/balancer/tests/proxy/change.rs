//! Words that change while connections are open.

use crate::member::{echo, web};
use crate::world::{PORT, World, http, parts, pool, rule};
use bytes::Bytes;
use fabric::balancer::http::{Fixed, Outcome};
use fabric::balancer::{MemberState, Service};
use http::Response;
use http_body_util::Full;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a.b\r\n\r\n";

async fn ask(stream: &mut TcpStream) -> String {
    stream.write_all(GET).await.unwrap();
    let mut answer = [0; 4096];
    let length = stream.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

/// AWS-ALB: the next request on an open connection obeys new rules and new targets.
#[tokio::test]
async fn next_request_obeys() {
    let mut world = World::http(http("p"), vec![pool("p", &[echo("a").await])]).await;
    let mut stream = TcpStream::connect(world.at(PORT)).await.unwrap();
    assert!(ask(&mut stream).await.contains("\r\n\r\na\n"));
    world.pools(vec![pool("p", &[echo("b").await])]);
    world.apply().await;
    assert!(ask(&mut stream).await.contains("\r\n\r\nb\n"));
    let fixed = Fixed {
        status: 203,
        content_type: None,
        body: String::new(),
    };
    let mut listener = http("p");
    listener.rules = vec![rule(1, Vec::new(), Outcome::Fixed(fixed))];
    world.listen(PORT, Service::Http(listener));
    world.apply().await;
    assert_eq!(parts(&ask(&mut stream).await).0, 203);
}

/// AWS-ALB: a target that drains answers what it has, and gets nothing new; a listener that closes lets
/// requests under way be answered.
#[tokio::test]
async fn draining() {
    let go = Arc::new(Notify::new());
    let wait = go.clone();
    let (slow, _) = web(move |_| {
        let wait = wait.clone();
        async move {
            wait.notified().await;
            Response::new(Full::new(Bytes::from("slow")))
        }
    })
    .await;
    let mut world = World::http(http("p"), vec![pool("p", &[slow])]).await;
    let mut waiting = TcpStream::connect(world.at(PORT)).await.unwrap();
    waiting.write_all(GET).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    let mut both = pool("p", &[slow, echo("other").await]);
    both.members[0].state = MemberState::Draining;
    world.pools(vec![both]);
    world.apply().await;
    for _ in 0..3 {
        assert!(world.get("/", "").await.contains("other\n"));
    }
    world.words.listeners.clear();
    let at = world.at(PORT);
    world.apply().await;
    go.notify_waiters();
    let mut answer = String::new();
    waiting.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("slow"), "{answer}");
    // Nobody listens any more, once the workers have let go of their sockets.
    while TcpStream::connect(at).await.is_ok() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// AWS-ALB: a connection that rests between requests, or in the middle of one's head, goes on where it was.
#[tokio::test]
async fn resting() {
    let world = World::http(http("p"), vec![pool("p", &[echo("a").await])]).await;
    let mut stream = TcpStream::connect(world.at(PORT)).await.unwrap();
    let pause = std::time::Duration::from_millis(1500);
    for _ in 0..2 {
        assert!(ask(&mut stream).await.contains("\r\n\r\na\n"));
        tokio::time::sleep(pause).await;
    }
    let (first, rest) = GET.split_at(GET.len() / 2);
    stream.write_all(first).await.unwrap();
    tokio::time::sleep(pause).await;
    stream.write_all(rest).await.unwrap();
    let mut answer = [0; 4096];
    let length = stream.read(&mut answer).await.unwrap();
    assert!(String::from_utf8_lossy(&answer[..length]).contains("\r\n\r\na\n"));
}
