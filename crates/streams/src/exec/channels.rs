//! A command's streams as channels of a WebSocket: 0 its input, 1 its output, 2 its errors, 3 how it ended,
//! 4 the terminal's size.

use super::{Exec, Streams};
use crate::carrier::{Carrier, Ended, Guard};
use crate::channel::{self, Message};
use crate::outbound::Outbound;
use crate::protocol::{Encoding, Version};
use crate::spdy::Inbound;
use crate::wanted::Wanted;
use bytes::Bytes;
use tokio::sync::mpsc;

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;
const RESIZE: u8 = 4;
/// So many messages of a channel wait at most.
const QUEUE: usize = 16;

pub(super) async fn serve(
    carrier: Carrier,
    version: Version,
    encoding: Encoding,
    wanted: &Wanted,
    exec: Exec,
) -> Ended {
    let (incoming, outgoing, end) = carrier.split();
    let (to_stdin, stdin) = mpsc::channel(QUEUE);
    let (to_resize, resize) = mpsc::channel(QUEUE);
    let channels = Channels {
        stdin: Some(to_stdin).filter(|_| wanted.stdin),
        resize: Some(to_resize).filter(|_| wanted.tty),
    };
    let reader = Guard::spawn(channels.read(incoming, encoding, version.closes()));
    let to_client = |channel| Outbound::Channel {
        channel,
        encoding,
        outgoing: outgoing.clone(),
    };
    // An empty message tells the client that the streams are there, as upstream's does.
    let first = match wanted {
        Wanted { stdout: true, .. } => STDOUT,
        Wanted { stderr: true, .. } => STDERR,
        _ => ERROR,
    };
    let _ = to_client(first).send(&[]).await;
    let streams = Streams {
        stdin: Some(stdin).filter(|_| wanted.stdin),
        stdout: wanted.stdout.then(|| to_client(STDOUT)),
        stderr: wanted.stderr.then(|| to_client(STDERR)),
        error: to_client(ERROR),
        resize: Some(resize).filter(|_| wanted.tty),
        silent: Vec::new(),
    };
    let finished = streams
        .serve(exec, version, &wanted.command, &outgoing)
        .await;
    drop((outgoing, reader));
    match end.wait().await {
        Ended::Finished | Ended::ClientGone if finished => Ended::Finished,
        ended => ended,
    }
}

/// Where a client's messages go.
struct Channels {
    stdin: Option<mpsc::Sender<Bytes>>,
    resize: Option<mpsc::Sender<Bytes>>,
}

impl Channels {
    async fn read(mut self, mut incoming: Inbound, encoding: Encoding, closes: bool) {
        while let Some(message) = incoming.recv().await {
            match channel::read(encoding, closes, message) {
                Message::Data(STDIN, data) => deliver(self.stdin.as_ref(), data).await,
                Message::Data(RESIZE, data) => deliver(self.resize.as_ref(), data).await,
                Message::Close(STDIN) => self.stdin = None,
                Message::Close(RESIZE) => self.resize = None,
                Message::Data(..) | Message::Close(_) | Message::Nothing => {}
            }
        }
    }
}

async fn deliver(to: Option<&mpsc::Sender<Bytes>>, data: Bytes) {
    if let Some(to) = to {
        let _ = to.send(data).await;
    }
}
