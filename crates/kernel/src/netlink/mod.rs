//! Netlink, as far as a network's back end needs it: messages, a socket opened inside a namespace,
//! and typed requests: rtnetlink, nftables, and connection tracking.
//!
//! Own code, because it is the hot path of every change (a set element costs six microseconds this
//! way and milliseconds by a spawned `nft`), because batches and register-level nftables
//! expressions need all of the protocol, and because no library with a fitting licence has both.

pub(crate) mod conntrack;
pub(crate) mod message;
pub(crate) mod nftables;
pub(crate) mod route;
pub(crate) mod socket;

pub(crate) use message::Message;
pub use socket::NetlinkError;
