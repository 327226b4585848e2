//! Tags of EKS's resources, which stand in their records.
//!
//! <https://docs.aws.amazon.com/eks/latest/userguide/eks-using-tags.html>

use super::*;

/// A resource with tags.
enum Tagged {
    Cluster(ClusterKey),
    AccessEntry(PartKey),
    Nodegroup(PartKey),
    FargateProfile(PartKey),
    Addon(PartKey),
}

fn unknown(arn: &str) -> Refusal {
    Refusal::new(
        "NotFoundException",
        format!("No resource found for ARN: {arn}"),
    )
}

/// The resource of an ARN of the account in the region asked.
fn resource(state: &State, context: &Context, arn: &str) -> Result<Tagged, Refusal> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", "aws", "eks", region, account, path] = parts.as_slice() else {
        return Err(Refusal::new(
            "BadRequestException",
            format!("Invalid ARN: {arn}"),
        ));
    };
    if *region != context.region || *account != state.settings.account {
        return Err(unknown(arn));
    }
    let mut path = path.split('/');
    let mut part = || path.next().unwrap_or_default();
    let (kind, cluster) = (part(), ClusterKey::new(region, part()));
    let key = PartKey::new(&cluster, part());
    let found = match kind {
        "cluster" => state
            .eks_clusters
            .contains_key(&cluster)
            .then_some(Tagged::Cluster(cluster)),
        "nodegroup" => state
            .eks_nodegroups
            .get(&key)
            .filter(|of| of.arn(account) == arn)
            .map(|_| Tagged::Nodegroup(key)),
        "fargateprofile" => state
            .eks_fargate_profiles
            .get(&key)
            .filter(|of| of.arn(account) == arn)
            .map(|_| Tagged::FargateProfile(key)),
        "addon" => state
            .eks_addons
            .get(&key)
            .filter(|of| of.arn(account) == arn)
            .map(|_| Tagged::Addon(key)),
        "access-entry" => of_cluster(&state.eks_access_entries, &cluster)
            .find(|entry| entry.arn(account) == arn)
            .map(|entry| Tagged::AccessEntry(entry.key.clone())),
        _ => None,
    };
    found.ok_or_else(|| unknown(arn))
}

/// A resource's tags.
///
/// # Errors
/// `NotFoundException`, `BadRequestException`.
pub fn of(
    state: &State,
    context: &Context,
    arn: &str,
) -> Result<BTreeMap<String, String>, Refusal> {
    let tags = match resource(state, context, arn)? {
        Tagged::Cluster(key) => state.eks_clusters.get(&key).map(|of| of.tags.clone()),
        Tagged::AccessEntry(key) => state.eks_access_entries.get(&key).map(|of| of.tags.clone()),
        Tagged::Nodegroup(key) => state.eks_nodegroups.get(&key).map(|of| of.tags.clone()),
        Tagged::FargateProfile(key) => state
            .eks_fargate_profiles
            .get(&key)
            .map(|of| of.tags.clone()),
        Tagged::Addon(key) => state.eks_addons.get(&key).map(|of| of.tags.clone()),
    };
    tags.ok_or_else(|| unknown(arn))
}

/// Changes a resource's tags.
///
/// # Errors
/// `NotFoundException`, `BadRequestException`.
pub fn change(
    state: &mut State,
    context: &Context,
    arn: &str,
    change: impl FnOnce(&mut BTreeMap<String, String>),
) -> Result<(), Refusal> {
    let mut tags = of(state, context, arn)?;
    change(&mut tags);
    lifecycle::tags_within_limits(&tags)
        .map_err(|refusal| Refusal::new("BadRequestException", refusal.message))?;
    match resource(state, context, arn)? {
        Tagged::Cluster(key) => edit(state, &key, |cluster| cluster.tags = tags),
        Tagged::AccessEntry(key) => access::edit_entry(state, &key, |entry| entry.tags = tags),
        Tagged::Nodegroup(key) => nodegroup::edit(state, &key, |of| of.tags = tags),
        Tagged::FargateProfile(key) => fargate::edit_profile(state, &key, |of| of.tags = tags),
        Tagged::Addon(key) => addon::edit_addon(state, &key, |of| of.tags = tags),
    }
    Ok(())
}
