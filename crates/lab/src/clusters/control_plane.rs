//! A cluster's control plane at work: its state, its API in the lab's networks, its controllers.

use super::audit::Events;
use super::certificate::Certificates;
use super::journal::{self, Journal};
use super::{ClusterError, Ground, outward, volumes};
use crate::cloud::unix_time;
use crate::issuers::IssuerBook;
use crate::store::Record;
use crate::{entropy, socket};
use aws::identity::Jwk;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fabric::HostId;
use ipnet::Ipv4Net;
use kube::api::Settings;
use kube::cluster::{Cluster, Parts};
use kube::metrics::Kubelets;
use kube::serve::{Authenticator, Keys, Others, Server};
use std::io;
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// A caller has so long for a TLS handshake.
const PATIENCE: Duration = Duration::from_secs(15);

/// What a control plane is made of. Its host must be in the fabric.
pub(super) struct Plan<'a> {
    /// The cluster's name among all of the lab's; its records carry it.
    pub(super) key: &'a str,
    /// The host that its API answers at and calls from.
    pub(super) host: HostId,
    /// Where on that host.
    pub(super) listeners: Vec<SocketAddrV4>,
    /// Where the service `default/kubernetes` leads.
    pub(super) endpoints: Vec<SocketAddrV4>,
    /// Addresses of services.
    pub(super) services: Ipv4Net,
    /// The version that it says it has, `1.32`.
    pub(super) version: &'a str,
    /// The administrator's token, if there is one.
    pub(super) admin: Option<&'a str>,
    /// The key of service accounts' tokens, PKCS #8 in base64.
    pub(super) signing: &'a str,
    /// Who issues them.
    pub(super) issuer: &'a str,
    /// Its certificates.
    pub(super) certificates: &'a Certificates,
    /// Who knows other tokens.
    pub(super) others: Option<Arc<dyn Others>>,
}

/// A control plane at work; it ends when this is dropped.
pub(super) struct ControlPlane {
    pub(super) cluster: Cluster,
    tasks: Vec<JoinHandle<()>>,
    /// Where its tokens' keys are published, and as whose.
    issuers: Arc<IssuerBook>,
    issuer: String,
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        self.issuers.withdraw(&self.issuer);
    }
}

impl ControlPlane {
    /// Starts one with the objects that the records have of it.
    pub(super) async fn start(
        ground: &Ground,
        plan: Plan<'_>,
        records: &[Record],
    ) -> Result<Self, ClusterError> {
        let cluster = state(ground, &plan, records)?;
        let signing = STANDARD.decode(plan.signing).map_err(ClusterError::keys)?;
        let authenticator = Authenticator::new(Keys {
            admin: plan.admin.map(str::to_owned),
            signing,
            issuer: plan.issuer.to_owned(),
            authority: plan.certificates.authority.clone(),
            others: plan.others.clone(),
        });
        let tls = plan.certificates.acceptor().map_err(ClusterError::keys)?;
        let server = Arc::new(Server {
            cluster: cluster.clone(),
            authenticator: authenticator.map_err(ClusterError::keys)?,
        });
        let mut listeners = Vec::new();
        for at in &plan.listeners {
            listeners.push(listen(ground, &plan.host, *at).await?);
        }
        let keys = Jwk::list(&server.authenticator.key_set());
        ground.issuers.publish(plan.issuer, keys);
        let authority = plan.certificates.authority();
        let authority = Arc::new(authority.map_err(ClusterError::keys)?);
        let controllers = {
            let cluster = cluster.clone();
            async move {
                let scheduler = kube::scheduler::run(cluster.clone());
                let metrics = kube::metrics::run(cluster.clone(), Kubelets(cluster.clone()));
                tokio::join!(kube::controllers::run(cluster), scheduler, metrics);
            }
        };
        let signer = kube::certificates::signer::run(cluster.clone(), authority);
        let folder = ground.volumes.join(plan.key);
        let tidying = volumes::tidy(cluster.clone(), folder);
        let mut this = Self {
            cluster,
            tasks: Vec::new(),
            issuers: ground.issuers.clone(),
            issuer: plan.issuer.to_owned(),
        };
        this.add(ground, controllers);
        this.add(ground, signer);
        this.add(ground, tidying);
        for listener in listeners {
            this.add(ground, serve(listener, tls.clone(), server.clone()));
        }
        tracing::info!(cluster = plan.key, "a cluster serves");
        Ok(this)
    }

    /// Has something run as long as the control plane does.
    pub(super) fn add(&mut self, ground: &Ground, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.push(ground.runtime.spawn(task));
    }
}

/// The cluster's state.
fn state(ground: &Ground, plan: &Plan<'_>, records: &[Record]) -> Result<Cluster, ClusterError> {
    let (cloud, host) = (ground.cloud.clone(), plan.host.clone());
    let outward = outward::of(cloud, host, plan.certificates, ground.pace)?;
    let (cluster, _thread) = Cluster::start(Parts {
        settings: Settings {
            service_cidr: (plan.services.network(), plan.services.prefix_len()),
            node_ports: 30_000..=32_767,
            authority: plan.certificates.authority.clone(),
            version: plan.version.to_owned(),
            pace: ground.pace,
            // Somebody else gives pods their addresses: the fabric, or a network plugin.
            pod_range: None,
            api_endpoints: plan.endpoints.clone(),
        },
        store: journal::restore(plan.key, records)?,
        journal: Box::new(Journal::new(plan.key, ground.store.clone())),
        entropy: entropy::bytes,
        clock: unix_time,
        outward: Arc::new(outward),
        audit: Arc::new(Events::new(&ground.directory, plan.key)?),
    })?;
    Ok(cluster)
}

/// A listener on a host of the fabric.
pub(super) async fn listen(
    ground: &Ground,
    host: &HostId,
    at: SocketAddrV4,
) -> Result<TcpListener, ClusterError> {
    let place = ground.cloud.host(host.clone()).await;
    let place = place.ok_or_else(|| io::Error::other("its place is not there"))?;
    Ok(socket::listen(place, at.into()).await?)
}

/// Takes connections until the task is ended; they end with it, so that callers find the control plane that comes after.
async fn serve(listener: TcpListener, tls: TlsAcceptor, server: Arc<Server>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let (stream, caller) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "can't accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let (tls, server) = (tls.clone(), server.clone());
        connections.spawn(async move {
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
