//! A client, for tests.
#![allow(clippy::unwrap_used)]

use super::frame::{self, Decoder, Frame, tests};
use super::headers::{Deflate, Headers};
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// A client on one end of a pipe.
pub(crate) struct Client {
    io: DuplexStream,
    deflate: Deflate,
    decoder: Decoder,
}

/// What a server says; its replies go unheard.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Data(u32, Bytes),
    End(u32),
    Reset(u32),
    Ping(u32),
    GoAway,
}

/// All that a server says.
#[derive(Debug)]
pub(crate) struct Conversation(pub(crate) Vec<Heard>);

impl Conversation {
    /// A stream's bytes.
    pub(crate) fn data(&self, of: u32) -> Vec<u8> {
        let pieces = self.0.iter().filter_map(|heard| match heard {
            Heard::Data(stream, data) if *stream == of => Some(&data[..]),
            _ => None,
        });
        pieces.collect::<Vec<_>>().concat()
    }
}

impl Client {
    pub(crate) fn new(io: DuplexStream) -> Self {
        Self {
            io,
            deflate: Deflate::new().unwrap(),
            decoder: Decoder::new(),
        }
    }

    pub(crate) async fn open(&mut self, stream: u32, headers: &[(&str, &str)]) {
        let headers = Headers::from_pairs(headers);
        let frame = tests::open(stream, &headers, 0, &mut self.deflate);
        self.io.write_all(&frame).await.unwrap();
    }

    pub(crate) async fn data(&mut self, stream: u32, data: &[u8], fin: bool) {
        let frame = frame::data(stream, data, fin);
        self.io.write_all(&frame).await.unwrap();
    }

    pub(crate) async fn ping(&mut self, id: u32) {
        self.io.write_all(&frame::pong(id)).await.unwrap();
    }

    pub(crate) async fn reset(&mut self, stream: u32) {
        let frame = frame::reset(stream, frame::Reset::Cancel);
        self.io.write_all(&frame).await.unwrap();
    }

    /// What the server says next; none at the connection's end.
    pub(crate) async fn hear(&mut self) -> Option<Vec<Heard>> {
        let mut buffer = [0; 1024];
        let read = self.io.read(&mut buffer).await.unwrap();
        if read == 0 {
            return None;
        }
        self.decoder.push(&buffer[..read]);
        let mut heard = Vec::new();
        while let Some(frame) = self.decoder.next().unwrap() {
            match frame {
                Frame::Data { stream, fin, data } => {
                    heard.push(Heard::Data(stream, data));
                    heard.extend(fin.then_some(Heard::End(stream)));
                }
                Frame::Reset(stream) => heard.push(Heard::Reset(stream)),
                Frame::Ping(id) => heard.push(Heard::Ping(id)),
                Frame::GoAway => heard.push(Heard::GoAway),
                Frame::Open { .. } | Frame::Fin(_) | Frame::Other => {}
            }
        }
        Some(heard)
    }

    /// All that the server says to the end.
    pub(crate) async fn hear_all(&mut self) -> Conversation {
        let mut all = Vec::new();
        while let Some(heard) = self.hear().await {
            all.extend(heard);
        }
        Conversation(all)
    }
}
