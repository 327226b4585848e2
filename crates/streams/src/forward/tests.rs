//! Clients that kubectl is not.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::spdy::client::{Client, Conversation, Heard};
use tokio::io::duplex;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

fn target() -> Target {
    Target {
        pod: "p".into(),
        uid: "u".into(),
    }
}

/// A forward to a port of this machine, whatever the client calls it.
fn serve(port: u16) -> (Client, JoinHandle<Ended>) {
    let (client, server) = duplex(64 * 1024);
    let dial = move |_| TcpStream::connect(("127.0.0.1", port));
    let ended = tokio::spawn(serve_port_forward(
        server,
        ForwardProtocol::Spdy,
        target(),
        dial,
    ));
    (Client::new(client), ended)
}

async fn hear_until(client: &mut Client, last: &Heard) -> Conversation {
    let mut all = Vec::new();
    while !all.contains(last) {
        all.extend(client.hear().await.unwrap());
    }
    Conversation(all)
}

/// K8S-NET: a pair is found by its request, or by its streams' numbers where there is none; the pod's answer
/// comes though the client has ended its direction.
#[tokio::test]
async fn pairs_are_found() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (mut client, ended) = serve(listener.local_addr().unwrap().port());
    let pairs = [
        [(1, "error", Some("7")), (5, "data", Some("7"))],
        [(7, "error", None), (9, "data", None)],
    ];
    for [error, data] in pairs {
        for (stream, kind, request) in [error, data] {
            let mut headers = vec![("streamtype", kind), ("port", "80")];
            headers.extend(request.map(|id| ("requestid", id)));
            client.open(stream, &headers).await;
        }
        let data = data.0;
        client.data(data, b"question", true).await;
        let (mut pod, _) = listener.accept().await.unwrap();
        let mut asked = String::new();
        pod.read_to_string(&mut asked).await.unwrap();
        assert_eq!(asked, "question");
        pod.write_all(b"answer").await.unwrap();
        drop(pod);
        let heard = hear_until(&mut client, &Heard::End(error.0)).await;
        assert_eq!(heard.data(data), b"answer");
        assert_eq!(heard.data(error.0), b"");
    }
    drop(client);
    assert_eq!(ended.await.unwrap(), Ended::ClientGone);
}

/// K8S-NET: a stream that doesn't say what it is for is reset, and so is the second of a kind.
#[tokio::test]
async fn streams_that_say_nothing_are_reset() {
    let (mut client, _) = serve(1);
    let request = ("requestid", "1");
    for (stream, headers) in [
        (1, &[("streamtype", "data"), request][..]),
        (3, &[("streamtype", "data"), ("port", "0")]),
        (5, &[("streamtype", "stdin"), ("port", "80")]),
        (7, &[("port", "80")]),
    ] {
        client.open(stream, headers).await;
        hear_until(&mut client, &Heard::Reset(stream)).await;
    }
    let data = [("streamtype", "data"), ("port", "80"), request];
    client.open(9, &data).await;
    client.open(11, &data).await;
    hear_until(&mut client, &Heard::Reset(11)).await;
}

/// K8S-NET: a client that ends a connection early ends the pod's.
#[tokio::test]
async fn a_reset_ends_the_pods_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (mut client, _) = serve(listener.local_addr().unwrap().port());
    for (stream, kind) in [(1, "error"), (3, "data")] {
        let headers = [("streamtype", kind), ("port", "80")];
        client.open(stream, &headers).await;
    }
    let (mut pod, _) = listener.accept().await.unwrap();
    client.data(3, b"question", false).await;
    let mut asked = [0; 8];
    pod.read_exact(&mut asked).await.unwrap();
    client.reset(3).await;
    assert_eq!(pod.read(&mut asked).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn half_a_pair_is_given_up() {
    let (mut client, _) = serve(1);
    let headers = [("streamtype", "error"), ("port", "80"), ("requestid", "4")];
    client.open(1, &headers).await;
    let heard = hear_until(&mut client, &Heard::End(1)).await;
    assert_eq!(heard.data(1), b"(request=4) timed out waiting for streams");
}
