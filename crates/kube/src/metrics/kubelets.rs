//! Kubelets, asked over the API server's own connections to them.

use super::Scrape;
use crate::cluster::Cluster;
use crate::outward::{Outward, Trust};
use http::Request;
use http::header::HOST;
use http_body_util::{BodyExt, Empty, Limited};
use std::io;

/// No answer of a kubelet is longer.
const LONGEST: usize = 8 << 20;

/// The kubelets of a cluster's nodes.
#[derive(Clone, Debug)]
pub struct Kubelets(pub Cluster);

impl Scrape for Kubelets {
    async fn scrape(&self, node: &str) -> io::Result<String> {
        let now = self.0.now();
        let (host, port) = crate::api::kubelet(&now.store, node).map_err(told)?;
        let outward = self.0.outward();
        let connection = outward.connect(&host, port, &Trust::Kubelet).await;
        let request = Request::get("/metrics/resource")
            .header(HOST, format!("{host}:{port}"))
            .header("user-agent", "metrics-server")
            .body(Empty::new().map_err(|never| match never {}).boxed_unsync())
            .map_err(io::Error::other)?;
        let answer = Outward::send(connection.map_err(io::Error::other)?, request).await;
        let answer = answer.map_err(io::Error::other)?;
        if !answer.status().is_success() {
            return Err(io::Error::other(answer.status().to_string()));
        }
        let body = Limited::new(answer.into_body(), LONGEST).collect().await;
        let body = body.map_err(io::Error::other)?.to_bytes();
        String::from_utf8(body.to_vec()).map_err(io::Error::other)
    }
}

fn told(status: crate::api::Status) -> io::Error {
    io::Error::other(status.message)
}
