//! Changing node groups: how many nodes, their labels and taints, their version.

use super::*;
use crate::model::auto_scaling::Changes;
use crate::model::eks::update::{Update, UpdateStatus};

/// How long a group's configuration is being changed, in seconds.
const CONFIGURATION: i64 = 30;

/// What a request says of a node group; `None` and empty for what stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConfigChanges {
    /// Labels to set.
    pub labels: BTreeMap<String, String>,
    /// Labels to remove.
    pub removed_labels: Vec<String>,
    /// Taints to set.
    pub taints: Vec<Taint>,
    /// Taints to remove.
    pub removed_taints: Vec<Taint>,
    /// The fewest, the most and the wanted number of nodes.
    pub scaling: (Option<i32>, Option<i32>, Option<i32>),
    /// How many nodes may be missing.
    pub unavailable: Option<Unavailable>,
}

/// The node group, if nothing else is being done to it.
fn changeable(
    state: &State,
    context: &Context,
    cluster: &str,
    name: &str,
) -> Result<Nodegroup, Refusal> {
    let nodegroup = find(state, context, cluster, name)?.clone();
    match nodegroup.status {
        NodegroupStatus::Active | NodegroupStatus::Degraded => Ok(nodegroup),
        NodegroupStatus::Updating => Err(in_use(format!(
            "Nodegroup {name} currently has an update in progress"
        ))),
        _ => Err(impossible(format!(
            "Nodegroup {name} is not in ACTIVE or DEGRADED status"
        ))),
    }
}

/// Records a change of a node group and that it is under way; `until` is when it ends by itself.
fn begin(
    state: &mut State,
    context: &Context,
    nodegroup: &Nodegroup,
    kind: &str,
    params: Vec<(String, String)>,
    until: Option<i64>,
) -> PartKey {
    let update = Update {
        key: PartKey::new(&nodegroup.key.cluster, &auto_scaling::uuid(state)),
        nodegroup: Some(nodegroup.key.name.clone()),
        addon: None,
        kind: kind.to_owned(),
        params,
        created: context.now,
        status: UpdateStatus::InProgress,
        errors: Vec::new(),
        until,
        change: None,
    };
    let key = update.key.clone();
    state.eks_updates.insert(key.clone(), Arc::new(update));
    key
}

/// Changes how many nodes there are to be, their labels, their taints: the change's key.
///
/// # Errors
/// `ResourceNotFoundException`, `ResourceInUseException`, `InvalidParameterException`, `InvalidRequestException`.
pub fn update_config(
    state: &mut State,
    context: &Context,
    (cluster, name): (&str, &str),
    changes: ConfigChanges,
    params: Vec<(String, String)>,
) -> Result<PartKey, Refusal> {
    let mut nodegroup = changeable(state, context, cluster, name)?;
    let (min, max, desired) = changes.scaling;
    let scaling = Scaling {
        min: min.unwrap_or(nodegroup.scaling.min),
        max: max.unwrap_or(nodegroup.scaling.max),
        desired: desired.unwrap_or(nodegroup.scaling.desired),
    };
    check::scaling(scaling)?;
    nodegroup.scaling = scaling;
    if let Some(unavailable) = changes.unavailable {
        check::unavailable(unavailable)?;
        nodegroup.unavailable = unavailable;
    }
    nodegroup
        .labels
        .retain(|key, _| !changes.removed_labels.contains(key));
    nodegroup.labels.extend(changes.labels);
    check::labels(&nodegroup.labels)?;
    let leaves = |taint: &Taint, others: &[Taint]| {
        let mut others = others.iter();
        others.any(|of| (&of.key, &of.effect) == (&taint.key, &taint.effect))
    };
    nodegroup
        .taints
        .retain(|taint| !leaves(taint, &changes.removed_taints) && !leaves(taint, &changes.taints));
    nodegroup.taints.extend(changes.taints);
    check::taints(&nodegroup.taints)?;
    renew_template(state, context, &nodegroup)?;
    let bounds = (Some(scaling.min), Some(scaling.max), Some(scaling.desired));
    let group = nodegroup.group.name.clone();
    auto_scaling::update(state, context, &group, bounds, Changes::default())
        .map_err(|refusal| invalid(refusal.message))?;
    let until = context.now + context.pace.waiting(CONFIGURATION);
    let key = begin(
        state,
        context,
        &nodegroup,
        "ConfigUpdate",
        params,
        Some(until),
    );
    nodegroup.status = NodegroupStatus::Updating;
    nodegroup.modified = context.now;
    state
        .eks_nodegroups
        .insert(nodegroup.key.clone(), Arc::new(nodegroup));
    Ok(key)
}

/// What the user's launch template says, if there is one and it is still there.
fn own_data(
    state: &State,
    nodegroup: &Nodegroup,
) -> Option<crate::model::launch_template::LaunchData> {
    let source = nodegroup.source.as_ref()?;
    let template = state.launch_templates.get(&source.id)?;
    let mut versions = template.versions.iter();
    let version = versions.find(|version| version.number == source.version)?;
    Some(version.data.clone())
}

/// Gives a node group's launch template a version that says what the group says, if it doesn't yet. Nodes that are
/// there keep theirs.
fn renew_template(
    state: &mut State,
    context: &Context,
    nodegroup: &Nodegroup,
) -> Result<bool, Refusal> {
    let Some(cluster) = state.eks_clusters.get(&nodegroup.key.cluster).cloned() else {
        return Ok(false);
    };
    let own = own_data(state, nodegroup);
    let data = template::data(state, &cluster, nodegroup, own.as_ref())?;
    let template = state.launch_templates.get(&nodegroup.template);
    let latest = template.and_then(|template| template.versions.last());
    if latest.is_none_or(|version| version.data == data) {
        return Ok(false);
    }
    launch_template::add_version(state, context, &nodegroup.template, None, data);
    Ok(true)
}

/// Gives a node group another version of Kubernetes, another release of its image or another version of its launch
/// template: its nodes are replaced one after another, by force also those whose pods can't be moved. The change's key.
///
/// # Errors
/// `ResourceNotFoundException`, `ResourceInUseException`, `InvalidParameterException`, `InvalidRequestException`.
pub fn update_version(
    state: &mut State,
    context: &Context,
    (cluster, name): (&str, &str),
    (version, release): (Option<String>, Option<String>),
    template: Option<(Option<String>, Option<String>, Option<String>)>,
    forced: bool,
) -> Result<PartKey, Refusal> {
    let mut nodegroup = changeable(state, context, cluster, name)?;
    nodegroup.forced = forced;
    let of_cluster = super::super::find(state, context, cluster)?.version;
    let mut params = Vec::new();
    if let Some((id, name, number)) = &template {
        let named = (id.as_deref(), name.as_deref(), number.as_deref());
        let (source, _) = template::source(state, context, named)?;
        if nodegroup.source.as_ref().map(|of| &of.id) != Some(&source.id) {
            return Err(impossible(
                "You cannot change the launch template of a node group, only its version.",
            ));
        }
        params.push((
            "LaunchTemplateVersion".to_owned(),
            source.version.to_string(),
        ));
        nodegroup.source = Some(source);
    }
    if nodegroup.ami_type != AmiType::Custom {
        let wanted = match version {
            Some(version) => version.parse()?,
            None if template.is_some() => nodegroup.version,
            None => of_cluster,
        };
        if wanted < nodegroup.version || wanted > of_cluster {
            return Err(invalid(format!(
                "Nodegroup Kubernetes version {wanted} is not valid: it must be between {} and {of_cluster}",
                nodegroup.version
            )));
        }
        let image = nodegroup.ami_type.image(wanted).ok_or_else(|| {
            invalid(format!(
                "Requested AMI for this version {wanted} is not supported"
            ))
        })?;
        let newest = ami::release(wanted, image);
        if release.is_some_and(|release| release != newest) {
            return Err(invalid(format!(
                "Requested release version is not valid for kubernetes version {wanted}."
            )));
        }
        params.push(("Version".to_owned(), wanted.to_string()));
        params.push(("ReleaseVersion".to_owned(), newest.clone()));
        (nodegroup.version, nodegroup.release) = (wanted, newest);
    }
    renew_template(state, context, &nodegroup)?;
    let key = begin(state, context, &nodegroup, "VersionUpdate", params, None);
    nodegroup.status = NodegroupStatus::Updating;
    nodegroup.modified = context.now;
    state
        .eks_nodegroups
        .insert(nodegroup.key.clone(), Arc::new(nodegroup));
    Ok(key)
}
