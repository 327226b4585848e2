//! What an EKS image does at boot, before and around the kubelet: it finds out who it is and which cluster it
//! belongs to, by its instance's metadata and AWS's APIs, over its own network, and joins.
//!
//! <https://awslabs.github.io/amazon-eks-ami/nodeadm/>

mod config;
mod imds;
mod machine;
mod registry;
mod serving;
mod session;

pub(super) use imds::Credentials;
pub(super) use session::{CLUSTER, Session, TOKEN};

use super::super::node::{self, NamedPlace, Node, RegistryLogin, Spec};
use super::super::{ClusterError, Ground};
use crate::caller::{Caller, Lookup};
use crate::guests::GuestError;
use aws::model::eks::Version;
use aws::model::image;
use aws::model::instance::Instance;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use config::{ConfigError, NodeConfig, UserData};
use cri::Dns;
use fabric::HostId;
use imds::{Metadata, MetadataError};
use kernel::guest::Guest;
use kube_client::{Client, Config, Credential};
use kubelet::Identity;
use machine::Hardware;
use registry::RoleLogin;
use serving::ServingError;
use session::AwsError;
use std::io;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Where `bootstrap.sh` leaves what it was called with, one argument a line.
pub const BOOTSTRAP: &str = "/var/lib/eks/bootstrap.arguments";
/// How often it is looked for.
const LOOK: Duration = Duration::from_millis(200);
/// How long to wait before all is tried again, as systemd restarts nodeadm.
const AGAIN: Duration = Duration::from_secs(1);

/// A node that joined, or tries to as its kubelet.
pub(super) struct Joined {
    /// The cluster's name; it is in the instance's region.
    pub(super) cluster: String,
    /// The node's name.
    pub(super) name: String,
    /// What runs.
    pub(super) node: Node,
    /// The node's role, whose credentials want renewing.
    pub(super) session: Arc<Session>,
}

/// Why a node can't join now.
#[derive(Debug, thiserror::Error)]
pub(super) enum JoinError {
    #[error(transparent)]
    Guest(#[from] GuestError),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error(transparent)]
    Serving(#[from] ServingError),
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error("{0}")]
    Other(String),
}

/// Boots an instance of an EKS image as a node. It tries until it has joined; the console says what it waits for.
pub(super) async fn join(ground: &Ground, instance: &Instance) -> Joined {
    let mut said = String::new();
    loop {
        match attempt(ground, instance).await {
            Ok(joined) => {
                let line = format!("kubelet: node {} joins {}", joined.name, joined.cluster);
                ground.guests.print(&instance.id, &line);
                return joined;
            }
            Err(error) => {
                let line = format!("nodeadm: {error}");
                if line != said {
                    tracing::info!(host = %instance.id, %error, "not a node yet");
                    ground.guests.print(&instance.id, &line);
                    said = line;
                }
            }
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn attempt(ground: &Ground, instance: &Instance) -> Result<Joined, JoinError> {
    let host = HostId::from(instance.id.as_str());
    let (guests, booted) = (ground.guests.clone(), host.clone());
    let booting = tokio::task::spawn_blocking(move || guests.guest(&booted));
    let guest = booting.await.map_err(io::Error::other)??;
    let place = node::place(ground, &host).await?;
    let dns = resolvers(&guest)?;
    let resolver = dns.servers.first().and_then(|server| server.parse().ok());
    let resolver = resolver.unwrap_or(Ipv4Addr::new(169, 254, 169, 253));
    let caller = Caller::new(place.0.clone(), Lookup::Server(resolver), &ground.bundle);
    let caller = caller.map_err(|error| JoinError::Other(error.to_string()))?;
    let metadata = Metadata::begin(&caller).await?;
    let mut config = match config::read(&metadata.get("user-data").await?)? {
        UserData::Config(config) => *config,
        UserData::Script => bootstrapped(&guest).await?,
    };
    let hardware = Hardware::read(&metadata).await?;
    let credentials = metadata.credentials().await?;
    let session = Session::new(
        caller.clone(),
        &hardware.region,
        &config.cluster,
        credentials,
    );
    let session = Arc::new(session);
    let name = private_name(&session, &hardware.id).await?;
    if config.endpoint.is_none() || config.authority.is_none() || config.services.is_none() {
        let described = session
            .eks(&format!("/clusters/{}", config.cluster))
            .await?;
        let described = serde_json::from_str(&described);
        config.complete(&described.map_err(|error| JoinError::Other(error.to_string()))?);
    }
    let authority = authority(&config)?;
    let endpoint = config.endpoint.clone().unwrap_or_default();
    let client = client(
        &endpoint,
        &authority,
        &session,
        NamedPlace {
            place: place.clone(),
            resolver,
        },
    )?;
    let identity = identity(&client, &name, hardware.address, &authority).await?;
    let labels = hardware.labels().into_iter().chain(config.labels.clone());
    let (capacity, allocatable) = hardware.capacity(config.max_pods);
    let login = login(ground, session.clone());
    let spec = Spec {
        cluster: super::key(&hardware.region, &config.cluster),
        host,
        address: hardware.address,
        addresses: hardware.addresses(&name),
        labels: labels.collect(),
        taints: config.taints.clone(),
        provider_id: Some(hardware.provider_id()),
        capacity,
        allocatable,
        version: version(instance),
        machine_id: hardware.id.clone(),
        cluster_dns: cluster_dns(&config)?,
        node_dns: dns,
        lookup: Lookup::Server(resolver),
        login: Some(login),
        one_pod: false,
        identity,
        name: name.clone(),
    };
    let node = node::begin(ground, spec, (guest, place), client)?;
    Ok(Joined {
        cluster: config.cluster,
        name,
        node,
        session,
    })
}

/// The version of the kubelet that an image has: `amazon-eks-node-al2023-x86_64-standard-1.34-v20260724`.
fn version(instance: &Instance) -> String {
    let image = image::find(instance.image.as_str());
    let name = image.map_or("", |image| image.name.as_str());
    let minor = name.split('-').find(|part| part.starts_with("1."));
    let read = minor.and_then(|minor| minor.parse::<Version>().ok());
    let version = read.unwrap_or(aws::model::eks::version::DEFAULT);
    version.build()
}

/// What a guest's resolver asks.
fn resolvers(guest: &Guest) -> io::Result<Dns> {
    let text = guest.files().read(Path::new("/etc/resolv.conf"))?;
    let text = String::from_utf8_lossy(&text);
    let mut dns = Dns::default();
    for line in text.lines() {
        let mut words = line.split_whitespace().map(str::to_owned);
        match words.next().as_deref() {
            Some("nameserver") => dns.servers.extend(words),
            Some("search") => dns.searches = words.collect(),
            _ => {}
        }
    }
    Ok(dns)
}

/// What `bootstrap.sh` was called with, once it was.
async fn bootstrapped(guest: &Guest) -> Result<NodeConfig, JoinError> {
    loop {
        if let Ok(found) = guest.files().read(Path::new(BOOTSTRAP)) {
            let text = String::from_utf8_lossy(&found);
            let arguments: Vec<String> = text.lines().map(str::to_owned).collect();
            return Ok(config::of_arguments(&arguments)?);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The instance's private DNS name, which is the node's.
async fn private_name(session: &Session, instance: &str) -> Result<String, JoinError> {
    let query = format!("Action=DescribeInstances&Version=2016-11-15&InstanceId.1={instance}");
    let answer = session.ec2(&query).await?;
    let name = answer
        .split_once("<privateDnsName>")
        .and_then(|(_, rest)| rest.split_once('<'))
        .map(|(name, _)| name.to_owned());
    let none = || JoinError::Other(format!("{instance} has no private DNS name"));
    name.filter(|name| !name.is_empty()).ok_or_else(none)
}

/// The certificate of the cluster's authority, in PEM.
fn authority(config: &NodeConfig) -> Result<String, JoinError> {
    let encoded = config.authority.clone().unwrap_or_default();
    let decoded = STANDARD.decode(encoded.trim());
    decoded
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .filter(|text| text.contains("BEGIN CERTIFICATE"))
        .ok_or_else(|| JoinError::Other("certificate authority is not one".to_owned()))
}

/// The cluster's API as the node's role calls it.
pub(super) fn client(
    endpoint: &str,
    authority: &str,
    session: &Arc<Session>,
    dial: NamedPlace,
) -> Result<Client, JoinError> {
    let wrong = || JoinError::Other(format!("API server endpoint {endpoint:?} is none"));
    let uri: http::Uri = endpoint.parse().map_err(|_| wrong())?;
    Client::new(Config {
        host: uri.host().ok_or_else(wrong)?.to_owned(),
        port: uri.port_u16().unwrap_or(443),
        authority: authority.to_owned(),
        credential: Credential::Source(session.clone()),
        agent: "kubelet/skylab (linux)".to_owned(),
        dial: Arc::new(dial),
    })
    .map_err(|error| JoinError::Other(error.to_string()))
}

/// The certificate of a node's kubelet.
pub(super) async fn identity(
    client: &Client,
    node: &str,
    address: Ipv4Addr,
    authority: &str,
) -> Result<Identity, JoinError> {
    Ok(serving::obtain(client, node, &[address], authority).await?)
}

/// A node's role at registries.
pub(super) fn login(ground: &Ground, session: Arc<Session>) -> Arc<dyn RegistryLogin> {
    Arc::new(RoleLogin {
        session,
        runtime: ground.runtime.clone(),
    })
}

/// The cluster's name servers: what the node was told, or the tenth address of the services' range.
fn cluster_dns(config: &NodeConfig) -> Result<Vec<Ipv4Addr>, JoinError> {
    if !config.dns.is_empty() {
        return Ok(config.dns.clone());
    }
    let range = config.services.clone().unwrap_or_default();
    let wrong = |_| JoinError::Other(format!("service CIDR {range:?} is none"));
    let range: ipnet::Ipv4Net = range.parse().map_err(wrong)?;
    Ok(vec![Ipv4Addr::from(u32::from(range.network()) + 10)])
}
