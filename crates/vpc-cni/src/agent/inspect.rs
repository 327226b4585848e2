//! What the agent tells of itself over HTTP: to whoever looks for a fault on the node, and to Prometheus.

use super::{Agent, now};
use crate::host::Host;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::net::TcpListener;

/// Where metrics are, on all of the node's addresses.
pub(super) const METRICS: SocketAddr = SocketAddr::new(
    std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
    61_678,
);

/// An answer: its kind and text.
type Page = Option<(&'static str, String)>;

impl<H: Host> Agent<H> {
    /// A page for whoever looks for a fault.
    pub(super) fn introspection(&self, path: &str) -> Page {
        let page = match path {
            "/" => json!({"AvailableCommands": [
                "/v1/enis", "/v1/eni-configs", "/v1/networkutils-env-settings", "/v1/ipamd-env-settings",
            ]}),
            "/v1/enis" => self.interfaces_page(),
            "/v1/eni-configs" => match &self.words.borrow().eni_config {
                None => json!({}),
                Some(config) => json!({"MyENI": config.name, "ENI": {
                    config.name.as_str(): {"subnet": config.subnet, "securityGroups": config.groups},
                }}),
            },
            "/v1/networkutils-env-settings" => json!({
                "AWS_VPC_ENI_MTU": self.settings.mtu.to_string(),
                "AWS_VPC_K8S_CNI_EXTERNALSNAT": self.settings.external_snat.to_string(),
                "AWS_VPC_K8S_CNI_VETHPREFIX": self.settings.veth_prefix,
                "AWS_VPC_CNI_NODE_PORT_SUPPORT": self.settings.node_port_support.to_string(),
            }),
            "/v1/ipamd-env-settings" => {
                let targets = &self.settings.targets;
                json!({
                    "WARM_ENI_TARGET": targets.warm_enis,
                    "WARM_IP_TARGET": targets.warm_ips,
                    "MINIMUM_IP_TARGET": targets.minimum_ips,
                    "WARM_PREFIX_TARGET": targets.warm_prefixes,
                    "ENABLE_PREFIX_DELEGATION": targets.prefixes,
                    "MAX_ENI": self.settings.max_eni,
                    "AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG": self.settings.custom_networking,
                })
            }
            _ => return None,
        };
        Some(("application/json", page.to_string()))
    }

    fn interfaces_page(&self) -> Value {
        let store = self.store();
        let stock = store.stock();
        let interfaces: serde_json::Map<String, Value> = store
            .interfaces()
            .map(|interface| {
                let units: Vec<_> = store.units_of(&interface.id);
                let pods: Vec<Value> = store
                    .allocations()
                    .values()
                    .filter(|of| units.iter().any(|unit| unit.contains(&of.address)))
                    .map(|of| json!({"address": of.address, "namespace": of.namespace, "pod": of.pod}))
                    .collect();
                let page = json!({
                    "ID": interface.id, "IsPrimary": interface.primary,
                    "DeviceNumber": interface.device, "AvailableIPv4Cidrs": units, "Assigned": pods,
                });
                (interface.id.clone(), page)
            })
            .collect();
        json!({
            "TotalIPs": stock.total, "AssignedIPs": stock.assigned,
            "CooldownIPs": store.resting(now()), "ENIs": interfaces,
        })
    }

    /// The metrics' page.
    pub(super) fn metrics(&self, path: &str) -> Page {
        if path != "/metrics" {
            return None;
        }
        let (stock, capacity) = (self.store().stock(), self.capacity());
        let per_unit = self.settings.targets.unit();
        let most = capacity.interfaces * capacity.units_per_interface * per_unit;
        let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        let mut page = String::new();
        for (name, kind, value) in [
            ("eni_allocated", "gauge", stock.interfaces as u64),
            ("eni_max", "gauge", capacity.interfaces as u64),
            ("ip_max", "gauge", most as u64),
            ("total_ip_addresses", "gauge", stock.total as u64),
            ("assigned_ip_addresses", "gauge", stock.assigned as u64),
            ("total_ipv4_prefixes", "gauge", stock.prefixes as u64),
            ("add_ip_req_count", "counter", count(&self.counts.added)),
            ("del_ip_req_count", "counter", count(&self.counts.deleted)),
            (
                "no_available_ip_addresses",
                "counter",
                count(&self.counts.without_address),
            ),
            ("ipamd_error_count", "counter", count(&self.counts.failures)),
        ] {
            // Writing to a string can't fail.
            let _ = writeln!(page, "# TYPE awscni_{name} {kind}\nawscni_{name} {value}");
        }
        for (name, errors) in [("ec2api_req_count", false), ("ec2api_error_count", true)] {
            let _ = writeln!(page, "# TYPE awscni_{name} counter");
            for (operation, count) in self.ec2.counts() {
                let value = if errors { count.errors } else { count.calls };
                let _ = writeln!(page, "awscni_{name}{{fn=\"{operation}\"}} {value}");
            }
        }
        Some(("text/plain; version=0.0.4", page))
    }
}

/// Serves pages at an address until the program ends.
pub(super) async fn serve<H: Host>(
    agent: Arc<Agent<H>>,
    at: SocketAddr,
    page: fn(&Agent<H>, &str) -> Page,
) {
    let listener = match TcpListener::bind(at).await {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%at, %error, "nothing can be asked there");
            return;
        }
    };
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let agent = agent.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let response = respond(page(&agent, request.uri().path()));
            async move { Ok::<_, Infallible>(response) }
        });
        tokio::spawn(async move {
            let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            if let Err(error) = served.await {
                tracing::debug!(%error, "a connection ended");
            }
        });
    }
}

fn respond(page: Page) -> Response<Full<Bytes>> {
    let Some((kind, text)) = page else {
        let mut response = Response::new(Full::from("404 page not found\n"));
        *response.status_mut() = StatusCode::NOT_FOUND;
        return response;
    };
    let mut response = Response::new(Full::from(text));
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert("content-type", kind);
    response
}
