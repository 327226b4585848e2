//! A health check by gRPC: a call without arguments, whose status counts.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html>

use super::Cause;
use super::http::{no_answer, uri};
use crate::wire::Wire;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, TE, USER_AGENT};
use http::{HeaderValue, Method, Request, Version};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::net::SocketAddr;

/// How much of an answer is read.
const MOST: usize = 1024 * 1024;
/// A message without fields, in gRPC's frame.
const NOTHING: &[u8] = &[0, 0, 0, 0, 0];
/// gRPC's code where nothing else is known.
const UNKNOWN: u16 = 2;

/// The status of a call.
pub(super) async fn call(
    wire: Wire,
    at: SocketAddr,
    tls: bool,
    path: &str,
    agent: &'static str,
) -> Result<u16, Cause> {
    let mut request = Request::new(Full::new(Bytes::from_static(NOTHING)));
    *request.method_mut() = Method::POST;
    *request.version_mut() = Version::HTTP_2;
    *request.uri_mut() = uri(tls, at, path)?;
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(TE, HeaderValue::from_static("trailers"));
    headers.insert(USER_AGENT, HeaderValue::from_static(agent));
    let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(wire)).await;
    let (mut sender, connection) = handshake.map_err(no_answer)?;
    let asking = async {
        let answer = sender.send_request(request).await.map_err(no_answer)?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, MOST).collect().await;
        let trailers = body.ok().and_then(|body| body.trailers().cloned());
        Ok(status(&head.headers, &trailers.unwrap_or_default()))
    };
    tokio::pin!(connection, asking);
    tokio::select! {
        answer = &mut asking => answer,
        _ = &mut connection => asking.await,
    }
}

fn status(head: &HeaderMap, trailers: &HeaderMap) -> u16 {
    let named = trailers
        .get("grpc-status")
        .or_else(|| head.get("grpc-status"));
    let code = named.and_then(|code| code.to_str().ok());
    code.and_then(|code| code.parse().ok()).unwrap_or(UNKNOWN)
}
