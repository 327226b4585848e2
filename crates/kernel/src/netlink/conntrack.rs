//! Connection tracking's table: what it knows of UDP flows, and forgetting one.
//!
//! The attribute numbers are those of the enums in linux/netfilter/nfnetlink_conntrack.h.

use super::message::{Message, attributes};
use super::socket::{NetlinkError, Socket};
use std::net::{Ipv4Addr, SocketAddrV4};

const SUBSYSTEM: u16 = 1;
const NEW: u16 = 0;
const GET: u16 = 1;
const DELETE: u16 = 2;
const FAMILY_IPV4: u8 = libc::AF_INET as u8;
const UDP: u8 = 17;

const TUPLE_ORIGINAL: u16 = 1;
const TUPLE_REPLY: u16 = 2;
const ID: u16 = 12;
const FILTER: u16 = 25;
const FILTER_ORIGINAL: u16 = 1;
const FILTER_REPLY: u16 = 2;
/// Only compare the protocol.
const FILTER_BY_PROTOCOL: u32 = 1 << 3;
const TUPLE_IP: u16 = 1;
const TUPLE_PROTOCOL: u16 = 2;
const IP_SOURCE: u16 = 1;
const IP_DESTINATION: u16 = 2;
const PROTOCOL_NUMBER: u16 = 1;
const PROTOCOL_SOURCE: u16 = 2;
const PROTOCOL_DESTINATION: u16 = 3;

/// One direction of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tuple {
    pub(crate) source: SocketAddrV4,
    pub(crate) destination: SocketAddrV4,
}

/// A tracked UDP flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its first packet as it came.
    pub(crate) original: Tuple,
    /// Its answers as they come.
    pub(crate) reply: Tuple,
    id: u32,
}

fn message(kind: u16, flags: i32) -> Message {
    Message::new(SUBSYSTEM << 8 | kind, flags, &[FAMILY_IPV4, 0, 0, 0])
}

/// All UDP flows of a socket's namespace.
pub(crate) fn udp_flows(socket: &mut Socket) -> Result<Vec<Entry>, NetlinkError> {
    let mut question = message(GET, libc::NLM_F_DUMP);
    question
        .nest(TUPLE_ORIGINAL, |tuple| {
            tuple.nest(TUPLE_PROTOCOL, |protocol| {
                protocol.put(PROTOCOL_NUMBER, &[UDP]);
            });
        })
        .nest(FILTER, |filter| {
            filter
                .put_u32(FILTER_ORIGINAL, FILTER_BY_PROTOCOL)
                .put_u32(FILTER_REPLY, 0);
        });
    let mut entries = Vec::new();
    socket.dump(question, |kind, payload| {
        if kind == SUBSYSTEM << 8 | NEW {
            entries.extend(entry(payload));
        }
    })?;
    Ok(entries)
}

/// Forgets a flow: its next packet is a first one.
pub(crate) fn forget(entry: &Entry) -> Message {
    let mut message = message(DELETE, 0);
    let Tuple {
        source,
        destination,
    } = entry.original;
    message
        .nest(TUPLE_ORIGINAL, |tuple| {
            tuple
                .nest(TUPLE_IP, |ip| {
                    ip.put(IP_SOURCE, &source.ip().octets())
                        .put(IP_DESTINATION, &destination.ip().octets());
                })
                .nest(TUPLE_PROTOCOL, |protocol| {
                    protocol
                        .put(PROTOCOL_NUMBER, &[UDP])
                        .put(PROTOCOL_SOURCE, &source.port().to_be_bytes())
                        .put(PROTOCOL_DESTINATION, &destination.port().to_be_bytes());
                });
        })
        // Another flow may have come in its place since.
        .put_be32(ID, entry.id);
    message
}

/// What a message tells of a UDP flow; none of another one.
fn entry(payload: &[u8]) -> Option<Entry> {
    // Past the family header.
    let attributes = attributes(payload.get(4..)?);
    let find = |wanted: u16| {
        let found = attributes.iter().find(|(kind, _)| *kind == wanted);
        found.map(|(_, value)| *value)
    };
    Some(Entry {
        original: tuple(find(TUPLE_ORIGINAL)?)?,
        reply: tuple(find(TUPLE_REPLY)?)?,
        id: u32::from_be_bytes(find(ID)?.try_into().ok()?),
    })
}

fn tuple(nested: &[u8]) -> Option<Tuple> {
    let (mut addresses, mut ports) = ([None; 2], [None; 2]);
    for (kind, value) in attributes(nested) {
        for (inner, value) in attributes(value) {
            match (kind, inner) {
                (TUPLE_IP, IP_SOURCE) => addresses[0] = address(value),
                (TUPLE_IP, IP_DESTINATION) => addresses[1] = address(value),
                (TUPLE_PROTOCOL, PROTOCOL_NUMBER) if *value != [UDP] => return None,
                (TUPLE_PROTOCOL, PROTOCOL_SOURCE) => ports[0] = port(value),
                (TUPLE_PROTOCOL, PROTOCOL_DESTINATION) => ports[1] = port(value),
                _ => {}
            }
        }
    }
    let [source, destination] = addresses;
    let [source_port, destination_port] = ports;
    Some(Tuple {
        source: SocketAddrV4::new(source?, source_port?),
        destination: SocketAddrV4::new(destination?, destination_port?),
    })
}

fn address(value: &[u8]) -> Option<Ipv4Addr> {
    <[u8; 4]>::try_from(value).ok().map(Ipv4Addr::from)
}

fn port(value: &[u8]) -> Option<u16> {
    value.try_into().ok().map(u16::from_be_bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn at(text: &str) -> SocketAddrV4 {
        text.parse().unwrap()
    }

    fn put_tuple(message: &mut Message, kind: u16, protocol: u8, from: &str, to: &str) {
        let (from, to) = (at(from), at(to));
        message.nest(kind, |tuple| {
            tuple
                .nest(TUPLE_IP, |ip| {
                    ip.put(IP_SOURCE, &from.ip().octets())
                        .put(IP_DESTINATION, &to.ip().octets());
                })
                .nest(TUPLE_PROTOCOL, |inner| {
                    inner
                        .put(PROTOCOL_NUMBER, &[protocol])
                        .put(PROTOCOL_SOURCE, &from.port().to_be_bytes())
                        .put(PROTOCOL_DESTINATION, &to.port().to_be_bytes());
                });
        });
    }

    /// What the kernel says of a flow that was translated.
    fn told(protocol: u8) -> Vec<u8> {
        let mut message = message(NEW, 0);
        put_tuple(
            &mut message,
            TUPLE_ORIGINAL,
            protocol,
            "10.0.0.1:4000",
            "10.96.0.10:53",
        );
        put_tuple(
            &mut message,
            TUPLE_REPLY,
            protocol,
            "10.244.1.5:5353",
            "10.0.0.1:4000",
        );
        message.put_be32(ID, 7);
        message.finish(1, false)[16..].to_vec()
    }

    #[test]
    fn flows_are_read() {
        let expected = Entry {
            original: Tuple {
                source: at("10.0.0.1:4000"),
                destination: at("10.96.0.10:53"),
            },
            reply: Tuple {
                source: at("10.244.1.5:5353"),
                destination: at("10.0.0.1:4000"),
            },
            id: 7,
        };
        assert_eq!(entry(&told(UDP)), Some(expected));
        assert_eq!(entry(&told(6)), None);
        assert_eq!(entry(&[2, 0, 0, 0]), None);
    }
}
