//! What faces clients: connections that were taken, the requests in them, and the way each one goes.

mod body;
mod client;
mod connection;
mod cookie;
mod forward;
mod function;
mod handle;
mod headers;
mod inspect;
mod line;
mod sticky;
mod trace;
mod upgrade;
mod words;

pub(crate) use client::{Client, TlsFacts};
pub(crate) use connection::serve;
pub(crate) use cookie::{Seal, cookie};
pub(crate) use forward::is_grpc;
pub(crate) use handle::{addressed, handle};
pub(crate) use inspect::Class;
pub(crate) use trace::TRACE_ID;
pub(crate) use words::{Front, HttpWords, ListenerWords, Pools, Service};
