//! What the proxy answers over HTTP: its own health, and at each `healthCheckNodePort` whether the
//! node has endpoints of the service. Load balancers ask the latter, so that they send only to nodes
//! that keep the client's address and have somebody to give it to.
//! <https://kubernetes.io/docs/tasks/access-application-cluster/create-external-load-balancer/#preserving-the-client-source-ip>

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::json;
use service_proxy::services::HealthCheck;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The port of the proxy's own health, upstream's default.
pub(crate) const PROXY: u16 = 10_256;

/// Servers of health checks, by port; they end with it.
#[derive(Debug, Default)]
pub(crate) struct HealthServers {
    servers: BTreeMap<u16, (watch::Sender<HealthCheck>, JoinHandle<()>)>,
}

impl Drop for HealthServers {
    fn drop(&mut self) {
        for (_, task) in self.servers.values() {
            task.abort();
        }
    }
}

impl HealthServers {
    /// Makes the servers agree with the checks there shall be.
    pub(crate) async fn set(&mut self, checks: Vec<HealthCheck>) {
        self.servers.retain(|port, (_, task)| {
            let wanted = checks.iter().any(|check| check.port == *port);
            if !wanted {
                task.abort();
            }
            wanted
        });
        for check in checks {
            if let Some((tell, _)) = self.servers.get(&check.port) {
                tell.send_replace(check);
                continue;
            }
            let port = check.port;
            match TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await {
                Ok(listener) => {
                    let (tell, told) = watch::channel(check);
                    let task = tokio::spawn(serve(listener, told));
                    self.servers.insert(port, (tell, task));
                }
                Err(error) => {
                    let service = format!("{}/{}", check.namespace, check.name);
                    tracing::warn!(%service, port, %error, "no health check server");
                }
            }
        }
    }
}

async fn serve(listener: TcpListener, told: watch::Receiver<HealthCheck>) {
    answer_all(listener, move || {
        let check = told.borrow();
        let status = if check.local > 0 {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        let body = json!({
            "service": {"namespace": check.namespace, "name": check.name},
            "localEndpoints": check.local,
            "serviceProxyHealthy": true,
        });
        (status, body.to_string())
    })
    .await;
}

/// Serves the proxy's own health: well while the kernel obeys.
pub(crate) async fn serve_own(obeyed: watch::Receiver<bool>) {
    match TcpListener::bind((Ipv4Addr::UNSPECIFIED, PROXY)).await {
        Ok(listener) => {
            answer_all(listener, move || {
                let well = *obeyed.borrow();
                let status = if well {
                    StatusCode::OK
                } else {
                    StatusCode::SERVICE_UNAVAILABLE
                };
                (status, json!({"healthy": well}).to_string())
            })
            .await;
        }
        Err(error) => tracing::warn!(port = PROXY, %error, "no health server"),
    }
}

/// Gives every request the answer of its moment.
async fn answer_all(
    listener: TcpListener,
    answer: impl Fn() -> (StatusCode, String) + Clone + Send + Sync + 'static,
) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let answer = answer.clone();
        let service = service_fn(move |_: Request<Incoming>| {
            let (status, body) = answer();
            let mut response = Response::new(Full::<Bytes>::from(body));
            *response.status_mut() = status;
            response.headers_mut().insert(
                "content-type",
                http::HeaderValue::from_static("application/json"),
            );
            async move { Ok::<_, Infallible>(response) }
        });
        tokio::spawn(async move {
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            if let Err(error) = connection.await {
                tracing::debug!(%error, "health connection ended");
            }
        });
    }
}
