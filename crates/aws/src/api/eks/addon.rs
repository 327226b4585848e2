//! Operations on add-ons.

use super::cluster::shown_update;
use super::{Call, Outcome, page};
use crate::model::State;
use crate::model::eks::addon::{self, Wanted};
use crate::model::eks::catalog::{self, OFFERS, Offer};
use crate::model::eks::version::RELEASES;
use crate::model::eks::{
    Addon as Of, AddonIssue as OfIssue, AddonStatus as Status, PartKey, Version, invalid, not_found,
};
use std::collections::BTreeMap;
use wire::Timestamp;
use wire::eks::*;

fn status(of: Status) -> AddonStatus {
    match of {
        Status::Creating => AddonStatus::CREATING,
        Status::Active => AddonStatus::ACTIVE,
        Status::Updating => AddonStatus::UPDATING,
        Status::Deleting => AddonStatus::DELETING,
        Status::Degraded => AddonStatus::DEGRADED,
    }
}

fn wire_addon(state: &State, of: &Of) -> Addon {
    let issue = |of: &OfIssue| AddonIssue {
        code: of.code.parse().ok(),
        message: Some(of.message.clone()),
        resource_ids: of.resources.clone(),
    };
    Addon {
        addon_name: Some(of.key.name.clone()),
        cluster_name: Some(of.key.cluster.name.clone()),
        status: Some(status(of.status)),
        addon_version: Some(of.version.clone()),
        health: Some(AddonHealth {
            issues: of.issues.iter().map(issue).collect(),
        }),
        addon_arn: Some(of.arn(&state.settings.account)),
        created_at: Some(Timestamp(of.created)),
        modified_at: Some(Timestamp(of.modified)),
        service_account_role_arn: of.role.clone(),
        tags: of.tags.clone(),
        configuration_values: of.configuration.clone(),
        ..Default::default()
    }
}

fn shown(call: &Call<'_>, key: &PartKey) -> Option<Addon> {
    let addon = call.state.eks_addons.get(key)?;
    Some(wire_addon(&call.state, addon))
}

pub(super) fn create(
    call: &mut Call<'_>,
    request: CreateAddonRequest,
) -> Outcome<CreateAddonResponse> {
    let wanted = Wanted {
        version: request.addon_version,
        role: request.service_account_role_arn,
        conflicts: request.resolve_conflicts.map(|of| of.to_string()),
        configuration: request.configuration_values,
        tags: request.tags,
        token: request.client_request_token,
    };
    let of = (request.cluster_name.as_str(), request.addon_name.as_str());
    let key = addon::create(&mut call.state, call.context, of, wanted)?;
    Ok(CreateAddonResponse {
        addon: shown(call, &key),
    })
}

pub(super) fn describe(
    call: &mut Call<'_>,
    request: DescribeAddonRequest,
) -> Outcome<DescribeAddonResponse> {
    let (cluster, name) = (&request.cluster_name, &request.addon_name);
    let addon = addon::find(&call.state, call.context, cluster, name)?;
    Ok(DescribeAddonResponse {
        addon: Some(wire_addon(&call.state, addon)),
    })
}

pub(super) fn list(call: &mut Call<'_>, request: ListAddonsRequest) -> Outcome<ListAddonsResponse> {
    let all = addon::list(&call.state, call.context, &request.cluster_name)?;
    let names = all.into_iter().map(|of| of.key.name.clone()).collect();
    let token = request.next_token.as_deref();
    let (addons, next_token) = page(names, request.max_results, token)?;
    Ok(ListAddonsResponse { addons, next_token })
}

pub(super) fn update(
    call: &mut Call<'_>,
    request: UpdateAddonRequest,
) -> Outcome<UpdateAddonResponse> {
    let conflicts = request.resolve_conflicts.map(|of| of.to_string());
    let params = [
        ("AddonVersion", &request.addon_version),
        ("ServiceAccountRoleArn", &request.service_account_role_arn),
        ("ResolveConflicts", &conflicts),
        ("ConfigurationValues", &request.configuration_values),
    ];
    let params = params
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)))
        .collect();
    let wanted = Wanted {
        version: request.addon_version,
        role: request.service_account_role_arn,
        conflicts,
        configuration: request.configuration_values,
        tags: BTreeMap::new(),
        token: None,
    };
    let of = (request.cluster_name.as_str(), request.addon_name.as_str());
    let key = addon::update(&mut call.state, call.context, of, wanted, params)?;
    Ok(UpdateAddonResponse {
        update: Some(shown_update(call, &key)),
    })
}

pub(super) fn delete(
    call: &mut Call<'_>,
    request: DeleteAddonRequest,
) -> Outcome<DeleteAddonResponse> {
    let of = (request.cluster_name.as_str(), request.addon_name.as_str());
    let preserve = request.preserve.unwrap_or(false);
    let key = addon::delete(&mut call.state, call.context, of, preserve)?;
    Ok(DeleteAddonResponse {
        addon: shown(call, &key),
    })
}

/// The versions of Kubernetes that add-ons are told for: the one asked, or all that AWS tells about.
fn kubernetes(asked: Option<&str>) -> Outcome<Vec<Version>> {
    match asked {
        Some(version) => Ok(vec![version.parse()?]),
        None => Ok(RELEASES.iter().map(|release| release.version).collect()),
    }
}

fn wire_offer(of: &Offer, kubernetes: &[Version]) -> AddonInfo {
    // By add-on version: the versions of Kubernetes that it is for, and whether it is their default.
    let mut versions: Vec<(String, Vec<Compatibility>)> = Vec::new();
    for version in kubernetes {
        for (index, name) in of.versions(*version).into_iter().enumerate() {
            let compatibility = Compatibility {
                cluster_version: Some(version.to_string()),
                platform_versions: vec!["*".to_owned()],
                default_version: Some(index == 0),
            };
            match versions.iter_mut().find(|(known, _)| *known == name) {
                Some((_, compatibilities)) => compatibilities.push(compatibility),
                None => versions.push((name, vec![compatibility])),
            }
        }
    }
    let version = |(name, compatibilities)| AddonVersionInfo {
        addon_version: Some(name),
        architecture: vec!["amd64".to_owned(), "arm64".to_owned()],
        compute_types: of.compute.iter().map(|kind| (*kind).to_owned()).collect(),
        compatibilities,
        requires_configuration: Some(false),
        requires_iam_permissions: Some(of.needs_permissions),
    };
    AddonInfo {
        addon_name: Some(of.name.to_owned()),
        type_: Some(of.kind.to_owned()),
        addon_versions: versions.into_iter().map(version).collect(),
        publisher: Some("eks".to_owned()),
        owner: Some("aws".to_owned()),
        default_namespace: Some("kube-system".to_owned()),
        ..Default::default()
    }
}

pub(super) fn describe_versions(
    _: &mut Call<'_>,
    request: DescribeAddonVersionsRequest,
) -> Outcome<DescribeAddonVersionsResponse> {
    let kubernetes = kubernetes(request.kubernetes_version.as_deref())?;
    let name = request.addon_name.as_deref();
    if let Some(name) = name.filter(|name| catalog::find(name).is_none()) {
        return Err(not_found(format!("No addon found with name: {name}")).into());
    }
    let among = |asked: &[String], own: &str| asked.is_empty() || asked.iter().any(|of| of == own);
    let chosen = OFFERS
        .iter()
        .filter(|of| name.is_none_or(|name| name == of.name))
        .filter(|of| among(&request.types, of.kind))
        .filter(|_| among(&request.publishers, "eks") && among(&request.owners, "aws"))
        .map(|of| wire_offer(of, &kubernetes))
        .collect();
    let token = request.next_token.as_deref();
    let (addons, next_token) = page(chosen, request.max_results, token)?;
    Ok(DescribeAddonVersionsResponse { addons, next_token })
}

pub(super) fn describe_configuration(
    _: &mut Call<'_>,
    request: DescribeAddonConfigurationRequest,
) -> Outcome<DescribeAddonConfigurationResponse> {
    let (name, version) = (request.addon_name, request.addon_version);
    let offer = catalog::find(&name)
        .ok_or_else(|| not_found(format!("No addon found with name: {name}")))?;
    let known = RELEASES
        .iter()
        .any(|release| offer.versions(release.version).contains(&version));
    if !known {
        return Err(invalid(format!("Addon {name} has no version {version}")).into());
    }
    Ok(DescribeAddonConfigurationResponse {
        configuration_schema: Some(offer.schema().to_string()),
        addon_name: Some(name),
        addon_version: Some(version),
        ..Default::default()
    })
}
