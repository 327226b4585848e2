//! Access policies: what a principal with an access entry may do in a cluster.
//!
//! <https://docs.aws.amazon.com/eks/latest/userguide/access-policies.html>

use super::access::{edit_entry, find, require_standard};
use super::*;

/// The scope of an access policy's association.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessPolicy {
    /// The namespaces it holds in; `None` for the whole cluster.
    pub namespaces: Option<Vec<String>>,
    /// When it was associated, in seconds since 1970.
    pub associated: i64,
    /// When that was changed, in seconds since 1970.
    pub modified: i64,
}

/// The policies that EKS has.
/// <https://docs.aws.amazon.com/eks/latest/userguide/access-policy-permissions.html>
pub const POLICIES: [&str; 6] = [
    "AmazonEKSAdminPolicy",
    "AmazonEKSAdminViewPolicy",
    "AmazonEKSClusterAdminPolicy",
    "AmazonEKSEditPolicy",
    "AmazonEKSSecretReaderPolicy",
    "AmazonEKSViewPolicy",
];

/// An access policy's ARN.
pub fn arn(name: &str) -> String {
    format!("arn:aws:eks::aws:cluster-access-policy/{name}")
}

fn check_policy(policy: &str) -> Result<(), Refusal> {
    if POLICIES.iter().any(|name| arn(name) == policy) {
        return Ok(());
    }
    Err(invalid("The policyArn parameter format is not valid"))
}

/// Associates a policy with an entry, in some namespaces or the whole cluster.
///
/// # Errors
/// `ResourceNotFoundException`, `InvalidParameterException`.
pub fn associate(
    state: &mut State,
    context: &Context,
    (cluster, principal): (&str, &str),
    policy: &str,
    namespaces: Option<Vec<String>>,
) -> Result<PartKey, Refusal> {
    let entry = find(state, context, cluster, principal)?;
    require_standard(entry)?;
    check_policy(policy)?;
    let key = entry.key.clone();
    let before = entry.policies.get(policy).map(|before| before.associated);
    let association = AccessPolicy {
        namespaces,
        associated: before.unwrap_or(context.now),
        modified: context.now,
    };
    edit_entry(state, &key, |entry| {
        entry.policies.insert(policy.to_owned(), association);
    });
    Ok(key)
}

/// Dissociates a policy from an entry.
///
/// # Errors
/// `ResourceNotFoundException`.
pub fn disassociate(
    state: &mut State,
    context: &Context,
    (cluster, principal): (&str, &str),
    policy: &str,
) -> Result<(), Refusal> {
    let entry = find(state, context, cluster, principal)?;
    if !entry.policies.contains_key(policy) {
        return Err(not_found(
            "The specified policyArn is not associated with the specified principalArn.",
        ));
    }
    let key = entry.key.clone();
    edit_entry(state, &key, |entry| {
        entry.policies.remove(policy);
    });
    Ok(())
}
