//! Add-ons: software that EKS keeps in a cluster.
//!
//! <https://docs.aws.amazon.com/eks/latest/userguide/eks-add-ons.html>

use super::catalog::Offer;
use super::nodegroup::MaxPods;
use super::update::{Update, UpdateStatus};
use super::*;

/// An add-on of a cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Addon {
    /// The cluster and the add-on's name.
    pub key: PartKey,
    /// The unique part of its ARN.
    pub uuid: String,
    /// When it was added, in seconds since 1970.
    pub created: i64,
    /// When it was changed, in seconds since 1970.
    pub modified: i64,
    /// Its version.
    pub version: String,
    /// The ARN of its service account's role.
    pub role: Option<String>,
    /// What happens where others changed its objects: `OVERWRITE`, `NONE` or `PRESERVE`.
    pub conflicts: String,
    /// Its configuration, as it was given.
    pub configuration: Option<String>,
    /// Its status.
    pub status: AddonStatus,
    /// Whether its objects stay in the cluster when it is deleted.
    pub preserve: bool,
    /// What is wrong with it.
    pub issues: Vec<AddonIssue>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The token that its creation came with.
    pub token: Option<String>,
}

/// An add-on's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AddonStatus {
    /// Its objects are not all in the cluster.
    Creating,
    /// At work.
    Active,
    /// Being changed.
    Updating,
    /// Going.
    Deleting,
    /// Something is wrong with it.
    Degraded,
}

/// Something that is wrong with an add-on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddonIssue {
    /// AWS's code, such as `InsufficientNumberOfReplicas`.
    pub code: String,
    /// AWS's words.
    pub message: String,
    /// The resources concerned.
    pub resources: Vec<String>,
}

impl Addon {
    /// Its ARN.
    pub fn arn(&self, account: &str) -> String {
        let ClusterKey { region, name } = &self.key.cluster;
        let (own, uuid) = (&self.key.name, &self.uuid);
        format!("arn:aws:eks:{region}:{account}:addon/{name}/{own}/{uuid}")
    }

    /// Its configuration as an object.
    pub fn values(&self) -> serde_json::Value {
        let offer = catalog::find(&self.key.name);
        let read = offer.and_then(|offer| offer.read(self.configuration.as_deref()?).ok());
        read.unwrap_or_default()
    }
}

/// An add-on to be, or what of one is to be otherwise; `None` for what stays or is EKS's choice.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wanted {
    /// Its version.
    pub version: Option<String>,
    /// The ARN of its service account's role.
    pub role: Option<String>,
    /// `OVERWRITE`, `NONE` or `PRESERVE`.
    pub conflicts: Option<String>,
    /// Its configuration.
    pub configuration: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The request's token.
    pub token: Option<String>,
}

/// A cluster's add-on of that name.
///
/// # Errors
/// `ResourceNotFoundException`.
pub fn find<'s>(
    state: &'s State,
    context: &Context,
    cluster: &str,
    name: &str,
) -> Result<&'s Addon, Refusal> {
    let of = super::find(state, context, cluster)?;
    let found = state.eks_addons.get(&PartKey::new(&of.key, name));
    found
        .map(Arc::as_ref)
        .ok_or_else(|| not_found(format!("No addon: {name} found in cluster: {cluster}")))
}

/// A cluster's add-ons by name.
///
/// # Errors
/// `ResourceNotFoundException`.
pub fn list<'s>(
    state: &'s State,
    context: &Context,
    cluster: &str,
) -> Result<Vec<&'s Addon>, Refusal> {
    let cluster = super::find(state, context, cluster)?;
    Ok(of_cluster(&state.eks_addons, &cluster.key).collect())
}

fn offered(
    cluster: &Cluster,
    name: &str,
    version: Option<&str>,
) -> Result<(&'static Offer, String), Refusal> {
    let kubernetes = cluster.version;
    let offer = catalog::find(name).ok_or_else(|| {
        invalid(format!(
            "Addon specified is not supported in {kubernetes} kubernetes version"
        ))
    })?;
    let mut versions = offer.versions(kubernetes);
    let chosen = match version {
        None => versions.swap_remove(0),
        Some(version) => versions
            .into_iter()
            .find(|of| of == version)
            .ok_or_else(|| {
                invalid(format!(
                    "Addon version specified is not supported: {name} has no version {version} for Kubernetes {kubernetes}"
                ))
            })?,
    };
    Ok((offer, chosen))
}

/// Adds an add-on, or finds the one that was added with the same token. It is active once the lab says so.
///
/// # Errors
/// EKS's own.
pub fn create(
    state: &mut State,
    context: &Context,
    (cluster, name): (&str, &str),
    wanted: Wanted,
) -> Result<PartKey, Refusal> {
    let of = find_active(state, context, cluster)?.clone();
    let key = PartKey::new(&of.key, name);
    if let Some(present) = state.eks_addons.get(&key) {
        if wanted.token.is_some() && present.token == wanted.token {
            return Ok(key);
        }
        return Err(in_use("Addon already exists."));
    }
    let (offer, version) = offered(&of, name, wanted.version.as_deref())?;
    offer.read(wanted.configuration.as_deref().unwrap_or_default())?;
    if let Some(role) = &wanted.role {
        super::role::check_arn(role)?;
    }
    lifecycle::tags_within_limits(&wanted.tags)?;
    let addon = Addon {
        key: key.clone(),
        uuid: auto_scaling::uuid(state),
        created: context.now,
        modified: context.now,
        version,
        role: wanted.role,
        conflicts: wanted.conflicts.unwrap_or_else(|| "NONE".to_owned()),
        configuration: wanted.configuration,
        status: AddonStatus::Creating,
        preserve: false,
        issues: Vec::new(),
        tags: wanted.tags,
        token: wanted.token,
    };
    state.eks_addons.insert(key.clone(), Arc::new(addon));
    Ok(key)
}

/// Changes an add-on: the change's key. It is done once the lab says so.
///
/// # Errors
/// `ResourceNotFoundException`, `ResourceInUseException` while it is being changed, `InvalidParameterException`.
pub fn update(
    state: &mut State,
    context: &Context,
    (cluster, name): (&str, &str),
    wanted: Wanted,
    params: Vec<(String, String)>,
) -> Result<PartKey, Refusal> {
    let of = find_active(state, context, cluster)?.clone();
    let mut addon = find(state, context, cluster, name)?.clone();
    if !matches!(addon.status, AddonStatus::Active | AddonStatus::Degraded) {
        return Err(in_use(format!(
            "Addon {name} cannot be updated as it is currently in another state than ACTIVE or DEGRADED"
        )));
    }
    let version = wanted.version.unwrap_or_else(|| addon.version.clone());
    let same = version == addon.version;
    // A version that the cluster has grown out of may stay.
    let offer = match catalog::find(name) {
        Some(offer) if same => offer,
        _ => offered(&of, name, Some(&version))?.0,
    };
    if let Some(values) = &wanted.configuration {
        offer.read(values)?;
    }
    addon.version = version;
    addon.role = wanted.role.or(addon.role);
    addon.configuration = wanted.configuration.or(addon.configuration);
    addon.conflicts = wanted.conflicts.unwrap_or_else(|| "NONE".to_owned());
    addon.status = AddonStatus::Updating;
    addon.modified = context.now;
    let update = Update {
        key: PartKey::new(&of.key, &auto_scaling::uuid(state)),
        nodegroup: None,
        addon: Some(name.to_owned()),
        kind: "AddonUpdate".to_owned(),
        params,
        created: context.now,
        status: UpdateStatus::InProgress,
        errors: Vec::new(),
        until: None,
        change: None,
    };
    let key = update.key.clone();
    state.eks_updates.insert(key.clone(), Arc::new(update));
    state.eks_addons.insert(addon.key.clone(), Arc::new(addon));
    Ok(key)
}

/// Begins to delete an add-on: the lab takes its objects from the cluster unless they are to stay, and says so.
///
/// # Errors
/// `ResourceNotFoundException`.
pub fn delete(
    state: &mut State,
    context: &Context,
    (cluster, name): (&str, &str),
    preserve: bool,
) -> Result<PartKey, Refusal> {
    let key = find(state, context, cluster, name)?.key.clone();
    edit_addon(state, &key, |addon| {
        addon.status = AddonStatus::Deleting;
        addon.preserve = preserve;
    });
    Ok(key)
}

/// Changes an add-on.
pub(crate) fn edit_addon(state: &mut State, key: &PartKey, change: impl FnOnce(&mut Addon)) {
    if let Some(addon) = state.eks_addons.get_mut(key) {
        change(Arc::make_mut(addon));
    }
}

/// The lab has looked at an add-on's objects.
pub(super) fn settle(state: &mut State, key: &PartKey, issues: Vec<AddonIssue>) {
    let Some(addon) = state.eks_addons.get(key).cloned() else {
        return;
    };
    let status = match issues.is_empty() {
        true => AddonStatus::Active,
        false => AddonStatus::Degraded,
    };
    let same = (addon.status, &addon.issues) == (status, &issues);
    if same || addon.status == AddonStatus::Deleting {
        return;
    }
    edit_addon(state, key, |addon| {
        addon.status = status;
        addon.issues = issues;
    });
    let changed: Vec<PartKey> = of_cluster(&state.eks_updates, &key.cluster)
        .filter(|update| update.addon.as_ref() == Some(&key.name))
        .filter(|update| update.status == UpdateStatus::InProgress)
        .map(|update| update.key.clone())
        .collect();
    for key in changed {
        if let Some(update) = state.eks_updates.get_mut(&key) {
            Arc::make_mut(update).status = UpdateStatus::Successful;
        }
    }
}

/// What vpc-cni's configuration makes of how many pods nodes take.
pub(super) fn networking(state: &State, cluster: &ClusterKey) -> MaxPods {
    let addon = state.eks_addons.get(&PartKey::new(cluster, "vpc-cni"));
    let values = addon.map(|addon| addon.values()).unwrap_or_default();
    let on = |name: &str| values["env"][name] == "true";
    MaxPods {
        prefixes: on("ENABLE_PREFIX_DELEGATION"),
        custom_networking: on("AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG"),
    }
}
