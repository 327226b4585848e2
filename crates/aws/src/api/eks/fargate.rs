//! Operations on Fargate profiles.

use super::{Call, Outcome, page};
use crate::model::State;
use crate::model::eks::fargate::{self, NewProfile};
use crate::model::eks::{FargateProfile as Of, PartKey, Selector};
use wire::Timestamp;
use wire::eks::*;

fn wire_profile(state: &State, of: &Of) -> FargateProfile {
    let selector = |of: &Selector| FargateProfileSelector {
        namespace: Some(of.namespace.clone()),
        labels: of.labels.clone(),
    };
    FargateProfile {
        fargate_profile_name: Some(of.key.name.clone()),
        fargate_profile_arn: Some(of.arn(&state.settings.account)),
        cluster_name: Some(of.key.cluster.name.clone()),
        created_at: Some(Timestamp(of.created)),
        pod_execution_role_arn: Some(of.role.clone()),
        subnets: of.subnets.iter().map(ToString::to_string).collect(),
        selectors: of.selectors.iter().map(selector).collect(),
        status: of.status.as_str().parse().ok(),
        tags: of.tags.clone(),
        health: Some(FargateProfileHealth::default()),
    }
}

fn shown(call: &Call<'_>, key: &PartKey) -> Option<FargateProfile> {
    let profile = call.state.eks_fargate_profiles.get(key)?;
    Some(wire_profile(&call.state, profile))
}

pub(super) fn create(
    call: &mut Call<'_>,
    request: CreateFargateProfileRequest,
) -> Outcome<CreateFargateProfileResponse> {
    let selector = |of: FargateProfileSelector| Selector {
        namespace: of.namespace.unwrap_or_default(),
        labels: of.labels,
    };
    let new = NewProfile {
        cluster: request.cluster_name,
        name: request.fargate_profile_name,
        role: request.pod_execution_role_arn,
        subnets: request.subnets,
        selectors: request.selectors.into_iter().map(selector).collect(),
        tags: request.tags,
        token: request.client_request_token,
    };
    let key = fargate::create(&mut call.state, call.context, new)?;
    Ok(CreateFargateProfileResponse {
        fargate_profile: shown(call, &key),
    })
}

pub(super) fn describe(
    call: &mut Call<'_>,
    request: DescribeFargateProfileRequest,
) -> Outcome<DescribeFargateProfileResponse> {
    let (cluster, name) = (&request.cluster_name, &request.fargate_profile_name);
    let profile = fargate::find(&call.state, call.context, cluster, name)?;
    Ok(DescribeFargateProfileResponse {
        fargate_profile: Some(wire_profile(&call.state, profile)),
    })
}

pub(super) fn list(
    call: &mut Call<'_>,
    request: ListFargateProfilesRequest,
) -> Outcome<ListFargateProfilesResponse> {
    let all = fargate::list(&call.state, call.context, &request.cluster_name)?;
    let names = all.into_iter().map(|of| of.key.name.clone()).collect();
    let token = request.next_token.as_deref();
    let (fargate_profile_names, next_token) = page(names, request.max_results, token)?;
    Ok(ListFargateProfilesResponse {
        fargate_profile_names,
        next_token,
    })
}

pub(super) fn delete(
    call: &mut Call<'_>,
    request: DeleteFargateProfileRequest,
) -> Outcome<DeleteFargateProfileResponse> {
    let (cluster, name) = (&request.cluster_name, &request.fargate_profile_name);
    let key = fargate::delete(&mut call.state, call.context, cluster, name)?;
    Ok(DeleteFargateProfileResponse {
        fargate_profile: shown(call, &key),
    })
}
