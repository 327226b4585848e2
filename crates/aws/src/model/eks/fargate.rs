//! Fargate profiles: which pods run on Fargate.
//!
//! <https://docs.aws.amazon.com/eks/latest/userguide/fargate-profile.html>

use super::*;

/// How long a profile takes to be made and to go, in seconds.
const CREATION: i64 = 60;
const DELETION: i64 = 60;
/// The longest name.
const LONGEST_NAME: usize = 100;
/// The most profiles of a cluster, selectors of a profile and labels of a selector.
/// <https://docs.aws.amazon.com/eks/latest/userguide/service-quotas.html>
const MOST: usize = 10;
const MOST_SELECTORS: usize = 5;
const MOST_LABELS: usize = 5;

/// A Fargate profile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FargateProfile {
    /// The cluster and the profile's name.
    pub key: PartKey,
    /// The unique part of its ARN.
    pub uuid: String,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// The ARN of the role that its pods' nodes take.
    pub role: String,
    /// Where its pods are: private subnets.
    pub subnets: Vec<SubnetId>,
    /// Pods that any of these takes run on Fargate.
    pub selectors: Vec<Selector>,
    /// Its status.
    pub status: ProfileStatus,
    /// When its status ends, in seconds since 1970.
    pub until: i64,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The token that its creation came with.
    pub token: Option<String>,
}

/// Pods of a namespace with all of some labels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selector {
    /// The namespace; `*` stands for any letters, `?` for one.
    pub namespace: String,
    /// The labels, with the same signs.
    pub labels: BTreeMap<String, String>,
}

/// A profile's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProfileStatus {
    /// Being made.
    Creating,
    /// At work.
    Active,
    /// Going.
    Deleting,
}

impl ProfileStatus {
    /// AWS's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "CREATING",
            Self::Active => "ACTIVE",
            Self::Deleting => "DELETING",
        }
    }
}

impl Selector {
    /// Whether it takes a pod.
    pub fn takes(&self, namespace: &str, labels: &BTreeMap<String, String>) -> bool {
        let has = |(key, wanted): (&String, &String)| {
            labels
                .iter()
                .any(|(own, value)| matches(key, own) && matches(wanted, value))
        };
        matches(&self.namespace, namespace) && self.labels.iter().all(has)
    }
}

/// Whether a text is what a pattern with `*` and `?` says.
fn matches(pattern: &str, text: &str) -> bool {
    let mut letters = pattern.chars();
    match letters.next() {
        None => text.is_empty(),
        Some('*') => {
            let rest = letters.as_str();
            let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            ends.into_iter().any(|at| matches(rest, &text[at..]))
        }
        Some(letter) => {
            let mut own = text.chars();
            let first = own.next();
            first.is_some_and(|first| letter == '?' || letter == first)
                && matches(letters.as_str(), own.as_str())
        }
    }
}

impl FargateProfile {
    /// Its ARN.
    pub fn arn(&self, account: &str) -> String {
        let ClusterKey { region, name } = &self.key.cluster;
        let (own, uuid) = (&self.key.name, &self.uuid);
        format!("arn:aws:eks:{region}:{account}:fargateprofile/{name}/{own}/{uuid}")
    }
}

/// A profile to make.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewProfile {
    /// The cluster's name.
    pub cluster: String,
    /// Its name.
    pub name: String,
    /// The ARN of its role.
    pub role: String,
    /// Its subnets; the cluster's private ones for none.
    pub subnets: Vec<String>,
    /// Its selectors.
    pub selectors: Vec<Selector>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The request's token.
    pub token: Option<String>,
}

/// A cluster's profile of that name.
///
/// # Errors
/// `ResourceNotFoundException`.
pub fn find<'s>(
    state: &'s State,
    context: &Context,
    cluster: &str,
    name: &str,
) -> Result<&'s FargateProfile, Refusal> {
    let cluster = super::find(state, context, cluster)?;
    let found = state
        .eks_fargate_profiles
        .get(&PartKey::new(&cluster.key, name));
    found
        .map(Arc::as_ref)
        .ok_or_else(|| not_found(format!("No Fargate Profile found with name: {name}.")))
}

/// A cluster's profiles by name.
///
/// # Errors
/// `ResourceNotFoundException`.
pub fn list<'s>(
    state: &'s State,
    context: &Context,
    cluster: &str,
) -> Result<Vec<&'s FargateProfile>, Refusal> {
    let cluster = super::find(state, context, cluster)?;
    Ok(of_cluster(&state.eks_fargate_profiles, &cluster.key).collect())
}

/// Makes a profile, or finds the one that was made with the same token.
///
/// # Errors
/// EKS's own.
pub fn create(state: &mut State, context: &Context, new: NewProfile) -> Result<PartKey, Refusal> {
    let cluster = find_active(state, context, &new.cluster)?.clone();
    check_name("Fargate profile name", &new.name, LONGEST_NAME)?;
    let key = PartKey::new(&cluster.key, &new.name);
    if let Some(present) = state.eks_fargate_profiles.get(&key) {
        if new.token.is_some() && present.token == new.token {
            return Ok(key);
        }
        return Err(in_use(format!(
            "Fargate Profile already exists with this name: {} for the cluster {}",
            new.name, new.cluster
        )));
    }
    check_others(
        state,
        &cluster,
        &format!("create Fargate Profile {}", new.name),
    )?;
    if context.quotas && of_cluster(&state.eks_fargate_profiles, &cluster.key).count() >= MOST {
        return Err(too_many(format!(
            "The maximum number of Fargate profiles of a cluster has been reached: {MOST}"
        )));
    }
    lifecycle::tags_within_limits(&new.tags)?;
    check_selectors(&new.selectors)?;
    let profile = FargateProfile {
        key: key.clone(),
        uuid: auto_scaling::uuid(state),
        created: context.now,
        subnets: subnets(state, context, &cluster, &new.subnets)?,
        role: new.role,
        selectors: new.selectors,
        status: ProfileStatus::Creating,
        until: context.now + context.pace.waiting(CREATION),
        tags: new.tags,
        token: new.token,
    };
    role::check_pods(state, &profile.role, &profile.arn(&state.settings.account))?;
    iam::service_linked::ensure(state, context, "eks-fargate.amazonaws.com")?;
    let kind = access::EntryType::FargateLinux;
    access::admit_nodes(state, context, &cluster.key, &profile.role, kind);
    state
        .eks_fargate_profiles
        .insert(key.clone(), Arc::new(profile));
    Ok(key)
}

/// Profiles of a cluster are made and deleted one after another.
fn check_others(state: &State, cluster: &Cluster, what: &str) -> Result<(), Refusal> {
    let busy = of_cluster(&state.eks_fargate_profiles, &cluster.key)
        .find(|profile| profile.status != ProfileStatus::Active);
    match busy {
        None => Ok(()),
        Some(busy) => Err(in_use(format!(
            "Cannot {what} because cluster {} currently has Fargate profile {} in status {}",
            cluster.key.name,
            busy.key.name,
            busy.status.as_str()
        ))),
    }
}

fn check_selectors(selectors: &[Selector]) -> Result<(), Refusal> {
    if selectors.is_empty() {
        return Err(invalid("Fargate Profile must have at least one selector."));
    }
    if selectors.len() > MOST_SELECTORS {
        return Err(invalid(format!(
            "Fargate Profile can have at most {MOST_SELECTORS} selectors."
        )));
    }
    for selector in selectors {
        if selector.namespace.is_empty() {
            return Err(invalid("Fargate Profile selectors must have a namespace."));
        }
        if selector.labels.len() > MOST_LABELS {
            return Err(invalid(format!(
                "A Fargate Profile selector can have at most {MOST_LABELS} labels."
            )));
        }
    }
    Ok(())
}

/// Where a profile's pods are: private subnets of the cluster's VPC.
fn subnets(
    state: &State,
    context: &Context,
    cluster: &Cluster,
    wanted: &[String],
) -> Result<Vec<SubnetId>, Refusal> {
    if wanted.is_empty() {
        let own = cluster.subnets.iter();
        let own: Vec<SubnetId> = own
            .filter_map(|id| state.subnets.get(id))
            .filter(|subnet| !network::is_public(state, subnet))
            .map(|subnet| subnet.id.clone())
            .collect();
        return match own.is_empty() {
            true => Err(invalid(
                "Fargate Profile must have at least one private subnet.",
            )),
            false => Ok(own),
        };
    }
    let mut found = Vec::with_capacity(wanted.len());
    for id in wanted {
        let subnet = subnet::find(state, context, id)
            .map_err(|_| invalid(format!("The subnet ID '{id}' does not exist")))?;
        if subnet.vpc != cluster.vpc {
            return Err(invalid(format!(
                "Subnet {id} provided in Fargate Profile does not belong to the VPC of the cluster, {}",
                cluster.vpc
            )));
        }
        if network::is_public(state, subnet) {
            return Err(invalid(format!(
                "Subnet {id} provided in Fargate Profile is not a private subnet"
            )));
        }
        found.push(subnet.id.clone());
    }
    Ok(found)
}

/// Begins to delete a profile.
///
/// # Errors
/// `ResourceNotFoundException`, `ResourceInUseException` while another is being made or deleted.
pub fn delete(
    state: &mut State,
    context: &Context,
    cluster: &str,
    name: &str,
) -> Result<PartKey, Refusal> {
    let key = find(state, context, cluster, name)?.key.clone();
    let of = super::find(state, context, cluster)?;
    check_others(state, of, &format!("delete Fargate Profile {name}"))?;
    let until = context.now + context.pace.waiting(DELETION);
    edit_profile(state, &key, |profile| {
        profile.status = ProfileStatus::Deleting;
        profile.until = until;
    });
    Ok(key)
}

/// Changes a profile.
pub(crate) fn edit_profile(
    state: &mut State,
    key: &PartKey,
    change: impl FnOnce(&mut FargateProfile),
) {
    if let Some(profile) = state.eks_fargate_profiles.get_mut(key) {
        change(Arc::make_mut(profile));
    }
}

fn under_way(state: &State) -> impl Iterator<Item = &Arc<FargateProfile>> {
    let all = state.eks_fargate_profiles.values();
    all.filter(|profile| profile.status != ProfileStatus::Active)
}

/// Ends the states that are over by now.
pub(super) fn finish_transitions(state: &mut State, now: i64) {
    let due: Vec<Arc<FargateProfile>> = under_way(state)
        .filter(|profile| profile.until <= now)
        .cloned()
        .collect();
    for profile in due {
        if profile.status == ProfileStatus::Deleting {
            state.eks_fargate_profiles.remove(&profile.key);
            continue;
        }
        edit_profile(state, &profile.key, |profile| {
            profile.status = ProfileStatus::Active;
        });
    }
}

/// When the next state ends.
pub(super) fn next_transition(state: &State) -> Option<i64> {
    under_way(state).map(|profile| profile.until).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AWS-EKS: selectors take pods by namespace and labels, with signs that stand for others.
    #[test]
    fn selectors_take_pods() {
        let labels = BTreeMap::from([("app".to_owned(), "web-1".to_owned())]);
        let takes = |namespace: &str, wanted: &[(&str, &str)]| {
            let wanted = wanted.iter();
            let selector = Selector {
                namespace: namespace.to_owned(),
                labels: wanted
                    .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                    .collect(),
            };
            selector.takes("prod-eu", &labels)
        };
        assert!(takes("prod-eu", &[]));
        assert!(takes("prod-*", &[("app", "web-?")]));
        assert!(!takes("prod", &[]));
        assert!(!takes("*", &[("app", "db*")]));
        assert!(!takes("*", &[("tier", "*")]));
    }
}
