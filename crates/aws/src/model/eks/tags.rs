//! Tags of EKS's resources, which stand in their records.
//!
//! <https://docs.aws.amazon.com/eks/latest/userguide/eks-using-tags.html>

use super::*;

/// A resource with tags.
enum Tagged {
    Cluster(ClusterKey),
    AccessEntry(PartKey),
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
    let (kind, name) = (path.next(), path.next().unwrap_or_default());
    let cluster = ClusterKey::new(region, name);
    let found = match kind {
        Some("cluster") => state
            .eks_clusters
            .contains_key(&cluster)
            .then_some(Tagged::Cluster(cluster)),
        Some("access-entry") => of_cluster(&state.eks_access_entries, &cluster)
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
    }
    Ok(())
}
