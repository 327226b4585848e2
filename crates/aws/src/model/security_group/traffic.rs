//! Protocols and ports as requests give them and answers show them.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html>

use super::Traffic;
use crate::model::Refusal;

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;

/// The protocol's number; `None` is all of them (-1).
fn protocol_number(text: &str) -> Result<Option<u8>, Refusal> {
    match text.to_ascii_lowercase().as_str() {
        "-1" => Ok(None),
        "tcp" => Ok(Some(TCP)),
        "udp" => Ok(Some(UDP)),
        "icmp" => Ok(Some(ICMP)),
        "icmpv6" => Ok(Some(ICMPV6)),
        number => number.parse().map(Some).map_err(|_| {
            Refusal::invalid_value(format!(
                "Invalid value '{text}' for IP protocol. Unknown protocol."
            ))
        }),
    }
}

fn invalid_ports(problem: &str) -> Refusal {
    Refusal::invalid_value(format!("Invalid value '{problem}' for portRange."))
}

/// A port range of TCP or UDP.
fn ports(protocol: u8, from: i32, to: i32) -> Result<Traffic, Refusal> {
    let port = |number: i32| {
        u16::try_from(number)
            .map_err(|_| Refusal::invalid_value(format!("TCP/UDP port ({number}) out of range")))
    };
    let (from, to) = (port(from)?, port(to)?);
    if from > to {
        return Err(Refusal::invalid_value(format!(
            "Invalid TCP/UDP port range ({from}:{to})"
        )));
    }
    Ok(Traffic::Ports { protocol, from, to })
}

/// A type and code of ICMP or ICMPv6, -1 for all.
fn icmp(protocol: u8, kind: i32, code: i32) -> Result<Traffic, Refusal> {
    let number = |what: &str, number: i32| match number {
        -1 => Ok(None),
        _ => u8::try_from(number)
            .map(Some)
            .map_err(|_| Refusal::invalid_value(format!("ICMP {what} ({number}) out of range"))),
    };
    let (kind, code) = (number("type", kind)?, number("code", code)?);
    if let (None, Some(code)) = (kind, code) {
        return Err(Refusal::invalid_value(format!(
            "ICMP code ({code}) provided, but type is not"
        )));
    }
    Ok(Traffic::Icmp {
        protocol,
        kind,
        code,
    })
}

impl Traffic {
    /// The traffic of a security group's rule: for TCP and UDP the ports, for ICMP the type and
    /// code. For all other protocols AWS takes no notice of ports.
    ///
    /// # Errors
    /// `InvalidParameterValue` for an unknown protocol and ports that are missing, out of range or
    /// the wrong way round.
    pub fn of_rule(protocol: &str, from: Option<i32>, to: Option<i32>) -> Result<Self, Refusal> {
        match protocol_number(protocol)? {
            None => Ok(Self::All),
            Some(number @ (TCP | UDP)) => match (from, to) {
                (Some(from), Some(to)) => ports(number, from, to),
                _ => Err(invalid_ports(
                    "Must specify both from and to ports with TCP/UDP.",
                )),
            },
            Some(number @ ICMP) => match (from, to) {
                (Some(kind), Some(code)) => icmp(number, kind, code),
                _ => Err(invalid_ports(
                    "Must specify both from and to ports with ICMP.",
                )),
            },
            // Without a type all of ICMPv6 is meant.
            Some(number @ ICMPV6) => icmp(number, from.unwrap_or(-1), to.unwrap_or(-1)),
            Some(number) => Ok(Self::Protocol(number)),
        }
    }

    /// The traffic of a network ACL's entry: TCP and UDP need a port range, ICMP a type and code.
    ///
    /// # Errors
    /// `InvalidParameterValue` as for a rule, `MissingParameter` without what the protocol needs.
    pub fn of_entry(
        protocol: &str,
        range: Option<(Option<i32>, Option<i32>)>,
        kind_and_code: Option<(Option<i32>, Option<i32>)>,
    ) -> Result<Self, Refusal> {
        match protocol_number(protocol)? {
            None => Ok(Self::All),
            Some(number @ (TCP | UDP)) => match range {
                Some((Some(from), Some(to))) => ports(number, from, to),
                Some((None, _)) | None => Err(Refusal::missing("portRange.from")),
                Some((_, None)) => Err(Refusal::missing("portRange.to")),
            },
            Some(number @ (ICMP | ICMPV6)) => match kind_and_code {
                Some((Some(kind), Some(code))) => icmp(number, kind, code),
                Some((None, _)) | None => Err(Refusal::missing("icmpTypeCode.type")),
                Some((_, None)) => Err(Refusal::missing("icmpTypeCode.code")),
            },
            Some(number) => Ok(Self::Protocol(number)),
        }
    }

    /// The protocol's number as network ACLs show it, -1 for all.
    pub fn protocol_number(&self) -> i32 {
        match *self {
            Self::All => -1,
            Self::Ports { protocol, .. }
            | Self::Icmp { protocol, .. }
            | Self::Protocol(protocol) => i32::from(protocol),
        }
    }

    /// The protocol as security groups show it: by name where it has one.
    pub fn protocol_name(&self) -> String {
        match self.protocol_number() {
            1 => "icmp".to_owned(),
            6 => "tcp".to_owned(),
            17 => "udp".to_owned(),
            58 => "icmpv6".to_owned(),
            number => number.to_string(),
        }
    }

    /// FromPort and ToPort: ports, or ICMP type and code (-1 for all); none for what has neither.
    pub fn from_and_to(&self) -> Option<(i32, i32)> {
        let number = |number: Option<u8>| number.map_or(-1, i32::from);
        match *self {
            Self::Ports { from, to, .. } => Some((from.into(), to.into())),
            Self::Icmp { kind, code, .. } => Some((number(kind), number(code))),
            Self::All | Self::Protocol(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AWS-SG: protocols by name and by number are the same.
    #[test]
    fn aws_sg_protocol_names_and_numbers() {
        for (name, number) in [("tcp", "6"), ("UDP", "17"), ("icmp", "1"), ("icmpv6", "58")] {
            let of = |protocol| Traffic::of_rule(protocol, Some(3), Some(4));
            assert_eq!(of(name), of(number));
        }
        assert_eq!(
            Traffic::of_rule("50", Some(1), Some(2)),
            Ok(Traffic::Protocol(50))
        );
        assert_eq!(Traffic::of_rule("-1", Some(1), Some(2)), Ok(Traffic::All));
        for unknown in ["", "256", "-2", "any"] {
            assert!(Traffic::of_rule(unknown, None, None).is_err(), "{unknown}");
        }
    }

    /// AWS-SG: what ranges are refused.
    #[test]
    fn aws_sg_ranges_are_checked() {
        let refused = [
            ("tcp", None, None),
            ("tcp", Some(1), None),
            ("tcp", Some(2), Some(1)),
            ("udp", Some(0), Some(65536)),
            ("udp", Some(-1), Some(-1)),
            ("icmp", Some(256), Some(0)),
            ("icmp", Some(-1), Some(0)),
            ("icmp", None, None),
        ];
        for (protocol, from, to) in refused {
            let refusal = Traffic::of_rule(protocol, from, to).unwrap_err();
            assert_eq!(
                refusal.code, "InvalidParameterValue",
                "{protocol} {from:?} {to:?}"
            );
        }
    }

    /// AWS-NACL: entries need what their protocol has.
    #[test]
    fn aws_nacl_entries_need_ports_or_types() {
        assert_eq!(
            Traffic::of_entry("6", None, None).unwrap_err().code,
            "MissingParameter"
        );
        assert_eq!(
            Traffic::of_entry("1", None, None).unwrap_err().code,
            "MissingParameter"
        );
        assert_eq!(
            Traffic::of_entry("1", None, Some((Some(8), Some(-1)))),
            Ok(Traffic::Icmp {
                protocol: 1,
                kind: Some(8),
                code: None
            })
        );
        assert_eq!(
            Traffic::of_entry("-1", Some((Some(1), Some(2))), None),
            Ok(Traffic::All)
        );
    }
}
