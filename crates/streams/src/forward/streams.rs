//! Connections as pairs of SPDY's streams: one for the data, one for an error, with the same `requestid`.

use super::{Pair, Target, forward};
use crate::carrier::{Carrier, Ended};
use crate::outbound::Outbound;
use crate::spdy::{Headers, Session, Stream};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// So long half a pair waits for the other (`streamCreationTimeout`).
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn serve<D, F>(carrier: Carrier, target: Target, dial: D) -> Ended
where
    D: Fn(u16) -> F,
    F: Future<Output = io::Result<TcpStream>> + Send + 'static,
{
    let target = Arc::new(target);
    let mut session = Session::start(carrier, |headers| purpose(headers).is_some());
    let mut connections = JoinSet::new();
    let mut halves = Halves::default();
    loop {
        let due = halves.due();
        let stream = tokio::select! {
            stream = session.accept() => stream,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                halves.drop_late(Instant::now()).await;
                continue;
            }
        };
        let Some(stream) = stream else {
            break;
        };
        if let Some((port, pair)) = halves.add(stream, Instant::now()).await {
            let (dialing, target) = (dial(port), target.clone());
            connections.spawn(async move { forward(port, pair, &target, dialing).await });
        }
    }
    connections.shutdown().await;
    session.finish().await
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Data,
    Error,
}

/// What a stream is for; nothing, if its headers don't say.
fn purpose(headers: &Headers) -> Option<(Kind, u16)> {
    let kind = match headers.get("streamtype")? {
        "data" => Kind::Data,
        "error" => Kind::Error,
        _ => return None,
    };
    let port = headers.get("port")?.parse().ok()?;
    (port > 0).then_some((kind, port))
}

/// Which request a stream belongs to. Clients of old number none: they open the error's stream and then the
/// data's.
fn request(stream: &Stream, kind: Kind) -> String {
    match (stream.headers.get("requestid"), kind) {
        (Some(id), _) => id.to_owned(),
        (None, Kind::Error) => stream.id.to_string(),
        (None, Kind::Data) => stream.id.wrapping_sub(2).to_string(),
    }
}

/// Streams that wait for their other half.
#[derive(Default)]
struct Halves(HashMap<String, Half>);

struct Half {
    kind: Kind,
    stream: Stream,
    due: Instant,
}

impl Halves {
    /// Takes a stream, and gives its pair if it is the second half.
    async fn add(&mut self, stream: Stream, now: Instant) -> Option<(u16, Pair)> {
        let (kind, port) = purpose(&stream.headers)?;
        let request = request(&stream, kind);
        let Some(first) = self.0.remove(&request) else {
            let due = now + PATIENCE;
            self.0.insert(request, Half { kind, stream, due });
            return None;
        };
        let (data, error) = match (first.kind, kind) {
            (Kind::Data, Kind::Error) => (first.stream, stream),
            (Kind::Error, Kind::Data) => (stream, first.stream),
            _ => {
                stream.writer.reset().await;
                self.0.insert(request, first);
                return None;
            }
        };
        let pair = Pair {
            inbound: data.inbound,
            data: Outbound::Stream(data.writer),
            error: Outbound::Stream(error.writer),
        };
        Some((port, pair))
    }

    /// When the next one has waited long enough.
    fn due(&self) -> Option<Instant> {
        self.0.values().map(|half| half.due).min()
    }

    /// Gives up those that have.
    async fn drop_late(&mut self, now: Instant) {
        let late: Vec<_> = self.0.extract_if(|_, half| half.due <= now).collect();
        for (request, half) in late {
            let writer = half.stream.writer;
            if half.kind == Kind::Error {
                let message = format!("(request={request}) timed out waiting for streams");
                let _ = writer.send(message.as_bytes()).await;
                writer.finish().await;
            } else {
                writer.reset().await;
            }
        }
    }
}
