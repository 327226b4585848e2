//! The instance metadata service, 169.254.169.254, versions 1 and 2.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html>
//! The caller is the instance that owns the address the request comes from, in the network whose
//! namespace took it. A session token's answer has the instance's hop limit as its time to live, so
//! a caller behind one more hop than allowed never sees it.

mod role;
mod token;
mod tree;

use crate::cloud::{Cloud, unix_time};
use aws::identity::Seal;
use aws::model::instance::Instance;
use aws::model::{State, VpcId};
use bytes::Bytes;
use http::{HeaderMap, Method};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;
use token::Tokens;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

const CONNECTIONS: usize = 256;
const PATIENCE: Duration = Duration::from_secs(10);
const TOKEN: &str = "x-aws-ec2-metadata-token";
const TOKEN_TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";
/// A session lasts six hours at most.
const LONGEST_SESSION: i64 = 21_600;

/// The metadata service of all VPCs.
pub struct Metadata {
    cloud: Cloud,
    tokens: Tokens,
    seal: Seal,
}

/// What to answer.
#[derive(Debug, PartialEq, Eq)]
struct Reply {
    status: u16,
    body: Vec<u8>,
    /// The session's length, for a token's answer; it also limits the answer's hops.
    session: Option<(i64, u8)>,
}

impl Reply {
    fn status(status: u16) -> Self {
        Self {
            status,
            body: Vec::new(),
            session: None,
        }
    }
}

impl Metadata {
    /// The service over an account.
    pub fn new(cloud: Cloud, seal: Seal) -> Self {
        Self {
            cloud,
            tokens: Tokens::default(),
            seal,
        }
    }

    /// Serves one VPC's instances until the listener is dropped.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, vpc: VpcId) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let (stream, peer) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "metadata can't accept");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let Ok(place) = places.clone().try_acquire_owned() else {
                continue;
            };
            let (service, vpc) = (self.clone(), vpc.clone());
            tokio::spawn(async move {
                service.converse(stream, peer, &vpc).await;
                drop(place);
            });
        }
    }

    async fn converse(&self, stream: TcpStream, peer: SocketAddr, vpc: &VpcId) {
        let IpAddr::V4(peer) = peer.ip() else { return };
        // The same socket once more, to set the time to live of what it sends.
        let Ok(socket) = stream.as_fd().try_clone_to_owned() else {
            return;
        };
        let socket = std::net::TcpStream::from(socket);
        let service = service_fn(|request: Request<Incoming>| {
            let reply = self.answer(vpc, peer, &request);
            if let Some((_, hops)) = reply.session {
                // Failing, the answer travels further than it may: nothing worse.
                let _ = socket.set_ttl(u32::from(hops.max(1)));
            }
            async move { Ok::<_, Infallible>(response(reply)) }
        });
        // A caller that breaks off is no news.
        let _ = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .max_buf_size(16 << 10)
            .serve_connection(TokioIo::new(stream), service)
            .await;
    }

    fn answer(&self, vpc: &VpcId, peer: Ipv4Addr, request: &Request<Incoming>) -> Reply {
        let snapshot = self.cloud.snapshot();
        let Some(instance) = caller(&snapshot.state, vpc, peer) else {
            return Reply::status(404);
        };
        if !instance.metadata.enabled {
            return Reply::status(403);
        }
        let (path, headers) = (request.uri().path(), request.headers());
        match *request.method() {
            Method::PUT if path == "/latest/api/token" => self.begin_session(instance, headers),
            Method::GET | Method::HEAD => match self.admits(instance, headers) {
                true => self.look_up(&snapshot.state, instance, path),
                false => Reply::status(401),
            },
            _ => Reply::status(405),
        }
    }

    fn look_up(&self, state: &State, instance: &Instance, path: &str) -> Reply {
        let role = role::leaves(state, instance, &self.seal, unix_time());
        match tree::look_up(state, instance, path, role) {
            Some(body) => Reply {
                status: 200,
                body,
                session: None,
            },
            None => Reply::status(404),
        }
    }

    fn begin_session(&self, instance: &Instance, headers: &HeaderMap) -> Reply {
        // Open proxies pass others' requests on; they don't get sessions.
        if headers.contains_key("x-forwarded-for") {
            return Reply::status(403);
        }
        let length = header(headers, TOKEN_TTL).and_then(|text| text.parse().ok());
        match length.filter(|length| (1..=LONGEST_SESSION).contains(length)) {
            Some(length) => match self.tokens.begin(&instance.id, unix_time() + length) {
                Ok(token) => Reply {
                    status: 200,
                    body: token.into_bytes(),
                    session: Some((length, instance.metadata.hop_limit)),
                },
                Err(_) => Reply::status(503),
            },
            None => Reply::status(400),
        }
    }

    /// Whether a request may look: with a session of this instance, or without one where version 1
    /// is allowed.
    fn admits(&self, instance: &Instance, headers: &HeaderMap) -> bool {
        match header(headers, TOKEN) {
            Some(token) => self.tokens.holds(token, &instance.id, unix_time()),
            None => !instance.metadata.tokens_required,
        }
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The instance behind an address of a VPC.
fn caller<'a>(state: &'a State, vpc: &VpcId, peer: Ipv4Addr) -> Option<&'a Instance> {
    let interface = state.network_interfaces.values().find(|interface| {
        interface.vpc == *vpc
            && (interface.addresses.iter().any(|own| own.ip == peer)
                || interface.prefixes.iter().any(|own| own.contains(&peer)))
    })?;
    let instance = interface.attachment.as_ref()?.instance.as_ref()?;
    state.instances.get(instance).map(AsRef::as_ref)
}

fn response(reply: Reply) -> Response<Full<Bytes>> {
    let mut builder = Response::builder()
        .status(reply.status)
        .header("server", "EC2ws")
        .header("content-type", "text/plain");
    if let Some((length, _)) = reply.session {
        builder = builder.header(TOKEN_TTL, length);
    }
    // Statuses are constants and headers plain ASCII: this can't fail.
    builder
        .body(Full::new(Bytes::from(reply.body)))
        .unwrap_or_default()
}
