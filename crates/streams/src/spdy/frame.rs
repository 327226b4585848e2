//! SPDY's frames, read from bytes as they come and written.

use super::headers::{Deflate, Headers, Inflate, LIMIT};
use bytes::{Buf, BufMut, Bytes, BytesMut};

const VERSION: u16 = 3;
const SYN_STREAM: u16 = 1;
const SYN_REPLY: u16 = 2;
const RST_STREAM: u16 = 3;
const PING: u16 = 6;
const GOAWAY: u16 = 7;
const HEADERS: u16 = 8;
const FIN: u8 = 1;
const UNIDIRECTIONAL: u8 = 2;
/// What is left of a stream's number and other 31-bit fields.
const MASK: u32 = 0x7fff_ffff;

/// Why a stream is reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reset {
    Protocol = 1,
    Refused = 3,
    Cancel = 5,
}

/// What a client sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// A stream begins.
    Open {
        stream: u32,
        /// The client sends nothing on it.
        fin: bool,
        /// The client reads nothing from it.
        unidirectional: bool,
        headers: Headers,
    },
    /// A stream's bytes, as many as have come; `fin` with the last.
    Data {
        stream: u32,
        fin: bool,
        data: Bytes,
    },
    /// The client ends its direction by a frame of headers.
    Fin(u32),
    /// A stream is over, in both directions.
    Reset(u32),
    Ping(u32),
    GoAway,
    /// Settings, windows, and what later versions have: passed over.
    Other,
}

/// The client doesn't speak SPDY/3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken;

/// Reads frames.
pub(super) struct Decoder {
    buffer: BytesMut,
    inflate: Inflate,
    /// The data frame of which more is to come.
    open: Option<Open>,
    /// So many bytes of a frame that is passed over are to come.
    skip: usize,
}

struct Open {
    stream: u32,
    fin: bool,
    left: usize,
}

impl Decoder {
    pub(super) fn new() -> Self {
        Self {
            buffer: BytesMut::new(),
            inflate: Inflate::new(),
            open: None,
            skip: 0,
        }
    }

    /// Takes bytes as they come.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next frame, if enough of it has come.
    pub(super) fn next(&mut self) -> Result<Option<Frame>, Broken> {
        let skipped = self.skip.min(self.buffer.len());
        self.buffer.advance(skipped);
        self.skip -= skipped;
        if self.skip > 0 {
            return Ok(None);
        }
        if let Some(open) = self.open.take() {
            return Ok(self.data(open));
        }
        let Some(head) = self.buffer.first_chunk::<8>() else {
            return Ok(None);
        };
        let mut head = &head[..];
        let (first, flags, length) = (head.get_u32(), head.get_u8(), head.get_uint(3));
        let length = usize::try_from(length).map_err(|_| Broken)?;
        if first & !MASK == 0 {
            if first == 0 {
                return Err(Broken);
            }
            self.buffer.advance(8);
            return Ok(self.data(Open {
                stream: first,
                fin: flags & FIN != 0,
                left: length,
            }));
        }
        let [_, version, kind_high, kind_low] = first.to_be_bytes();
        if u16::from(version) != VERSION {
            return Err(Broken);
        }
        let kind = u16::from_be_bytes([kind_high, kind_low]);
        if !matches!(kind, SYN_STREAM | RST_STREAM | PING | GOAWAY | HEADERS) {
            self.buffer.advance(8);
            self.skip = length;
            return Ok(Some(Frame::Other));
        }
        if length > LIMIT {
            return Err(Broken);
        }
        if self.buffer.len() < 8 + length {
            return Ok(None);
        }
        self.buffer.advance(8);
        let body = self.buffer.split_to(length).freeze();
        self.control(kind, flags, body).map(Some)
    }

    /// As much of a data frame as there is.
    fn data(&mut self, mut open: Open) -> Option<Frame> {
        let here = open.left.min(self.buffer.len());
        if here == 0 && open.left > 0 {
            self.open = Some(open);
            return None;
        }
        open.left -= here;
        let data = self.buffer.split_to(here).freeze();
        let (stream, fin) = (open.stream, open.fin && open.left == 0);
        if open.left > 0 {
            self.open = Some(open);
        }
        Some(Frame::Data { stream, fin, data })
    }

    fn control(&mut self, kind: u16, flags: u8, mut body: Bytes) -> Result<Frame, Broken> {
        let first = body.try_get_u32().map_err(|_| Broken)? & MASK;
        match kind {
            SYN_STREAM => {
                // The stream that it belongs to, its priority and its slot say nothing here.
                body.try_get_u32().map_err(|_| Broken)?;
                body.try_get_u16().map_err(|_| Broken)?;
                Ok(Frame::Open {
                    stream: first,
                    fin: flags & FIN != 0,
                    unidirectional: flags & UNIDIRECTIONAL != 0,
                    headers: self.inflate.read(&body).ok_or(Broken)?,
                })
            }
            HEADERS => {
                // Read for the compressor's sake.
                self.inflate.read(&body).ok_or(Broken)?;
                Ok(if flags & FIN == 0 {
                    Frame::Other
                } else {
                    Frame::Fin(first)
                })
            }
            RST_STREAM => Ok(Frame::Reset(first)),
            PING => Ok(Frame::Ping(first)),
            _ => Ok(Frame::GoAway),
        }
    }
}

/// Writes the frames that need no headers.
pub(super) fn data(stream: u32, data: &[u8], fin: bool) -> Bytes {
    let mut frame = BytesMut::with_capacity(8 + data.len());
    frame.put_u32(stream & MASK);
    frame.put_u8(u8::from(fin) * FIN);
    // A piece has 32 KiB at most.
    frame.put_uint(data.len() as u64, 3);
    frame.put_slice(data);
    frame.freeze()
}

pub(super) fn reset(stream: u32, why: Reset) -> Bytes {
    let mut body = BytesMut::new();
    body.put_u32(stream & MASK);
    body.put_u32(why as u32);
    control(RST_STREAM, 0, &body)
}

/// The answer to a ping is the ping.
pub(super) fn pong(id: u32) -> Bytes {
    control(PING, 0, &id.to_be_bytes())
}

pub(super) fn go_away(last: u32) -> Bytes {
    let mut body = BytesMut::new();
    body.put_u32(last & MASK);
    body.put_u32(0);
    control(GOAWAY, 0, &body)
}

/// A stream is taken.
pub(super) fn reply(stream: u32, deflate: &mut Deflate) -> Option<Bytes> {
    let headers = deflate.write(&Headers::default())?;
    let mut body = BytesMut::new();
    body.put_u32(stream & MASK);
    body.put_slice(&headers);
    Some(control(SYN_REPLY, 0, &body))
}

fn control(kind: u16, flags: u8, body: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(8 + body.len());
    frame.put_u16(0x8000 | VERSION);
    frame.put_u16(kind);
    frame.put_u8(flags);
    frame.put_uint(body.len() as u64, 3);
    frame.put_slice(body);
    frame.freeze()
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    /// A client's frame that opens a stream.
    pub(crate) fn open(stream: u32, headers: &Headers, flags: u8, deflate: &mut Deflate) -> Bytes {
        let mut body = BytesMut::new();
        body.put_u32(stream);
        body.put_u32(0);
        body.put_u16(0);
        body.put_slice(&deflate.write(headers).unwrap());
        control(SYN_STREAM, flags, &body)
    }

    fn headers() -> Headers {
        Headers::from_pairs(&[("streamtype", "stdin")])
    }

    /// A client's frames: a stream, its bytes, its end, and frames that say nothing.
    fn conversation() -> Vec<u8> {
        let mut deflate = Deflate::new().unwrap();
        let mut bytes = open(1, &headers(), 0, &mut deflate).to_vec();
        bytes.extend(control(4, 0, &[0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 1, 0]));
        bytes.extend(data(1, b"hello", false));
        bytes.extend(pong(1));
        bytes.extend(control(9, 0, &[0, 0, 0, 1, 0, 0, 1, 0]));
        bytes.extend(data(1, b" world", true));
        bytes.extend(reset(1, Reset::Cancel));
        bytes.extend(go_away(1));
        bytes
    }

    /// Reads to the end, with adjacent data joined.
    fn read(decoder: &mut Decoder, frames: &mut Vec<Frame>) -> Result<(), Broken> {
        while let Some(frame) = decoder.next()? {
            match (frames.last_mut(), frame) {
                (
                    Some(Frame::Data { data, fin, .. }),
                    Frame::Data {
                        data: more,
                        fin: last,
                        ..
                    },
                ) => {
                    *data = [&data[..], &more].concat().into();
                    *fin = last;
                }
                (_, frame) => frames.push(frame),
            }
        }
        Ok(())
    }

    fn expected() -> Vec<Frame> {
        vec![
            Frame::Open {
                stream: 1,
                fin: false,
                unidirectional: false,
                headers: headers(),
            },
            Frame::Other,
            Frame::Data {
                stream: 1,
                fin: false,
                data: Bytes::from_static(b"hello"),
            },
            Frame::Ping(1),
            Frame::Other,
            Frame::Data {
                stream: 1,
                fin: true,
                data: Bytes::from_static(b" world"),
            },
            Frame::Reset(1),
            Frame::GoAway,
        ]
    }

    #[test]
    fn other_versions_and_too_long_frames_are_broken() {
        for bytes in [
            &[0x80, 2, 0, 1, 0, 0, 0, 10][..],
            &[0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff],
            &[0, 0, 0, 0, 0, 0, 0, 0],
        ] {
            let mut decoder = Decoder::new();
            decoder.push(bytes);
            assert_eq!(decoder.next(), Err(Broken), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn frames_are_read_however_they_are_cut(cuts in proptest::collection::vec(1_usize..40, 1..80)) {
            let bytes = conversation();
            let (mut decoder, mut frames) = (Decoder::new(), Vec::new());
            let mut rest = &bytes[..];
            for cut in cuts.iter().cycle() {
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                decoder.push(piece);
                read(&mut decoder, &mut frames).unwrap();
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(frames, expected());
        }

        #[test]
        fn any_bytes_are_read_and_none_are_hoarded(
            pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..2048), 0..32),
        ) {
            let mut decoder = Decoder::new();
            for piece in pieces {
                decoder.push(&piece);
                loop {
                    match decoder.next() {
                        Ok(Some(_)) => {}
                        Ok(None) => break,
                        Err(Broken) => return Ok(()),
                    }
                }
                prop_assert!(decoder.buffer.len() < LIMIT + 8);
            }
        }

        #[test]
        fn a_broken_conversation_does_no_harm(
            at in 0_usize..120,
            byte in any::<u8>(),
        ) {
            let mut bytes = conversation();
            let at = at % bytes.len();
            bytes[at] = byte;
            let (mut decoder, mut frames) = (Decoder::new(), Vec::new());
            decoder.push(&bytes);
            let _ = read(&mut decoder, &mut frames);
        }
    }
}
