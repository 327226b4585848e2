//! What balancers that end connections do: the user-space data plane of [`fabric::balancer`]'s
//! [`Stream`](fabric::balancer::Service::Stream) and [`Http`](fabric::balancer::Service::Http) listeners.
//!
//! A [`Node`] is one host of a balancer. It is given the balancer's words again and again
//! ([`Node::apply`]); its listeners open and close as they say, and every request reads them anew.
//! Sockets, keys, functions and the log come from whoever runs it ([`means`]).
//!
//! ```text
//! node ── accepts ──► front::connection ── bytes ──► stream ─────────────┐
//!                          │ requests                                    │
//!                     front::handle ─► matcher ─► auth ─► forward ─► exchange ─► live (pools, members,
//!                          │                        └─► own answers                connections)
//!                       journal (a line a request)
//! ```
//!
//! * [`matcher`] answers as [`fabric::balancer::http::decide`] does, at a cost that doesn't grow with the
//!   number of rules.
//! * `live` has what only a running node knows of pools and members: turns, requests under way, idle
//!   connections. It outlives changes of the words.
//! * `exchange` sends one request and relays its answer, in the task of the client's connection.
//! * `own` says what the balancer itself has to say, in its cloud's words.
//! * [`health`] tries members and tells what it found; what follows from that is the cloud's to decide.
//!
//! [`Workers`] are the threads. Nothing moves between them: a connection, its requests and the
//! connections to members that they use stay on the worker that took it.

mod activity;
pub mod auth;
mod calendar;
mod chance;
mod exchange;
mod front;
pub mod health;
mod journal;
mod live;
pub mod matcher;
pub mod means;
mod node;
mod own;
mod stream;
mod tls;
mod wire;
mod workers;

pub use node::{ListenError, Node};
pub use tls::TlsError;
pub use workers::Workers;
