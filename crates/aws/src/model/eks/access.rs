//! Access entries: which principals of IAM may use a cluster's Kubernetes API, and as whom.
//!
//! <https://docs.aws.amazon.com/eks/latest/userguide/access-entries.html>

use super::*;

/// A principal's access to a cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccessEntry {
    /// The cluster and the principal's ARN.
    pub key: PartKey,
    /// The unique part of the entry's ARN.
    pub uuid: String,
    /// What kind of principal it is for.
    pub kind: EntryType,
    /// The name that Kubernetes knows the principal by.
    pub username: String,
    /// The groups that Kubernetes knows it in.
    pub groups: Vec<String>,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// When it was changed, in seconds since 1970.
    pub modified: i64,
    /// The access policies associated with it, by ARN.
    pub policies: BTreeMap<String, AccessPolicy>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The token that its creation came with.
    pub token: Option<String>,
}

macro_rules! types {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// What kind of principal an access entry is for.
        /// <https://docs.aws.amazon.com/eks/latest/userguide/creating-access-entries.html>
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub enum EntryType { $($(#[$doc])* $name,)* }

        impl EntryType {
            /// AWS's word.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            fn read(text: &str) -> Option<Self> {
                match text { $($word => Some(Self::$name),)* _ => None }
            }
        }
    };
}

types! {
    /// Anybody.
    Standard = "STANDARD",
    /// Linux nodes of the user's.
    Ec2Linux = "EC2_LINUX",
    /// Windows nodes of the user's.
    Ec2Windows = "EC2_WINDOWS",
    /// Fargate's nodes.
    FargateLinux = "FARGATE_LINUX",
    /// Nodes of Auto Mode.
    Ec2 = "EC2",
    /// Hybrid nodes.
    HybridLinux = "HYBRID_LINUX",
}

/// The policy that may do everything.
const ADMIN: &str = "AmazonEKSClusterAdminPolicy";

impl EntryType {
    /// The name that Kubernetes knows a principal by, where none was chosen.
    fn username(self, principal: &str) -> String {
        match self {
            Self::Ec2Linux | Self::Ec2Windows | Self::Ec2 | Self::HybridLinux => {
                "system:node:{{EC2PrivateDNSName}}".to_owned()
            }
            Self::FargateLinux => "system:node:{{SessionName}}".to_owned(),
            Self::Standard => match role_name(principal) {
                Some((account, name)) => {
                    format!("arn:aws:sts::{account}:assumed-role/{name}/{{{{SessionName}}}}")
                }
                None => principal.to_owned(),
            },
        }
    }

    /// The groups that Kubernetes knows a principal in whatever was asked for.
    fn groups(self) -> Vec<String> {
        let groups: &[&str] = match self {
            Self::Standard | Self::Ec2 => &[],
            Self::Ec2Linux | Self::HybridLinux => &["system:nodes"],
            Self::Ec2Windows => &["system:nodes", "eks:kube-proxy-windows"],
            Self::FargateLinux => &[
                "system:bootstrappers",
                "system:nodes",
                "system:node-proxier",
            ],
        };
        groups.iter().map(|group| (*group).to_owned()).collect()
    }
}

impl AccessEntry {
    /// Its ARN.
    pub fn arn(&self, account: &str) -> String {
        let ClusterKey { region, name } = &self.key.cluster;
        let principal: Vec<&str> = self.key.name.splitn(6, ':').collect();
        let owner = principal.get(4).copied().unwrap_or(account);
        let resource = principal.get(5).copied().unwrap_or_default();
        let (kind, rest) = resource.split_once('/').unwrap_or((resource, ""));
        let last = rest.rsplit('/').next().unwrap_or_default();
        let uuid = &self.uuid;
        format!("arn:aws:eks:{region}:{account}:access-entry/{name}/{kind}/{owner}/{last}/{uuid}")
    }
}

/// The principal of IAM behind a caller: a session's role for a session.
pub(super) fn principal(caller: &str) -> String {
    let parts: Vec<&str> = caller.splitn(6, ':').collect();
    if let ["arn", partition, "sts", "", account, session] = parts.as_slice()
        && let Some(rest) = session.strip_prefix("assumed-role/")
    {
        let role = rest.rsplit_once('/').map_or(rest, |(role, _)| role);
        return format!("arn:{partition}:iam::{account}:role/{role}");
    }
    caller.to_owned()
}

/// A role's account and name, without its path.
fn role_name(principal: &str) -> Option<(&str, &str)> {
    let parts: Vec<&str> = principal.splitn(6, ':').collect();
    let role = parts.get(5)?.strip_prefix("role/")?;
    Some((parts.get(4)?, role.rsplit('/').next()?))
}

/// An access entry to make.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewEntry {
    /// The principal's ARN.
    pub principal: String,
    /// The groups in Kubernetes.
    pub groups: Vec<String>,
    /// The name in Kubernetes, or EKS's choice.
    pub username: Option<String>,
    /// AWS's word for its type.
    pub kind: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The request's token.
    pub token: Option<String>,
}

/// The cluster, if access entries count in it.
fn with_entries<'s>(
    state: &'s State,
    context: &Context,
    name: &str,
) -> Result<&'s Cluster, Refusal> {
    let cluster = super::find(state, context, name)?;
    if cluster.authentication.has_entries() {
        return Ok(cluster);
    }
    Err(impossible(
        "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this operation.",
    ))
}

/// The entry of a principal.
///
/// # Errors
/// `ResourceNotFoundException`, `InvalidRequestException` where entries don't count.
pub fn find<'s>(
    state: &'s State,
    context: &Context,
    cluster: &str,
    principal: &str,
) -> Result<&'s AccessEntry, Refusal> {
    let key = PartKey::new(&with_entries(state, context, cluster)?.key, principal);
    let found = state.eks_access_entries.get(&key);
    found.map(Arc::as_ref).ok_or_else(|| {
        not_found("The specified principalArn could not be found. You can view your available access entries with 'list-access-entries'.")
    })
}

/// A cluster's entries by principal, those with a policy if one is named.
///
/// # Errors
/// As [`find`].
pub fn list<'s>(
    state: &'s State,
    context: &Context,
    cluster: &str,
    policy: Option<&str>,
) -> Result<Vec<&'s AccessEntry>, Refusal> {
    let cluster = with_entries(state, context, cluster)?;
    let all = of_cluster(&state.eks_access_entries, &cluster.key);
    let having = |entry: &&AccessEntry| policy.is_none_or(|arn| entry.policies.contains_key(arn));
    Ok(all.filter(having).collect())
}

fn check_principal(state: &State, arn: &str) -> Result<(), Refusal> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let known = match parts.as_slice() {
        ["arn", _, "iam", "", account, resource] => {
            let named = |kind: &str| resource.strip_prefix(kind).is_some_and(|of| !of.is_empty());
            account.len() == 12 && (named("role/") || named("user/") || *resource == "root")
        }
        _ => false,
    };
    if !known {
        return Err(invalid("The principalArn parameter format is not valid"));
    }
    // Of another account nobody can tell.
    let own = parts.get(4) == Some(&state.settings.account.as_str());
    let role = iam::role::by_arn(state, arn).is_some();
    let user = state.iam_users.values().any(|user| user.arn == arn);
    if own && !role && !user && !arn.ends_with(":root") {
        return Err(invalid(
            "The specified principalArn is invalid: invalid principal.",
        ));
    }
    if arn.contains(":role/aws-service-role/") {
        return Err(invalid(
            "The caller is not allowed to modify access entries with a principalArn value of a Service Linked Role",
        ));
    }
    Ok(())
}

/// Makes an entry.
///
/// # Errors
/// `InvalidParameterException`, `InvalidRequestException`, `ResourceInUseException`, `ResourceNotFoundException`.
pub fn create(
    state: &mut State,
    context: &Context,
    cluster: &str,
    new: NewEntry,
) -> Result<PartKey, Refusal> {
    let cluster = with_entries(state, context, cluster)?.key.clone();
    check_principal(state, &new.principal)?;
    lifecycle::tags_within_limits(&new.tags)?;
    let word = new.kind.as_deref().unwrap_or("STANDARD");
    let kind = EntryType::read(word)
        .ok_or_else(|| invalid(format!("The specified type is not valid: {word}")))?;
    if kind != EntryType::Standard {
        if !new.groups.is_empty() || new.username.is_some() {
            return Err(invalid(format!(
                "You cannot specify kubernetesGroups or username for an access entry with a type of \"{word}\""
            )));
        }
        if role_name(&new.principal).is_none() {
            return Err(invalid(format!(
                "An access entry with a type of \"{word}\" must be for an IAM role"
            )));
        }
    }
    check_identity(&new.groups, new.username.as_deref())?;
    let key = PartKey::new(&cluster, &new.principal);
    if let Some(present) = state.eks_access_entries.get(&key) {
        if new.token.is_some() && present.token == new.token {
            return Ok(key);
        }
        return Err(in_use(
            "The specified access entry resource is already in use on this cluster.",
        ));
    }
    insert(state, context, &key, kind, new);
    Ok(key)
}

/// Names in Kubernetes that begin so are Kubernetes' own.
const RESERVED: [&str; 5] = ["system:", "eks:", "aws:", "amazon:", "iam:"];

fn check_identity(groups: &[String], username: Option<&str>) -> Result<(), Refusal> {
    let reserved = |name: &str| RESERVED.iter().any(|prefix| name.starts_with(prefix));
    if let Some(group) = groups.iter().find(|group| reserved(group)) {
        return Err(invalid(format!(
            "The kubernetes group name {group} is invalid, it cannot start with system:, eks:, aws:, amazon:, or iam:"
        )));
    }
    if let Some(name) = username.filter(|name| reserved(name)) {
        return Err(invalid(format!(
            "The username {name} is invalid, it cannot start with system:, eks:, aws:, amazon:, or iam:"
        )));
    }
    Ok(())
}

fn insert(state: &mut State, context: &Context, key: &PartKey, kind: EntryType, new: NewEntry) {
    let mut groups = kind.groups();
    groups.extend(new.groups);
    let entry = AccessEntry {
        key: key.clone(),
        uuid: auto_scaling::uuid(state),
        kind,
        username: new.username.unwrap_or_else(|| kind.username(&key.name)),
        groups,
        created: context.now,
        modified: context.now,
        policies: BTreeMap::new(),
        tags: new.tags,
        token: new.token,
    };
    state
        .eks_access_entries
        .insert(key.clone(), Arc::new(entry));
}

/// Makes a cluster's creator its administrator.
pub(super) fn admit_creator(state: &mut State, context: &Context, cluster: &Cluster) {
    let key = PartKey::new(&cluster.key, &cluster.creator);
    insert(
        state,
        context,
        &key,
        EntryType::Standard,
        NewEntry::default(),
    );
    let policy = AccessPolicy {
        namespaces: None,
        associated: context.now,
        modified: context.now,
    };
    edit_entry(state, &key, |entry| {
        entry.policies.insert(access_policy::arn(ADMIN), policy);
    });
}

/// Lets nodes with a role join, where entries count and none is there for it.
pub(crate) fn admit_nodes(
    state: &mut State,
    context: &Context,
    cluster: &ClusterKey,
    role: &str,
    kind: EntryType,
) {
    let counts = state
        .eks_clusters
        .get(cluster)
        .is_some_and(|cluster| cluster.authentication.has_entries());
    let key = PartKey::new(cluster, role);
    if counts && !state.eks_access_entries.contains_key(&key) {
        insert(state, context, &key, kind, NewEntry::default());
    }
}

/// Changes an entry.
pub(crate) fn edit_entry(state: &mut State, key: &PartKey, change: impl FnOnce(&mut AccessEntry)) {
    if let Some(entry) = state.eks_access_entries.get_mut(key) {
        change(Arc::make_mut(entry));
    }
}

/// Changes an entry's name or groups in Kubernetes; `None` for what stays.
///
/// # Errors
/// `ResourceNotFoundException`, `InvalidParameterException`.
pub fn update(
    state: &mut State,
    context: &Context,
    (cluster, principal): (&str, &str),
    groups: Option<Vec<String>>,
    username: Option<String>,
) -> Result<PartKey, Refusal> {
    let entry = find(state, context, cluster, principal)?;
    require_standard(entry)?;
    check_identity(groups.as_deref().unwrap_or_default(), username.as_deref())?;
    let key = entry.key.clone();
    let now = context.now;
    edit_entry(state, &key, |entry| {
        entry.groups = groups.unwrap_or_else(|| entry.groups.clone());
        entry.username = username.unwrap_or_else(|| entry.username.clone());
        entry.modified = now;
    });
    Ok(key)
}

pub(super) fn require_standard(entry: &AccessEntry) -> Result<(), Refusal> {
    if entry.kind == EntryType::Standard {
        return Ok(());
    }
    Err(invalid(
        "This operation can only be performed on Access Entries with a type of \"STANDARD\".",
    ))
}

/// Deletes an entry.
///
/// # Errors
/// `ResourceNotFoundException`.
pub fn delete(
    state: &mut State,
    context: &Context,
    cluster: &str,
    principal: &str,
) -> Result<(), Refusal> {
    let key = find(state, context, cluster, principal)?.key.clone();
    state.eks_access_entries.remove(&key);
    Ok(())
}
