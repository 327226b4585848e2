//! Changes of clusters and of what belongs to them, which take their time.
//!
//! <https://docs.aws.amazon.com/eks/latest/APIReference/API_Update.html>

use super::*;

/// How long a cluster is being changed, in seconds.
const CONFIGURATION: i64 = 5 * 60;
/// How long its version is.
const VERSION: i64 = 8 * 60;

/// A change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Update {
    /// The cluster and the change's id.
    pub key: PartKey,
    /// The node group it is about, if any.
    pub nodegroup: Option<String>,
    /// The add-on it is about, if any.
    pub addon: Option<String>,
    /// AWS's word for what it changes (`EndpointAccessUpdate`).
    pub kind: String,
    /// What was asked for, by AWS's words.
    pub params: Vec<(String, String)>,
    /// When it began, in seconds since 1970.
    pub created: i64,
    /// How it stands.
    pub status: UpdateStatus,
    /// Why it failed: AWS's code, words, and the resources concerned.
    pub errors: Vec<(String, String, Vec<String>)>,
    /// When it ends, in seconds since 1970; `None` for one that waits for something else.
    pub until: Option<i64>,
    /// What it does at its end.
    pub change: Option<Change>,
}

/// How a change stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UpdateStatus {
    /// Under way.
    InProgress,
    /// It was made.
    Successful,
    /// It couldn't be made.
    Failed,
}

/// What a change does to a cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Change {
    /// Who may reach the endpoint, from where.
    Endpoint {
        /// From the internet.
        public: bool,
        /// By the interfaces.
        private: bool,
        /// From where on the internet.
        cidrs: Vec<ipnet::IpNet>,
    },
    /// The control plane's subnets and security groups.
    Network {
        /// The subnets.
        subnets: Vec<SubnetId>,
        /// The user's groups.
        groups: Vec<SecurityGroupId>,
    },
    /// The logs that are kept.
    Logs(BTreeSet<String>),
    /// Where the cluster looks for who may use it.
    Authentication(Authentication),
    /// The version of Kubernetes.
    Version(Version),
    /// `STANDARD` or `EXTENDED`.
    Support(String),
    /// Whether the cluster can't be deleted.
    DeletionProtection(bool),
}

impl UpdateStatus {
    /// AWS's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "InProgress",
            Self::Successful => "Successful",
            Self::Failed => "Failed",
        }
    }
}

impl Change {
    /// AWS's word for what it changes.
    fn kind(&self) -> &'static str {
        match self {
            Self::Endpoint { .. } => "EndpointAccessUpdate",
            Self::Network { .. } => "VpcConfigUpdate",
            Self::Logs(_) => "LoggingUpdate",
            Self::Authentication(_) => "AccessConfigUpdate",
            Self::Version(_) => "VersionUpdate",
            Self::Support(_) => "UpgradePolicyUpdate",
            Self::DeletionProtection(_) => "DeletionProtectionUpdate",
        }
    }
}

/// Begins a change of a cluster: the change's key.
///
/// # Errors
/// `ResourceNotFoundException`, `InvalidRequestException` unless the cluster is at work, `ResourceInUseException`
/// while it is being changed.
pub fn begin(
    state: &mut State,
    context: &Context,
    cluster: &str,
    change: Change,
    params: Vec<(String, String)>,
) -> Result<PartKey, Refusal> {
    let found = find_active(state, context, cluster)?;
    let key = found.key.clone();
    let busy = of_cluster(&state.eks_updates, &key).find(|update| {
        update.status == UpdateStatus::InProgress
            && update.nodegroup.is_none()
            && update.addon.is_none()
    });
    if let Some(busy) = busy {
        return Err(in_use(format!(
            "Cannot {} because cluster {cluster} currently has update {} in progress",
            change.kind(),
            busy.key.name
        )));
    }
    let takes = match change {
        Change::Version(_) => VERSION,
        _ => CONFIGURATION,
    };
    let update = Update {
        key: PartKey::new(&key, &auto_scaling::uuid(state)),
        nodegroup: None,
        addon: None,
        kind: change.kind().to_owned(),
        params,
        created: context.now,
        status: UpdateStatus::InProgress,
        errors: Vec::new(),
        until: Some(context.now + context.pace.waiting(takes)),
        change: Some(change),
    };
    edit(state, &key, |cluster| {
        cluster.status = ClusterStatus::Updating;
    });
    let id = update.key.clone();
    state.eks_updates.insert(id.clone(), Arc::new(update));
    Ok(id)
}

/// The change with an id.
///
/// # Errors
/// `ResourceNotFoundException`.
pub fn find<'s>(
    state: &'s State,
    context: &Context,
    cluster: &str,
    id: &str,
) -> Result<&'s Update, Refusal> {
    let key = super::find(state, context, cluster)?.key.clone();
    let found = state.eks_updates.get(&PartKey::new(&key, id));
    found
        .map(Arc::as_ref)
        .ok_or_else(|| not_found(format!("No update found for ID: {id}")))
}

/// A cluster's changes about a node group, an add-on, or itself; the newest first.
pub fn of<'s>(
    state: &'s State,
    cluster: &'s ClusterKey,
    nodegroup: Option<&str>,
    addon: Option<&str>,
) -> Vec<&'s Update> {
    let mut all: Vec<&Update> = of_cluster(&state.eks_updates, cluster)
        .filter(|update| update.nodegroup.as_deref() == nodegroup)
        .filter(|update| update.addon.as_deref() == addon)
        .collect();
    all.sort_by_key(|update| std::cmp::Reverse(update.created));
    all
}

/// Ends the changes that are over by now.
pub(super) fn finish_transitions(state: &mut State, now: i64) {
    let due: Vec<Update> = under_way(state)
        .filter(|update| update.until.is_some_and(|until| until <= now))
        .cloned()
        .collect();
    for update in due {
        let outcome = match &update.change {
            Some(change) => carry_out(state, &update.key.cluster, change, now),
            None => Ok(()),
        };
        if let Some(update) = state.eks_updates.get_mut(&update.key) {
            let update = Arc::make_mut(update);
            update.status = match outcome {
                Ok(()) => UpdateStatus::Successful,
                Err(refusal) => {
                    let error = (
                        failure_code(&refusal).to_owned(),
                        refusal.message,
                        Vec::new(),
                    );
                    update.errors = vec![error];
                    UpdateStatus::Failed
                }
            };
        }
        if let Some(name) = &update.nodegroup {
            let key = PartKey::new(&update.key.cluster, name);
            nodegroup::edit(state, &key, |nodegroup| {
                if nodegroup.status == NodegroupStatus::Updating {
                    nodegroup.status = NodegroupStatus::Active;
                }
            });
        }
        if update.nodegroup.is_none() && update.addon.is_none() {
            edit(state, &update.key.cluster, |cluster| {
                if cluster.status == ClusterStatus::Updating {
                    cluster.status = ClusterStatus::Active;
                }
            });
        }
    }
}

/// EKS's code for why a change couldn't be made.
fn failure_code(refusal: &Refusal) -> &'static str {
    match refusal.code {
        "InvalidParameterException" => "IpNotAvailable",
        "InvalidSubnetID.NotFound" => "SubnetNotFound",
        "InvalidGroup.NotFound" => "SecurityGroupNotFound",
        _ => "Unknown",
    }
}

fn under_way(state: &State) -> impl Iterator<Item = &Update> {
    let all = state.eks_updates.values().map(Arc::as_ref);
    all.filter(|update| update.status == UpdateStatus::InProgress)
}

/// When the next change ends.
pub(super) fn next_transition(state: &State) -> Option<i64> {
    under_way(state).filter_map(|update| update.until).min()
}

fn carry_out(
    state: &mut State,
    key: &ClusterKey,
    change: &Change,
    now: i64,
) -> Result<(), Refusal> {
    if let Change::Network { subnets, groups } = change {
        return move_interfaces(state, key, subnets, groups, now);
    }
    edit(state, key, |cluster| match change.clone() {
        Change::Endpoint {
            public,
            private,
            cidrs,
        } => {
            cluster.endpoint.public = public;
            cluster.endpoint.private = private;
            cluster.endpoint.public_cidrs = cidrs;
        }
        Change::Logs(logs) => cluster.logs = logs,
        Change::Authentication(authentication) => cluster.authentication = authentication,
        Change::Version(version) => cluster.version = version,
        Change::Support(support) => cluster.support = support,
        Change::DeletionProtection(on) => cluster.deletion_protection = on,
        Change::Network { .. } => {}
    });
    Ok(())
}

/// Gives a control plane interfaces in other subnets, with other groups.
fn move_interfaces(
    state: &mut State,
    key: &ClusterKey,
    subnets: &[SubnetId],
    groups: &[SecurityGroupId],
    now: i64,
) -> Result<(), Refusal> {
    let Some(cluster) = state.eks_clusters.get(key).cloned() else {
        return Ok(());
    };
    let context = Context {
        region: key.region.clone(),
        now,
        pace: Pace::Fast,
        quotas: false,
        caller: "eks.amazonaws.com".to_owned(),
        // Services make no keys.
        entropy: [0; 32],
    };
    let all: Vec<SecurityGroupId> = std::iter::once(&cluster.cluster_group)
        .chain(groups)
        .cloned()
        .collect();
    let interfaces = if cluster.subnets == subnets {
        for id in &cluster.interfaces {
            network_interface::set_groups_unchecked(state, &context, id, &all)?;
        }
        cluster.interfaces.clone()
    } else {
        let before = state.clone();
        let made = interface::place(state, &context, &key.name, subnets, &all);
        match made {
            Ok(made) => {
                interface::remove(state, &cluster.interfaces);
                made
            }
            Err(refusal) => {
                *state = before;
                return Err(refusal);
            }
        }
    };
    edit(state, key, |cluster| {
        cluster.subnets = subnets.to_vec();
        cluster.security_groups = groups.to_vec();
        cluster.interfaces = interfaces;
    });
    Ok(())
}

/// The change of a cluster's subnets and security groups; empty lists for what stays.
///
/// # Errors
/// `InvalidParameterException`, `UnsupportedAvailabilityZoneException`.
pub fn network(
    state: &State,
    context: &Context,
    cluster: &Cluster,
    subnets: &[String],
    groups: &[String],
) -> Result<Change, Refusal> {
    let subnets = if subnets.is_empty() {
        cluster.subnets.clone()
    } else {
        let name = &cluster.key.name;
        let (vpc, found) = network::subnets(state, context, name, subnets)?;
        if vpc != cluster.vpc {
            return Err(invalid(format!(
                "Provided subnets belong to VPC {vpc}: they must belong to the VPC of the cluster, {}",
                cluster.vpc
            )));
        }
        found
    };
    let groups = match groups {
        [] => cluster.security_groups.clone(),
        _ => network::groups(state, context, &cluster.vpc, groups)?,
    };
    if subnets == cluster.subnets && groups == cluster.security_groups {
        return Err(invalid(
            "Cluster is already at the desired configuration with the provided subnets and security groups",
        ));
    }
    Ok(Change::Network { subnets, groups })
}

/// The change of who may reach a cluster's endpoint; `None` and empty for what stays.
///
/// # Errors
/// `InvalidParameterException`.
pub fn endpoint(
    cluster: &Cluster,
    public: Option<bool>,
    private: Option<bool>,
    cidrs: &[String],
) -> Result<Change, Refusal> {
    let before = &cluster.endpoint;
    let public = public.unwrap_or(before.public);
    let private = private.unwrap_or(before.private);
    lifecycle::check_reachable(public, private)?;
    let cidrs = match cidrs {
        [] => before.public_cidrs.clone(),
        _ => network::public_cidrs(cidrs)?,
    };
    if (public, private, &cidrs) == (before.public, before.private, &before.public_cidrs) {
        let cidrs: Vec<String> = cidrs.iter().map(ToString::to_string).collect();
        return Err(invalid(format!(
            "Cluster is already at the desired configuration with endpointPrivateAccess: {private} , endpointPublicAccess: {public}, and Public Endpoint Restrictions: [{}]",
            cidrs.join(", ")
        )));
    }
    Ok(Change::Endpoint {
        public,
        private,
        cidrs,
    })
}

/// The version that a cluster may go to: the one after its own.
///
/// # Errors
/// `InvalidParameterException`.
pub fn version(cluster: &Cluster, wanted: &str) -> Result<Version, Refusal> {
    let wanted: Version = wanted.parse()?;
    if wanted == cluster.version {
        return Err(invalid(format!("Cluster is already at version {wanted}")));
    }
    if wanted != cluster.version.next() {
        return Err(invalid(format!(
            "Unsupported Kubernetes minor version update from {} to {wanted}",
            cluster.version
        )));
    }
    Ok(wanted)
}
