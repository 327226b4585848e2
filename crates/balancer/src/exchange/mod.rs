//! One request to a member, and its answer.

mod outgoing;
mod relayed;
mod send;

pub(crate) use outgoing::{Outgoing, Progress};
pub(crate) use relayed::Relayed;
pub(crate) use send::{Failure, Patience, send};
