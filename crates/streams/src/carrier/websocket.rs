//! A connection's WebSocket messages.

use super::{Ended, LINGER, PIECE};
use crate::carrier::idle::Idle;
use bytes::Bytes;
use futures_core::Stream;
use futures_sink::Sink;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::PollSender;
use tokio_websockets::{Config, Limits, Message, ServerBuilder, WebSocketStream};

/// No message is longer than this. kubectl sends 32 KiB at once, and other clients what they are given.
const MESSAGE: usize = 32 * 1024 * 1024;

/// Which kind of message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frames {
    /// Bytes.
    Binary,
    /// Text; what is sent is ASCII.
    Text,
}

/// Carries both directions until the client closes, or nobody here has anything to say.
pub(super) async fn exchange<Io: AsyncRead + AsyncWrite + Unpin>(
    io: Io,
    frames: Frames,
    incoming: mpsc::Sender<Bytes>,
    outgoing: mpsc::Receiver<Bytes>,
    idle: &Idle,
) -> Ended {
    let socket = ServerBuilder::new()
        .limits(Limits::default().max_payload_len(Some(MESSAGE)))
        .config(Config::default().flush_threshold(2 * PIECE))
        .serve(io);
    let mut exchange = Exchange {
        socket,
        frames,
        incoming: PollSender::new(incoming),
        outgoing,
        idle,
    };
    let ended = poll_fn(|cx| exchange.poll(cx)).await;
    // Says goodbye, hears the client's, and closes.
    let mut socket = exchange.socket;
    let closing = poll_fn(|cx| Pin::new(&mut socket).poll_close(cx));
    let _ = timeout(LINGER, closing).await;
    ended
}

/// One task polls both directions, so that neither waits for the other.
struct Exchange<'a, Io> {
    socket: WebSocketStream<Io>,
    frames: Frames,
    incoming: PollSender<Bytes>,
    outgoing: mpsc::Receiver<Bytes>,
    idle: &'a Idle,
}

impl<Io: AsyncRead + AsyncWrite + Unpin> Exchange<'_, Io> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        if let Poll::Ready(ended) = self.poll_send(cx) {
            return Poll::Ready(ended);
        }
        self.poll_receive(cx)
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        loop {
            match Pin::new(&mut self.socket).poll_ready(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(Ended::ClientGone),
                Poll::Pending => return Poll::Pending,
            }
            match self.outgoing.poll_recv(cx) {
                Poll::Ready(Some(piece)) => {
                    let message = match self.frames {
                        Frames::Binary => Message::binary(piece),
                        Frames::Text => Message::text(tokio_websockets::Payload::from(piece)),
                    };
                    if Pin::new(&mut self.socket).start_send(message).is_err() {
                        return Poll::Ready(Ended::ClientGone);
                    }
                    self.idle.touch();
                }
                Poll::Ready(None) => return Poll::Ready(Ended::Finished),
                Poll::Pending => break,
            }
        }
        match Pin::new(&mut self.socket).poll_flush(cx) {
            Poll::Ready(Err(_)) => Poll::Ready(Ended::ClientGone),
            _ => Poll::Pending,
        }
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        loop {
            // What nobody here wants any more is read for the pings and the close between.
            let wanted = match self.incoming.poll_reserve(cx) {
                Poll::Ready(reserved) => reserved.is_ok(),
                Poll::Pending => return Poll::Pending,
            };
            let message = match Pin::new(&mut self.socket).poll_next(cx) {
                Poll::Ready(Some(Ok(message))) => message,
                Poll::Ready(_) => return Poll::Ready(Ended::ClientGone),
                Poll::Pending => return Poll::Pending,
            };
            if message.is_close() {
                return Poll::Ready(Ended::ClientGone);
            }
            if wanted && (message.is_binary() || message.is_text()) {
                self.idle.touch();
                let _ = self.incoming.send_item(message.into_payload().into());
            }
        }
    }
}
