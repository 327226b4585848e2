//! The bodies of answers.

use super::Client;
use crate::exchange::Relayed;
use crate::journal::Entry;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// The body of an answer, with the line of the log that is written when it is gone.
pub(crate) struct Answer {
    content: Content,
    entry: Option<Box<Entry>>,
    request: Option<Unanswered>,
}

/// A request that isn't answered to the end, as long as this lives.
pub(crate) struct Unanswered(Arc<Client>);

impl Unanswered {
    /// One more.
    pub(crate) fn new(client: &Arc<Client>) -> Self {
        client.activity.begin();
        Self(client.clone())
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        self.0.activity.end();
    }
}

enum Content {
    Own(Option<Bytes>),
    Relayed(Relayed),
}

impl Answer {
    /// The balancer's own.
    pub(crate) fn own(bytes: Bytes) -> Self {
        let content = Content::Own(Some(bytes).filter(|bytes| !bytes.is_empty()));
        Self {
            content,
            entry: None,
            request: None,
        }
    }

    /// A member's.
    pub(crate) fn relayed(relayed: Relayed) -> Self {
        Self {
            content: Content::Relayed(relayed),
            entry: None,
            request: None,
        }
    }

    /// Has a line of the log be written, and its request be answered, when it is gone.
    pub(crate) fn to(mut self, request: Unanswered, entry: Option<Box<Entry>>) -> Self {
        self.request = Some(request);
        self.entry = entry;
        self
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let answer = self.get_mut();
        let frame = match &mut answer.content {
            Content::Own(bytes) => return Poll::Ready(bytes.take().map(|b| Ok(Frame::data(b)))),
            Content::Relayed(relayed) => ready!(Pin::new(relayed).poll_frame(context)),
        };
        if let (Some(entry), Some(Ok(frame))) = (&mut answer.entry, &frame) {
            entry.sent(frame.data_ref().map_or(0, Bytes::len));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Own(bytes) => bytes.is_none(),
            Content::Relayed(relayed) => relayed.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Own(bytes) => {
                let length = bytes.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(length as u64)
            }
            Content::Relayed(relayed) => relayed.size_hint(),
        }
    }
}
