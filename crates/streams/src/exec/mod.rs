//! A command's streams, or those of what is attached to.

mod channels;
mod resize;
mod streams;
#[cfg(test)]
mod tests;

use crate::carrier::{Carrier, Ended, LINGER, PIECE};
use crate::outbound::Outbound;
use crate::protocol::{ExecProtocol, Version};
use crate::spdy::Inbound;
use crate::status::{self, Exit};
use crate::wanted::Wanted;
use bytes::{Bytes, BytesMut};
pub use resize::Size;
use std::pin::Pin;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// A running command, or what is attached to.
pub struct Exec {
    /// Where input goes; shut down when the client ends it.
    pub stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    /// Its output: a terminal's, if it has one.
    pub stdout: Option<Box<dyn AsyncRead + Send + Unpin>>,
    /// Its errors.
    pub stderr: Option<Box<dyn AsyncRead + Send + Unpin>>,
    /// Where the terminal's sizes go.
    pub resize: Option<mpsc::Sender<Size>>,
    /// How it ends. The end is told once its output has ended too.
    pub exit: Pin<Box<dyn Future<Output = Exit> + Send>>,
}

/// Serves an exec or attach on what its upgrade left, until the command ends or the client goes.
///
/// The command outlives a client that goes; whoever runs it decides about it.
pub async fn serve_exec(
    io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    protocol: ExecProtocol,
    wanted: &Wanted,
    exec: Exec,
) -> Ended {
    match protocol {
        ExecProtocol::WebSocket(version, encoding) => {
            let carrier = Carrier::websocket(io, encoding.frames());
            channels::serve(carrier, version, encoding, wanted, exec).await
        }
        ExecProtocol::Spdy(version) => {
            streams::serve(Carrier::plain(io), version, wanted, exec).await
        }
    }
}

/// A client's streams, whatever carries them.
struct Streams {
    stdin: Option<Inbound>,
    stdout: Option<Outbound>,
    stderr: Option<Outbound>,
    /// Where the end is told.
    error: Outbound,
    resize: Option<Inbound>,
    /// What carries nothing to the client, and ends with the command: clients take the end of their input's
    /// stream for the command's.
    silent: Vec<Outbound>,
}

impl Streams {
    /// Carries a command's streams to its end; none if the client is gone before.
    async fn carry(
        exec: Exec,
        input: (Option<Inbound>, Option<Inbound>),
        output: (Option<Outbound>, Option<Outbound>),
        client: &mpsc::Sender<Bytes>,
    ) -> Option<Exit> {
        let output = async {
            let stdout = forward_output(exec.stdout, output.0);
            let stderr = forward_output(exec.stderr, output.1);
            tokio::join!(exec.exit, stdout, stderr).0
        };
        let input = async {
            let stdin = feed(input.0, exec.stdin);
            let resize = resize::follow(input.1, exec.resize);
            tokio::join!(stdin, resize);
        };
        tokio::pin!(output, input);
        let mut open = true;
        loop {
            tokio::select! {
                exit = &mut output => return Some(exit),
                () = client.closed() => break,
                () = &mut input, if open => open = false,
            }
        }
        if open {
            // What the client sent before it went is the command's.
            let _ = timeout(LINGER, input).await;
        }
        None
    }

    /// Carries a command's streams to its end, and tells it; false if the client is gone before.
    async fn serve(
        self,
        exec: Exec,
        version: Version,
        command: &[String],
        client: &mpsc::Sender<Bytes>,
    ) -> bool {
        let (input, output) = ((self.stdin, self.resize), (self.stdout, self.stderr));
        let Some(exit) = Self::carry(exec, input, output, client).await else {
            return false;
        };
        if let Some(told) = status::told(&exit, command, version)
            && self.error.send(&told).await.is_err()
        {
            return false;
        }
        self.error.finish().await;
        for stream in self.silent {
            stream.finish().await;
        }
        true
    }
}

/// Carries output until it ends. What no client wants is read all the same, so that the command isn't held.
async fn forward_output(from: Option<Box<dyn AsyncRead + Send + Unpin>>, to: Option<Outbound>) {
    if let Some(mut from) = from {
        let mut buffer = BytesMut::with_capacity(PIECE);
        // A read that fails is the end: a terminal's does when its last user closes it.
        while matches!(from.read_buf(&mut buffer).await, Ok(1..)) {
            if let Some(to) = &to {
                let _ = to.send(&buffer).await;
            }
            buffer.clear();
        }
    }
    if let Some(to) = to {
        to.finish().await;
    }
}

/// Carries input until it ends. What the command doesn't take is read all the same: behind it may stand a
/// terminal's size.
async fn feed(from: Option<Inbound>, mut to: Option<Box<dyn AsyncWrite + Send + Unpin>>) {
    let Some(mut from) = from else {
        return;
    };
    while let Some(bytes) = from.recv().await {
        if let Some(taker) = &mut to {
            let written = taker.write_all(&bytes).await;
            if written.is_err() || taker.flush().await.is_err() {
                to = None;
            }
        }
    }
    if let Some(mut taker) = to {
        let _ = taker.shutdown().await;
    }
}
