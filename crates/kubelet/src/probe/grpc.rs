//! `grpc.health.v1.Health/Check`: one call over HTTP/2 without TLS.
//! <https://github.com/grpc/grpc/blob/master/doc/health-checking.md>

use super::Answer;
use crate::http::dial;
use crate::place::Place;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{HeaderMap, Request, Version};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::time::Duration;
use tokio::time::timeout;

const METHOD: &str = "/grpc.health.v1.Health/Check";
/// An answer is not longer.
const LONGEST: usize = 64 * 1024;
/// `status` of an answer, and its value that says that all is well.
const STATUS: u64 = 1;
const SERVING: u64 = 1;
/// gRPC's code of a method that isn't there.
const UNIMPLEMENTED: &str = "12";

/// Asks whether a service serves.
pub(crate) async fn check(
    place: &dyn Place,
    host: &str,
    port: u16,
    service: &str,
    limit: Duration,
) -> Answer {
    let within = crate::clock::duration(limit);
    let connected = match timeout(limit, dial(place, host, port)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(why)) => {
            return Answer::Failure(format!(
                "timeout: failed to connect service \"{host}:{port}\" within {within}: {why}"
            ));
        }
        Err(_) => {
            return Answer::Failure(format!(
                "timeout: failed to connect service \"{host}:{port}\" within {within}: context deadline exceeded"
            ));
        }
    };
    let asked = async {
        let io = TokioIo::new(connected);
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
        let exchange = async {
            let response = sender.send_request(request(host, port, service)).await?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, LONGEST).collect().await;
            let (trailers, body) = match body {
                Ok(body) => (body.trailers().cloned(), body.to_bytes()),
                Err(_) => (None, Bytes::new()),
            };
            Ok::<_, hyper::Error>((head.headers, trailers.unwrap_or_default(), body))
        };
        tokio::pin!(connection, exchange);
        tokio::select! {
            answered = &mut exchange => answered,
            ended = &mut connection => {
                ended?;
                exchange.await
            }
        }
    };
    match timeout(limit, asked).await {
        Ok(Ok((head, trailers, body))) => judge(&head, &trailers, &body),
        Ok(Err(error)) => Answer::Failure(format!("error: health rpc failed: {error}")),
        Err(_) => {
            let why = "rpc error: code = DeadlineExceeded desc = context deadline exceeded";
            Answer::Failure(format!(
                "timeout: health rpc did not complete within {within}: {why}"
            ))
        }
    }
}

fn request(host: &str, port: u16, service: &str) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(frame(service)));
    let uri = format!("http://{host}:{port}{METHOD}");
    // An address and a port make a URI.
    *request.uri_mut() = uri.parse().unwrap_or_default();
    *request.method_mut() = http::Method::POST;
    *request.version_mut() = Version::HTTP_2;
    let headers = request.headers_mut();
    for (name, value) in [
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("user-agent", "kube-probe/1.32"),
    ] {
        headers.insert(name, http::HeaderValue::from_static(value));
    }
    request
}

/// A `HealthCheckRequest` in gRPC's frame.
fn frame(service: &str) -> Bytes {
    let mut message = BytesMut::new();
    if !service.is_empty() {
        message.put_u8(0x0a);
        put_varint(&mut message, service.len() as u64);
        message.put_slice(service.as_bytes());
    }
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    frame.extend_from_slice(&message);
    frame.freeze()
}

fn judge(head: &HeaderMap, trailers: &HeaderMap, body: &Bytes) -> Answer {
    let status = trailers
        .get("grpc-status")
        .or_else(|| head.get("grpc-status"));
    let code = status.and_then(|code| code.to_str().ok()).unwrap_or("0");
    if code == UNIMPLEMENTED {
        let why = "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): ";
        return Answer::Failure(why.to_owned());
    }
    if code != "0" {
        let message = trailers
            .get("grpc-message")
            .or_else(|| head.get("grpc-message"));
        let message = message.and_then(|m| m.to_str().ok()).unwrap_or_default();
        return Answer::Failure(format!(
            "error: health rpc failed: rpc error: code = {code} desc = {message}"
        ));
    }
    match serving(body.clone()) {
        SERVING => Answer::Success,
        other => {
            let name = match other {
                2 => "NOT_SERVING",
                3 => "SERVICE_UNKNOWN",
                _ => "UNKNOWN",
            };
            Answer::Failure(format!("service unhealthy (responded with {name:?})"))
        }
    }
}

/// The status in a `HealthCheckResponse` in gRPC's frame.
fn serving(mut body: Bytes) -> u64 {
    if body.remaining() < 5 {
        return 0;
    }
    body.advance(5);
    let mut status = 0;
    while let Some(key) = varint(&mut body) {
        match key & 7 {
            0 => {
                let Some(value) = varint(&mut body) else {
                    break;
                };
                if key >> 3 == STATUS {
                    status = value;
                }
            }
            2 => {
                let length = varint(&mut body).and_then(|n| usize::try_from(n).ok());
                match length {
                    Some(length) if length <= body.remaining() => body.advance(length),
                    _ => break,
                }
            }
            _ => break,
        }
    }
    status
}

fn put_varint(to: &mut BytesMut, mut value: u64) {
    while value >= 0x80 {
        to.put_u8((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    to.put_u8(value as u8);
}

fn varint(from: &mut Bytes) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        if !from.has_remaining() {
            return None;
        }
        let byte = from.get_u8();
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::place::Here;
    use http_body_util::combinators::BoxBody;
    use hyper::service::service_fn;
    use std::convert::Infallible;
    use tokio::net::TcpListener;

    /// A server of health checks that says a status of everything.
    async fn serve(status: u8) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let service = service_fn(move |request: Request<hyper::body::Incoming>| async move {
                assert_eq!(request.uri().path(), METHOD);
                let asked = request.into_body().collect().await.unwrap().to_bytes();
                assert_eq!(&asked[..], b"\0\0\0\0\x05\x0a\x03web");
                let body = Bytes::from(vec![0, 0, 0, 0, 2, 8, status]);
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", "0".parse().unwrap());
                let body = Full::new(body).with_trailers(async move { Some(Ok(trailers)) });
                let body: BoxBody<Bytes, Infallible> = body.boxed();
                Ok::<_, Infallible>(http::Response::new(body))
            });
            let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            let _ = builder
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
        port
    }

    /// K8S-RUN: a gRPC probe asks a health server, in its own protocol.
    #[tokio::test]
    async fn health_servers_are_asked() {
        let limit = Duration::from_secs(5);
        let port = serve(1).await;
        let answer = check(&Here, "127.0.0.1", port, "web", limit).await;
        assert_eq!(answer, Answer::Success);
        let port = serve(2).await;
        let answer = check(&Here, "127.0.0.1", port, "web", limit).await;
        let why = "service unhealthy (responded with \"NOT_SERVING\")";
        assert_eq!(answer, Answer::Failure(why.into()));
    }
}
