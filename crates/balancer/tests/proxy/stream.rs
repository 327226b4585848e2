//! Connections whose bytes are passed on.

use crate::member::each;
use crate::world::{PORT, World, pool};
use fabric::balancer::http::Dialect;
use fabric::balancer::{Preamble, Service, Stream};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Says back what it hears.
async fn parrot() -> SocketAddr {
    each(|stream| async move {
        let (mut read, mut write) = stream.into_split();
        let _ = tokio::io::copy(&mut read, &mut write).await;
    })
    .await
}

fn tcp(pool: &str) -> Service {
    Service::Stream(Stream {
        tls: None,
        pool: pool.into(),
        idle_timeout: 60,
        access_log: Some(Dialect::AwsClassic),
    })
}

/// AWS-CLB: a TCP listener passes bytes on, says who the client is if asked to, and logs the connection.
#[tokio::test]
async fn tcp_with_preamble() {
    let mut words = pool("p", &[parrot().await]);
    words.conduct.preamble = Some(Preamble::ProxyV1);
    let mut world = World::new();
    world.listen(PORT, tcp("p"));
    world.pools(vec![words]);
    world.apply().await;
    let mut stream = TcpStream::connect(world.at(PORT)).await.unwrap();
    let port = stream.local_addr().unwrap().port();
    stream.write_all(b"hello").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut heard = String::new();
    stream.read_to_string(&mut heard).await.unwrap();
    let to = world.at(PORT).port();
    assert_eq!(
        heard,
        format!("PROXY TCP4 127.0.0.1 127.0.0.1 {port} {to}\r\nhello")
    );
    let line = world.lines(1).await.remove(0);
    assert!(line.contains(" - - 5 "), "{line}");
    assert!(line.ends_with("\"- - - \" \"-\" - -"), "{line}");
}

/// AWS-NLB: connections to a target that leaves are cut if that is wanted, and live on if not.
#[tokio::test]
async fn cut_when_gone() {
    for cut in [true, false] {
        let mut words = pool("p", &[parrot().await]);
        words.conduct.cut_when_gone = cut;
        let mut world = World::new();
        world.listen(PORT, tcp("p"));
        world.pools(vec![words.clone()]);
        world.apply().await;
        let mut stream = TcpStream::connect(world.at(PORT)).await.unwrap();
        let mut heard = [0; 2];
        stream.write_all(b"hi").await.unwrap();
        stream.read_exact(&mut heard).await.unwrap();
        words.members.clear();
        world.pools(vec![words]);
        world.apply().await;
        if cut {
            assert_eq!(stream.read(&mut heard).await.unwrap_or(0), 0);
        } else {
            stream.write_all(b"ho").await.unwrap();
            stream.read_exact(&mut heard).await.unwrap();
            assert_eq!(&heard, b"ho");
        }
    }
}

/// AWS-NLB: a connection in which nothing is said for the idle timeout ends, and so does one without a
/// member to go to.
#[tokio::test]
async fn ends() {
    let mut world = World::new();
    let Service::Stream(mut stream) = tcp("p") else {
        return;
    };
    stream.idle_timeout = 1;
    world.listen(PORT, Service::Stream(stream));
    world.pools(vec![pool("p", &[parrot().await])]);
    world.apply().await;
    assert_eq!(world.say("hi").await, "hi");
    world.pools(vec![pool("p", &[])]);
    world.apply().await;
    assert_eq!(world.say("hi").await, "");
}
