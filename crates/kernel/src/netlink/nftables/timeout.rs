//! Policies of connection tracking: after how long a flow is forgotten.
//!
//! The attribute numbers are those of the enums in linux/netfilter/nf_tables.h and
//! linux/netfilter/nfnetlink_cttimeout.h.

use super::message;
use crate::netlink::message::Message;

const NEW_OBJECT: u16 = 18;
const DELETE_OBJECT: u16 = 20;
const OBJECT_TABLE: u16 = 1;
const OBJECT_NAME: u16 = 2;
const OBJECT_TYPE: u16 = 3;
const OBJECT_DATA: u16 = 4;
/// The type of these objects.
pub(super) const TYPE: u32 = 7;
const FAMILY: u16 = 1;
const PROTOCOL: u16 = 2;
const TIMES: u16 = 3;
const TCP_ESTABLISHED: u16 = 3;
const UDP_UNREPLIED: u16 = 1;
const UDP_REPLIED: u16 = 2;

/// A policy; times in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timeout {
    /// Of established TCP connections.
    Tcp(u32),
    /// Of UDP flows.
    Udp(u32),
}

fn object(kind: u16, flags: i32, table: &str, name: &str) -> Message {
    let mut message = message(kind, flags);
    message
        .put_text(OBJECT_TABLE, table)
        .put_text(OBJECT_NAME, name)
        .put_be32(OBJECT_TYPE, TYPE);
    message
}

/// Makes a policy.
pub(crate) fn timeout_add(table: &str, name: &str, timeout: Timeout) -> Message {
    let (protocol, times) = match timeout {
        Timeout::Tcp(seconds) => (6, vec![(TCP_ESTABLISHED, seconds)]),
        Timeout::Udp(seconds) => (17, vec![(UDP_UNREPLIED, seconds), (UDP_REPLIED, seconds)]),
    };
    let mut message = object(NEW_OBJECT, libc::NLM_F_CREATE, table, name);
    message.nest(OBJECT_DATA, |data| {
        data.put(FAMILY, &u16::from(super::NFPROTO_IPV4).to_be_bytes())
            .put(PROTOCOL, &[protocol])
            .nest(TIMES, |nested| {
                for (of, seconds) in times {
                    nested.put_be32(of, seconds);
                }
            });
    });
    message
}

/// Removes a policy that no rule refers to.
pub(crate) fn timeout_delete(table: &str, name: &str) -> Message {
    object(DELETE_OBJECT, 0, table, name)
}
