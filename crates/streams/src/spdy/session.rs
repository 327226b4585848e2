//! A connection's streams.

use super::frame::{self, Broken, Decoder, Frame, Reset};
use super::headers::{Deflate, Headers};
use crate::carrier::{Carrier, End, Ended, Guard, PIECE};
use crate::outbound::Gone;
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::{mpsc, watch};

/// So many streams a connection may have at once.
const STREAMS: usize = 4096;
/// So many pieces of a stream wait at most; a connection whose stream has more isn't read on.
const QUEUE: usize = 64;
/// So many streams wait to be taken.
const WAITING: usize = 16;

/// What a client sends on a stream; it ends when the client's direction does.
pub(crate) type Inbound = mpsc::Receiver<Bytes>;

/// A stream that a client opened.
pub(crate) struct Stream {
    /// Its number.
    pub(crate) id: u32,
    /// What it says of itself.
    pub(crate) headers: Headers,
    /// What the client sends.
    pub(crate) inbound: Inbound,
    /// What is sent to the client.
    pub(crate) writer: Writer,
}

/// A stream's direction to the client.
pub(crate) struct Writer {
    stream: u32,
    outgoing: mpsc::Sender<Bytes>,
    /// Whether the client reset the stream.
    over: watch::Receiver<bool>,
}

impl Writer {
    /// Sends bytes, once there is room for them.
    pub(crate) async fn send(&self, data: &[u8]) -> Result<(), Gone> {
        for piece in data.chunks(PIECE) {
            let frame = frame::data(self.stream, piece, false);
            tokio::select! {
                biased;
                () = self.gone() => return Err(Gone),
                sent = self.outgoing.send(frame) => sent.map_err(|_| Gone)?,
            }
        }
        Ok(())
    }

    /// Waits until the client resets the stream or is gone.
    pub(crate) async fn gone(&self) {
        let mut over = self.over.clone();
        tokio::select! {
            _ = over.wait_for(|over| *over) => {}
            () = self.outgoing.closed() => {}
        }
    }

    /// Ends this direction.
    pub(crate) async fn finish(self) {
        if !*self.over.borrow() {
            let _ = self
                .outgoing
                .send(frame::data(self.stream, &[], true))
                .await;
        }
    }

    /// Ends both directions.
    pub(crate) async fn reset(self) {
        let frame = frame::reset(self.stream, Reset::Cancel);
        let _ = self.outgoing.send(frame).await;
    }
}

/// A connection, seen from whoever serves its streams.
pub(crate) struct Session {
    streams: mpsc::Receiver<Stream>,
    outgoing: mpsc::Sender<Bytes>,
    last: Arc<AtomicU32>,
    reader: Guard,
    end: End,
}

impl Session {
    /// Begins to take streams whose headers are admitted.
    pub(crate) fn start(carrier: Carrier, admits: fn(&Headers) -> bool) -> Self {
        let (incoming, outgoing, end) = carrier.split();
        let (accepted, streams) = mpsc::channel(WAITING);
        let last = Arc::new(AtomicU32::new(0));
        let reader = Reader {
            outgoing: outgoing.clone(),
            last: last.clone(),
            accepted,
            admits,
            entries: HashMap::new(),
        };
        Self {
            streams,
            outgoing,
            last,
            // A connection that breaks the protocol ends as one that is gone.
            reader: Guard::spawn(async move {
                let _ = reader.run(incoming).await;
            }),
            end,
        }
    }

    /// The next stream; none when the client is gone.
    pub(crate) async fn accept(&mut self) -> Option<Stream> {
        self.streams.recv().await
    }

    /// Takes no more streams.
    pub(crate) fn close_to_streams(&mut self) {
        self.streams.close();
    }

    /// Where frames go; closed when the client is gone.
    pub(crate) fn outgoing(&self) -> mpsc::Sender<Bytes> {
        self.outgoing.clone()
    }

    /// Says goodbye and closes. What was sent before arrives before.
    pub(crate) async fn finish(self) -> Ended {
        let last = self.last.load(Ordering::Relaxed);
        let _ = self.outgoing.send(frame::go_away(last)).await;
        drop((self.reader, self.outgoing, self.streams));
        self.end.wait().await
    }
}

/// What is known of a stream.
struct Entry {
    /// Where the client's bytes go, until it ends its direction.
    inbound: Option<mpsc::Sender<Bytes>>,
    over: watch::Sender<bool>,
}

impl Entry {
    /// Whether nobody has to do with it any more.
    fn is_over(&self) -> bool {
        let deaf = self.inbound.as_ref().is_none_or(mpsc::Sender::is_closed);
        deaf && self.over.is_closed()
    }
}

struct Reader {
    outgoing: mpsc::Sender<Bytes>,
    last: Arc<AtomicU32>,
    accepted: mpsc::Sender<Stream>,
    admits: fn(&Headers) -> bool,
    entries: HashMap<u32, Entry>,
}

impl Reader {
    async fn run(mut self, mut incoming: Inbound) -> Result<(), Broken> {
        let mut decoder = Decoder::new();
        let mut deflate = Deflate::new().ok_or(Broken)?;
        while let Some(bytes) = incoming.recv().await {
            decoder.push(&bytes);
            while let Some(frame) = decoder.next()? {
                self.take(frame, &mut deflate).await?;
            }
        }
        Ok(())
    }

    async fn take(&mut self, frame: Frame, deflate: &mut Deflate) -> Result<(), Broken> {
        match frame {
            Frame::Open {
                stream,
                fin,
                unidirectional,
                headers,
            } => {
                self.open(stream, fin, unidirectional, headers, deflate)
                    .await?;
            }
            Frame::Data { stream, fin, data } => {
                let Some(entry) = self.entries.get_mut(&stream) else {
                    return Ok(());
                };
                if let Some(inbound) = entry.inbound.as_ref().filter(|_| !data.is_empty()) {
                    // Nobody wants it any more, perhaps.
                    let _ = inbound.send(data).await;
                }
                if fin {
                    entry.inbound = None;
                }
            }
            Frame::Fin(stream) => {
                if let Some(entry) = self.entries.get_mut(&stream) {
                    entry.inbound = None;
                }
            }
            Frame::Reset(stream) => {
                if let Some(entry) = self.entries.remove(&stream) {
                    entry.over.send_replace(true);
                }
            }
            // A server's own pings have even numbers, and this one sends none.
            Frame::Ping(id) if id % 2 == 1 => self.send(frame::pong(id)).await?,
            Frame::Ping(_) | Frame::GoAway | Frame::Other => {}
        }
        Ok(())
    }

    async fn open(
        &mut self,
        stream: u32,
        fin: bool,
        unidirectional: bool,
        headers: Headers,
        deflate: &mut Deflate,
    ) -> Result<(), Broken> {
        if stream.is_multiple_of(2) || stream <= self.last.load(Ordering::Relaxed) {
            return self.send(frame::reset(stream, Reset::Protocol)).await;
        }
        self.last.store(stream, Ordering::Relaxed);
        self.entries.retain(|_, entry| !entry.is_over());
        if !(self.admits)(&headers) {
            return self.send(frame::reset(stream, Reset::Cancel)).await;
        }
        let place = self.accepted.reserve().await.ok();
        let Some(place) = place.filter(|_| self.entries.len() < STREAMS) else {
            return self.send(frame::reset(stream, Reset::Refused)).await;
        };
        let reply = frame::reply(stream, deflate).ok_or(Broken)?;
        self.outgoing.send(reply).await.map_err(|_| Broken)?;
        let (to_stream, inbound) = mpsc::channel(QUEUE);
        // What the client doesn't read is as good as reset.
        let (over, is_over) = watch::channel(unidirectional);
        let entry = Entry {
            inbound: Some(to_stream).filter(|_| !fin),
            over,
        };
        self.entries.insert(stream, entry);
        place.send(Stream {
            id: stream,
            headers,
            inbound,
            writer: Writer {
                stream,
                outgoing: self.outgoing.clone(),
                over: is_over,
            },
        });
        Ok(())
    }

    async fn send(&self, frame: Bytes) -> Result<(), Broken> {
        self.outgoing.send(frame).await.map_err(|_| Broken)
    }
}
