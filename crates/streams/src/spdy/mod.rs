//! SPDY/3.1, as far as Kubernetes' clients speak it.
//!
//! The frames are those of
//! <https://www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1/>; how they are used is
//! <https://github.com/moby/spdystream>, which every client has. The client opens all streams; there is no
//! push, no credential, and no flow control beside the connection's own.

#[cfg(test)]
pub(crate) mod client;
mod dictionary;
mod frame;
mod headers;
mod session;

pub(crate) use headers::Headers;
pub(crate) use session::{Inbound, Session, Stream, Writer};
