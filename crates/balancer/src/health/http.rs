//! A health check by HTTP.

use super::Cause;
use crate::wire::Wire;
use bytes::Bytes;
use fabric::balancer::Speech;
use http::header::{CONNECTION, HOST, USER_AGENT};
use http::{HeaderValue, Request, Response, Uri, Version};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::future::Future;
use std::net::SocketAddr;

/// How much of an answer is read.
const MOST: usize = 1024 * 1024;

/// The status that a member answers a request with.
pub(super) async fn get(
    wire: Wire,
    speech: Speech,
    at: SocketAddr,
    path: &str,
    agent: &'static str,
) -> Result<u16, Cause> {
    let mut request = Request::new(Empty::<Bytes>::new());
    let io = TokioIo::new(wire);
    let agent = HeaderValue::from_static(agent);
    request.headers_mut().insert(USER_AGENT, agent);
    let answer = if matches!(speech, Speech::Http2 | Speech::Https2) {
        let tls = speech == Speech::Https2;
        *request.uri_mut() = uri(tls, at, path)?;
        *request.version_mut() = Version::HTTP_2;
        let handshake = http2::handshake(TokioExecutor::new(), io).await;
        let (mut sender, connection) = handshake.map_err(no_answer)?;
        driven(connection, sender.send_request(request)).await?
    } else {
        *request.uri_mut() = path.parse().map_err(|_| not_a_path(path))?;
        let headers = request.headers_mut();
        let host = HeaderValue::from_maybe_shared(at.to_string());
        headers.insert(HOST, host.map_err(|_| not_a_path(path))?);
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        let mut builder = http1::Builder::new();
        builder.title_case_headers(true);
        let (mut sender, connection) = builder.handshake(io).await.map_err(no_answer)?;
        driven(connection, sender.send_request(request)).await?
    };
    Ok(answer.status().as_u16())
}

/// An answer, read to its end on a connection that is driven meanwhile.
async fn driven(
    connection: impl Future<Output = Result<(), hyper::Error>>,
    asking: impl Future<Output = Result<Response<Incoming>, hyper::Error>>,
) -> Result<Response<()>, Cause> {
    let asking = async {
        let (head, body) = asking.await.map_err(no_answer)?.into_parts();
        // The status counts, however the body ends.
        let _ = Limited::new(body, MOST).collect().await;
        Ok(Response::from_parts(head, ()))
    };
    tokio::pin!(connection, asking);
    tokio::select! {
        answer = &mut asking => answer,
        _ = &mut connection => asking.await,
    }
}

pub(super) fn uri(tls: bool, at: SocketAddr, path: &str) -> Result<Uri, Cause> {
    let scheme = if tls { "https" } else { "http" };
    let uri = format!("{scheme}://{at}{path}").parse();
    uri.map_err(|_| not_a_path(path))
}

fn not_a_path(path: &str) -> Cause {
    Cause::NoAnswer(format!("{path} is no path"))
}

pub(super) fn no_answer(error: hyper::Error) -> Cause {
    Cause::NoAnswer(error.to_string())
}
