//! Managed node groups: an Auto Scaling group of nodes and its launch template, which EKS makes and changes.
//!
//! <https://docs.aws.amazon.com/eks/latest/userguide/managed-node-groups.html>

mod ami;
mod change;
mod check;
mod create;
mod max_pods;
mod progress;
mod remote_access;
mod template;
mod user_data;

pub use ami::AmiType;
pub use change::{ConfigChanges, update_config, update_version};
pub use create::{NewNodegroup, create};
pub use max_pods::{MaxPods, max_pods};
pub use progress::delete;
pub(super) use progress::{finish_transitions, next_transition};

use super::*;
use auto_scaling::GroupKey;

/// A managed node group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Nodegroup {
    /// The cluster and the group's name.
    pub key: PartKey,
    /// The unique part of its ARN and of the names of what is made for it.
    pub uuid: String,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// When it was changed, in seconds since 1970.
    pub modified: i64,
    /// Its status.
    pub status: NodegroupStatus,
    /// The version of its nodes' Kubernetes.
    pub version: Version,
    /// The release of its image; the image's id where the user chose it.
    pub release: String,
    /// The type of its image.
    pub ami_type: AmiType,
    /// `ON_DEMAND` or `SPOT`.
    pub capacity_type: String,
    /// Its instance types; none where its launch template has one.
    pub instance_types: Vec<String>,
    /// The size of its nodes' disks in GiB; none where its launch template says it.
    pub disk_size: Option<i32>,
    /// Where its nodes are.
    pub subnets: Vec<SubnetId>,
    /// The ARN of its nodes' role.
    pub role: String,
    /// Labels of its nodes.
    pub labels: BTreeMap<String, String>,
    /// Taints of its nodes.
    pub taints: Vec<Taint>,
    /// How many nodes there are to be.
    pub scaling: Scaling,
    /// Who may log in to its nodes.
    pub remote_access: Option<RemoteAccess>,
    /// The user's launch template.
    pub source: Option<Source>,
    /// How many of its nodes may be missing while it is changed.
    pub unavailable: Unavailable,
    /// The launch template that EKS made.
    pub template: LaunchTemplateId,
    /// The Auto Scaling group.
    pub group: GroupKey,
    /// The instances that are nodes of the cluster.
    pub joined: BTreeSet<InstanceId>,
    /// Nodes that are to be terminated once their pods have moved.
    #[serde(default)]
    pub leaving: BTreeMap<InstanceId, Leaving>,
    /// Whether nodes are terminated although pods can't be moved.
    #[serde(default)]
    pub forced: bool,
    /// Until when its nodes are waited for, in seconds since 1970.
    pub until: i64,
    /// What is wrong with it.
    pub issues: Vec<Issue>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The token that its creation came with.
    pub token: Option<String>,
}

/// A node group's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NodegroupStatus {
    /// Its nodes have not all joined.
    Creating,
    /// At work.
    Active,
    /// Being changed.
    Updating,
    /// Going.
    Deleting,
    /// Its nodes didn't join.
    CreateFailed,
    /// Something it needs is gone.
    Degraded,
}

/// A node that is to be terminated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaving {
    /// Since when, in seconds since 1970.
    pub since: i64,
    /// Whether its pods have moved.
    pub drained: bool,
}

/// A taint of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taint {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: String,
    /// EKS's word for its effect (`NO_SCHEDULE`).
    pub effect: String,
}

impl Taint {
    /// Kubernetes' word for its effect.
    pub fn kubernetes_effect(&self) -> &'static str {
        match self.effect.as_str() {
            "NO_EXECUTE" => "NoExecute",
            "PREFER_NO_SCHEDULE" => "PreferNoSchedule",
            _ => "NoSchedule",
        }
    }
}

/// How many nodes there are to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scaling {
    /// The fewest.
    pub min: i32,
    /// The most.
    pub max: i32,
    /// So many.
    pub desired: i32,
}

/// Who may log in to nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteAccess {
    /// The key pair.
    pub key: String,
    /// Members of these groups; everybody for none.
    pub sources: Vec<SecurityGroupId>,
    /// The group that EKS made for it.
    pub group: SecurityGroupId,
}

/// A user's launch template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Its id.
    pub id: LaunchTemplateId,
    /// Its name.
    pub name: String,
    /// The version's number.
    pub version: i64,
}

/// How many nodes may be missing while a group is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unavailable {
    /// So many.
    Count(i32),
    /// So many of a hundred.
    Percentage(i32),
}

impl Unavailable {
    /// How many of a number of nodes that is: one at least.
    pub fn of(self, nodes: usize) -> usize {
        match self {
            Self::Count(count) => usize::try_from(count).unwrap_or(1),
            Self::Percentage(percentage) => nodes * usize::try_from(percentage).unwrap_or(1) / 100,
        }
        .max(1)
    }
}

/// Something that is wrong with a node group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issue {
    /// AWS's code.
    pub code: String,
    /// AWS's words.
    pub message: String,
    /// The resources concerned.
    pub resources: Vec<String>,
}

impl Issue {
    fn new(code: &str, message: String, resources: Vec<String>) -> Self {
        Self {
            code: code.to_owned(),
            message,
            resources,
        }
    }
}

impl Nodegroup {
    /// Its ARN.
    pub fn arn(&self, account: &str) -> String {
        let ClusterKey { region, name } = &self.key.cluster;
        let (own, uuid) = (&self.key.name, &self.uuid);
        format!("arn:aws:eks:{region}:{account}:nodegroup/{name}/{own}/{uuid}")
    }

    /// The labels that all its nodes have, EKS's own with them.
    pub fn all_labels(&self, image: &str) -> BTreeMap<String, String> {
        let mut labels = self.labels.clone();
        let mut own = |name: &str, value: String| {
            labels.insert(format!("eks.amazonaws.com/{name}"), value);
        };
        own("nodegroup", self.key.name.clone());
        own("nodegroup-image", image.to_owned());
        own("capacityType", self.capacity_type.clone());
        if let Some(source) = &self.source {
            own("sourceLaunchTemplateId", source.id.to_string());
            own("sourceLaunchTemplateVersion", source.version.to_string());
        }
        labels
    }
}

/// A cluster's node group of that name.
///
/// # Errors
/// `ResourceNotFoundException`.
pub fn find<'s>(
    state: &'s State,
    context: &Context,
    cluster: &str,
    name: &str,
) -> Result<&'s Nodegroup, Refusal> {
    let cluster = super::find(state, context, cluster)?;
    let found = state.eks_nodegroups.get(&PartKey::new(&cluster.key, name));
    found
        .map(Arc::as_ref)
        .ok_or_else(|| not_found(format!("No node group found for name: {name}.")))
}

/// A cluster's node groups by name.
pub fn list<'s>(
    state: &'s State,
    context: &Context,
    cluster: &str,
) -> Result<Vec<&'s Nodegroup>, Refusal> {
    let cluster = super::find(state, context, cluster)?;
    Ok(of_cluster(&state.eks_nodegroups, &cluster.key).collect())
}

/// The node group that an instance belongs to.
pub fn of_instance<'s>(state: &'s State, instance: &InstanceId) -> Option<&'s Nodegroup> {
    let mut all = state.eks_nodegroups.values().map(Arc::as_ref);
    all.find(|nodegroup| {
        let group = state.auto_scaling_groups.get(&nodegroup.group);
        group.is_some_and(|group| group.members.contains_key(instance))
    })
}

/// Changes a node group.
pub(crate) fn edit(state: &mut State, key: &PartKey, change: impl FnOnce(&mut Nodegroup)) {
    if let Some(nodegroup) = state.eks_nodegroups.get_mut(key) {
        change(Arc::make_mut(nodegroup));
    }
}
