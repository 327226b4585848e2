//! HTTP's CONNECT (RFC 9110, 9.3.6), for clients that speak no SOCKS: Kubernetes' Python client
//! opens its WebSockets so.

use super::{Admission, ConnectError, PATIENCE, Target, connect};
use crate::cloud::Cloud;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION};
use hyper::http::uri::Authority;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddrV4;
use std::sync::OnceLock;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;

pub(super) async fn converse(
    caller: TcpStream,
    cloud: &Cloud,
    admission: &Admission,
) -> io::Result<()> {
    let tunnel = OnceLock::new();
    let service = service_fn(|request| {
        let answer = answer(request, cloud, admission, &tunnel);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(caller), service)
        .with_upgrades()
        .await
        .map_err(io::Error::other)?;
    match tunnel.into_inner() {
        Some(tunnel) => tunnel.carry().await,
        None => Ok(()),
    }
}

/// A caller whose connection becomes the called one's.
struct Tunnel {
    caller: OnUpgrade,
    called: TcpStream,
}

impl Tunnel {
    async fn carry(mut self) -> io::Result<()> {
        let caller = self.caller.await.map_err(io::Error::other)?;
        copy_bidirectional(&mut TokioIo::new(caller), &mut self.called).await?;
        Ok(())
    }
}

async fn answer(
    request: Request<Incoming>,
    cloud: &Cloud,
    admission: &Admission,
    tunnel: &OnceLock<Tunnel>,
) -> Response<Full<Bytes>> {
    if !is_admitted(request.headers().get(PROXY_AUTHORIZATION), admission) {
        let mut refusal = told(
            StatusCode::PROXY_AUTHENTICATION_REQUIRED,
            "the proxy wants this lab's user and token; `skylab env` shows them",
        );
        let challenge = HeaderValue::from_static("Basic realm=\"skylab\"");
        refusal.headers_mut().insert(PROXY_AUTHENTICATE, challenge);
        return refusal;
    }
    if request.method() != Method::CONNECT {
        let why = "this proxy takes CONNECT only: give it to clients as a SOCKS5 proxy or a proxy for HTTPS";
        return told(StatusCode::METHOD_NOT_ALLOWED, why);
    }
    let Some(target) = request.uri().authority().and_then(target) else {
        return told(StatusCode::BAD_REQUEST, "CONNECT wants host:port");
    };
    match connect(cloud, target).await {
        Ok(called) => {
            let caller = hyper::upgrade::on(request);
            // The first CONNECT ends the conversation, so there is no second one.
            let _ = tunnel.set(Tunnel { caller, called });
            Response::default()
        }
        Err(error) => {
            let status = match error {
                ConnectError::NoSocket => StatusCode::INTERNAL_SERVER_ERROR,
                ConnectError::HostUnreachable => StatusCode::GATEWAY_TIMEOUT,
                ConnectError::NetworkUnreachable | ConnectError::Refused => StatusCode::BAD_GATEWAY,
            };
            told(status, error.to_string())
        }
    }
}

/// Whether a caller brought what the proxy asks for.
fn is_admitted(brought: Option<&HeaderValue>, admission: &Admission) -> bool {
    if matches!(admission, Admission::Open) {
        return true;
    }
    let pair = brought
        .and_then(|value| value.to_str().ok()?.strip_prefix("Basic "))
        .and_then(|text| STANDARD.decode(text.trim()).ok());
    pair.is_some_and(|pair| {
        let mut halves = pair.splitn(2, |byte| *byte == b':');
        let (user, password) = (halves.next(), halves.next());
        admission.admits(user.unwrap_or_default(), password.unwrap_or_default())
    })
}

fn target(authority: &Authority) -> Option<Target> {
    let port = authority.port_u16()?;
    Some(match authority.host().parse() {
        Ok(address) => Target::Address(SocketAddrV4::new(address, port)),
        Err(_) => Target::Name(authority.host().to_owned(), port),
    })
}

fn told(status: StatusCode, why: impl Into<String>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(why.into() + "\n"));
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// OPS-SAFE: without this lab's token the proxy is closed.
    #[test]
    fn only_the_token_opens() {
        let admission = Admission::Token("right".to_owned());
        let brought =
            |pair: &str| HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair))).unwrap();
        assert!(is_admitted(Some(&brought("skylab:right")), &admission));
        for wrong in [
            "skylab:wrong",
            "other:right",
            "skylab",
            "skylab:right:more",
            "",
        ] {
            assert!(!is_admitted(Some(&brought(wrong)), &admission), "{wrong}");
        }
        assert!(!is_admitted(None, &admission));
        assert!(!is_admitted(
            Some(&HeaderValue::from_static("Bearer right")),
            &admission
        ));
        assert!(is_admitted(None, &Admission::Open));
    }

    #[test]
    fn targets_are_understood() {
        let of = |text: &str| target(&text.parse::<Authority>().unwrap());
        assert_eq!(of("web:80"), Some(Target::Name("web".to_owned(), 80)));
        let address = "192.0.2.80:443".parse().unwrap();
        assert_eq!(of("192.0.2.80:443"), Some(Target::Address(address)));
        assert_eq!(of("web"), None);
    }
}
