//! A client's connection under its requests: tells when bytes pass, and puts the cloud's words in the
//! place of hyper's own where hyper refuses a request before anybody sees it.

use super::Client;
use super::words::Service;
use crate::journal::Entry;
use crate::own::{self, Refusal};
use crate::wire::Wire;
use bytes::{Buf, Bytes};
use fabric::balancer::http::{Dialect, Http};
use http::Response;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};

/// How much of what can't be parsed is looked at.
const HEARD: usize = 256;

/// A client's connection under its requests.
pub(crate) struct Line {
    wire: Wire,
    client: Arc<Client>,
    /// What is said instead, and how long what hyper said was.
    instead: Option<(Bytes, usize)>,
    /// What was read before and not used.
    unread: Bytes,
}

impl Line {
    /// Requests come over a connection.
    pub(crate) fn new(wire: Wire, client: Arc<Client>) -> Self {
        Self {
            wire,
            client,
            instead: None,
            unread: Bytes::new(),
        }
    }

    /// Has bytes be read again.
    pub(crate) fn unread(&mut self, bytes: Bytes) {
        self.unread = bytes;
    }

    /// Waits until there is something to read.
    pub(crate) async fn readable(&self) {
        if self.unread.is_empty() {
            // An error is something to read as well.
            let _ = self.wire.tcp().ready(Interest::READABLE).await;
        }
    }

    fn poll_onward<T>(&self, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        self.client.activity.set_blocked(written.is_pending());
        written
    }

    /// Writes the rest of what is said instead.
    fn poll_instead(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        while let Some((left, length)) = &mut self.instead {
            if left.is_empty() {
                let length = *length;
                self.instead = None;
                return Poll::Ready(Ok(length));
            }
            let written = Pin::new(&mut self.wire).poll_write(context, left);
            self.client.activity.set_blocked(written.is_pending());
            let written = ready!(written)?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.client.activity.has_written(written);
            left.advance(written);
        }
        Poll::Ready(Ok(0))
    }

    /// If hyper refuses a request by itself, says so in the cloud's words.
    fn replace(&mut self, said: &[u8]) -> bool {
        let Some(status) = hypers_own(said) else {
            return false;
        };
        let words = self.client.front.words();
        let Service::Http(http) = &words.service else {
            return false;
        };
        let heard = self
            .client
            .heard
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let refusal = refusal(status, &heard);
        drop(heard);
        let answer = own::refuse(refusal, http.http.dialect, http.http.headers.server);
        if http.http.access_log {
            drop(Entry::unparsed(
                &words,
                &self.client,
                http.http.dialect,
                refusal,
            ));
        }
        self.instead = Some((text(answer, &http.http), said.len()));
        true
    }
}

/// The status of an answer that is hyper's own: it has no `Date`, which every answer of ours has.
fn hypers_own(said: &[u8]) -> Option<u16> {
    let status = match said.get(..12)? {
        b"HTTP/1.1 400" | b"HTTP/1.0 400" => 400,
        b"HTTP/1.1 431" | b"HTTP/1.0 431" => 431,
        b"HTTP/1.1 414" | b"HTTP/1.0 414" => 414,
        _ => return None,
    };
    let text = String::from_utf8_lossy(said).to_ascii_lowercase();
    let head = text.strip_suffix("\r\n\r\n")?;
    let known = |line: &str| line == "connection: close" || line == "content-length: 0";
    head.split("\r\n").skip(1).all(known).then_some(status)
}

/// Why a request that hyper refused is refused.
fn refusal(status: u16, heard: &[u8]) -> Refusal {
    let line = heard
        .split(|byte| *byte == b'\r')
        .next()
        .unwrap_or_default();
    let version = line.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    let known = matches!(version, b"HTTP/1.1" | b"HTTP/1.0");
    let text = String::from_utf8_lossy(heard).to_ascii_lowercase();
    match status {
        414 => Refusal::UriTooLong,
        400 if version.starts_with(b"HTTP/") && !known => Refusal::Version,
        400 if text.contains("\r\ntransfer-encoding:") => Refusal::TransferCoding,
        _ => Refusal::BadRequest,
    }
}

/// An answer as its bytes.
fn text(answer: Response<Bytes>, http: &Http) -> Bytes {
    let (mut head, body) = answer.into_parts();
    super::headers::finish(&mut head.headers, http);
    let reason = head.extensions.get::<hyper::ext::ReasonPhrase>();
    let mut text = format!("HTTP/1.1 {} ", head.status.as_str()).into_bytes();
    text.extend_from_slice(reason.map_or(b"", |reason| reason.as_bytes()));
    text.extend_from_slice(b"\r\n");
    if http.dialect != Dialect::AwsClassic {
        text.extend_from_slice(b"Connection: close\r\n");
    }
    for (name, value) in &head.headers {
        let mut upper = true;
        for byte in name.as_str().bytes() {
            text.push(if upper {
                byte.to_ascii_uppercase()
            } else {
                byte
            });
            upper = byte == b'-';
        }
        text.extend_from_slice(b": ");
        text.extend_from_slice(value.as_bytes());
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"\r\n");
    text.extend_from_slice(&body);
    text.into()
}

impl AsyncRead for Line {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let line = self.get_mut();
        if !line.unread.is_empty() {
            let length = line.unread.len().min(into.remaining());
            into.put_slice(&line.unread.split_to(length));
            return Poll::Ready(Ok(()));
        }
        let before = into.filled().len();
        ready!(Pin::new(&mut line.wire).poll_read(context, into))?;
        let read = &into.filled()[before..];
        line.client.activity.has_read(read.len());
        if !read.is_empty() && !line.client.activity.is_waiting() {
            let mut heard = line
                .client
                .heard
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            heard.clear();
            heard.extend_from_slice(&read[..read.len().min(HEARD)]);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        let line = self.get_mut();
        if line.instead.is_some() || (from.get(9) == Some(&b'4') && line.replace(from)) {
            return line.poll_instead(context);
        }
        let written = Pin::new(&mut line.wire).poll_write(context, from);
        let written = ready!(line.poll_onward(written))?;
        line.client.activity.has_written(written);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        from: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let line = self.get_mut();
        let first = from.iter().find(|slice| !slice.is_empty());
        let refuses = |slice: &IoSlice<'_>| slice.get(9) == Some(&b'4');
        if line.instead.is_some()
            || first.is_some_and(|slice| refuses(slice) && line.replace(slice))
        {
            return line.poll_instead(context);
        }
        let written = Pin::new(&mut line.wire).poll_write_vectored(context, from);
        let written = ready!(line.poll_onward(written))?;
        line.client.activity.has_written(written);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.wire.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let line = self.get_mut();
        let flushed = Pin::new(&mut line.wire).poll_flush(context);
        if flushed.is_pending() {
            line.client.activity.set_blocked(true);
        }
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().wire).poll_shutdown(context)
    }
}
