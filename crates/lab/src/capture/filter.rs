//! Which packets to write: a small part of tcpdump's language.
//!
//! Terms joined by `and`, each perhaps after `not`: `tcp`, `udp`, `icmp`, `arp`,
//! `[src|dst] host A.B.C.D`, `[src|dst] net A.B.C.D/N`, `[src|dst] port N`.

use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

/// Words that are no filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{word:?} is not understood in a capture filter; it takes tcp, udp, icmp, arp, [src|dst] host A, [src|dst] net A/N and [src|dst] port N, each perhaps after not, joined by and"
)]
pub struct FilterError {
    word: String,
}

/// A filter; without terms it takes everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    negated: bool,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    Protocol(u8),
    Arp,
    Address(Side, Ipv4Net),
    Port(Side, u16),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Source,
    Destination,
    Either,
}

impl Side {
    fn of<T: Copy>(self, [source, destination]: [T; 2], test: impl Fn(T) -> bool) -> bool {
        match self {
            Self::Source => test(source),
            Self::Destination => test(destination),
            Self::Either => test(source) || test(destination),
        }
    }
}

/// What a frame's headers say.
struct Headers {
    arp: bool,
    protocol: Option<u8>,
    addresses: Option<[Ipv4Addr; 2]>,
    ports: Option<[u16; 2]>,
}

impl Filter {
    /// Reads a filter's words.
    pub(super) fn parse(words: &[String]) -> Result<Self, FilterError> {
        let mut words = words.iter().flat_map(|word| word.split_whitespace());
        let mut terms = Vec::new();
        while let Some(word) = words.next() {
            if word == "and" && !terms.is_empty() {
                continue;
            }
            terms.push(term(word, &mut words)?);
        }
        Ok(Self { terms })
    }

    /// Whether a frame is wanted.
    pub(super) fn takes(&self, frame: &[u8]) -> bool {
        if self.terms.is_empty() {
            return true;
        }
        let headers = Headers::read(frame);
        self.terms
            .iter()
            .all(|term| term.test.holds(&headers) != term.negated)
    }
}

fn term<'a>(first: &str, words: &mut impl Iterator<Item = &'a str>) -> Result<Term, FilterError> {
    let unknown = |word: &str| FilterError {
        word: word.to_owned(),
    };
    let mut next = |after: &str| words.next().ok_or_else(|| unknown(after));
    let (negated, word) = match first {
        "not" => (true, next(first)?),
        word => (false, word),
    };
    let (side, word) = match word {
        "src" => (Side::Source, next(word)?),
        "dst" => (Side::Destination, next(word)?),
        word => (Side::Either, word),
    };
    let test = match (word, side) {
        ("tcp", Side::Either) => Test::Protocol(6),
        ("udp", Side::Either) => Test::Protocol(17),
        ("icmp", Side::Either) => Test::Protocol(1),
        ("arp", Side::Either) => Test::Arp,
        ("host", side) => {
            let value = next(word)?;
            let address: Ipv4Addr = value.parse().map_err(|_| unknown(value))?;
            Test::Address(side, address.into())
        }
        ("net", side) => {
            let value = next(word)?;
            Test::Address(side, value.parse().map_err(|_| unknown(value))?)
        }
        ("port", side) => {
            let value = next(word)?;
            Test::Port(side, value.parse().map_err(|_| unknown(value))?)
        }
        (word, _) => return Err(unknown(word)),
    };
    Ok(Term { negated, test })
}

impl Test {
    fn holds(&self, headers: &Headers) -> bool {
        match self {
            Self::Arp => headers.arp,
            Self::Protocol(wanted) => headers.protocol == Some(*wanted),
            Self::Address(side, net) => headers
                .addresses
                .is_some_and(|pair| side.of(pair, |address| net.contains(&address))),
            Self::Port(side, wanted) => headers
                .ports
                .is_some_and(|pair| side.of(pair, |port| port == *wanted)),
        }
    }
}

impl Headers {
    fn read(frame: &[u8]) -> Self {
        let none = Self {
            arp: false,
            protocol: None,
            addresses: None,
            ports: None,
        };
        let Some((ethernet, packet)) = frame.split_at_checked(14) else {
            return none;
        };
        match ethernet[12..] {
            [8, 6] => Self { arp: true, ..none },
            [8, 0] => Self::read_ipv4(packet).unwrap_or(none),
            _ => none,
        }
    }

    fn read_ipv4(packet: &[u8]) -> Option<Self> {
        let length = usize::from(packet.first()? & 0xf) * 4;
        let address = |at: usize| -> Option<Ipv4Addr> {
            let octets: [u8; 4] = packet.get(at..at + 4)?.try_into().ok()?;
            Some(octets.into())
        };
        let port = |at: usize| -> Option<u16> {
            let bytes: [u8; 2] = packet.get(length + at..length + at + 2)?.try_into().ok()?;
            Some(u16::from_be_bytes(bytes))
        };
        let protocol = *packet.get(9)?;
        let first_fragment = packet.get(6)? & 0x1f == 0 && *packet.get(7)? == 0;
        let has_ports = matches!(protocol, 6 | 17) && first_fragment;
        Some(Self {
            arp: false,
            protocol: Some(protocol),
            addresses: Some([address(12)?, address(16)?]),
            ports: has_ports.then(|| Some([port(0)?, port(2)?])).flatten(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// TCP, 10.0.0.1:50000 → 10.0.1.2:80.
    fn frame() -> Vec<u8> {
        let mut frame = vec![0; 12];
        frame.extend([8, 0, 0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0]);
        frame.extend([10, 0, 0, 1, 10, 0, 1, 2]);
        frame.extend(50_000_u16.to_be_bytes());
        frame.extend(80_u16.to_be_bytes());
        frame
    }

    fn takes(words: &str) -> bool {
        Filter::parse(&[words.to_owned()]).unwrap().takes(&frame())
    }

    #[test]
    fn terms_mean_what_tcpdump_means() {
        for yes in [
            "",
            "tcp",
            "port 80",
            "tcp and dst port 80 and src host 10.0.0.1",
            "not udp",
            "net 10.0.1.0/24",
        ] {
            assert!(takes(yes), "{yes}");
        }
        for no in [
            "udp",
            "src port 80",
            "not tcp",
            "dst net 10.0.0.0/24",
            "arp",
            "icmp",
        ] {
            assert!(!takes(no), "{no}");
        }
        let short = Filter::parse(&["tcp".to_owned()]).unwrap();
        assert!(!short.takes(&[1, 2, 3]));
    }

    #[test]
    fn what_is_not_understood_is_said() {
        for words in [
            "tcp or udp",
            "port http",
            "host",
            "src tcp",
            "and tcp",
            "not",
        ] {
            assert!(Filter::parse(&[words.to_owned()]).is_err(), "{words}");
        }
    }
}
