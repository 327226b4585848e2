//! A node with real connections: clients, members, and what is said between them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    unreachable_pub
)]

mod change;
mod health;
mod member;
mod own;
mod passing;
mod sticky;
mod stream;
mod tls;
mod users;
mod world;
