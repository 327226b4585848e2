//! Clients that kubectl is not.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::protocol::Encoding;
use crate::spdy::client::{Client, Heard};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use tokio::io::{DuplexStream, duplex};

const ALL: &str = "/exec?command=cat&stdin=1&stdout=1&stderr=1";

fn wanted(uri: &str) -> Wanted {
    Wanted::from_uri(&uri.parse().unwrap()).unwrap()
}

/// A command that gives back its input and ends with code 3.
fn echo() -> Exec {
    let (stdin, stdout) = duplex(1024);
    Exec {
        stdin: Some(Box::new(stdin)),
        stdout: Some(Box::new(stdout)),
        stderr: Some(Box::new(tokio::io::empty())),
        resize: None,
        exit: Box::pin(std::future::ready(Exit::Code(3))),
    }
}

fn serve(protocol: ExecProtocol) -> (DuplexStream, tokio::task::JoinHandle<Ended>) {
    let (client, server) = duplex(1024);
    let ended =
        tokio::spawn(async move { serve_exec(server, protocol, &wanted(ALL), echo()).await });
    (client, ended)
}

/// K8S-RUN: streams come in any order; each direction ends on its own; the status is the last word.
#[tokio::test]
async fn streams_of_spdy() {
    let (io, ended) = serve(ExecProtocol::Spdy(Version::V4));
    let mut client = Client::new(io);
    for (stream, kind) in [(1, "stdout"), (3, "unheard of"), (5, "stdin"), (7, "error")] {
        client.open(stream, &[("streamtype", kind)]).await;
    }
    client.ping(1).await;
    client.open(4, &[("streamtype", "stderr")]).await;
    client.open(9, &[("streamtype", "stderr")]).await;
    client.data(5, b"hello", false).await;
    client.data(5, b" world", true).await;
    let heard = client.hear_all().await;
    assert_eq!(heard.data(1), b"hello world");
    assert_eq!(heard.data(9), b"");
    let status: serde_json::Value = serde_json::from_slice(&heard.data(7)).unwrap();
    assert_eq!(status["details"]["causes"][0]["message"], "3");
    for stream in [1, 5, 7, 9] {
        assert!(heard.0.contains(&Heard::End(stream)), "{stream}");
    }
    assert!(heard.0.contains(&Heard::Ping(1)));
    assert!(heard.0.contains(&Heard::Reset(3)), "an unknown stream");
    assert!(heard.0.contains(&Heard::Reset(4)), "a server's number");
    assert_eq!(heard.0.last(), Some(&Heard::GoAway));
    drop(client);
    assert_eq!(ended.await.unwrap(), Ended::Finished);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_opens_no_streams() {
    let (io, ended) = serve(ExecProtocol::Spdy(Version::V4));
    let mut client = Client::new(io);
    client.open(1, &[("streamtype", "error")]).await;
    assert_eq!(ended.await.unwrap(), Ended::NoStreams);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_carries_nothing() {
    let (io, server) = duplex(1024);
    let mut exec = echo();
    exec.exit = Box::pin(std::future::pending());
    let protocol = ExecProtocol::WebSocket(Version::V5, Encoding::Binary);
    let ended = serve_exec(server, protocol, &wanted(ALL), exec).await;
    assert_eq!(ended, Ended::Idle);
    drop(io);
}

/// A client's message, masked with zeros.
fn message(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    assert!(length < 126);
    let head = [0x80 | opcode, 0x80 | length, 0, 0, 0, 0];
    [&head[..], payload].concat()
}

/// K8S-RUN: base64 in text, for clients that have nothing else; a close of input; a ping is answered.
#[tokio::test]
async fn channels_in_base64() {
    let (mut io, ended) = serve(ExecProtocol::WebSocket(Version::V5, Encoding::Base64));
    let input = format!("0{}", STANDARD.encode("hello"));
    let close = format!("{}{}", char::from(0x2f), STANDARD.encode([0]));
    for (opcode, payload) in [
        (1, input.as_str()),
        (9, "ping"),
        (1, ""),
        (1, "0*"),
        (1, &close),
    ] {
        io.write_all(&message(opcode, payload.as_bytes()))
            .await
            .unwrap();
    }
    let (mut heard, mut buffer) = (String::new(), [0; 1024]);
    // The status is the last word.
    while !heard.contains("3eyJ") {
        let read = io.read(&mut buffer).await.unwrap();
        assert!(read > 0, "{heard}");
        heard.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    assert!(heard.contains("ping"), "{heard}");
    assert!(heard.contains("1aGVsbG8="), "{heard}");
    io.write_all(&message(8, &[3, 0xe8])).await.unwrap();
    assert_eq!(ended.await.unwrap(), Ended::Finished);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever a client sends, its session ends when it goes.
    #[test]
    fn any_bytes_end(
        bytes in proptest::collection::vec(any::<u8>(), 0..512),
        websocket in any::<bool>(),
        base64 in any::<bool>(),
    ) {
        let encoding = if base64 { Encoding::Base64 } else { Encoding::Binary };
        let protocol = if websocket {
            ExecProtocol::WebSocket(Version::V5, encoding)
        } else {
            ExecProtocol::Spdy(Version::V4)
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async move {
            let (mut client, ended) = serve(protocol);
            let _ = client.write_all(&bytes).await;
            drop(client);
            ended.await.unwrap();
        });
    }
}
