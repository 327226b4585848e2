//! Requests that others answer: kubelets, pods, services.
//!
//! What the two sides say to each other after `101 Switching Protocols` is copied byte for byte, whatever
//! protocol it is; upstream translates WebSockets to SPDY for kubelets that speak nothing else, these
//! speak both. Links in HTML pages that pods serve are left as they are; `Location` headers are not.

use super::{Body, respond};
use crate::api::Status;
use crate::api::connect::{Backend, Manner, Peer, Query};
use crate::outward::{Outward, Trust, Unreachable};
use http::header::{
    AUTHORIZATION, CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, LOCATION, UPGRADE,
};
use http::request::Parts;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy, split};
use tokio::time::timeout;

/// Of a refusal's text so much is told.
const TOLD: usize = 50_000;
/// When one side of a conversation has ended, the other may finish what it says for so long.
const LINGER: Duration = Duration::from_secs(10);

/// Headers that concern one connection only (RFC 9110, section 7.6.1).
const HOPS: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
];

/// A request on its way to somebody else.
pub(super) struct Relay<'a> {
    pub(super) outward: &'a Outward,
    pub(super) backend: Backend,
    pub(super) head: Parts,
    pub(super) body: Option<Incoming>,
}

impl Relay<'_> {
    /// Passes the request on and gives the answer.
    pub(super) async fn answer(self) -> Result<Response<Body>, Status> {
        let upgrade = upgrades(&self.head.headers);
        match self.backend.manner.clone() {
            Manner::Log { pod } => self.log(&pod).await,
            Manner::Upgrade if !upgrade => Err(Status::bad_request("Upgrade request required")),
            Manner::Proxy { depth } if !upgrade => self.proxy(depth).await,
            Manner::Upgrade | Manner::Proxy { .. } => self.converse().await,
        }
    }

    fn trust(&self) -> Trust {
        match self.backend.peer {
            Peer::Kubelet => Trust::Kubelet,
            Peer::AnyKubelet | Peer::Https => Trust::Anybody,
            Peer::Http => Trust::Plain,
        }
    }

    /// The address of the request there, from its root.
    fn address(&self) -> String {
        let path = escaped(&self.backend.path, b"/:@!$&'()*+,;=~-._");
        let query = match &self.backend.query {
            Query::Same => self.head.uri.query().unwrap_or_default().to_owned(),
            Query::Of(parameters) => parameters
                .iter()
                .map(|(name, value)| {
                    format!("{name}={}", escaped(value, b"-._~").replace("%20", "+"))
                })
                .collect::<Vec<_>>()
                .join("&"),
        };
        if query.is_empty() {
            return path;
        }
        format!("{path}?{query}")
    }

    /// A document of a kubelet's, as it comes.
    async fn log(self, pod: &str) -> Result<Response<Body>, Status> {
        let (host, port) = (self.backend.host.clone(), self.backend.port);
        let address = self.address();
        let told = |error: Unreachable| {
            Status::unknown(format!("Get \"https://{host}:{port}{address}\": {error}"))
        };
        let connected = self.outward.connect(&host, port, &self.trust()).await;
        let connection = connected.map_err(told)?;
        let request = Request::get(&address)
            .header(HOST, format!("{host}:{port}"))
            .header("user-agent", "kube-apiserver")
            .body(nothing())
            .map_err(|error| Status::internal(&error))?;
        let answer = Outward::send(connection, request).await.map_err(told)?;
        if !answer.status().is_success() {
            return Err(refused(pod, answer).await);
        }
        Ok(respond(
            200,
            "text/plain",
            answer.into_body().boxed_unsync(),
        ))
    }

    /// The request as it came, and the answer to it.
    async fn proxy(mut self, depth: usize) -> Result<Response<Body>, Status> {
        let path = self.head.uri.path().to_owned();
        let prefix = prefix(&path, depth);
        let reads = matches!(self.head.method, Method::GET | Method::HEAD);
        if prefix.len() == path.len() && reads {
            return Ok(redirect(&path, self.head.uri.query()));
        }
        let body = self.body.take();
        let body = body.map_or_else(nothing, BodyExt::boxed_unsync);
        let own = self.head.headers.get(HOST).cloned();
        let request = self.request(body)?;
        let trying = |error| Status::unavailable(format!("error trying to reach service: {error}"));
        let (host, port) = (self.backend.host.as_str(), self.backend.port);
        let connected = self.outward.connect(host, port, &self.trust()).await;
        let connection = connected.map_err(trying)?;
        let answer = Outward::send(connection, request).await.map_err(trying)?;
        let (mut head, body) = answer.into_parts();
        strip(&mut head.headers);
        if let Some(location) = head
            .headers
            .get(LOCATION)
            .and_then(|value| value.to_str().ok())
        {
            let hosts = [
                format!("{host}:{port}"),
                host.to_owned(),
                text(own.as_ref()),
            ];
            let moved = moved(location, &hosts, prefix);
            if let Ok(moved) = HeaderValue::from_str(&moved) {
                head.headers.insert(LOCATION, moved);
            }
        }
        Ok(Response::from_parts(head, body.boxed_unsync()))
    }

    /// A request whose two sides go on in a protocol of their own.
    async fn converse(mut self) -> Result<Response<Body>, Status> {
        let dialling = |error| Status::unknown(format!("error dialing backend: {error}"));
        let (host, port) = (self.backend.host.as_str(), self.backend.port);
        let connected = self.outward.connect(host, port, &self.trust()).await;
        let connection = connected.map_err(dialling)?;
        let caller = self.head.extensions.remove::<OnUpgrade>();
        let protocol = self.head.headers.get(UPGRADE).cloned();
        let mut request = self.request(nothing())?;
        let headers = request.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        if let Some(protocol) = protocol {
            headers.insert(UPGRADE, protocol);
        }
        let mut answer = Outward::send(connection, request).await.map_err(dialling)?;
        let status = answer.status();
        if status != StatusCode::SWITCHING_PROTOCOLS {
            let (mut head, body) = answer.into_parts();
            strip(&mut head.headers);
            return Ok(Response::from_parts(head, body.boxed_unsync()));
        }
        let headers = answer.headers().clone();
        let backend = hyper::upgrade::on(&mut answer);
        if let Some(caller) = caller {
            tokio::spawn(async move {
                // Who goes away before the conversation begins needs none.
                if let (Ok(caller), Ok(backend)) = tokio::join!(caller, backend) {
                    between(TokioIo::new(caller), TokioIo::new(backend)).await;
                }
            });
        }
        let mut response = Response::new(nothing());
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }

    /// The request that goes on: with its own headers but those that concern the caller's connection and
    /// rights.
    fn request(&mut self, body: Body) -> Result<Request<Body>, Status> {
        let address = self.address();
        let mut headers = std::mem::take(&mut self.head.headers);
        strip(&mut headers);
        headers.remove(UPGRADE);
        headers.remove(AUTHORIZATION);
        let impersonating: Vec<HeaderName> = headers
            .keys()
            .filter(|name| name.as_str().starts_with("impersonate-"))
            .cloned()
            .collect();
        for name in impersonating {
            headers.remove(name);
        }
        if let Ok(uri) = HeaderValue::from_str(self.head.uri.path()) {
            headers.insert("x-forwarded-uri", uri);
        }
        if !headers.contains_key(HOST)
            && let Ok(host) = HeaderValue::from_str(&self.backend.host)
        {
            headers.insert(HOST, host);
        }
        let request = Request::builder()
            .method(self.head.method.clone())
            .uri(address)
            .body(body);
        let mut request = request.map_err(|error| Status::bad_request(error.to_string()))?;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

/// Whether a request is to change its protocol.
fn upgrades(headers: &HeaderMap) -> bool {
    let values = headers.get_all(CONNECTION).iter();
    let mut words = values.filter_map(|value| value.to_str().ok());
    headers.contains_key(UPGRADE)
        && words.any(|value| {
            value
                .split(',')
                .any(|word| word.trim().eq_ignore_ascii_case("upgrade"))
        })
}

/// Takes away what concerns one connection only.
fn strip(headers: &mut HeaderMap) {
    let named: Vec<String> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    for name in named.iter().map(String::as_str).chain(HOPS) {
        if name != "upgrade" {
            headers.remove(name);
        }
    }
}

fn text(value: Option<&HeaderValue>) -> String {
    let text = value.and_then(|value| value.to_str().ok());
    text.unwrap_or_default().to_owned()
}

/// The first parts of a path.
fn prefix(path: &str, depth: usize) -> &str {
    let mut slashes = path.match_indices('/').map(|(at, _)| at).skip(depth);
    slashes.next().map_or(path, |end| &path[..end])
}

/// Where an answer that sends the caller elsewhere sends it, as the caller has to ask for it.
fn moved(location: &str, hosts: &[String], prefix: &str) -> String {
    let path = match location.split_once("://") {
        Some((_, rest)) => {
            let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            if !hosts.iter().any(|known| known == host) {
                return location.to_owned();
            }
            path
        }
        None => location,
    };
    if !path.starts_with('/') || path.starts_with("//") || path.starts_with(prefix) {
        return location.to_owned();
    }
    format!("{prefix}{path}")
}

/// A page's own links start at a path that ends in a slash.
fn redirect(path: &str, query: Option<&str>) -> Response<Body> {
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    let mut response = Response::new(nothing());
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    if let Ok(location) = HeaderValue::from_str(&format!("{path}/{query}")) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// What a kubelet's refusal of a log is to the caller.
async fn refused(pod: &str, answer: Response<Incoming>) -> Status {
    let code = answer.status().as_u16();
    let body = Limited::new(answer.into_body(), TOLD).collect().await;
    let said = body.map(|body| String::from_utf8_lossy(&body.to_bytes()).into_owned());
    let said = said.unwrap_or_default();
    let (reason, message) = match code {
        400 => return Status::bad_request(said),
        403 => ("Forbidden", said),
        500 => return Status::internal(said),
        404 => (
            "NotFound",
            format!("the server could not find the requested resource ( pods/log {pod})"),
        ),
        401 => (
            "Unauthorized",
            format!("the server has asked for the client to provide credentials ( pods/log {pod})"),
        ),
        _ => (
            "",
            format!(
                "the server responded with the status code {code} but did not return more information ( pods/log {pod})"
            ),
        ),
    };
    let mut status = Status::new(code, reason, message);
    status.details = Some(json!({"name": pod, "kind": "pods/log"}));
    status
}

/// Carries what two sides say to each other until both have ended.
async fn between(
    caller: impl AsyncRead + AsyncWrite + Unpin,
    backend: impl AsyncRead + AsyncWrite + Unpin,
) {
    let (mut from_caller, mut to_caller) = split(caller);
    let (mut from_backend, mut to_backend) = split(backend);
    let there = async {
        let _ = copy(&mut from_caller, &mut to_backend).await;
        let _ = to_backend.shutdown().await;
    };
    let back = async {
        let _ = copy(&mut from_backend, &mut to_caller).await;
        let _ = to_caller.shutdown().await;
    };
    tokio::pin!(there, back);
    tokio::select! {
        () = &mut there => drop(timeout(LINGER, back).await),
        () = &mut back => drop(timeout(LINGER, there).await),
    }
}

fn nothing() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// Percent-encoding of all but letters, digits and these.
fn escaped(text: &str, plain: &[u8]) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || plain.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_that_send_elsewhere_send_below_the_proxy() {
        let hosts = ["10.0.0.3:80".to_owned()];
        let below = |location| moved(location, &hosts, "/p/proxy");
        assert_eq!(below("/x"), "/p/proxy/x");
        assert_eq!(below("http://10.0.0.3:80/x?y"), "/p/proxy/x?y");
        assert_eq!(below("/p/proxy/x"), "/p/proxy/x");
        for other in ["x", "http://other/x", "//other/x", "http://10.0.0.3:80"] {
            assert_eq!(below(other), other);
        }
        let path = "/api/v1/nodes/n/proxy";
        assert_eq!(prefix(&format!("{path}/a/b"), 5), path);
        assert_eq!(prefix(path, 5), path);
    }

    #[test]
    fn what_concerns_a_connection_stays_behind() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "x-own, Upgrade"),
            ("x-own", "1"),
            ("upgrade", "SPDY/3.1"),
            ("te", "trailers"),
            ("accept", "a"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        assert!(upgrades(&headers));
        strip(&mut headers);
        let left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(left, ["upgrade", "accept"]);
        assert!(!upgrades(&headers));
    }
}
