//! Making and deleting clusters.

use super::*;
use crate::model::security_group::{NewRule, Peer, Traffic};

/// How long a control plane takes to be made, to be changed and to go, in seconds.
const CREATION: i64 = 9 * 60;
const DELETION: i64 = 3 * 60;
/// The most clusters in a region.
/// <https://docs.aws.amazon.com/eks/latest/userguide/service-quotas.html>
const MOST: usize = 100;
/// The longest name.
const LONGEST_NAME: usize = 100;

/// A cluster to make.
#[derive(Clone, Debug, PartialEq)]
pub struct NewCluster {
    /// Its name.
    pub name: String,
    /// The version of Kubernetes, or EKS's choice.
    pub version: Option<String>,
    /// The ARN of its role.
    pub role: String,
    /// Its subnets.
    pub subnets: Vec<String>,
    /// The user's security groups on its interfaces.
    pub security_groups: Vec<String>,
    /// Whether it is reached from the internet.
    pub public: bool,
    /// Whether it is reached by its interfaces.
    pub private: bool,
    /// From where on the internet; everywhere for none.
    pub public_cidrs: Vec<String>,
    /// The range of services' addresses, or EKS's choice.
    pub service_cidr: Option<String>,
    /// The logs that are kept.
    pub logs: BTreeSet<String>,
    /// Where it looks for who may use it.
    pub authentication: Authentication,
    /// Whether its creator is its administrator.
    pub creator_is_admin: bool,
    /// Whether vpc-cni, kube-proxy and coredns come by themselves.
    pub bootstrap_addons: bool,
    /// `STANDARD` or `EXTENDED`.
    pub support: String,
    /// Whether it can't be deleted.
    pub deletion_protection: bool,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The request's token.
    pub token: Option<String>,
}

/// Makes a cluster, or finds the one that was made with the same token. It is active once its control plane is there.
///
/// # Errors
/// `ResourceInUseException`, `ResourceLimitExceededException`, `InvalidParameterException`,
/// `UnsupportedAvailabilityZoneException`.
pub fn create(
    state: &mut State,
    context: &Context,
    new: NewCluster,
) -> Result<ClusterKey, Refusal> {
    check_name("cluster name", &new.name, LONGEST_NAME)?;
    let key = ClusterKey::new(&context.region, &new.name);
    if let Some(present) = state.eks_clusters.get(&key) {
        if new.token.is_some() && present.token == new.token {
            return Ok(key);
        }
        let name = &new.name;
        return Err(in_use(format!("Cluster already exists with name: {name}")));
    }
    if context.quotas && in_region(state, &context.region).count() >= MOST {
        return Err(too_many(format!(
            "The maximum number of clusters has been reached: {MOST}"
        )));
    }
    let cluster = checked(state, context, new)?;
    iam::service_linked::ensure(state, context, "eks.amazonaws.com")?;
    insert(state, context, cluster)
}

/// The record of a cluster, without what is made for it.
fn checked(state: &State, context: &Context, new: NewCluster) -> Result<Cluster, Refusal> {
    let version = match &new.version {
        Some(version) => version.parse()?,
        None => version::DEFAULT,
    };
    let (region, account) = (&context.region, &state.settings.account);
    let arn = format!("arn:aws:eks:{region}:{account}:cluster/{}", new.name);
    role::check_cluster(state, &new.role, &arn)?;
    tags_within_limits(&new.tags)?;
    let (vpc, subnets) = network::subnets(state, context, &new.name, &new.subnets)?;
    let security_groups = network::groups(state, context, &vpc, &new.security_groups)?;
    check_reachable(new.public, new.private)?;
    let endpoint = Endpoint {
        // Filled when the cluster's id is known.
        host: String::new(),
        public_address: std::net::Ipv4Addr::UNSPECIFIED,
        public: new.public,
        private: new.private,
        public_cidrs: network::public_cidrs(&new.public_cidrs)?,
    };
    Ok(Cluster {
        key: ClusterKey::new(&context.region, &new.name),
        id: String::new(),
        created: context.now,
        creator: access::principal(&context.caller),
        role: new.role,
        version,
        service_cidr: network::service_cidr(state, &vpc, new.service_cidr.as_deref())?,
        vpc,
        subnets,
        security_groups,
        cluster_group: SecurityGroupId::from(""),
        interfaces: Vec::new(),
        endpoint,
        logs: new.logs,
        authentication: new.authentication,
        creator_is_admin: new.creator_is_admin,
        bootstrap_addons: new.bootstrap_addons,
        support: new.support,
        deletion_protection: new.deletion_protection,
        status: ClusterStatus::Creating,
        until: context.now + context.pace.waiting(CREATION),
        authority: None,
        tags: new.tags,
        token: new.token,
    })
}

/// Refuses an endpoint that nobody could reach.
pub(super) fn check_reachable(public: bool, private: bool) -> Result<(), Refusal> {
    if public || private {
        return Ok(());
    }
    Err(invalid(
        "Private and public endpoint access cannot be false.",
    ))
}

/// Refuses tags that EKS does.
pub(crate) fn tags_within_limits(tags: &BTreeMap<String, String>) -> Result<(), Refusal> {
    const MOST_TAGS: usize = 50;
    if tags.len() > MOST_TAGS {
        return Err(invalid(format!("Too many tags: at most {MOST_TAGS}")));
    }
    for (key, value) in tags {
        tag::check(key, value).map_err(|refusal| invalid(refusal.message))?;
    }
    Ok(())
}

fn insert(
    state: &mut State,
    context: &Context,
    mut cluster: Cluster,
) -> Result<ClusterKey, Refusal> {
    let bytes = state.bytes();
    cluster.id = bytes[..16]
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    let suffixes = ["gr7", "yl4", "sk1"];
    let suffix = suffixes[usize::from(bytes[16]) % suffixes.len()];
    cluster.endpoint.host = format!(
        "{}.{suffix}.{}.eks.amazonaws.com",
        cluster.id, context.region
    );
    cluster.endpoint.public_address = elastic_ip::any(state)?;
    cluster.cluster_group = make_group(state, context, &cluster)?;
    let (name, groups) = (cluster.key.name.clone(), cluster.groups());
    cluster.interfaces = interface::place(state, context, &name, &cluster.subnets, &groups)?;
    let key = cluster.key.clone();
    if cluster.authentication.has_entries() && cluster.creator_is_admin {
        access::admit_creator(state, context, &cluster);
    }
    state.eks_clusters.insert(key.clone(), Arc::new(cluster));
    Ok(key)
}

/// The cluster security group: its members reach one another, and everything out.
/// <https://docs.aws.amazon.com/eks/latest/userguide/sec-group-reqs.html>
fn make_group(
    state: &mut State,
    context: &Context,
    cluster: &Cluster,
) -> Result<SecurityGroupId, Refusal> {
    let bytes = state.bytes();
    let number = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let cluster_name = &cluster.key.name;
    let name = format!("eks-cluster-sg-{cluster_name}-{number}");
    let group = security_group::create(
        state,
        context,
        &cluster.vpc,
        &name,
        "EKS created security group applied to ENI that is attached to EKS Control Plane master nodes, as well as any managed workloads.",
    )
    .map_err(|refusal| invalid(refusal.message))?;
    let among_members = NewRule {
        egress: false,
        traffic: Traffic::All,
        peer: Peer::Group(group.clone()),
        description: None,
    };
    security_group::authorize(state, context, &group, vec![among_members])?;
    let tags = [
        ("Name".to_owned(), name),
        (owned(cluster_name), "owned".to_owned()),
        ("aws:eks:cluster-name".to_owned(), cluster_name.clone()),
    ];
    tag::mark(state, context, group.as_str(), "security-group", tags);
    Ok(group)
}

/// The tag of what belongs to a cluster.
pub(crate) fn owned(cluster: &str) -> String {
    format!("kubernetes.io/cluster/{cluster}")
}

/// Begins to delete a cluster.
///
/// # Errors
/// `ResourceNotFoundException`, `ResourceInUseException` while something belongs to it or it is being changed,
/// `InvalidRequestException` with deletion protection.
pub fn delete(state: &mut State, context: &Context, name: &str) -> Result<ClusterKey, Refusal> {
    let cluster = find(state, context, name)?;
    let key = cluster.key.clone();
    if of_cluster(&state.eks_nodegroups, &key).next().is_some() {
        return Err(in_use("Cluster has nodegroups attached"));
    }
    if of_cluster(&state.eks_fargate_profiles, &key)
        .next()
        .is_some()
    {
        return Err(in_use("Cluster has fargate profiles attached"));
    }
    if cluster.deletion_protection {
        return Err(impossible(format!(
            "Cannot delete cluster {name} because deletion protection is enabled"
        )));
    }
    if cluster.status == ClusterStatus::Updating {
        return Err(in_use(format!(
            "Cannot delete because cluster {name} currently has an update in progress"
        )));
    }
    let until = context.now + context.pace.waiting(DELETION);
    edit(state, &key, |cluster| {
        cluster.status = ClusterStatus::Deleting;
        cluster.until = until;
    });
    Ok(key)
}

/// A cluster is no more, nor is what EKS made for it. Its security group stays while others use it.
fn remove(state: &mut State, key: &ClusterKey) {
    let Some(cluster) = state.eks_clusters.remove(key) else {
        return;
    };
    fargate_machine::remove_all(state, key);
    interface::remove(state, &cluster.interfaces);
    let _ = security_group::delete(state, &cluster.cluster_group);
    forget(&mut state.eks_addons, key);
    forget(&mut state.eks_updates, key);
    forget(&mut state.eks_access_entries, key);
}

/// Ends the states that are over by now.
pub fn finish_transitions(state: &mut State, now: i64) {
    let due: Vec<(ClusterKey, ClusterStatus)> = state
        .eks_clusters
        .values()
        .filter(|cluster| end(cluster).is_some_and(|end| end <= now))
        .map(|cluster| (cluster.key.clone(), cluster.status))
        .collect();
    for (key, status) in due {
        match status {
            ClusterStatus::Creating => {
                edit(state, &key, |cluster| {
                    cluster.status = ClusterStatus::Active;
                });
            }
            ClusterStatus::Deleting => remove(state, &key),
            ClusterStatus::Active | ClusterStatus::Updating | ClusterStatus::Failed => {}
        }
    }
    nodegroup::finish_transitions(state, now);
    fargate::finish_transitions(state, now);
    update::finish_transitions(state, now);
}

/// When a cluster's state ends by itself: one that is being made waits for its control plane.
fn end(cluster: &Cluster) -> Option<i64> {
    let ends = match cluster.status {
        ClusterStatus::Creating => cluster.authority.is_some(),
        ClusterStatus::Deleting => true,
        ClusterStatus::Active | ClusterStatus::Updating | ClusterStatus::Failed => false,
    };
    ends.then_some(cluster.until)
}

/// When the next state ends.
pub fn next_transition(state: &State) -> Option<i64> {
    let clusters = state.eks_clusters.values();
    let clusters = clusters.filter_map(|cluster| end(cluster));
    clusters
        .chain(nodegroup::next_transition(state))
        .chain(fargate::next_transition(state))
        .chain(update::next_transition(state))
        .min()
}
