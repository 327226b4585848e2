//! What goes wrong on a connection, in the words of Go's HTTP client.

use rustls::CertificateError;
use std::io::{self, ErrorKind};
use std::net::IpAddr;

/// A connection that was not made.
pub(super) fn dial(host: &str, port: u16, error: &io::Error) -> String {
    let why = match error.kind() {
        // What has no address has no port that could be tried.
        ErrorKind::NotFound => return format!("dial tcp: lookup {host}: no such host"),
        ErrorKind::TimedOut => "i/o timeout".to_owned(),
        ErrorKind::ConnectionRefused => "connect: connection refused".to_owned(),
        ErrorKind::HostUnreachable => "connect: no route to host".to_owned(),
        ErrorKind::NetworkUnreachable => "connect: network is unreachable".to_owned(),
        ErrorKind::ConnectionReset => "connect: connection reset by peer".to_owned(),
        _ => error.to_string(),
    };
    format!("dial tcp {host}:{port}: {why}")
}

/// A handshake that failed.
pub(super) fn tls(name: &str, error: &io::Error) -> String {
    let inner = error.get_ref();
    match inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(why)) => {
            format!(
                "tls: failed to verify certificate: x509: {}",
                certificate(name, why)
            )
        }
        Some(rustls::Error::AlertReceived(alert)) => {
            format!("remote error: tls: {}", spaced(&format!("{alert:?}")))
        }
        Some(rustls::Error::InvalidMessage(_)) => {
            "http: server gave HTTP response to HTTPS client".to_owned()
        }
        Some(other) => format!("tls: {other}"),
        None => match error.kind() {
            ErrorKind::UnexpectedEof => "EOF".to_owned(),
            ErrorKind::ConnectionReset => "read: connection reset by peer".to_owned(),
            _ => error.to_string(),
        },
    }
}

fn certificate(name: &str, why: &CertificateError) -> String {
    match why {
        // Another authority of the same name, or of another.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "certificate signed by unknown authority".to_owned()
        }
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => {
            "certificate has expired or is not yet valid".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            if name.parse::<IpAddr>().is_ok() {
                format!(
                    "cannot validate certificate for {name} because it doesn't contain any IP SANs"
                )
            } else {
                format!("certificate is not valid for {name}")
            }
        }
        other => other.to_string(),
    }
}

/// `BadCertificate` as `bad certificate`.
fn spaced(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !text.is_empty() {
            text.push(' ');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

/// A connection that ended before there was an answer.
pub(super) fn broken(error: &hyper::Error) -> String {
    if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        return "EOF".to_owned();
    }
    let source = std::error::Error::source(error);
    let source = source.and_then(|source| source.downcast_ref::<io::Error>());
    match source.map(io::Error::kind) {
        Some(ErrorKind::UnexpectedEof) => "EOF".to_owned(),
        Some(ErrorKind::ConnectionReset) => "read: connection reset by peer".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_have_the_words_people_look_for() {
        let told = |kind: ErrorKind| dial("10.0.0.3", 10250, &kind.into());
        assert_eq!(
            told(ErrorKind::TimedOut),
            "dial tcp 10.0.0.3:10250: i/o timeout"
        );
        assert_eq!(
            told(ErrorKind::ConnectionRefused),
            "dial tcp 10.0.0.3:10250: connect: connection refused"
        );
        assert_eq!(
            dial("hooks.example", 443, &ErrorKind::NotFound.into()),
            "dial tcp: lookup hooks.example: no such host"
        );
        assert_eq!(spaced("BadCertificate"), "bad certificate");
    }
}
