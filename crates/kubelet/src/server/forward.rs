//! `/portForward`: connections to ports of a pod.

use super::Server;
use super::answer::{Body, text, whole};
use super::route::Place;
use http::{Response, StatusCode};
use hyper::Request;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use std::io;
use streams::{Target, negotiate_port_forward, serve_port_forward};
use tokio::net::TcpStream;

impl Server {
    pub(super) async fn forward(
        &self,
        mut request: Request<Incoming>,
        place: Place,
    ) -> Response<Body> {
        let metadata = &place.resident.wanted.pod.metadata;
        let Some(sandbox) = place.resident.seen.sandbox() else {
            let words = format!("pod not found ({:?})", metadata.name);
            return text(StatusCode::NOT_FOUND, words);
        };
        let accepted = match negotiate_port_forward(&request) {
            Ok(accepted) => accepted,
            Err(refusal) => return refusal.response().map(whole),
        };
        let target = Target {
            pod: sandbox.id.to_string(),
            uid: metadata.uid.clone(),
        };
        let (id, shared) = (sandbox.id.clone(), self.shared.clone());
        let upgraded = hyper::upgrade::on(&mut request);
        let protocol = accepted.protocol;
        self.spawn(async move {
            let Ok(io) = upgraded.await else { return };
            let dial = |port: u16| {
                let (id, shared) = (id.clone(), shared.clone());
                async move {
                    let dialled = shared.blocking(move |means| means.runtime.dial(&id, port));
                    let stream = dialled
                        .await
                        .unwrap_or_else(|| Err(io::Error::other("the runtime failed")))?;
                    stream.set_nonblocking(true)?;
                    TcpStream::from_std(stream)
                }
            };
            serve_port_forward(TokioIo::new(io), protocol, target, dial).await;
        });
        accepted.response.map(|()| whole(""))
    }
}
