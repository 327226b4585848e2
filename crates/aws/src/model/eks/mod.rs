//! EKS: clusters whose control plane AWS runs, and what belongs to them.
//!
//! A cluster is its record, its cluster security group, its control plane's interfaces in the user's subnets and the
//! public address of its endpoint. The lab runs the control plane and says so ([`State::control_plane_ready`]): then
//! a cluster is active.
//! <https://docs.aws.amazon.com/eks/latest/userguide/clusters.html>

pub mod access;
pub mod access_policy;
pub mod addon;
pub mod catalog;
pub mod cluster;
pub mod dns;
pub mod fargate;
pub mod fargate_machine;
pub mod interface;
mod key;
mod lifecycle;
mod network;
pub mod nodegroup;
mod report;
mod role;
pub mod tags;
pub mod update;
pub mod version;

pub use access::{AccessEntry, EntryType};
pub use access_policy::AccessPolicy;
pub use addon::{Addon, AddonIssue, AddonStatus};
pub use cluster::{Authentication, Cluster, ClusterStatus, Endpoint};
pub use fargate::{FargateProfile, Selector};
pub use fargate_machine::FargateMachine;
pub use key::{ClusterKey, PartKey};
pub use lifecycle::{NewCluster, create, delete, finish_transitions, next_transition};
pub use nodegroup::{Nodegroup, NodegroupStatus};
pub use update::{Change, Update, UpdateStatus};
pub use version::Version;

use super::*;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// EKS's word for a parameter that can't be.
pub(crate) fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidParameterException", message)
}

/// EKS's word for what can't be done as things stand.
pub(crate) fn impossible(message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidRequestException", message)
}

/// EKS's word for what is busy or there already.
pub(crate) fn in_use(message: impl Into<String>) -> Refusal {
    Refusal::new("ResourceInUseException", message)
}

/// EKS's word for what isn't there.
pub(crate) fn not_found(message: impl Into<String>) -> Refusal {
    Refusal::new("ResourceNotFoundException", message)
}

/// EKS's word for one more than there may be.
pub(crate) fn too_many(message: impl Into<String>) -> Refusal {
    Refusal::new("ResourceLimitExceededException", message)
}

/// The region's cluster of that name.
///
/// # Errors
/// `ResourceNotFoundException`.
pub fn find<'s>(state: &'s State, context: &Context, name: &str) -> Result<&'s Cluster, Refusal> {
    let key = ClusterKey::new(&context.region, name);
    let found = state.eks_clusters.get(&key);
    found
        .map(Arc::as_ref)
        .ok_or_else(|| not_found(format!("No cluster found for name: {name}.")))
}

/// As [`find`], of a cluster that is at work.
///
/// # Errors
/// `ResourceNotFoundException`, `InvalidRequestException` for one in another state.
pub fn find_active<'s>(
    state: &'s State,
    context: &Context,
    name: &str,
) -> Result<&'s Cluster, Refusal> {
    let cluster = find(state, context, name)?;
    match cluster.status {
        ClusterStatus::Active | ClusterStatus::Updating => Ok(cluster),
        status => Err(impossible(format!(
            "Cluster '{name}' is not in ACTIVE status: it is {status}"
        ))),
    }
}

/// The region's clusters, by name.
pub fn in_region<'s>(state: &'s State, region: &str) -> impl Iterator<Item = &'s Cluster> {
    let all = state.eks_clusters.values().map(Arc::as_ref);
    all.filter(move |cluster| cluster.key.region == region)
}

/// Changes a cluster.
pub(crate) fn edit(state: &mut State, key: &ClusterKey, change: impl FnOnce(&mut Cluster)) {
    if let Some(cluster) = state.eks_clusters.get_mut(key) {
        change(Arc::make_mut(cluster));
    }
}

/// A table's entries of one cluster.
pub(crate) fn of_cluster<'s, V>(
    table: &'s Table<PartKey, V>,
    cluster: &'s ClusterKey,
) -> impl Iterator<Item = &'s V> {
    let from = PartKey::new(cluster, "");
    table
        .range(from..)
        .take_while(|(key, _)| key.cluster == *cluster)
        .map(|(_, value)| value.as_ref())
}

/// Removes a table's entries of one cluster.
fn forget<V: Clone>(table: &mut Table<PartKey, V>, cluster: &ClusterKey) {
    let keys: Vec<PartKey> = table
        .keys()
        .filter(|key| key.cluster == *cluster)
        .cloned()
        .collect();
    for key in keys {
        table.remove(&key);
    }
}

/// Refuses a name that EKS does.
///
/// # Errors
/// `InvalidParameterException`.
pub(crate) fn check_name(what: &str, name: &str, longest: usize) -> Result<(), Refusal> {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    let begins = name.starts_with(|first: char| first.is_ascii_alphanumeric());
    if begins && name.len() <= longest && name.chars().all(allowed) {
        return Ok(());
    }
    Err(invalid(format!(
        "The {what} '{name}' is not valid: it can contain only alphanumeric characters, hyphens and underscores, must start with an alphanumeric character, and can't be longer than {longest} characters"
    )))
}
