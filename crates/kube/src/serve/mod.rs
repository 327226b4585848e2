//! The API over HTTP: one connection's requests, whoever carries it.

mod authenticate;
mod impersonate;
mod relay;
mod stream;
mod tls;

pub use authenticate::{Authenticator, Keys, KeysError};
pub use tls::{TlsError, accept, acceptor};

use crate::api::{Answer, Method, Request, Status, Target, User, connect};
use crate::cluster::Cluster;
use crate::outward::Body;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::request::Parts;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use relay::Relay;
use rustls::pki_types::CertificateDer;
use serde_json::Value;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

/// A caller has so long for a request's headers and its body.
const PATIENCE: Duration = Duration::from_secs(30);
/// No request is longer; upstream's limit.
const LONGEST: usize = 3 << 20;

/// Paths that are answered without a token.
const PUBLIC: [&str; 4] = ["/healthz", "/livez", "/readyz", "/version"];

/// A cluster's API.
#[derive(Debug)]
pub struct Server {
    /// The cluster.
    pub cluster: Cluster,
    /// Who is who.
    pub authenticator: Authenticator,
}

/// Who is at the other end of a connection.
#[derive(Clone, Debug, Default)]
pub struct Peer {
    /// The certificates that they showed, their own first. Their holder has the key; nobody has looked at
    /// who vouches for it.
    pub certificates: Vec<CertificateDer<'static>>,
    /// Where they call from.
    pub address: Option<IpAddr>,
}

/// Answers a connection's requests until it ends.
///
/// # Errors
/// The connection failed.
pub async fn converse(
    server: Arc<Server>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
) -> Result<(), hyper::Error> {
    let peer = Arc::new(peer);
    let service = service_fn(move |request| {
        let (server, peer) = (server.clone(), peer.clone());
        async move { Ok::<_, Infallible>(server.answer(&peer, request).await) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await
}

impl Server {
    async fn answer(&self, peer: &Peer, request: hyper::Request<Incoming>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let answered = async {
            let authorization = head
                .headers
                .get(AUTHORIZATION)
                .and_then(|value| value.to_str().ok());
            let user = match authorization {
                // What anybody may know.
                None if peer.certificates.is_empty() && PUBLIC.contains(&head.uri.path()) => {
                    User::anonymous()
                }
                _ => self.user(peer, authorization)?,
            };
            let user = impersonate::user(&self.cluster.now().store, user, &head.headers)?;
            let mut request = understand(&head)?;
            // What others answer is theirs to read.
            let mut body = Some(body);
            if !goes_on(&request)
                && let Some(body) = body.take()
            {
                request.body = read(body).await?;
            }
            let outcome = self.cluster.request(&user, request).await?;
            let mut response = match outcome.answer {
                Answer::Backend(backend) => {
                    let outward = self.cluster.outward();
                    let relay = Relay {
                        outward,
                        backend: *backend,
                        head,
                        body,
                    };
                    relay.answer().await?
                }
                answer => self.respond(answer)?,
            };
            for warning in outcome.warnings {
                warn(&mut response, &warning);
            }
            Ok::<_, Status>(response)
        };
        answered.await.unwrap_or_else(|status| refusal(&status))
    }

    /// Who asks: whom the certificate names, or else the token.
    fn user(&self, peer: &Peer, authorization: Option<&str>) -> Result<User, Status> {
        let now = self.cluster.clock();
        let shown = self.authenticator.certified(&peer.certificates, now);
        match shown {
            Some(user) => Ok(user),
            None => {
                let store = &self.cluster.now().store;
                self.authenticator.user(authorization, store, now)
            }
        }
    }

    fn respond(&self, answer: Answer) -> Result<Response<Body>, Status> {
        match answer {
            Answer::Document {
                code,
                body,
                content_type,
            } => Ok(document(
                code,
                &body,
                content_type.unwrap_or("application/json"),
            )),
            Answer::Text(text) => Ok(respond(200, "text/plain", whole(text.into()))),
            Answer::Watch(filter) => {
                let body = stream::watch(&self.cluster, filter)?;
                Ok(respond(200, "application/json", body))
            }
            Answer::Token {
                request,
                account,
                node,
            } => {
                let now = self.cluster.clock();
                let token = self.authenticator.token(request, (&account, &node), now)?;
                Ok(document(201, &token, "application/json"))
            }
            Answer::TokenReview(review) => {
                let now = self.cluster.clock();
                let store = &self.cluster.now().store;
                let review = self.authenticator.review(review, store, now);
                Ok(document(201, &review, "application/json"))
            }
            Answer::Nothing => Ok(empty()),
            // Whoever has the request passes it on.
            Answer::Backend(_) => Err(Status::internal("nobody was asked")),
        }
    }
}

/// Whether somebody else answers a request.
fn goes_on(request: &Request) -> bool {
    let target = Target::parse(&request.path).ok().flatten();
    target
        .and_then(|target| target.subresource)
        .is_some_and(connect::goes_on)
}

async fn read(body: Incoming) -> Result<Vec<u8>, Status> {
    match timeout(PATIENCE, Limited::new(body, LONGEST).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes().to_vec()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            let message = format!("Request entity too large: limit is {LONGEST}");
            Err(Status::new(413, "RequestEntityTooLarge", message))
        }
        Ok(Err(error)) => Err(Status::bad_request(error.to_string())),
        Err(_) => Err(Status::new(
            408,
            "Timeout",
            "the request's body did not come in time",
        )),
    }
}

fn understand(head: &Parts) -> Result<Request, Status> {
    let method = Method::parse(head.method.as_str()).ok_or_else(Status::method_not_allowed)?;
    let text = |name| {
        let value = head
            .headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let query = head.uri.query().unwrap_or_default();
    Ok(Request {
        method,
        path: decoded(head.uri.path(), false),
        query: query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (decoded(name, true), decoded(value, true))
            })
            .collect(),
        content_type: text(CONTENT_TYPE),
        accept: text(ACCEPT),
        user_agent: text(USER_AGENT),
        body: Vec::new(),
    })
}

/// Percent-decoding; in queries a plus is a space.
fn decoded(text: &str, query: bool) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        match (first, escaped(after)) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            (b'+', _) if query => bytes.push(b' '),
            _ => bytes.push(*first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The byte that the next two hexadecimal digits stand for.
fn escaped(text: &[u8]) -> Option<u8> {
    let [high, low, ..] = text else { return None };
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

fn refusal(status: &Status) -> Response<Body> {
    document(status.code, &status.value(), "application/json")
}

fn document(code: u16, body: &Value, content_type: &'static str) -> Response<Body> {
    let mut bytes = serde_json::to_vec(body).unwrap_or_default();
    bytes.push(b'\n');
    respond(code, content_type, whole(Bytes::from(bytes)))
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes)
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// An answer that says nothing.
fn empty() -> Response<Body> {
    let mut response = Response::new(whole(Bytes::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

fn respond(code: u16, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(
        "cache-control",
        HeaderValue::from_static("no-cache, private"),
    );
    response
}

/// A warning as RFC 7234 has it; kubectl prints its text.
fn warn(response: &mut Response<Body>, text: &str) {
    let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
    if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
        response.headers_mut().append("warning", value);
    }
}
