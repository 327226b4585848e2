//! What EKS asks of a node group.

use super::*;
use crate::model::instance_type;

/// A node group's own limits.
/// <https://docs.aws.amazon.com/eks/latest/userguide/service-quotas.html>
const MOST_NODES: i32 = 450;

/// Refuses numbers of nodes that can't be.
pub(super) fn scaling(of: Scaling) -> Result<(), Refusal> {
    let Scaling { min, max, desired } = of;
    if min < 0 || max < 1 || desired < 0 {
        return Err(invalid(
            "minSize and desiredSize can't be less than 0, and maxSize can't be less than 1",
        ));
    }
    if min > desired {
        return Err(invalid(format!(
            "Minimum capacity {min} can't be greater than desired size {desired}"
        )));
    }
    if desired > max {
        return Err(invalid(format!(
            "desired capacity {desired} can't be greater than max size {max}"
        )));
    }
    if max > MOST_NODES {
        return Err(invalid(format!(
            "Max size {max} can't be greater than {MOST_NODES}"
        )));
    }
    Ok(())
}

/// The subnets with these ids, all of the cluster's VPC.
///
/// # Errors
/// `InvalidParameterException`.
pub(super) fn subnets(
    state: &State,
    context: &Context,
    cluster: &Cluster,
    wanted: &[String],
) -> Result<Vec<SubnetId>, Refusal> {
    let mut found = Vec::with_capacity(wanted.len());
    for id in wanted {
        let subnet = subnet::find(state, context, id)
            .map_err(|_| invalid(format!("The subnet ID '{id}' does not exist")))?;
        if subnet.vpc != cluster.vpc {
            return Err(invalid(format!(
                "Subnet {id} does not belong to the VPC of the cluster, {}",
                cluster.vpc
            )));
        }
        if !found.contains(&subnet.id) {
            found.push(subnet.id.clone());
        }
    }
    if found.is_empty() {
        return Err(invalid("The subnets of a node group must not be empty"));
    }
    Ok(found)
}

/// Refuses instance types that there are none of, or that don't run the image.
pub(super) fn instance_types(types: &[String], ami: AmiType) -> Result<(), Refusal> {
    let unknown: Vec<&str> = types
        .iter()
        .map(String::as_str)
        .filter(|name| instance_type::find(name).is_none())
        .collect();
    if !unknown.is_empty() {
        return Err(invalid(format!(
            "The following supplied instance types do not exist: [{}]",
            unknown.join(", ")
        )));
    }
    let Some(architecture) = ami.architecture() else {
        return Ok(());
    };
    let other: Vec<&str> = types
        .iter()
        .map(String::as_str)
        .filter(|name| instance_type::find(name).is_some_and(|of| of.architecture != architecture))
        .collect();
    if other.is_empty() {
        return Ok(());
    }
    Err(invalid(format!(
        "[{}] is not a valid instance type for requested amiType {}",
        other.join(", "),
        ami.as_str()
    )))
}

/// Refuses labels that EKS keeps for itself, and what Kubernetes takes for no label.
pub(super) fn labels(labels: &BTreeMap<String, String>) -> Result<(), Refusal> {
    for (key, value) in labels {
        let domain = key.split_once('/').map_or("", |(domain, _)| domain);
        let kept = ["eks.amazonaws.com", "kubernetes.io", "k8s.io"];
        let own = kept.iter().any(|kept| {
            let below = domain.strip_suffix(kept);
            below.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        });
        // What users' nodes may say of themselves (NodeRestriction).
        let allowed = domain == "node.kubernetes.io" || domain == "kubelet.kubernetes.io";
        if own && !allowed {
            return Err(invalid(format!(
                "Label cannot contain reserved prefixes [kubernetes.io/, k8s.io/, eks.amazonaws.com/]: {key}"
            )));
        }
        if !plain(value) || !plain(key.rsplit('/').next().unwrap_or_default()) {
            return Err(invalid(format!("Invalid label: {key}={value}")));
        }
    }
    Ok(())
}

/// Whether a text is what Kubernetes takes as a label's value.
fn plain(text: &str) -> bool {
    let sign = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    text.len() <= 63 && text.chars().all(sign)
}

/// Refuses taints that can't be, and two alike.
pub(super) fn taints(taints: &[Taint]) -> Result<(), Refusal> {
    for (index, taint) in taints.iter().enumerate() {
        let name = taint.key.rsplit('/').next().unwrap_or_default();
        if name.is_empty() || !plain(name) || !plain(&taint.value) {
            return Err(invalid(format!(
                "Invalid taint: {}={}",
                taint.key, taint.value
            )));
        }
        let twin = |other: &Taint| (&other.key, &other.effect) == (&taint.key, &taint.effect);
        if taints[..index].iter().any(twin) {
            return Err(invalid(format!("Duplicate taint: {}", taint.key)));
        }
    }
    Ok(())
}

/// Refuses a number of missing nodes that can't be.
pub(super) fn unavailable(of: Unavailable) -> Result<(), Refusal> {
    let good = match of {
        Unavailable::Count(count) => (1..=100).contains(&count),
        Unavailable::Percentage(percentage) => (1..=100).contains(&percentage),
    };
    if good {
        return Ok(());
    }
    Err(invalid(
        "maxUnavailable and maxUnavailablePercentage must be between 1 and 100",
    ))
}
