//! A client's connection, as its requests know it.

use super::Front;
use crate::activity::Activity;
use crate::chance;
use crate::tls::Listening;
use fabric::id::CertificateId;
use http::HeaderValue;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

/// A client's connection.
pub(crate) struct Client {
    /// The listener that took it.
    pub(crate) front: Arc<Front>,
    /// Where the client is.
    pub(crate) peer: SocketAddr,
    /// Where it connected to.
    pub(crate) local: SocketAddr,
    /// When it was taken.
    pub(crate) born: Instant,
    /// The same by the calendar.
    pub(crate) began: SystemTime,
    /// What happens on it.
    pub(crate) activity: Activity,
    /// Its TLS, if it speaks it.
    pub(crate) tls: Option<TlsFacts>,
    /// Its id: 128 bits of chance.
    pub(crate) id: (u64, u64),
    /// The client's address as a header says it.
    pub(crate) address: HeaderValue,
    /// The first bytes of the request that is read, for what can't be parsed.
    pub(crate) heard: Mutex<Vec<u8>>,
}

impl Client {
    /// A connection that was taken just now.
    pub(crate) fn new(front: Arc<Front>, peer: SocketAddr, local: SocketAddr) -> Self {
        let address = HeaderValue::from_str(&peer.ip().to_string());
        Self {
            front,
            peer,
            local,
            born: Instant::now(),
            began: SystemTime::now(),
            activity: Activity::new(),
            tls: None,
            id: (chance::number(), chance::number()),
            // An address is digits, dots and colons.
            address: address.unwrap_or(HeaderValue::from_static("unknown")),
            heard: Mutex::new(Vec::new()),
        }
    }
}

/// What was agreed in a client's TLS handshake.
#[derive(Clone, Debug)]
pub(crate) struct TlsFacts {
    /// The version, as AWS writes it.
    pub(crate) version: &'static str,
    /// The cipher suite, by OpenSSL's name.
    pub(crate) cipher: String,
    /// The name that the client asked for.
    pub(crate) name: Option<String>,
    /// The protocol chosen by ALPN.
    pub(crate) alpn: Option<Vec<u8>>,
    /// How long the handshake took.
    pub(crate) took: Duration,
    /// The certificate that was shown.
    pub(crate) certificate: CertificateId,
}

impl TlsFacts {
    /// What a connection agreed on.
    pub(crate) fn of(tls: &rustls::ServerConnection, took: Duration, of: &Listening) -> Self {
        let version = match tls.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
            _ => "TLSv1.2",
        };
        let suite = tls.negotiated_cipher_suite().map(|suite| suite.suite());
        Self {
            version,
            cipher: suite.map(openssl_name).unwrap_or_default(),
            name: tls.server_name().map(str::to_owned),
            alpn: tls.alpn_protocol().map(<[u8]>::to_vec),
            took,
            certificate: of.shown(tls.server_name()).clone(),
        }
    }
}

/// A suite's name as OpenSSL and AWS write it: `ECDHE-RSA-AES128-GCM-SHA256`, but `TLS_AES_128_GCM_SHA256`.
fn openssl_name(suite: rustls::CipherSuite) -> String {
    let name = suite.as_str().unwrap_or_default();
    match name
        .strip_prefix("TLS_")
        .and_then(|rest| rest.split_once("_WITH_"))
    {
        Some((exchange, cipher)) => {
            let cipher = cipher.replace("AES_", "AES").replace("_SHA256", "-SHA256");
            let cipher = cipher.replace("CHACHA20_POLY1305-SHA256", "CHACHA20_POLY1305");
            format!("{exchange}-{cipher}").replace('_', "-")
        }
        None => name.replace("TLS13_", "TLS_"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AWS-ALB: the log names suites as OpenSSL does.
    #[test]
    fn suites() {
        use rustls::CipherSuite;
        let name = openssl_name(CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256);
        assert_eq!(name, "ECDHE-RSA-AES128-GCM-SHA256");
        let name = openssl_name(CipherSuite::TLS13_AES_128_GCM_SHA256);
        assert_eq!(name, "TLS_AES_128_GCM_SHA256");
        let name = openssl_name(CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256);
        assert_eq!(name, "ECDHE-ECDSA-CHACHA20-POLY1305");
    }
}
