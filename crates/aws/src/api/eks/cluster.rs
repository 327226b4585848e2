//! Operations on clusters.

use super::cluster_view::wire_cluster;
use super::update::wire_update;
use super::{Call, Outcome, page};
use crate::model::eks::{
    self, Authentication, Change, Cluster, ClusterKey, NewCluster, PartKey, update,
};
use std::collections::BTreeSet;
use wire::eks::*;

fn authentication(mode: AuthenticationMode) -> Authentication {
    match mode {
        AuthenticationMode::API => Authentication::Api,
        AuthenticationMode::APIANDCONFIGMAP => Authentication::ApiAndConfigMap,
        AuthenticationMode::CONFIGMAP => Authentication::ConfigMap,
    }
}

/// The logs that are on when a request has been applied to those that were.
fn logs(asked: Option<&Logging>, mut on: BTreeSet<String>) -> BTreeSet<String> {
    for setup in asked.into_iter().flat_map(|of| &of.cluster_logging) {
        for kind in &setup.types {
            match setup.enabled {
                Some(true) => on.insert(kind.to_string()),
                _ => on.remove(kind.as_str()),
            };
        }
    }
    on
}

pub(super) fn create(
    call: &mut Call<'_>,
    request: CreateClusterRequest,
) -> Outcome<CreateClusterResponse> {
    let network = request.resources_vpc_config;
    let access = request.access_config;
    let services = request.kubernetes_network_config;
    let family = services.as_ref().and_then(|services| services.ip_family);
    if family == Some(IpFamily::Ipv6) {
        let message = "Clusters with IPv6 addresses are not implemented by Skylab";
        return Err(crate::model::Refusal::unsupported(message).into());
    }
    let new = NewCluster {
        name: request.name,
        version: request.version,
        role: request.role_arn,
        subnets: network.subnet_ids,
        security_groups: network.security_group_ids,
        public: network.endpoint_public_access.unwrap_or(true),
        private: network.endpoint_private_access.unwrap_or(false),
        public_cidrs: network.public_access_cidrs,
        service_cidr: services.and_then(|services| services.service_ipv4_cidr),
        logs: logs(request.logging.as_ref(), BTreeSet::new()),
        authentication: access
            .as_ref()
            .and_then(|access| access.authentication_mode)
            .map_or(Authentication::ConfigMap, authentication),
        creator_is_admin: access
            .and_then(|access| access.bootstrap_cluster_creator_admin_permissions)
            .unwrap_or(true),
        bootstrap_addons: request.bootstrap_self_managed_addons.unwrap_or(true),
        support: request
            .upgrade_policy
            .and_then(|policy| policy.support_type)
            .map_or("EXTENDED", SupportType::as_str)
            .to_owned(),
        deletion_protection: request.deletion_protection.unwrap_or(false),
        tags: request.tags,
        token: request.client_request_token,
    };
    let key = eks::create(&mut call.state, call.context, new)?;
    Ok(CreateClusterResponse {
        cluster: shown(call, &key),
    })
}

fn shown(call: &Call<'_>, key: &ClusterKey) -> Option<wire::eks::Cluster> {
    let cluster = call.state.eks_clusters.get(key)?;
    Some(wire_cluster(&call.state, cluster))
}

pub(super) fn describe(
    call: &mut Call<'_>,
    request: DescribeClusterRequest,
) -> Outcome<DescribeClusterResponse> {
    let cluster = eks::find(&call.state, call.context, &request.name)?;
    Ok(DescribeClusterResponse {
        cluster: Some(wire_cluster(&call.state, cluster)),
    })
}

pub(super) fn list(
    call: &mut Call<'_>,
    request: ListClustersRequest,
) -> Outcome<ListClustersResponse> {
    let all = eks::in_region(&call.state, &call.context.region);
    let names = all.map(|cluster| cluster.key.name.clone()).collect();
    let (clusters, next_token) = page(names, request.max_results, request.next_token.as_deref())?;
    Ok(ListClustersResponse {
        clusters,
        next_token,
    })
}

pub(super) fn delete(
    call: &mut Call<'_>,
    request: DeleteClusterRequest,
) -> Outcome<DeleteClusterResponse> {
    let key = eks::delete(&mut call.state, call.context, &request.name)?;
    Ok(DeleteClusterResponse {
        cluster: shown(call, &key),
    })
}

/// What a change is, and what was asked for, in AWS's words.
type Asked = (Change, Vec<(String, String)>);

fn begin(call: &mut Call<'_>, cluster: &str, (change, params): Asked) -> Outcome<Update> {
    let key = update::begin(&mut call.state, call.context, cluster, change, params)?;
    Ok(shown_update(call, &key))
}

/// A change that was just begun.
pub(super) fn shown_update(call: &Call<'_>, key: &PartKey) -> Update {
    let update = call.state.eks_updates.get(key);
    update.map(|update| wire_update(update)).unwrap_or_default()
}

pub(super) fn update_config(
    call: &mut Call<'_>,
    request: UpdateClusterConfigRequest,
) -> Outcome<UpdateClusterConfigResponse> {
    let name = request.name.clone();
    let mut asked = changes(call, request)?;
    let (Some(one), None) = (asked.pop(), asked.pop()) else {
        // One type of change at a time, and one at all.
        return Err(eks::invalid("Invalid type for cluster update.").into());
    };
    Ok(UpdateClusterConfigResponse {
        update: Some(begin(call, &name, one)?),
    })
}

fn changes(call: &Call<'_>, request: UpdateClusterConfigRequest) -> Outcome<Vec<Asked>> {
    let cluster = eks::find(&call.state, call.context, &request.name)?;
    let mut changes: Vec<Asked> = Vec::new();
    let asked = |name: &str, value: String| vec![(name.to_owned(), value)];
    if let Some(network) = &request.resources_vpc_config {
        changes.extend(network_change(call, cluster, network)?);
        changes.extend(endpoint_change(cluster, network)?);
    }
    if request.logging.is_some() {
        let on = logs(request.logging.as_ref(), cluster.logs.clone());
        if on == cluster.logs {
            return Err(eks::invalid("No changes needed for the logging config provided").into());
        }
        let words = wire::eks::respond(&request.logging);
        changes.push((Change::Logs(on), asked("ClusterLogging", words)));
    }
    if let Some(mode) = request.access_config.and_then(|of| of.authentication_mode) {
        let wanted = authentication(mode);
        if wanted <= cluster.authentication {
            return Err(eks::invalid(format!(
                "Unsupported authentication mode update from {} to {mode}",
                cluster.authentication.as_str()
            ))
            .into());
        }
        let params = asked("AuthenticationMode", format!("\"{mode}\""));
        changes.push((Change::Authentication(wanted), params));
    }
    if let Some(support) = request.upgrade_policy.and_then(|of| of.support_type) {
        let params = asked(
            "UpgradePolicy",
            format!("{{\"supportType\":\"{support}\"}}"),
        );
        changes.push((Change::Support(support.to_string()), params));
    }
    if let Some(on) = request.deletion_protection {
        let params = asked("DeletionProtection", on.to_string());
        changes.push((Change::DeletionProtection(on), params));
    }
    Ok(changes)
}

fn network_change(
    call: &Call<'_>,
    cluster: &Cluster,
    asked: &VpcConfigRequest,
) -> Outcome<Option<Asked>> {
    if asked.subnet_ids.is_empty() && asked.security_group_ids.is_empty() {
        return Ok(None);
    }
    let change = update::network(
        &call.state,
        call.context,
        cluster,
        &asked.subnet_ids,
        &asked.security_group_ids,
    )?;
    let list = |ids: &[String]| serde_json::Value::from(ids).to_string();
    let mut params = Vec::new();
    if !asked.subnet_ids.is_empty() {
        params.push(("Subnets".to_owned(), list(&asked.subnet_ids)));
    }
    if !asked.security_group_ids.is_empty() {
        params.push(("SecurityGroups".to_owned(), list(&asked.security_group_ids)));
    }
    Ok(Some((change, params)))
}

fn endpoint_change(cluster: &Cluster, asked: &VpcConfigRequest) -> Outcome<Option<Asked>> {
    let (public, private) = (asked.endpoint_public_access, asked.endpoint_private_access);
    let cidrs = &asked.public_access_cidrs;
    if public.is_none() && private.is_none() && cidrs.is_empty() {
        return Ok(None);
    }
    let change = update::endpoint(cluster, public, private, cidrs)?;
    let mut params = Vec::new();
    let mut told = |name: &str, value: String| params.push((name.to_owned(), value));
    if let Some(public) = public {
        told("EndpointPublicAccess", public.to_string());
    }
    if let Some(private) = private {
        told("EndpointPrivateAccess", private.to_string());
    }
    if !cidrs.is_empty() {
        told(
            "PublicAccessCidrs",
            serde_json::Value::from(cidrs.as_slice()).to_string(),
        );
    }
    Ok(Some((change, params)))
}

pub(super) fn update_version(
    call: &mut Call<'_>,
    request: UpdateClusterVersionRequest,
) -> Outcome<UpdateClusterVersionResponse> {
    let cluster = eks::find(&call.state, call.context, &request.name)?;
    let version = update::version(cluster, &request.version)?;
    let params = vec![
        ("Version".to_owned(), version.to_string()),
        ("PlatformVersion".to_owned(), version.platform()),
    ];
    let asked = (Change::Version(version), params);
    Ok(UpdateClusterVersionResponse {
        update: Some(begin(call, &request.name, asked)?),
    })
}
