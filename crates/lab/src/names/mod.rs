//! The lab's names: the resolver of each VPC and the one on the lab's internet.
//!
//! A resolver knows which network asks because its socket lives in that network's namespace.
//! There is no recursion to anywhere: a name is the lab's or does not exist.

mod client;
mod message;
mod server;
mod zone;

pub(crate) use client::ask;
pub use server::{serve_tcp, serve_udp};
pub use zone::{
    Answer, Asker, Data, Question, private_domain, private_name, resolve, resolve_public,
};
pub(crate) use zone::{is_service, registry};
