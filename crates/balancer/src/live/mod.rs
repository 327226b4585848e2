//! Pools and members as they are now: what the words say, and what only a running node knows (turns,
//! requests under way, idle connections).

mod member;
mod pool;
mod upstream;

pub(crate) use member::{Member, Outstanding};
pub(crate) use pool::Pool;
pub(crate) use upstream::{ConnectFailure, Shared, Upstream, connect, connect_shared, open};
