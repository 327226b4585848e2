//! Which protocol a client and this server have in common.
//!
//! WebSocket by RFC 6455, section 4.2; SPDY by Kubernetes' `X-Stream-Protocol-Version`
//! (<https://pkg.go.dev/k8s.io/apimachinery/pkg/util/httpstream#Handshake>).

use crate::protocol::{
    EXEC_CHANNELS, ExecProtocol, FORWARD_CHANNELS, ForwardProtocol, PORT_FORWARD, TUNNEL, Version,
};
use crate::query;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, CONTENT_TYPE, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri};
use sha1::{Digest, Sha1};

const STREAM_VERSION: HeaderName = HeaderName::from_static("x-stream-protocol-version");
const ACCEPTED_VERSIONS: HeaderName =
    HeaderName::from_static("x-accepted-stream-protocol-versions");
/// What a WebSocket's key is answered with (RFC 6455, section 1.3).
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// An upgrade that is agreed on.
#[derive(Debug)]
pub struct Accepted<P> {
    /// What answers the request: 101 with its headers.
    pub response: Response<()>,
    /// What is spoken then.
    pub protocol: P,
}

/// Why a request isn't upgraded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It doesn't ask for it.
    #[error("Upgrade request required")]
    NoUpgrade,
    /// It asks for another protocol.
    #[error("unable to upgrade: unsupported protocol {0:?}")]
    OtherProtocol(String),
    /// A WebSocket of another version than 13.
    #[error("missing or bad WebSocket version")]
    WebSocketVersion,
    /// A WebSocket without a key.
    #[error("mismatch challenge/response")]
    WebSocketKey,
    /// None of the WebSocket's subprotocols is known.
    #[error("requested protocol(s) are not supported: [{}]", .0.join(" "))]
    Subprotocols(Vec<String>),
    /// SPDY without saying what is spoken on it.
    #[error("unable to upgrade: X-Stream-Protocol-Version is required")]
    NoStreamVersion,
    /// None of the versions over SPDY is known.
    #[error(
        "unable to upgrade: unable to negotiate protocol: client supports [{}], server accepts [{}]",
        client.join(" "), server.join(" ")
    )]
    StreamVersions {
        /// What the client speaks.
        client: Vec<String>,
        /// What the server speaks.
        server: Vec<&'static str>,
    },
    /// A port-forward by channels that doesn't say which ports.
    #[error("query parameter \"port\" is required")]
    NoPort,
    /// What is no port.
    #[error("unable to parse {0:?} as a port")]
    BadPort(String),
}

impl Refusal {
    /// The answer to the request.
    #[must_use]
    pub fn response(&self) -> Response<String> {
        let mut response = Response::new(format!("{self}\n"));
        *response.status_mut() = match self {
            Self::Subprotocols(_) | Self::StreamVersions { .. } => StatusCode::FORBIDDEN,
            _ => StatusCode::BAD_REQUEST,
        };
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        match self {
            Self::WebSocketVersion => {
                headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            }
            Self::StreamVersions { server, .. } => {
                for version in server {
                    headers.append(ACCEPTED_VERSIONS, HeaderValue::from_static(version));
                }
            }
            _ => {}
        }
        response
    }
}

/// Agrees on what an exec or attach speaks.
///
/// # Errors
/// Nothing is in common.
pub fn negotiate_exec<B>(request: &Request<B>) -> Result<Accepted<ExecProtocol>, Refusal> {
    let headers = request.headers();
    match upgrade(headers)? {
        Upgrade::WebSocket => {
            let names = EXEC_CHANNELS.map(|(name, ..)| name);
            let name = subprotocol(headers, &names)?;
            let response = websocket_response(headers, name)?;
            let (_, version, encoding) = EXEC_CHANNELS
                .into_iter()
                .find(|(known, ..)| *known == name)
                .unwrap_or(EXEC_CHANNELS[EXEC_CHANNELS.len() - 1]);
            Ok(Accepted {
                response,
                protocol: ExecProtocol::WebSocket(version, encoding),
            })
        }
        Upgrade::Spdy => {
            let name = stream_version(headers, &Version::ALL.map(Version::name))?;
            let version = Version::ALL
                .into_iter()
                .find(|version| version.name() == name)
                .unwrap_or(Version::V1);
            Ok(Accepted {
                response: spdy_response(name),
                protocol: ExecProtocol::Spdy(version),
            })
        }
    }
}

/// Agrees on what a port-forward speaks.
///
/// # Errors
/// Nothing is in common, or the ports aren't told where they have to be.
pub fn negotiate_port_forward<B>(
    request: &Request<B>,
) -> Result<Accepted<ForwardProtocol>, Refusal> {
    let headers = request.headers();
    match upgrade(headers)? {
        Upgrade::WebSocket => {
            let [first, second, none] = FORWARD_CHANNELS.map(|(name, _)| name);
            let name = subprotocol(headers, &[TUNNEL, first, second, none])?;
            let encoding = FORWARD_CHANNELS
                .into_iter()
                .find(|(known, _)| *known == name)
                .map(|(_, encoding)| encoding);
            let protocol = match encoding {
                Some(encoding) => ForwardProtocol::WebSocket(encoding, ports(request.uri())?),
                None => ForwardProtocol::Tunnel,
            };
            let response = websocket_response(headers, name)?;
            Ok(Accepted { response, protocol })
        }
        Upgrade::Spdy => {
            let name = stream_version(headers, &[PORT_FORWARD])?;
            Ok(Accepted {
                response: spdy_response(name),
                protocol: ForwardProtocol::Spdy,
            })
        }
    }
}

enum Upgrade {
    WebSocket,
    Spdy,
}

fn upgrade(headers: &HeaderMap) -> Result<Upgrade, Refusal> {
    let asked = values(headers, &CONNECTION)
        .iter()
        .any(|value| value.eq_ignore_ascii_case("upgrade"));
    let protocols = values(headers, &UPGRADE);
    let Some(first) = protocols.first().filter(|_| asked) else {
        return Err(Refusal::NoUpgrade);
    };
    for protocol in &protocols {
        if protocol.eq_ignore_ascii_case("websocket") {
            return Ok(Upgrade::WebSocket);
        }
        if protocol.eq_ignore_ascii_case("SPDY/3.1") {
            return Ok(Upgrade::Spdy);
        }
    }
    Err(Refusal::OtherProtocol(first.clone()))
}

/// The first of the client's subprotocols that is known; no name if it names none.
fn subprotocol(headers: &HeaderMap, known: &[&'static str]) -> Result<&'static str, Refusal> {
    let asked = values(headers, &SEC_WEBSOCKET_PROTOCOL);
    if asked.is_empty() {
        return Ok("");
    }
    first_known(&asked, known).ok_or(Refusal::Subprotocols(asked))
}

fn stream_version(headers: &HeaderMap, known: &[&'static str]) -> Result<&'static str, Refusal> {
    let asked = values(headers, &STREAM_VERSION);
    if asked.is_empty() {
        return Err(Refusal::NoStreamVersion);
    }
    first_known(&asked, known).ok_or_else(|| Refusal::StreamVersions {
        client: asked,
        server: known.to_vec(),
    })
}

fn first_known(asked: &[String], known: &[&'static str]) -> Option<&'static str> {
    asked
        .iter()
        .find_map(|name| known.iter().find(|known| *known == name).copied())
}

/// A header's values, which may stand in one line or in several.
fn values(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(|value| value.trim().to_owned())
        .filter(|value| !value.is_empty())
        .collect()
}

fn websocket_response(headers: &HeaderMap, name: &'static str) -> Result<Response<()>, Refusal> {
    if headers.get(SEC_WEBSOCKET_VERSION) != Some(&HeaderValue::from_static("13")) {
        return Err(Refusal::WebSocketVersion);
    }
    let key = headers.get(SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes);
    let key = key
        .filter(|key| STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == 16))
        .ok_or(Refusal::WebSocketKey)?;
    let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    let accept =
        HeaderValue::from_str(&STANDARD.encode(digest)).map_err(|_| Refusal::WebSocketKey)?;
    let mut response = switching("websocket");
    response.headers_mut().insert(SEC_WEBSOCKET_ACCEPT, accept);
    if !name.is_empty() {
        response
            .headers_mut()
            .insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(name));
    }
    Ok(response)
}

fn spdy_response(version: &'static str) -> Response<()> {
    let mut response = switching("SPDY/3.1");
    response
        .headers_mut()
        .insert(STREAM_VERSION, HeaderValue::from_static(version));
    response
}

fn switching(protocol: &'static str) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static(protocol));
    response
}

/// The ports of a port-forward by channels: `ports=80&ports=81` as the API has them, `port=80,81` as the
/// kubelet.
fn ports(uri: &Uri) -> Result<Vec<u16>, Refusal> {
    let mut ports = Vec::new();
    for (name, value) in query::pairs(uri) {
        if name == "ports" || name == "port" {
            for part in value.split(',') {
                let port = part.parse().ok().filter(|port| *port > 0);
                ports.push(port.ok_or_else(|| Refusal::BadPort(value.clone()))?);
            }
        }
    }
    // A channel's number is a byte, and a port has two.
    match ports.len() {
        0 => Err(Refusal::NoPort),
        1..=127 => Ok(ports),
        _ => Err(Refusal::BadPort(format!("{} ports", ports.len()))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::protocol::Encoding;

    fn request(uri: &str, headers: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    }

    fn websocket(uri: &str, protocols: &str) -> Request<()> {
        let headers = [
            ("Connection", "keep-alive, Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Sec-WebSocket-Protocol", protocols),
        ];
        request(uri, &headers)
    }

    fn spdy(versions: &[&str]) -> Request<()> {
        let mut headers = vec![("Connection", "Upgrade"), ("Upgrade", "SPDY/3.1")];
        headers.extend(versions.iter().map(|v| ("X-Stream-Protocol-Version", *v)));
        request("/", &headers)
    }

    fn exec(request: &Request<()>) -> Result<ExecProtocol, Refusal> {
        negotiate_exec(request).map(|accepted| accepted.protocol)
    }

    fn forward(request: &Request<()>) -> Result<ForwardProtocol, Refusal> {
        negotiate_port_forward(request).map(|accepted| accepted.protocol)
    }

    /// RFC 6455, section 1.3: the key of its example has the answer of its example.
    #[test]
    fn a_websocket_is_accepted_as_the_rfc_says() {
        let accepted = negotiate_exec(&websocket("/", "v5.channel.k8s.io")).unwrap();
        let headers = accepted.response.headers();
        assert_eq!(accepted.response.status(), 101);
        assert_eq!(
            headers[SEC_WEBSOCKET_ACCEPT],
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
        assert_eq!(headers[SEC_WEBSOCKET_PROTOCOL], "v5.channel.k8s.io");
    }

    #[test]
    fn the_clients_first_known_protocol_is_taken() {
        let taken = exec(&websocket(
            "/",
            "v9.channel.k8s.io, v4.base64.channel.k8s.io",
        ));
        let expected = ExecProtocol::WebSocket(Version::V4, Encoding::Base64);
        assert_eq!(taken, Ok(expected));
        let none = exec(&websocket("/", ""));
        let expected = ExecProtocol::WebSocket(Version::V1, Encoding::Binary);
        assert_eq!(none, Ok(expected));
        let two_lines = spdy(&["v7.channel.k8s.io", "v4.channel.k8s.io, v3.channel.k8s.io"]);
        assert_eq!(exec(&two_lines), Ok(ExecProtocol::Spdy(Version::V4)));
    }

    #[test]
    fn a_port_forward_by_channels_tells_its_ports() {
        let both = "/portforward?ports=80&ports=8080%2C9090";
        let expected = ForwardProtocol::WebSocket(Encoding::Binary, vec![80, 8080, 9090]);
        assert_eq!(forward(&websocket(both, "v4.channel.k8s.io")), Ok(expected));
        let none = websocket("/portforward", "v4.channel.k8s.io");
        assert_eq!(forward(&none), Err(Refusal::NoPort));
        for bad in ["0", "x", "65536", ""] {
            let asked = websocket(&format!("/portforward?ports={bad}"), "v4.channel.k8s.io");
            assert_eq!(forward(&asked), Err(Refusal::BadPort(bad.into())));
        }
        let tunnel = websocket("/portforward", TUNNEL);
        assert_eq!(forward(&tunnel), Ok(ForwardProtocol::Tunnel));
        assert_eq!(forward(&spdy(&[PORT_FORWARD])), Ok(ForwardProtocol::Spdy));
    }

    #[test]
    fn refusals_say_what_is_known() {
        let refusal = forward(&spdy(&["v4.channel.k8s.io"])).unwrap_err();
        let response = refusal.response();
        assert_eq!(response.status(), 403);
        assert_eq!(response.headers()[&ACCEPTED_VERSIONS], PORT_FORWARD);
        assert_eq!(
            response.body(),
            "unable to upgrade: unable to negotiate protocol: client supports [v4.channel.k8s.io], \
             server accepts [portforward.k8s.io]\n"
        );
    }

    #[test]
    fn what_asks_for_nothing_known_is_refused() {
        assert_eq!(exec(&request("/", &[])), Err(Refusal::NoUpgrade));
        let h2c = request("/", &[("Connection", "upgrade"), ("Upgrade", "h2c")]);
        assert_eq!(exec(&h2c), Err(Refusal::OtherProtocol("h2c".into())));
        assert_eq!(exec(&spdy(&[])), Err(Refusal::NoStreamVersion));
        let mut old = websocket("/", "v5.channel.k8s.io");
        old.headers_mut()
            .insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("8"));
        assert_eq!(exec(&old), Err(Refusal::WebSocketVersion));
    }
}
