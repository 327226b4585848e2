//! The roles that control planes, nodes and Fargate's pods take: they must be there, and trust who takes them.
//!
//! <https://docs.aws.amazon.com/eks/latest/userguide/cluster-iam-role.html>

use super::*;
use crate::model::iam::{Role, role};
use crate::policy::{Decision, Document, Identity, Keys, Kind, admits};

/// Refuses what is no role's ARN.
///
/// # Errors
/// `InvalidParameterException`.
pub(super) fn check_arn(arn: &str) -> Result<(), Refusal> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    match parts.as_slice() {
        ["arn", _, "iam", "", account, role]
            if account.len() == 12 && role.starts_with("role/") && role.len() > 5 =>
        {
            Ok(())
        }
        _ => Err(invalid(format!("Invalid role ARN: {arn}"))),
    }
}

/// Whether a role lets a service take it; `source` is the ARN of the resource that it is taken for.
fn trusts(state: &State, role: &Role, service: &str, source: &str) -> bool {
    let mut keys = Keys::default();
    keys.put("aws:SourceArn", source);
    keys.put("aws:SourceAccount", state.settings.account.as_str());
    let trust = Document::parse(&role.trust, Kind::Trust);
    let who = Identity::Service(service);
    trust.is_ok_and(|trust| admits(&trust, &who, "sts:AssumeRole", &keys) == Decision::Allowed)
}

/// Checks a cluster's role.
///
/// # Errors
/// `InvalidParameterException`.
pub(super) fn check_cluster(state: &State, arn: &str, cluster: &str) -> Result<(), Refusal> {
    check_arn(arn)?;
    let good = |role: &Role| trusts(state, role, "eks.amazonaws.com", cluster);
    if role::by_arn(state, arn).is_some_and(good) {
        return Ok(());
    }
    Err(invalid(format!(
        "Role with arn: {arn}, could not be assumed because it does not exist or the trusted entity is not correct"
    )))
}

/// Checks the role of a node group's nodes.
///
/// # Errors
/// `InvalidParameterException`.
pub(super) fn check_nodes(state: &State, arn: &str) -> Result<(), Refusal> {
    const SERVICE: &str = "ec2.amazonaws.com";
    check_arn(arn)?;
    let found = role::by_arn(state, arn).ok_or_else(|| {
        let name = arn.rsplit('/').next().unwrap_or_default();
        invalid(format!("The role with name {name} cannot be found."))
    })?;
    if trusts(state, found, SERVICE, "") {
        return Ok(());
    }
    Err(invalid(format!(
        "Following required service principals [{SERVICE}] were not found in the trust relationships of nodeRole {arn}"
    )))
}

/// Checks the role of a Fargate profile's pods.
///
/// # Errors
/// `InvalidParameterException`.
pub(super) fn check_pods(state: &State, arn: &str, profile: &str) -> Result<(), Refusal> {
    const SERVICE: &str = "eks-fargate-pods.amazonaws.com";
    check_arn(arn)?;
    let good = |role: &Role| trusts(state, role, SERVICE, profile);
    if role::by_arn(state, arn).is_some_and(good) {
        return Ok(());
    }
    Err(invalid(format!(
        "Misconfigured PodExecutionRole Trust Policy; Please add the {SERVICE} Service Principal"
    )))
}
