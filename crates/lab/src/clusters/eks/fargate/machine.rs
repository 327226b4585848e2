//! A machine of Fargate's: it boots, takes its profile's role, and joins the cluster as a node.

use super::super::key;
use super::super::nodeadm::{self, JoinError, Session};
use super::proxy::ServiceProxy;
use super::{COMPUTE, Size, size};
use crate::caller::{Caller, Lookup};
use crate::clusters::node::{self, NamedPlace, RegistryLogin, Spec};
use crate::clusters::{Clusters, Ground};
use crate::guests::Appointment;
use aws::identity::{Principal, Session as Sealed};
use aws::model::eks::{Cluster, FargateMachine};
use aws::model::iam::role;
use aws::model::region;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cri::Dns;
use kube::object;
use kubelet::{Identity, Taint};
use serde_json::Value;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// How long to wait before all is tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// A machine's credentials are AWS's affair, and it lives no longer than its pod: they hold for so many seconds.
const CREDENTIALS: i64 = 365 * 86_400;

/// A machine that boots or runs. Dropped, it is booted no further.
pub(super) struct Machine(JoinHandle<()>);

impl Drop for Machine {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Machine {
    /// Boots a machine for a pod. It tries until it has joined.
    pub(super) fn boot(clusters: Clusters, machine: Arc<FargateMachine>, pod: Arc<Value>) -> Self {
        let runtime = clusters.ground.runtime.clone();
        Self(runtime.spawn(async move {
            let proxy = loop {
                match attempt(&clusters, &machine, &pod).await {
                    Ok(proxy) => break proxy,
                    Err(error) => {
                        let node = &machine.key.name;
                        tracing::info!(node, %error, "not a node yet");
                    }
                }
                tokio::time::sleep(AGAIN).await;
            };
            proxy.keep().await;
        }))
    }
}

/// Where a machine is.
struct Site {
    cluster: Arc<Cluster>,
    resolver: Ipv4Addr,
    zone: String,
    authority: String,
}

fn site(ground: &Ground, machine: &FargateMachine) -> Result<Site, JoinError> {
    let gone = |what: &str| JoinError::Other(format!("its {what} is gone"));
    let state = &ground.cloud.snapshot().state;
    let cluster = state.eks_clusters.get(&machine.key.cluster);
    let cluster = cluster.ok_or_else(|| gone("cluster"))?.clone();
    let vpc = state.vpcs.get(&cluster.vpc).ok_or_else(|| gone("VPC"))?;
    let interface = state.network_interfaces.get(&machine.interface);
    let subnet = interface.and_then(|interface| state.subnets.get(&interface.subnet));
    let encoded = cluster.authority.clone().unwrap_or_default();
    let decoded = STANDARD.decode(encoded).map_err(io::Error::other)?;
    Ok(Site {
        resolver: aws::compile::resolver(vpc).ok_or_else(|| gone("name server"))?,
        zone: subnet.ok_or_else(|| gone("subnet"))?.zone.clone(),
        authority: String::from_utf8(decoded).map_err(io::Error::other)?,
        cluster,
    })
}

/// The machine's role, as a session named after its node.
fn credentials(
    ground: &Ground,
    machine: &FargateMachine,
) -> Result<nodeadm::Credentials, JoinError> {
    let snapshot = ground.cloud.snapshot();
    let role = role::by_arn(&snapshot.state, &machine.role);
    let role = role.ok_or_else(|| JoinError::Other(format!("{} is not there", machine.role)))?;
    let given = ground.keys.seal.issue(&Sealed {
        principal: Principal::Role {
            name: role.name.clone(),
            id: role.id.clone(),
            session: machine.key.name.clone(),
        },
        expires: crate::cloud::unix_time() + CREDENTIALS,
        nonce: machine.interface.to_string(),
    });
    Ok(nodeadm::Credentials {
        access_key_id: given.access_key_id,
        secret_access_key: given.secret,
        token: given.token,
    })
}

async fn attempt(
    clusters: &Clusters,
    machine: &FargateMachine,
    pod: &Value,
) -> Result<ServiceProxy, JoinError> {
    let ground = &clusters.ground;
    let (name, region) = (&machine.key.name, &machine.key.cluster.region);
    let host = aws::compile::fargate::host_id(machine);
    let site = site(ground, machine)?;
    let appointment = Appointment {
        hostname: host_name(pod),
        address: machine.address,
        servers: vec![site.resolver],
        files: Vec::new(),
    };
    ground.guests.appoint(host.clone(), appointment);
    let (guests, booted) = (ground.guests.clone(), host.clone());
    let booting = tokio::task::spawn_blocking(move || guests.guest(&booted));
    let guest = booting.await.map_err(io::Error::other)??;
    let place = node::place(ground, &host).await?;
    let lookup = Lookup::Server(site.resolver);
    let caller = Caller::new(place.0.clone(), lookup, &ground.bundle);
    let caller = caller.map_err(|error| JoinError::Other(error.to_string()))?;
    let own = credentials(ground, machine)?;
    let session = Session::new(caller, region, &site.cluster.key.name, own);
    let session = Arc::new(session);
    let dial = NamedPlace {
        place: place.clone(),
        resolver: site.resolver,
    };
    let endpoint = site.cluster.endpoint_url();
    let api = nodeadm::client(&endpoint, &site.authority, &session, dial)?;
    let identity = nodeadm::identity(&api, name, machine.address, &site.authority).await?;
    let login = nodeadm::login(ground, session.clone());
    let spec = spec(machine, pod, &site, (identity, login));
    let cluster = key(region, &site.cluster.key.name);
    let there = |clusters: &Clusters| {
        let running = clusters.running();
        running.get(&cluster).map(|of| of.nodes.contains_key(name))
    };
    // A control plane that begins anew finds its nodes at work.
    if there(clusters) == Some(false) {
        let begun = node::begin(ground, spec, (guest.clone(), place), api)?;
        if let Some(of) = clusters.running().get_mut(&cluster) {
            of.nodes.insert(name.clone(), begun);
        }
    }
    let at = (site.cluster.endpoint.host.as_str(), site.authority.as_str());
    let proxy = ServiceProxy::begin(guest, session, name, at);
    proxy.map_err(|error| JoinError::Other(error.to_string()))
}

/// What the node is.
fn spec(
    machine: &FargateMachine,
    pod: &Value,
    site: &Site,
    (identity, login): (Identity, Arc<dyn RegistryLogin>),
) -> Spec {
    let (name, region) = (&machine.key.name, &machine.key.cluster.region);
    let plain = name.trim_start_matches("fargate-");
    let capacity = size(pod).map(Size::capacity).unwrap_or_default();
    let (zone, zone_id) = (site.zone.as_str(), region::zone_id(&site.zone));
    let labels = [
        COMPUTE,
        ("topology.kubernetes.io/region", region),
        ("failure-domain.beta.kubernetes.io/region", region),
        ("topology.kubernetes.io/zone", zone),
        ("failure-domain.beta.kubernetes.io/zone", zone),
        ("topology.k8s.aws/zone-id", &zone_id),
        ("kubernetes.io/hostname", plain),
    ];
    let host = aws::compile::fargate::host_id(machine);
    let names = u32::from(site.cluster.service_cidr.network()) + 10;
    Spec {
        cluster: key(region, &site.cluster.key.name),
        name: name.clone(),
        address: machine.address,
        addresses: vec![("InternalDNS".to_owned(), plain.to_owned())],
        labels: labels
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        taints: vec![Taint {
            key: COMPUTE.0.to_owned(),
            value: COMPUTE.1.to_owned(),
            effect: "NoSchedule".to_owned(),
        }],
        provider_id: Some(format!("aws:///{zone}/{host}/{name}")),
        capacity,
        allocatable: capacity,
        version: site.cluster.version.build(),
        machine_id: machine.interface.to_string(),
        cluster_dns: vec![Ipv4Addr::from(names)],
        node_dns: Dns {
            servers: vec![site.resolver.to_string()],
            ..Dns::default()
        },
        lookup: Lookup::Server(site.resolver),
        login: Some(login),
        identity,
        one_pod: true,
        host,
    }
}

/// The host name of a machine is its pod's.
fn host_name(pod: &Value) -> String {
    let own = object::text(pod, &["spec", "hostname"]);
    let name = if own.is_empty() {
        object::name(pod)
    } else {
        own
    };
    // Host names have no more letters.
    let name: String = name.chars().take(63).collect();
    name.trim_end_matches(['-', '.']).to_owned()
}
