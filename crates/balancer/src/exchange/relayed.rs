//! The body of a member's answer on its way to the client.

use crate::live::{Outstanding, Upstream};
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The body of a member's answer. It drives the connection that it comes from, and when it is whole the
/// connection is kept for the next request.
pub(crate) struct Relayed {
    body: Incoming,
    upstream: Option<Upstream>,
    outstanding: Outstanding,
}

impl Relayed {
    /// A body that comes from a connection; from one that drives itself, if that is `None`.
    pub(crate) fn new(
        body: Incoming,
        upstream: Option<Upstream>,
        outstanding: Outstanding,
    ) -> Self {
        let mut relayed = Self {
            body,
            upstream,
            outstanding,
        };
        if relayed.body.is_end_stream() {
            relayed.keep();
        }
        relayed
    }

    /// The body is whole: keeps the connection, if it can take another request.
    fn keep(&mut self) {
        let Some(mut upstream) = self.upstream.take() else {
            return;
        };
        // Nobody waits on it now: whoever takes it next looks what became of it.
        let mut context = Context::from_waker(std::task::Waker::noop());
        if upstream.is_usable(&mut context) {
            upstream.rest();
            self.outstanding.member().keep(upstream);
        }
    }

    fn poll_body(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        match &frame {
            Poll::Ready(Some(Ok(_))) if self.body.is_end_stream() => self.keep(),
            Poll::Ready(None) => self.keep(),
            Poll::Ready(Some(Err(_))) => self.upstream = None,
            Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
        }
        frame
    }
}

impl Body for Relayed {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let relayed = self.get_mut();
        let frame = relayed.poll_body(context);
        if frame.is_ready() {
            return frame;
        }
        if let Some(upstream) = &mut relayed.upstream {
            if upstream.connection.as_mut().poll(context).is_ready() {
                relayed.upstream = None;
            }
            return relayed.poll_body(context);
        }
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
