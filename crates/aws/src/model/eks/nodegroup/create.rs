//! Making node groups.

use super::*;
use crate::model::auto_scaling::{Bounds, Changes, GroupTag};
use crate::model::launch_template::LaunchData;

/// How long nodes are waited for, in seconds; at the fast pace at least so long, as they boot no faster there.
const PATIENCE: i64 = 25 * 60;
const SHORTEST_PATIENCE: i64 = 5 * 60;
/// The longest name.
const LONGEST_NAME: usize = 63;
/// The most node groups of a cluster.
const MOST: usize = 30;
/// What nodes are where nobody chose it.
const USUAL_TYPE: &str = "t3.medium";
/// Seconds after a node's launch in which its health is not looked at.
const GRACE: i32 = 15;

/// A node group to make; `None` for EKS's choice.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewNodegroup {
    /// The cluster's name.
    pub cluster: String,
    /// Its name.
    pub name: String,
    /// The ARN of its nodes' role.
    pub role: String,
    /// Its subnets.
    pub subnets: Vec<String>,
    /// How many nodes.
    pub scaling: Option<Scaling>,
    /// Disks' size in GiB.
    pub disk_size: Option<i32>,
    /// Instance types.
    pub instance_types: Vec<String>,
    /// The image's type.
    pub ami_type: Option<String>,
    /// `ON_DEMAND` or `SPOT`.
    pub capacity_type: Option<String>,
    /// The key pair and the groups that may log in.
    pub remote_access: Option<(String, Vec<String>)>,
    /// Labels of nodes.
    pub labels: BTreeMap<String, String>,
    /// Taints of nodes.
    pub taints: Vec<Taint>,
    /// A launch template: its id, its name, its version.
    pub launch_template: Option<(Option<String>, Option<String>, Option<String>)>,
    /// How many nodes may be missing.
    pub unavailable: Option<Unavailable>,
    /// The version of Kubernetes.
    pub version: Option<String>,
    /// The image's release.
    pub release: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The request's token.
    pub token: Option<String>,
}

/// Makes a node group, or finds the one that was made with the same token. It is active once its nodes have joined.
///
/// # Errors
/// EKS's own.
pub fn create(state: &mut State, context: &Context, new: NewNodegroup) -> Result<PartKey, Refusal> {
    let cluster = find_active(state, context, &new.cluster)?.clone();
    check_name("nodegroup name", &new.name, LONGEST_NAME)?;
    let key = PartKey::new(&cluster.key, &new.name);
    if let Some(present) = state.eks_nodegroups.get(&key) {
        if new.token.is_some() && present.token == new.token {
            return Ok(key);
        }
        return Err(in_use(format!(
            "NodeGroup already exists with name {} and cluster name {}",
            new.name, new.cluster
        )));
    }
    if context.quotas && of_cluster(&state.eks_nodegroups, &cluster.key).count() >= MOST {
        return Err(too_many(format!(
            "The maximum number of node groups of a cluster has been reached: {MOST}"
        )));
    }
    let token = new.token.clone();
    let (mut nodegroup, own) = checked(state, context, &cluster, &new)?;
    if let Some(access) = new.remote_access {
        let uuid = nodegroup.uuid.clone();
        let made = remote_access::make(state, context, &cluster, &uuid, access)?;
        nodegroup.remote_access = Some(made);
    }
    nodegroup.token = token;
    iam::service_linked::ensure(state, context, "eks-nodegroup.amazonaws.com")?;
    iam::service_linked::ensure(state, context, "autoscaling.amazonaws.com")?;
    make_profile(state, context, &nodegroup)?;
    make_template(state, context, &cluster, &mut nodegroup, own.as_ref())?;
    make_group(state, context, &nodegroup)?;
    let kind = access::EntryType::Ec2Linux;
    access::admit_nodes(state, context, &cluster.key, &nodegroup.role, kind);
    state
        .eks_nodegroups
        .insert(key.clone(), Arc::new(nodegroup));
    Ok(key)
}

/// The record, without what is made for it, and what the user's launch template says.
fn checked(
    state: &mut State,
    context: &Context,
    cluster: &Cluster,
    new: &NewNodegroup,
) -> Result<(Nodegroup, Option<LaunchData>), Refusal> {
    role::check_nodes(state, &new.role)?;
    lifecycle::tags_within_limits(&new.tags)?;
    check::labels(&new.labels)?;
    check::taints(&new.taints)?;
    let subnets = check::subnets(state, context, cluster, &new.subnets)?;
    let scaling = new.scaling.unwrap_or(Scaling {
        min: 1,
        max: 2,
        desired: 2,
    });
    check::scaling(scaling)?;
    let unavailable = new.unavailable.unwrap_or(Unavailable::Count(1));
    check::unavailable(unavailable)?;
    let named = new.launch_template.as_ref().map(|(id, name, version)| {
        let named = (id.as_deref(), name.as_deref(), version.as_deref());
        template::source(state, context, named)
    });
    let (source, own) = named.transpose()?.unzip();
    if let Some(own) = &own {
        check_template(new, own)?;
    }
    let custom = own.as_ref().and_then(|own| own.image.clone());
    let version = version_of(cluster, new, custom.is_some())?;
    let (ami_type, release) = image_of(new, version, custom)?;
    let typed = own.as_ref().is_some_and(|own| own.instance_type.is_some());
    let instance_types = match (new.instance_types.as_slice(), typed) {
        ([], true) => Vec::new(),
        ([], false) => vec![USUAL_TYPE.to_owned()],
        (types, _) => types.to_vec(),
    };
    check::instance_types(&instance_types, ami_type)?;
    let uuid = auto_scaling::uuid(state);
    let nodegroup = Nodegroup {
        key: PartKey::new(&cluster.key, &new.name),
        group: auto_scaling::GroupKey {
            region: context.region.clone(),
            name: format!("eks-{}-{uuid}", new.name),
        },
        uuid,
        created: context.now,
        modified: context.now,
        status: NodegroupStatus::Creating,
        version,
        release,
        ami_type,
        capacity_type: capacity_type(new.capacity_type.as_deref())?,
        instance_types,
        disk_size: match &own {
            Some(_) => None,
            None => Some(new.disk_size.unwrap_or(template::DISK)),
        },
        subnets,
        role: new.role.clone(),
        labels: new.labels.clone(),
        taints: new.taints.clone(),
        scaling,
        remote_access: None,
        source,
        unavailable,
        template: LaunchTemplateId::from(""),
        joined: BTreeSet::new(),
        leaving: BTreeMap::new(),
        forced: false,
        until: context.now + context.pace.timer(PATIENCE).max(SHORTEST_PATIENCE),
        issues: Vec::new(),
        tags: new.tags.clone(),
        token: None,
    };
    Ok((nodegroup, own))
}

/// Refuses what is said both in a launch template and beside it, and what a template may not say.
fn check_template(new: &NewNodegroup, own: &LaunchData) -> Result<(), Refusal> {
    if new.disk_size.is_some() {
        return Err(impossible(
            "Disk size must be specified within the launch template.",
        ));
    }
    if new.remote_access.is_some() {
        return Err(impossible(
            "Remote access configuration cannot be specified with a launch template.",
        ));
    }
    if own.instance_type.is_some() && !new.instance_types.is_empty() {
        return Err(impossible(
            "Instance types can't be specified in both the launch template and in the request; specify them in one of the two.",
        ));
    }
    if own.profile_arn.is_some() || own.profile_name.is_some() {
        return Err(impossible(
            "Launch template cannot have an IAM instance profile: use the node role of the node group.",
        ));
    }
    if own.interfaces.iter().any(|of| of.subnet.is_some()) {
        return Err(impossible(
            "Launch template cannot have subnets in its network interfaces: use the subnets of the node group.",
        ));
    }
    if own.image.is_some() && new.ami_type.as_deref().is_some_and(|kind| kind != "CUSTOM") {
        return Err(impossible(
            "You cannot specify amiType when a launch template has an image ID.",
        ));
    }
    Ok(())
}

fn version_of(cluster: &Cluster, new: &NewNodegroup, custom: bool) -> Result<Version, Refusal> {
    let Some(version) = &new.version else {
        return Ok(cluster.version);
    };
    if custom {
        return Err(impossible(
            "You cannot specify a Kubernetes version when a launch template has an image ID.",
        ));
    }
    let version: Version = version.parse()?;
    // Kubelets may be three versions behind, and never ahead.
    if version > cluster.version || version.0 + 3 < cluster.version.0 {
        return Err(invalid(format!(
            "Requested Nodegroup Kubernetes version {version} is not compatible with the cluster's version {}",
            cluster.version
        )));
    }
    Ok(version)
}

/// The type of the image and its release.
fn image_of(
    new: &NewNodegroup,
    version: Version,
    custom: Option<String>,
) -> Result<(AmiType, String), Refusal> {
    if let Some(image) = custom {
        return Ok((AmiType::Custom, image));
    }
    let kind = new.ami_type.as_deref().map(AmiType::read).transpose()?;
    let kind = kind.unwrap_or_else(|| AmiType::usual(version));
    let image = kind.image(version).ok_or_else(|| {
        invalid(format!(
            "Requested AMI for this version {version} is not supported"
        ))
    })?;
    let release = ami::release(version, image);
    match &new.release {
        Some(wanted) if *wanted != release => Err(invalid(format!(
            "Requested release version {wanted} is not valid for kubernetes version {version}."
        ))),
        _ => Ok((kind, release)),
    }
}

fn capacity_type(wanted: Option<&str>) -> Result<String, Refusal> {
    match wanted.unwrap_or("ON_DEMAND") {
        kind @ ("ON_DEMAND" | "SPOT") => Ok(kind.to_owned()),
        other => Err(Refusal::unsupported(format!(
            "The capacity type {other} is not implemented by Skylab"
        ))),
    }
}

/// The tags of what EKS makes for a node group.
fn tags(nodegroup: &Nodegroup) -> [(String, String); 2] {
    [
        (
            "eks:cluster-name".to_owned(),
            nodegroup.key.cluster.name.clone(),
        ),
        ("eks:nodegroup-name".to_owned(), nodegroup.key.name.clone()),
    ]
}

/// The instance profile by which nodes have their role.
fn make_profile(
    state: &mut State,
    context: &Context,
    nodegroup: &Nodegroup,
) -> Result<(), Refusal> {
    let name = template::profile(nodegroup);
    let role = nodegroup.role.rsplit('/').next().unwrap_or_default();
    let (path, tags) = (iam::Path::read(None)?, BTreeMap::new());
    let wrong = |refusal: Refusal| invalid(refusal.message);
    iam::instance_profile::create(state, context, name.clone(), path, tags).map_err(wrong)?;
    iam::instance_profile::add_role(state, &name, role).map_err(wrong)
}

fn make_template(
    state: &mut State,
    context: &Context,
    cluster: &Cluster,
    nodegroup: &mut Nodegroup,
    own: Option<&LaunchData>,
) -> Result<(), Refusal> {
    let data = template::data(state, cluster, nodegroup, own)?;
    let name = format!("eks-{}", nodegroup.uuid);
    let id = launch_template::create(state, context, &name, None, data)
        .map_err(|refusal| invalid(refusal.message))?;
    tag::apply(
        state,
        context,
        id.as_str(),
        "launch-template",
        tags(nodegroup),
    )?;
    nodegroup.template = id;
    Ok(())
}

fn make_group(state: &mut State, context: &Context, nodegroup: &Nodegroup) -> Result<(), Refusal> {
    let cluster = &nodegroup.key.cluster.name;
    let of_autoscaler = [
        ("k8s.io/cluster-autoscaler/enabled".to_owned(), "true"),
        (format!("k8s.io/cluster-autoscaler/{cluster}"), "owned"),
        (lifecycle::owned(cluster), "owned"),
    ];
    let of_autoscaler = of_autoscaler.map(|(key, value)| (key, value.to_owned()));
    let tags = tags(nodegroup).into_iter().chain(of_autoscaler);
    let tags = tags.map(|(key, value)| {
        let propagate = true;
        (key, GroupTag { value, propagate })
    });
    let subnets: Vec<&str> = nodegroup.subnets.iter().map(SubnetId::as_str).collect();
    let changes = Changes {
        template: Some((
            Some(nodegroup.template.to_string()),
            None,
            Some("$Latest".to_owned()),
        )),
        subnets: Some(subnets.join(",")),
        grace: Some(GRACE),
        policies: [
            "AllocationStrategy",
            "OldestLaunchTemplate",
            "OldestInstance",
        ]
        .map(str::to_owned)
        .to_vec(),
        ..Default::default()
    };
    let bounds = Bounds {
        min: nodegroup.scaling.min,
        max: nodegroup.scaling.max,
        desired: Some(nodegroup.scaling.desired),
    };
    let name = &nodegroup.group.name;
    auto_scaling::create(state, context, name, bounds, changes, tags.collect())
        .map_err(|refusal| invalid(refusal.message))?;
    Ok(())
}
