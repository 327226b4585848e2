//! Listeners: where a balancer takes flows, and what it makes of them.

use super::http::{Dialect, Http};
use crate::filter::NumberRange;
use crate::id::{CertificateId, ListenerId, PoolId};

/// Where a balancer takes flows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its id.
    pub id: ListenerId,
    /// The transports that it takes.
    pub transports: Vec<Transport>,
    /// The ports that it takes, at every address of the balancer's nodes.
    pub ports: NumberRange,
    /// What it makes of flows.
    pub service: Service,
}

/// What carries a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// What a listener makes of the flows that it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Service {
    /// Passes packets on to members of a pool.
    Forward(Forwarding),
    /// Ends connections and passes their bytes on.
    Stream(Stream),
    /// Ends connections and passes the requests in them on, or answers them.
    Http(Http),
}

/// A listener that passes packets on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarding {
    /// Where flows go.
    pub pool: PoolId,
    /// Whether packets keep the balancer's address for their destination, so that members answer
    /// under it themselves (direct return, floating IP).
    pub keeps_destination: bool,
    /// After how many seconds without a packet it forgets a flow.
    pub idle_timeout: u32,
}

/// A listener that ends connections and passes their bytes on in others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// The TLS that clients speak, if they do.
    pub tls: Option<Tls>,
    /// Where the bytes go.
    pub pool: PoolId,
    /// After how many seconds without a byte it closes a connection.
    pub idle_timeout: u32,
    /// In whose words each connection makes a line in the access log, if it does.
    pub access_log: Option<Dialect>,
}

/// The TLS that a listener ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The certificate for clients that name no server or an unknown one.
    pub default_certificate: CertificateId,
    /// Certificates chosen by the server's name that the client asks for.
    pub certificates: Vec<CertificateId>,
    /// The security policy, by the cloud's name.
    pub policy: String,
    /// The protocols offered in ALPN, in order of preference.
    pub alpn: Vec<String>,
}

impl Listener {
    /// Whether it takes flows of a transport to a port.
    pub fn takes(&self, transport: Transport, port: u16) -> bool {
        self.transports.contains(&transport) && self.ports.contains(port)
    }
}
