//! gRPC's frame around a message: a byte that says that nothing is compressed, and the length.
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>

use super::message::Message;
use super::{Code, Status};
use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::http::HeaderMap;

/// A message is not longer.
const LONGEST: usize = 1 << 20;
const HEADER: usize = 5;

pub(super) fn frame(message: &impl Message) -> Bytes {
    let bytes = message.encode();
    let mut frame = BytesMut::with_capacity(HEADER + bytes.len());
    frame.put_u8(0);
    frame.put_u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    frame.put_slice(&bytes);
    frame.freeze()
}

pub(super) fn unframe<M: Message>(frame: &[u8]) -> Result<M, Status> {
    let wrong = |why: &str| Status::new(Code::InvalidArgument, why);
    let (header, message) = frame
        .split_at_checked(HEADER)
        .ok_or_else(|| wrong("there is no message"))?;
    if header.first() != Some(&0) {
        return Err(Status::new(
            Code::Unimplemented,
            "the message is compressed",
        ));
    }
    M::decode(message).map_err(|error| wrong(&error.to_string()))
}

/// A body's message and what follows it.
pub(super) async fn read(body: Incoming) -> Result<(Bytes, HeaderMap), Status> {
    let collected = Limited::new(body, LONGEST).collect().await;
    let body = collected.map_err(|error| Status::new(Code::Internal, error.to_string()))?;
    let trailers = body.trailers().cloned().unwrap_or_default();
    Ok((body.to_bytes(), trailers))
}
