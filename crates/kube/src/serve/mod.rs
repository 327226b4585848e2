//! The API over HTTP: one connection's requests, whoever carries it.

mod authenticate;
mod impersonate;
mod relay;
mod stream;
mod tls;

pub use authenticate::{Authenticator, Keys, KeysError, Others};
pub use tls::{TlsError, accept, acceptor};

use crate::api::{Answer, Method, Request, Status, Target, User, connect};
use crate::audit::{Record, Source};
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
        let mut source = Source {
            uri: head.uri.to_string(),
            address: peer.address.map(|at| at.to_string()).unwrap_or_default(),
            impersonator: None,
        };
        let understood = understand(&head);
        let user = self.who(peer, &head, &mut source);
        let nobody = User::anonymous();
        let (request, user) = match (understood, user) {
            (Ok(request), Ok(user)) => (request, user),
            (Err(status), _) => return refusal(&status),
            (Ok(request), Err(status)) => {
                let record = self.cluster.begin(&nobody, &request, &source);
                return self.ended(record, Err(status), Notes::default(), false);
            }
        };
        let record = self.cluster.begin(&user, &request, &source);
        let mut notes = Notes::default();
        let goes_on = goes_on(&request) || request.flag("watch");
        let answered = self.carry_out(&user, request, (head, body), &mut notes);
        let answered = answered.await;
        self.ended(record, answered, notes, goes_on)
    }

    /// Who asks, and as whom.
    fn who(&self, peer: &Peer, head: &Parts, source: &mut Source) -> Result<User, Status> {
        let authorization = head
            .headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let caller = match authorization {
            // What anybody may know.
            None if peer.certificates.is_empty() && PUBLIC.contains(&head.uri.path()) => {
                User::anonymous()
            }
            _ => self.user(peer, authorization)?,
        };
        let store = &self.cluster.now().store;
        let user = impersonate::user(store, caller.clone(), &head.headers)?;
        if user != caller {
            source.impersonator = Some(caller);
        }
        Ok(user)
    }

    async fn carry_out(
        &self,
        user: &User,
        mut request: Request,
        (head, body): (Parts, Incoming),
        notes: &mut Notes,
    ) -> Result<Response<Body>, Status> {
        // What others answer is theirs to read.
        let mut body = Some(body);
        if !goes_on(&request)
            && let Some(body) = body.take()
        {
            request.body = read(body).await?;
        }
        let outcome = self.cluster.request(user, request).await?;
        notes.annotations = outcome.annotations;
        if let Answer::Document {
            code: 201, body, ..
        } = &outcome.answer
        {
            notes.made = crate::object::name(body).to_owned();
        }
        let mut response = match outcome.answer {
            Answer::Backend(backend) => {
                let relay = Relay {
                    outward: self.cluster.outward(),
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
        Ok(response)
    }

    /// An answer with its record's id, which is noted.
    fn ended(
        &self,
        mut record: Record,
        answered: Result<Response<Body>, Status>,
        notes: Notes,
        goes_on: bool,
    ) -> Response<Body> {
        let annotations = &notes.annotations;
        record.made(&notes.made);
        let id = HeaderValue::from_str(record.id());
        let mut response = match answered {
            Ok(response) => {
                let code = response.status().as_u16();
                tracing::debug!(audit_id = record.id(), code, "answered");
                self.cluster.end(record, Ok(code), annotations, goes_on);
                response
            }
            Err(status) => {
                let code = status.code;
                tracing::debug!(audit_id = record.id(), code, %status, "refused");
                self.cluster.end(record, Err(&status), annotations, false);
                refusal(&status)
            }
        };
        if let Ok(id) = id {
            response.headers_mut().insert("audit-id", id);
        }
        response
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
            // Whoever has the request passes it on, and the cluster asks webhooks.
            Answer::Backend(_) | Answer::Questions(_) => Err(Status::internal("nobody was asked")),
        }
    }
}

/// What the audit log should know of a request besides its answer.
#[derive(Default)]
struct Notes {
    annotations: Vec<(String, String)>,
    /// The name of what was made.
    made: String,
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
