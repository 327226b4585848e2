//! Operations on access entries and their policies.

use super::{Call, Outcome, page};
use crate::model::State;
use crate::model::eks::access::{self, NewEntry};
use crate::model::eks::{self, AccessEntry as Of, AccessPolicy as Association, PartKey};
use wire::Timestamp;
use wire::eks::*;

fn wire_entry(state: &State, of: &Of) -> AccessEntry {
    AccessEntry {
        cluster_name: Some(of.key.cluster.name.clone()),
        principal_arn: Some(of.key.name.clone()),
        kubernetes_groups: of.groups.clone(),
        access_entry_arn: Some(of.arn(&state.settings.account)),
        created_at: Some(Timestamp(of.created)),
        modified_at: Some(Timestamp(of.modified)),
        tags: of.tags.clone(),
        username: Some(of.username.clone()),
        type_: Some(of.kind.as_str().to_owned()),
    }
}

fn shown(call: &Call<'_>, key: &PartKey) -> Option<AccessEntry> {
    let entry = call.state.eks_access_entries.get(key)?;
    Some(wire_entry(&call.state, entry))
}

pub(super) fn create(
    call: &mut Call<'_>,
    request: CreateAccessEntryRequest,
) -> Outcome<CreateAccessEntryResponse> {
    let new = NewEntry {
        principal: request.principal_arn,
        groups: request.kubernetes_groups,
        username: request.username.filter(|name| !name.is_empty()),
        kind: request.type_,
        tags: request.tags,
        token: request.client_request_token,
    };
    let key = access::create(&mut call.state, call.context, &request.cluster_name, new)?;
    Ok(CreateAccessEntryResponse {
        access_entry: shown(call, &key),
    })
}

pub(super) fn describe(
    call: &mut Call<'_>,
    request: DescribeAccessEntryRequest,
) -> Outcome<DescribeAccessEntryResponse> {
    let (cluster, principal) = (&request.cluster_name, &request.principal_arn);
    let entry = access::find(&call.state, call.context, cluster, principal)?;
    Ok(DescribeAccessEntryResponse {
        access_entry: Some(wire_entry(&call.state, entry)),
    })
}

pub(super) fn list(
    call: &mut Call<'_>,
    request: ListAccessEntriesRequest,
) -> Outcome<ListAccessEntriesResponse> {
    let policy = request.associated_policy_arn.as_deref();
    let all = access::list(&call.state, call.context, &request.cluster_name, policy)?;
    let names = all.into_iter().map(|of| of.key.name.clone()).collect();
    let token = request.next_token.as_deref();
    let (access_entries, next_token) = page(names, request.max_results, token)?;
    Ok(ListAccessEntriesResponse {
        access_entries,
        next_token,
    })
}

pub(super) fn update(
    call: &mut Call<'_>,
    request: UpdateAccessEntryRequest,
) -> Outcome<UpdateAccessEntryResponse> {
    let of = (
        request.cluster_name.as_str(),
        request.principal_arn.as_str(),
    );
    // A list that isn't there and one without groups look the same; EKS has no other way to empty it.
    let groups = Some(request.kubernetes_groups);
    let key = access::update(&mut call.state, call.context, of, groups, request.username)?;
    Ok(UpdateAccessEntryResponse {
        access_entry: shown(call, &key),
    })
}

pub(super) fn delete(
    call: &mut Call<'_>,
    request: DeleteAccessEntryRequest,
) -> Outcome<DeleteAccessEntryResponse> {
    let (cluster, principal) = (&request.cluster_name, &request.principal_arn);
    access::delete(&mut call.state, call.context, cluster, principal)?;
    Ok(DeleteAccessEntryResponse {})
}

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
    let key = access::associate(&mut call.state, call.context, of, policy, namespaces)?;
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
    access::disassociate(&mut call.state, call.context, of, &request.policy_arn)?;
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
        arn: Some(access::policy_arn(name)),
    };
    let all = access::POLICIES.into_iter().map(policy).collect();
    let token = request.next_token.as_deref();
    let (access_policies, next_token) = page(all, request.max_results, token)?;
    Ok(ListAccessPoliciesResponse {
        access_policies,
        next_token,
    })
}
