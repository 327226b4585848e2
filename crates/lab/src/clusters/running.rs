//! A cluster at work: its state, its API in the lab's networks, its controllers.

use super::audit::Events;
use super::definition::Definition;
use super::journal::{self, Journal};
use super::node::Node;
use super::{ClusterError, ClusterInfo, Ground, PORT, VERSION, network, node, outward, volumes};
use crate::cloud::unix_time;
use crate::store::Record;
use crate::{entropy, socket};
use ::runtime::NodeRuntime;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cri::{ContainerId, ContainerState, Runtime, Sandbox};
use kernel::NetNs;
use kube::api::Settings;
use kube::cluster::{Cluster, Parts};
use kube::metrics::Kubelets;
use kube::object;
use kube::serve::{Authenticator, Keys, Server};
use kube::store::Key;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// A caller has so long for a TLS handshake.
const PATIENCE: Duration = Duration::from_secs(15);

/// A cluster at work; it ends when this is dropped.
pub(super) struct Running {
    pub(super) definition: Definition,
    pub(super) cluster: Cluster,
    pub(super) nodes: BTreeMap<String, Node>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Running {
    /// Starts a cluster with the objects that the records have of it.
    pub(super) fn start(
        ground: &Ground,
        definition: Definition,
        records: &[Record],
    ) -> Result<Self, ClusterError> {
        let cluster = state(ground, &definition, records)?;
        let signing = STANDARD
            .decode(&definition.signing)
            .map_err(ClusterError::keys)?;
        let authenticator = Authenticator::new(Keys {
            admin: definition.admin.clone(),
            signing,
            issuer: "https://kubernetes.default.svc.cluster.local".to_owned(),
            authority: definition.certificates.authority.clone(),
        });
        let tls = definition.certificates.acceptor();
        let tls = tls.map_err(ClusterError::keys)?;
        let server = Arc::new(Server {
            cluster: cluster.clone(),
            authenticator: authenticator.map_err(ClusterError::keys)?,
        });
        let listeners = listen(ground, &definition)?;
        let controllers = ground.runtime.spawn({
            let cluster = cluster.clone();
            async move {
                let scheduler = kube::scheduler::run(cluster.clone());
                let metrics = kube::metrics::run(cluster.clone(), Kubelets(cluster.clone()));
                tokio::join!(kube::controllers::run(cluster), scheduler, metrics);
            }
        });
        let authority = definition.certificates.authority();
        let authority = Arc::new(authority.map_err(ClusterError::keys)?);
        let signer = kube::certificates::signer::run(cluster.clone(), authority);
        let mut tasks = vec![controllers, ground.runtime.spawn(signer)];
        for listener in listeners {
            let serving = serve(listener, tls.clone(), server.clone());
            tasks.push(ground.runtime.spawn(serving));
        }
        let folder = ground.volumes.join(&definition.name);
        let tidying = volumes::tidy(cluster.clone(), folder);
        tasks.push(ground.runtime.spawn(tidying));
        let nodes = node::start(ground, &definition)?;
        tracing::info!(
            cluster = definition.name,
            server = definition.server(),
            "a cluster serves"
        );
        Ok(Self {
            definition,
            cluster,
            nodes,
            tasks,
        })
    }

    /// The runtime of the node where a pod is, and the pod.
    pub(super) fn pod(&self, namespace: &str, name: &str) -> Option<(&Node, Arc<Value>)> {
        let now = self.cluster.now();
        let pod = now.store.get(&Key::new("pods", namespace, name))?.clone();
        let node = self.nodes.get(object::text(&pod, &["spec", "nodeName"]))?;
        Some((node, pod))
    }

    /// A pod's first container, or the one that it names for its callers.
    pub(super) fn container(
        &self,
        namespace: &str,
        name: &str,
    ) -> Option<(Arc<NodeRuntime>, ContainerId)> {
        let (node, pod) = self.pod(namespace, name)?;
        let chosen = &pod["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"];
        let first = object::list(&pod, &["spec", "containers"]).first()?;
        let container = chosen.as_str().or_else(|| first["name"].as_str())?;
        let runtime = node.runtime().clone();
        let sandboxes = runtime.sandboxes();
        let own = |sandbox: &&Sandbox| sandbox.ready && sandbox.uid == object::uid(&pod);
        let sandbox = &sandboxes.iter().find(own)?.id;
        let containers = runtime.containers();
        let mut own = containers.iter().filter(|of| {
            let runs = matches!(of.state, ContainerState::Running { .. });
            of.sandbox == *sandbox && of.name == container && runs
        });
        let id = own.next()?.id.clone();
        Some((runtime, id))
    }

    /// The network of a running pod that has one of its own.
    pub(super) fn pod_network(&self, namespace: &str, name: &str) -> Option<Arc<NetNs>> {
        let (node, pod) = self.pod(namespace, name)?;
        if pod["spec"]["hostNetwork"] == true {
            return None;
        }
        let sandboxes = node.runtime().sandboxes();
        let own = |sandbox: &&Sandbox| sandbox.ready && sandbox.uid == object::uid(&pod);
        node.runtime().network(&sandboxes.iter().find(own)?.id)
    }

    pub(super) fn info(&self) -> ClusterInfo {
        let store = &self.cluster.now().store;
        ClusterInfo {
            name: self.definition.name.clone(),
            server: self.definition.server(),
            version: format!("v{VERSION}"),
            created: self.definition.created,
            nodes: store.list("nodes", None).count(),
            pods: store.list("pods", None).count(),
        }
    }
}

/// The cluster's state.
fn state(
    ground: &Ground,
    definition: &Definition,
    records: &[Record],
) -> Result<Cluster, ClusterError> {
    let name = &definition.name;
    let services = network::SERVICES;
    let (cloud, host) = (ground.cloud.clone(), definition.layout().api());
    let outward = outward::of(cloud, host, &definition.certificates, ground.pace)?;
    let (cluster, _thread) = Cluster::start(Parts {
        settings: Settings {
            service_cidr: (services.network(), services.prefix_len()),
            node_ports: 30_000..=32_767,
            authority: definition.certificates.authority.clone(),
            version: VERSION.to_owned(),
            pace: ground.pace,
            // A node's pods have the addresses that the fabric leads to it.
            pod_range: None,
            api_endpoint: Some((network::API, super::PORT)),
        },
        store: journal::restore(name, records)?,
        journal: Box::new(Journal::new(name, ground.store.clone())),
        entropy: entropy::bytes,
        clock: unix_time,
        outward: Arc::new(outward),
        audit: Arc::new(Events::new(&ground.directory, name)?),
    })?;
    Ok(cluster)
}

/// Listeners at the API's addresses.
fn listen(ground: &Ground, definition: &Definition) -> Result<Vec<TcpListener>, ClusterError> {
    let (cloud, layout) = (ground.cloud.clone(), definition.layout());
    ground.runtime.block_on(async move {
        let arranged = layout.clone();
        cloud
            .arrange("cluster", move |fabric| arranged.add(fabric))
            .await?;
        let place = cloud.host(layout.api()).await;
        let place = place.ok_or_else(|| io::Error::other("its place is not there"))?;
        let mut listeners = Vec::new();
        for address in [layout.public_api(), network::API] {
            listeners.push(socket::listen(place.clone(), (address, PORT).into()).await?);
        }
        Ok(listeners)
    })
}

/// Takes connections until the task is ended.
async fn serve(listener: TcpListener, tls: TlsAcceptor, server: Arc<Server>) {
    loop {
        let (stream, caller) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "can't accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let (tls, server) = (tls.clone(), server.clone());
        tokio::spawn(async move {
            match timeout(PATIENCE, kube::serve::accept(&tls, stream)).await {
                Ok(Ok((stream, mut peer))) => {
                    peer.address = Some(caller.ip());
                    if let Err(error) = kube::serve::converse(server, stream, peer).await {
                        tracing::debug!(%error, "connection ended");
                    }
                }
                Ok(Err(error)) => tracing::debug!(%error, "no TLS"),
                Err(_) => {}
            }
        });
    }
}
