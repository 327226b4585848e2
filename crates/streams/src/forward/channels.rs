//! Ports as channels of a WebSocket: a port's data on an even one, its errors on the next. The server
//! begins each with the port's number, and each has one connection.

use super::{Pair, Target, forward};
use crate::carrier::{Carrier, Ended, Guard};
use crate::channel::{self, Message};
use crate::outbound::Outbound;
use crate::protocol::Encoding;
use std::io;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// So many messages of a port wait at most.
const QUEUE: usize = 64;

pub(super) async fn serve<D, F>(
    carrier: Carrier,
    encoding: Encoding,
    ports: &[u16],
    target: &Target,
    dial: D,
) -> Ended
where
    D: Fn(u16) -> F,
    F: Future<Output = io::Result<TcpStream>> + Send + 'static,
{
    let (mut incoming, outgoing, end) = carrier.split();
    let mut inbound = Vec::new();
    let mut connections = JoinSet::new();
    for (channel, port) in (0..).step_by(2).zip(ports.iter().copied()) {
        let to_client = |channel| Outbound::Channel {
            channel,
            encoding,
            outgoing: outgoing.clone(),
        };
        let (to_pod, from_client) = mpsc::channel(QUEUE);
        inbound.push(to_pod);
        let pair = Pair {
            inbound: from_client,
            data: to_client(channel),
            error: to_client(channel + 1),
        };
        for stream in [&pair.data, &pair.error] {
            let _ = stream.send(&port.to_le_bytes()).await;
        }
        let (dialing, target) = (dial(port), target.clone());
        connections.spawn(async move { forward(port, pair, &target, dialing).await });
    }
    let reader = Guard::spawn(async move {
        while let Some(message) = incoming.recv().await {
            let Message::Data(channel, data) = channel::read(encoding, false, message) else {
                continue;
            };
            let port = inbound.get(usize::from(channel / 2));
            if let Some(port) = port.filter(|_| channel % 2 == 0 && !data.is_empty()) {
                let _ = port.send(data).await;
            }
        }
    });
    while connections.join_next().await.is_some() {}
    drop((outgoing, reader));
    end.wait().await
}
