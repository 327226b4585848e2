//! Flows: connection attempts.

use crate::id::{HostId, PortId};
use std::fmt;
use std::net::Ipv4Addr;

/// What `walk` is asked: the first packet of a connection, as its sender writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// The source address.
    pub source: Ipv4Addr,
    /// The destination address.
    pub destination: Ipv4Addr,
    /// Protocol and ports.
    pub transport: Transport,
}

/// A packet's transport header, as far as networks look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// TCP.
    Tcp {
        /// The sender's port.
        source_port: u16,
        /// The receiver's port.
        destination_port: u16,
    },
    /// UDP.
    Udp {
        /// The sender's port.
        source_port: u16,
        /// The receiver's port.
        destination_port: u16,
    },
    /// An ICMP echo request or its reply.
    Echo {
        /// The identifier.
        id: u16,
        /// Whether it is the reply.
        reply: bool,
    },
    /// Another protocol, by number.
    Other(u8),
}

/// Where a flow starts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A program on a host; the host's own routes choose the port.
    Host(HostId),
    /// A program on a host that binds to this port's addresses.
    Port(PortId),
}

impl Flow {
    /// The packet that answers this one: ends and ports exchanged.
    pub fn reversed(&self) -> Self {
        let transport = match self.transport {
            Transport::Tcp {
                source_port,
                destination_port,
            } => Transport::Tcp {
                source_port: destination_port,
                destination_port: source_port,
            },
            Transport::Udp {
                source_port,
                destination_port,
            } => Transport::Udp {
                source_port: destination_port,
                destination_port: source_port,
            },
            Transport::Echo { id, reply } => Transport::Echo { id, reply: !reply },
            Transport::Other(protocol) => Transport::Other(protocol),
        };
        Self {
            source: self.destination,
            destination: self.source,
            transport,
        }
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (source, destination) = (self.source, self.destination);
        match self.transport {
            Transport::Tcp {
                source_port,
                destination_port,
            } => {
                write!(
                    f,
                    "tcp {source}:{source_port} → {destination}:{destination_port}"
                )
            }
            Transport::Udp {
                source_port,
                destination_port,
            } => {
                write!(
                    f,
                    "udp {source}:{source_port} → {destination}:{destination_port}"
                )
            }
            Transport::Echo { reply: false, .. } => write!(f, "icmp echo {source} → {destination}"),
            Transport::Echo { reply: true, .. } => {
                write!(f, "icmp echo reply {source} → {destination}")
            }
            Transport::Other(protocol) => write!(f, "protocol {protocol} {source} → {destination}"),
        }
    }
}
