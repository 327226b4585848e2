//! Operations on access policies and what they are associated with.

use super::{Call, Outcome, page};
use crate::model::eks::{self, AccessPolicy as Association, access, access_policy};
use wire::Timestamp;
use wire::eks::*;

fn wire_policy(arn: &str, of: &Association) -> AssociatedAccessPolicy {
    AssociatedAccessPolicy {
        policy_arn: Some(arn.to_owned()),
        access_scope: Some(AccessScope {
            type_: Some(match of.namespaces {
                Some(_) => AccessScopeType::Namespace,
                None => AccessScopeType::Cluster,
            }),
            namespaces: of.namespaces.clone().unwrap_or_default(),
        }),
        associated_at: Some(Timestamp(of.associated)),
        modified_at: Some(Timestamp(of.modified)),
    }
}

/// The namespaces that a scope names; `None` for the whole cluster.
fn scope(of: AccessScope) -> Outcome<Option<Vec<String>>> {
    match of.type_ {
        Some(AccessScopeType::Namespace) if of.namespaces.is_empty() => Err(eks::invalid(
            "The namespaces of an accessScope with a type of \"namespace\" must not be empty",
        )
        .into()),
        Some(AccessScopeType::Namespace) => Ok(Some(of.namespaces)),
        Some(AccessScopeType::Cluster) if of.namespaces.is_empty() => Ok(None),
        Some(AccessScopeType::Cluster) => Err(eks::invalid(
            "You cannot specify namespaces for an accessScope with a type of \"cluster\"",
        )
        .into()),
        None => Err(eks::invalid("The type of an accessScope must be specified").into()),
    }
}

pub(super) fn associate(
    call: &mut Call<'_>,
    request: AssociateAccessPolicyRequest,
) -> Outcome<AssociateAccessPolicyResponse> {
    let of = (
        request.cluster_name.as_str(),
        request.principal_arn.as_str(),
    );
    let namespaces = scope(request.access_scope)?;
    let policy = &request.policy_arn;
    let key = access_policy::associate(&mut call.state, call.context, of, policy, namespaces)?;
    let entry = call.state.eks_access_entries.get(&key);
    let association = entry.and_then(|entry| entry.policies.get(policy));
    Ok(AssociateAccessPolicyResponse {
        associated_access_policy: association.map(|of| wire_policy(policy, of)),
        cluster_name: Some(request.cluster_name),
        principal_arn: Some(request.principal_arn),
    })
}

pub(super) fn disassociate(
    call: &mut Call<'_>,
    request: DisassociateAccessPolicyRequest,
) -> Outcome<DisassociateAccessPolicyResponse> {
    let of = (
        request.cluster_name.as_str(),
        request.principal_arn.as_str(),
    );
    access_policy::disassociate(&mut call.state, call.context, of, &request.policy_arn)?;
    Ok(DisassociateAccessPolicyResponse {})
}

pub(super) fn list_associated(
    call: &mut Call<'_>,
    request: ListAssociatedAccessPoliciesRequest,
) -> Outcome<ListAssociatedAccessPoliciesResponse> {
    let (cluster, principal) = (&request.cluster_name, &request.principal_arn);
    let entry = access::find(&call.state, call.context, cluster, principal)?;
    let all = entry.policies.iter();
    let all = all.map(|(arn, of)| wire_policy(arn, of)).collect();
    let token = request.next_token.as_deref();
    let (associated_access_policies, next_token) = page(all, request.max_results, token)?;
    Ok(ListAssociatedAccessPoliciesResponse {
        cluster_name: Some(request.cluster_name),
        principal_arn: Some(request.principal_arn),
        next_token,
        associated_access_policies,
    })
}

pub(super) fn list_policies(
    _: &mut Call<'_>,
    request: ListAccessPoliciesRequest,
) -> Outcome<ListAccessPoliciesResponse> {
    let policy = |name: &str| AccessPolicy {
        name: Some(name.to_owned()),
        arn: Some(access_policy::arn(name)),
    };
    let all = access_policy::POLICIES.into_iter().map(policy).collect();
    let token = request.next_token.as_deref();
    let (access_policies, next_token) = page(all, request.max_results, token)?;
    Ok(ListAccessPoliciesResponse {
        access_policies,
        next_token,
    })
}
