//! The service proxy: kube-proxy's part, in its nftables mode.
//! <https://kubernetes.io/docs/reference/networking/virtual-ips/>

use crate::AgentError;
use crate::feed::{Difference, differences};
use crate::health::{self, HealthServers};
use ipnet::Ipv4Net;
use kernel::node::Proxy;
use kube_client::{Client, Mirror, Objects};
use serde::Deserialize;
use service_proxy::services::{Compiler, Options};
use std::net::Ipv4Addr;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

/// Changes that come within this time are obeyed together.
const GATHER: Duration = Duration::from_millis(5);
/// After the kernel refused, it is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// With nothing to wait for, the proxy wakes this often.
const IDLE: Duration = Duration::from_secs(3600);
/// Services that another proxy looks after are not ours, and headless ones nobody's.
const SERVICES: &str = "/api/v1/services?labelSelector=!service.kubernetes.io/service-proxy-name,!service.kubernetes.io/headless";
const SLICES: &str = "/apis/discovery.k8s.io/v1/endpointslices?labelSelector=!service.kubernetes.io/service-proxy-name,!service.kubernetes.io/headless";

/// What of `KubeProxyConfiguration` is followed.
/// <https://kubernetes.io/docs/reference/config-api/kube-proxy-config.v1alpha1/>
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Configuration {
    /// `nftables`; other modes have no engine here.
    pub mode: String,
    /// The ranges of pods' addresses, with commas between.
    #[serde(rename = "clusterCIDR")]
    pub cluster_cidr: String,
    /// What concerns nftables.
    pub nftables: Nftables,
}

/// What concerns nftables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Nftables {
    /// Whether everything to cluster addresses is masqueraded.
    pub masquerade_all: bool,
}

impl Configuration {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// It isn't one, or wants what there is not.
    pub fn read(text: &str) -> Result<Self, AgentError> {
        let wrong = |error: &dyn std::fmt::Display| AgentError::Config(error.to_string());
        let read: Self = serde_norway::from_str(text).map_err(|error| wrong(&error))?;
        match read.mode.as_str() {
            "" | "nftables" => Ok(read),
            other => Err(wrong(&format!(
                "unknown proxy mode {other:?}: this proxy has nftables"
            ))),
        }
    }

    fn pods(&self) -> Result<Option<Vec<Ipv4Net>>, AgentError> {
        let ranges = self.cluster_cidr.split(',').map(str::trim);
        let ranges = ranges.filter(|range| !range.is_empty() && !range.contains(':'));
        let parsed: Result<Vec<Ipv4Net>, _> = ranges.map(str::parse).collect();
        let parsed = parsed.map_err(|error| AgentError::Config(format!("clusterCIDR: {error}")))?;
        Ok((!parsed.is_empty()).then_some(parsed))
    }
}

/// Runs the proxy of a node until the process ends.
///
/// # Errors
/// Its configuration can't be used, or the kernel gives no access.
pub async fn run(
    client: Client,
    node: &str,
    configuration: &Configuration,
) -> Result<(), AgentError> {
    let mut options = Options {
        node: node.to_owned(),
        pods: configuration.pods()?,
        masquerade_all: configuration.nftables.masquerade_all,
        ..Options::default()
    };
    let own = format!("/api/v1/nodes?fieldSelector=metadata.name%3D{node}");
    let mut nodes = Mirror::start(client.clone(), own);
    let mut services = Mirror::start(client.clone(), SERVICES);
    let mut slices = Mirror::start(client, SLICES);
    let mut proxy = Proxy::here()?;
    let (tell, obeyed) = watch::channel(false);
    tokio::spawn(health::serve_own(obeyed));
    let mut checks = HealthServers::default();
    let mut seen = Seen::default();
    learn(&mut options, &*nodes.ready().await);
    let mut compiler = Compiler::new(options.clone());
    seen.services(&mut compiler, &*services.ready().await);
    seen.slices(&mut compiler, &*slices.ready().await);
    loop {
        let applied = proxy.apply(compiler.services());
        tell.send_replace(applied.is_ok());
        checks.set(compiler.health_checks()).await;
        let again = match applied {
            Ok(applied) => {
                tracing::debug!(changes = applied.changes, cut = applied.flows_cut, "obeyed");
                IDLE
            }
            Err(error) => {
                tracing::error!(%error, "the kernel does not obey the services; trying again");
                RETRY
            }
        };
        tokio::select! {
            now = nodes.changed() => {
                learn(&mut options, &now);
                compiler.set_options(options.clone());
            }
            now = services.changed() => seen.services(&mut compiler, &now),
            now = slices.changed() => seen.slices(&mut compiler, &now),
            () = sleep(again) => {}
        }
        sleep(GATHER).await;
        if let Some(now) = services.now() {
            seen.services(&mut compiler, &now);
        }
        if let Some(now) = slices.now() {
            seen.slices(&mut compiler, &now);
        }
    }
}

/// What the compiler was told last.
#[derive(Default)]
struct Seen {
    services: Objects,
    slices: Objects,
}

impl Seen {
    fn services(&mut self, compiler: &mut Compiler, now: &Objects) {
        for difference in differences(&self.services, now) {
            match difference {
                Difference::Is(object) => compiler.service(object),
                Difference::Gone(namespace, name) => compiler.service_gone(namespace, name),
            }
        }
        self.services = now.clone();
    }

    fn slices(&mut self, compiler: &mut Compiler, now: &Objects) {
        for difference in differences(&self.slices, now) {
            match difference {
                Difference::Is(object) => compiler.slice(object),
                Difference::Gone(namespace, name) => compiler.slice_gone(namespace, name),
            }
        }
        self.slices = now.clone();
    }
}

/// What the node's own object says: its addresses that take node ports, and its zone.
fn learn(options: &mut Options, nodes: &Objects) {
    let Some(node) = nodes.values().next() else {
        return;
    };
    let addresses = node["status"]["addresses"].as_array();
    options.addresses = addresses
        .into_iter()
        .flatten()
        .filter(|address| address["type"] == "InternalIP")
        .filter_map(|address| address["address"].as_str()?.parse::<Ipv4Addr>().ok())
        .collect();
    let zone = &node["metadata"]["labels"]["topology.kubernetes.io/zone"];
    options.zone = zone.as_str().map(str::to_owned);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;
    use std::sync::Arc;

    #[test]
    fn a_configuration_is_followed_or_refused() {
        let read = Configuration::read("mode: nftables\nclusterCIDR: 10.244.0.0/16\n").unwrap();
        let pods = read.pods().unwrap();
        assert_eq!(pods, Some(vec!["10.244.0.0/16".parse().unwrap()]));
        let none = Configuration::read("mode: \"\"\n").unwrap();
        assert_eq!(none.pods().unwrap(), None);
        assert!(Configuration::read("mode: ipvs\n").is_err());
        let odd = Configuration::read("clusterCIDR: ten\n").unwrap();
        assert!(odd.pods().is_err());
    }

    #[test]
    fn the_nodes_own_object_tells_where_node_ports_are() {
        let node = json!({
            "metadata": {"name": "a", "labels": {"topology.kubernetes.io/zone": "us-west-2a"}},
            "status": {"addresses": [
                {"type": "InternalIP", "address": "172.18.0.16"},
                {"type": "ExternalIP", "address": "198.51.100.7"},
                {"type": "Hostname", "address": "a"},
            ]},
        });
        let mut options = Options::default();
        learn(&mut options, &Objects::unit("a".to_owned(), Arc::new(node)));
        assert_eq!(options.addresses, [Ipv4Addr::new(172, 18, 0, 16)]);
        assert_eq!(options.zone.as_deref(), Some("us-west-2a"));
    }
}
