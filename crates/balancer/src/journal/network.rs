//! Lines about connections that carry bytes and no requests: a network load balancer's TLS listeners, and
//! a classic one's TCP and SSL listeners.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-access-logs.html>

use super::{address, classic, name, or_hyphen};
use crate::calendar::second;
use crate::front::Client;
use crate::stream::Carried;
use fabric::balancer::http::Dialect;
use fabric::id::{BalancerId, ListenerId};
use std::net::SocketAddr;
use std::time::SystemTime;

/// A connection that has ended.
pub(crate) struct TlsConnection<'a> {
    /// Whose.
    pub(crate) balancer: &'a BalancerId,
    /// Which listener took it.
    pub(crate) listener: &'a ListenerId,
    /// The client's side.
    pub(crate) client: &'a Client,
    /// The member that had it.
    pub(crate) member: Option<SocketAddr>,
    /// What it carried.
    pub(crate) carried: Carried,
}

impl TlsConnection<'_> {
    /// Its line; network load balancers only write of those with TLS.
    pub(crate) fn line(&self, dialect: Dialect) -> Option<String> {
        match dialect {
            Dialect::AwsClassic => Some(classic::connection(
                self.balancer,
                self.client,
                self.member,
                self.carried,
            )),
            Dialect::AwsApplication | Dialect::AwsNetwork => self.tls(),
        }
    }

    fn tls(&self) -> Option<String> {
        let tls = self.client.tls.as_ref()?;
        let listener = self
            .listener
            .as_str()
            .rsplit('/')
            .next()
            .unwrap_or_default();
        let protocol = tls.version.to_ascii_lowercase().replace('.', "");
        let alpn = tls.alpn.as_ref().map(|name| String::from_utf8_lossy(name));
        let line = [
            "tls 2.0".to_owned(),
            second(SystemTime::now()),
            name(self.balancer).to_owned(),
            listener.to_owned(),
            self.client.peer.to_string(),
            address(self.member),
            self.client.born.elapsed().as_millis().to_string(),
            tls.took.as_millis().to_string(),
            self.carried.from_client.to_string(),
            self.carried.to_client.to_string(),
            "-".to_owned(),
            tls.certificate.to_string(),
            "-".to_owned(),
            tls.cipher.clone(),
            protocol,
            "-".to_owned(),
            or_hyphen(tls.name.as_ref()),
            or_hyphen(alpn.as_ref()),
            or_hyphen(alpn.as_ref()),
            "-".to_owned(),
            second(self.client.began),
        ];
        Some(line.join(" "))
    }
}
