//! Protocols of listeners and target groups, and which go together.

use super::*;
use std::str::FromStr;

/// A protocol of a listener, a target group or a health check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Protocol {
    /// HTTP.
    Http,
    /// HTTP over TLS.
    Https,
    /// TCP.
    Tcp,
    /// TLS, which the balancer ends.
    Tls,
    /// UDP.
    Udp,
    /// TCP and UDP on one port.
    TcpUdp,
    /// Whole packets, in GENEVE.
    Geneve,
}

const NAMES: [(&str, Protocol); 7] = [
    ("HTTP", Protocol::Http),
    ("HTTPS", Protocol::Https),
    ("TCP", Protocol::Tcp),
    ("TLS", Protocol::Tls),
    ("UDP", Protocol::Udp),
    ("TCP_UDP", Protocol::TcpUdp),
    ("GENEVE", Protocol::Geneve),
];

impl Protocol {
    /// AWS's word.
    pub fn as_str(self) -> &'static str {
        NAMES
            .iter()
            .find(|(_, protocol)| *protocol == self)
            .map_or("", |(name, _)| name)
    }

    /// The kind of balancer that uses target groups of this protocol.
    pub fn kind(self) -> Kind {
        match self {
            Self::Http | Self::Https => Kind::Application,
            Self::Tcp | Self::Tls | Self::Udp | Self::TcpUdp => Kind::Network,
            Self::Geneve => Kind::Gateway,
        }
    }

    /// Whether a listener of it ends TLS, and so has certificates.
    pub fn has_certificates(self) -> bool {
        matches!(self, Self::Https | Self::Tls)
    }

    /// Whether targets see datagrams.
    pub fn has_datagrams(self) -> bool {
        matches!(self, Self::Udp | Self::TcpUdp)
    }

    /// Whether a listener of this protocol forwards to target groups of another.
    /// <https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-listeners.html>
    pub fn forwards_to(self, group: Self) -> bool {
        match self {
            Self::Http | Self::Https => group.kind() == Kind::Application,
            Self::Tcp => matches!(group, Self::Tcp | Self::TcpUdp),
            Self::Tls => matches!(group, Self::Tcp | Self::Tls),
            Self::Udp => matches!(group, Self::Udp | Self::TcpUdp),
            Self::TcpUdp => group == Self::TcpUdp,
            Self::Geneve => group == Self::Geneve,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Protocol {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let found = NAMES.iter().find(|(name, _)| *name == text);
        found.map(|(_, protocol)| *protocol).ok_or_else(|| {
            Refusal::new(
                "UnsupportedProtocol",
                format!("The protocol '{text}' is not supported"),
            )
        })
    }
}
