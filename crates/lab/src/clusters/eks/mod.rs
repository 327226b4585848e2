//! EKS clusters: what the account has of them is records; here their control planes run, and the instances of
//! EKS images become nodes.

mod addons;
mod admission;
mod approval;
mod definition;
mod drain;
mod fargate;
mod follow;
mod lifecycle;
mod load_balancers;
mod nodeadm;
mod reports;
mod role;
mod tokens;
pub(super) mod translation;
mod webhook;

pub(super) use definition::Definition;
pub(super) use follow::follow;
pub use nodeadm::BOOTSTRAP;

use super::certificate::Certificates;
use super::control_plane::{self, ControlPlane, Plan};
use super::manifests;
use super::running::{Kind, Running};
use super::{ClusterError, Ground, audit, journal};
use crate::store::Record;
use aws::model::RecordChange;
use aws::model::State;
use aws::model::eks::{Cluster, Version};
use definition::Secrets;
use fabric::HostId;
use kube::object;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use webhook::Webhooks;

/// The table of control planes' keys.
const SECRETS: &str = "kube-eks";
/// The port of a cluster's API.
const PORT: u16 = 443;

/// Since this version EKS's class of volumes is not the default one.
/// <https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions-standard.html>
const NO_DEFAULT_CLASS: Version = Version(30);
/// Since this version a control plane makes no volumes: a driver that users install does.
/// <https://docs.aws.amazon.com/eks/latest/userguide/ebs-csi.html>
const NO_VOLUMES_OF_ITS_OWN: Version = Version(23);

/// What a cluster is called among all of the lab's.
fn key(region: &str, name: &str) -> String {
    format!("eks:{region}:{name}")
}

/// The host where a cluster's control plane is.
fn place(region: &str, name: &str) -> HostId {
    HostId::from(format!("eks/{name}/{region}"))
}

/// The host of a node: its instance, or Fargate's machine.
pub(super) fn host_of(node: &Value) -> Option<HostId> {
    let provider = object::text(node, &["spec", "providerID"]);
    let (_, machine) = provider.strip_prefix("aws:///")?.split_once('/')?;
    // Fargate's have the node's name after them.
    Some(HostId::from(machine.split('/').next()?))
}

fn is_ready(node: &Value) -> bool {
    let mut conditions = object::list(node, &["status", "conditions"]).iter();
    conditions.any(|of| of["type"] == "Ready" && of["status"] == "True")
}

/// Starts a cluster's control plane, with the objects that the records have of it; the certificate of its
/// authority, in PEM, too.
async fn start(
    ground: &Ground,
    state: &State,
    cluster: &Cluster,
    records: &[Record],
) -> Result<(Running, String), ClusterError> {
    let key = key(&cluster.key.region, &cluster.key.name);
    let (secrets, fresh) = secrets(ground, state, cluster, &key, records)?;
    let definition = Definition::of(state, cluster, &secrets);
    let at = |address: &Ipv4Addr| SocketAddrV4::new(*address, PORT);
    let others = tokens::Principals::new(
        ground.cloud.clone(),
        ground.keys.clone(),
        cluster.key.clone(),
    );
    let plan = Plan {
        key: &key,
        host: place(&cluster.key.region, &cluster.key.name),
        listeners: vec![at(&Ipv4Addr::UNSPECIFIED)],
        endpoints: definition.addresses.iter().map(at).collect(),
        services: definition.services,
        version: &cluster.version.build(),
        admin: None,
        signing: &secrets.signing,
        issuer: &cluster.issuer(),
        certificates: &secrets.certificates,
        others: Some(Arc::new(others)),
    };
    let mut plane = ControlPlane::start(ground, plan, records).await?;
    let approving = approval::run(plane.cluster.clone(), ground.cloud.clone());
    plane.add(ground, approving);
    let reporting = reports::run(
        plane.cluster.clone(),
        ground.cloud.clone(),
        cluster.key.clone(),
    );
    plane.add(ground, reporting);
    let (of, cloud) = (plane.cluster.clone(), ground.cloud.clone());
    plane.add(ground, lifecycle::run(of, cloud));
    let (of, cloud) = (plane.cluster.clone(), ground.cloud.clone());
    plane.add(ground, drain::run(of, cloud, cluster.key.clone()));
    webhooks(ground, &mut plane, cluster, &secrets.certificates).await?;
    if fresh {
        install(&plane, &definition, cluster).await?;
    }
    let (of, cloud) = (plane.cluster.clone(), ground.cloud.clone());
    let admitting = admission::run(of, cloud, cluster.key.clone());
    plane.add(ground, admitting);
    let (of, cloud) = (plane.cluster.clone(), ground.cloud.clone());
    plane.add(ground, addons::run(of, cloud, definition.clone()));
    let caller = role::RoleCaller::new(ground.clone(), cluster.key.clone());
    let home = cloud_controller::Home {
        cluster: cluster.key.name.clone(),
        vpc: cluster.vpc.to_string(),
    };
    let serving = cloud_controller::run(plane.cluster.clone(), caller, home.clone());
    plane.add(ground, serving);
    if cluster.version < NO_VOLUMES_OF_ITS_OWN {
        let caller = role::RoleCaller::new(ground.clone(), cluster.key.clone());
        let volumes = cloud_controller::volume::run(plane.cluster.clone(), caller, home);
        plane.add(ground, volumes);
    }
    let running = Running {
        kind: Kind::Eks(definition),
        nodes: BTreeMap::new(),
        plane,
    };
    Ok((running, secrets.certificates.authority))
}

/// Starts a control plane's webhooks on its own machine, and lets Fargate's machines in.
async fn webhooks(
    ground: &Ground,
    plane: &mut ControlPlane,
    cluster: &Cluster,
    certificates: &Certificates,
) -> Result<(), ClusterError> {
    let host = place(&cluster.key.region, &cluster.key.name);
    let webhooks = Webhooks {
        cluster: plane.cluster.clone(),
        cloud: ground.cloud.clone(),
        key: cluster.key.clone(),
        tls: certificates.acceptor().map_err(ClusterError::keys)?,
    };
    let listener = control_plane::listen(ground, &host, webhook::AT).await?;
    let installed = webhooks.install(&certificates.authority).await;
    installed.map_err(|status| ClusterError::Addons(status.message))?;
    let rights = manifests::install_all(&plane.cluster, fargate::rights()).await;
    rights.map_err(|status| ClusterError::Addons(status.message))?;
    plane.add(ground, webhooks.serve(listener));
    Ok(())
}

/// A cluster's keys, from the records or new, and whether they are new.
fn secrets(
    ground: &Ground,
    state: &State,
    cluster: &Cluster,
    key: &str,
    records: &[Record],
) -> Result<(Secrets, bool), ClusterError> {
    let mut own = records
        .iter()
        .filter(|record| record.table == SECRETS && record.key == key);
    if let Some(record) = own.next() {
        let kept: Secrets = serde_json::from_slice(&record.value).map_err(io::Error::other)?;
        if kept.id == cluster.id {
            return Ok((kept, false));
        }
    }
    let made = Secrets::make(state, cluster)?;
    let value = serde_json::to_vec(&made).map_err(io::Error::other)?;
    ground.store.commit(&[RecordChange {
        table: SECRETS.into(),
        key: key.to_owned(),
        value: Some(value),
    }])?;
    Ok((made, true))
}

/// Puts into a new cluster what EKS does: a class of volumes, and its add-ons where nobody keeps them off.
async fn install(
    plane: &ControlPlane,
    definition: &Definition,
    cluster: &Cluster,
) -> Result<(), ClusterError> {
    let class = manifests::gp2(cluster.version < NO_DEFAULT_CLASS);
    let installed = manifests::install_all(&plane.cluster, class).await;
    installed.map_err(|status| ClusterError::Addons(status.message))?;
    if !cluster.bootstrap_addons {
        return Ok(());
    }
    for name in ["vpc-cni", "kube-proxy", "coredns"] {
        let objects = addons::objects(definition, name, None, &Value::Null);
        let installed = manifests::install_all(&plane.cluster, objects).await;
        installed.map_err(|status| ClusterError::Addons(status.message))?;
    }
    Ok(())
}

/// Takes what a cluster had out of the lab's store.
fn forget(ground: &Ground, gone: Running) -> Result<(), ClusterError> {
    let Running { kind, nodes, plane } = gone;
    drop(nodes);
    let Kind::Eks(definition) = kind else {
        return Ok(());
    };
    let key = key(&definition.key.region, &definition.key.name);
    let mut forgotten = journal::forget(&key, &plane.cluster.now().store);
    drop(plane);
    forgotten.push(RecordChange {
        table: SECRETS.into(),
        key: key.clone(),
        value: None,
    });
    ground.store.commit(&forgotten)?;
    audit::forget(&ground.directory, &key);
    Ok(())
}
