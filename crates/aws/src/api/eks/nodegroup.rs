//! Operations on managed node groups.

use super::cluster::shown_update;
use super::nodegroup_view::{wire_nodegroup, wire_taint};
use super::{Call, Outcome, page};
use crate::model::eks::nodegroup::{self, ConfigChanges, NewNodegroup, Scaling, Unavailable};
use crate::model::eks::{self, PartKey, find_active, invalid};
use wire::eks::*;

fn scaling(of: &NodegroupScalingConfig) -> Scaling {
    let (min, max) = (of.min_size.unwrap_or(1), of.max_size);
    let desired = of.desired_size.unwrap_or(min.max(1));
    Scaling {
        min,
        max: max.unwrap_or(desired.max(2)),
        desired,
    }
}

fn unavailable(of: Option<&NodegroupUpdateConfig>) -> Outcome<Option<Unavailable>> {
    let Some(of) = of else { return Ok(None) };
    if of.update_strategy == Some(NodegroupUpdateStrategies::MINIMAL) {
        let message = "The update strategy MINIMAL is not implemented by Skylab";
        return Err(crate::model::Refusal::unsupported(message).into());
    }
    match (of.max_unavailable, of.max_unavailable_percentage) {
        (Some(_), Some(_)) => Err(invalid(
            "You cannot specify both maxUnavailable and maxUnavailablePercentage",
        )
        .into()),
        (Some(count), None) => Ok(Some(Unavailable::Count(count))),
        (None, Some(percentage)) => Ok(Some(Unavailable::Percentage(percentage))),
        (None, None) => Ok(None),
    }
}

fn taint(of: Taint) -> Outcome<nodegroup::Taint> {
    let effect = of
        .effect
        .ok_or_else(|| invalid("A taint must have an effect"))?;
    Ok(nodegroup::Taint {
        key: of.key.unwrap_or_default(),
        value: of.value.unwrap_or_default(),
        effect: effect.to_string(),
    })
}

fn taints(of: Vec<Taint>) -> Outcome<Vec<nodegroup::Taint>> {
    of.into_iter().map(taint).collect()
}

type Template = (Option<String>, Option<String>, Option<String>);

fn template(of: Option<LaunchTemplateSpecification>) -> Option<Template> {
    of.map(|of| (of.id, of.name, of.version))
}

fn shown(call: &Call<'_>, key: &PartKey) -> Option<Nodegroup> {
    let nodegroup = call.state.eks_nodegroups.get(key)?;
    Some(wire_nodegroup(&call.state, nodegroup))
}

pub(super) fn create(
    call: &mut Call<'_>,
    request: CreateNodegroupRequest,
) -> Outcome<CreateNodegroupResponse> {
    let access = match request.remote_access {
        None => None,
        Some(of) => match of.ec2_ssh_key {
            Some(key) => Some((key, of.source_security_groups)),
            None => {
                return Err(invalid("Remote access configuration must have an ec2SshKey").into());
            }
        },
    };
    let new = NewNodegroup {
        cluster: request.cluster_name,
        name: request.nodegroup_name,
        role: request.node_role,
        subnets: request.subnets,
        scaling: request.scaling_config.as_ref().map(scaling),
        disk_size: request.disk_size,
        instance_types: request.instance_types,
        ami_type: request.ami_type.map(|kind| kind.to_string()),
        capacity_type: request.capacity_type.map(|kind| kind.to_string()),
        remote_access: access,
        labels: request.labels,
        taints: taints(request.taints)?,
        launch_template: template(request.launch_template),
        unavailable: unavailable(request.update_config.as_ref())?,
        version: request.version,
        release: request.release_version,
        tags: request.tags,
        token: request.client_request_token,
    };
    let key = nodegroup::create(&mut call.state, call.context, new)?;
    Ok(CreateNodegroupResponse {
        nodegroup: shown(call, &key),
    })
}

pub(super) fn describe(
    call: &mut Call<'_>,
    request: DescribeNodegroupRequest,
) -> Outcome<DescribeNodegroupResponse> {
    let (cluster, name) = (&request.cluster_name, &request.nodegroup_name);
    let nodegroup = nodegroup::find(&call.state, call.context, cluster, name)?;
    Ok(DescribeNodegroupResponse {
        nodegroup: Some(wire_nodegroup(&call.state, nodegroup)),
    })
}

pub(super) fn list(
    call: &mut Call<'_>,
    request: ListNodegroupsRequest,
) -> Outcome<ListNodegroupsResponse> {
    let all = nodegroup::list(&call.state, call.context, &request.cluster_name)?;
    let names = all.into_iter().map(|of| of.key.name.clone()).collect();
    let token = request.next_token.as_deref();
    let (nodegroups, next_token) = page(names, request.max_results, token)?;
    Ok(ListNodegroupsResponse {
        nodegroups,
        next_token,
    })
}

pub(super) fn delete(
    call: &mut Call<'_>,
    request: DeleteNodegroupRequest,
) -> Outcome<DeleteNodegroupResponse> {
    let (cluster, name) = (&request.cluster_name, &request.nodegroup_name);
    let key = nodegroup::delete(&mut call.state, call.context, cluster, name)?;
    Ok(DeleteNodegroupResponse {
        nodegroup: shown(call, &key),
    })
}

/// What a request asks for, in EKS's words.
struct Params(Vec<(String, String)>);

impl Params {
    fn add(&mut self, name: &str, value: Option<impl ToString>) {
        self.0
            .extend(value.map(|value| (name.to_owned(), value.to_string())));
    }
}

pub(super) fn update_config(
    call: &mut Call<'_>,
    request: UpdateNodegroupConfigRequest,
) -> Outcome<UpdateNodegroupConfigResponse> {
    find_active(&call.state, call.context, &request.cluster_name)?;
    let (labels, removed_labels) = request.labels.map_or_else(Default::default, |of| {
        (of.add_or_update_labels, of.remove_labels)
    });
    let (added, removed) = request.taints.map_or_else(Default::default, |of| {
        (of.add_or_update_taints, of.remove_taints)
    });
    let sizes = request.scaling_config.as_ref();
    let scaling = (
        sizes.and_then(|of| of.min_size),
        sizes.and_then(|of| of.max_size),
        sizes.and_then(|of| of.desired_size),
    );
    let changes = ConfigChanges {
        labels,
        removed_labels,
        taints: taints(added)?,
        removed_taints: taints(removed)?,
        scaling,
        unavailable: unavailable(request.update_config.as_ref())?,
    };
    let params = params(&changes);
    let of = (
        request.cluster_name.as_str(),
        request.nodegroup_name.as_str(),
    );
    let key = nodegroup::update_config(&mut call.state, call.context, of, changes, params)?;
    Ok(UpdateNodegroupConfigResponse {
        update: Some(shown_update(call, &key)),
    })
}

fn params(changes: &ConfigChanges) -> Vec<(String, String)> {
    let mut params = Params(Vec::new());
    let (min, max, desired) = changes.scaling;
    params.add("MinSize", min);
    params.add("MaxSize", max);
    params.add("DesiredSize", desired);
    let json = |value: serde_json::Value| Some(value.to_string());
    let some = |there: bool, value: serde_json::Value| if there { json(value) } else { None };
    let labels = serde_json::json!(changes.labels);
    params.add("LabelsToAdd", some(!changes.labels.is_empty(), labels));
    let labels = serde_json::json!(changes.removed_labels);
    params.add(
        "LabelsToRemove",
        some(!changes.removed_labels.is_empty(), labels),
    );
    let taints = |taints: &[nodegroup::Taint]| {
        let taints: Vec<Taint> = taints.iter().map(wire_taint).collect();
        (!taints.is_empty()).then(|| respond(&taints))
    };
    params.add("TaintsToAdd", taints(&changes.taints));
    params.add("TaintsToRemove", taints(&changes.removed_taints));
    match changes.unavailable {
        Some(Unavailable::Count(count)) => params.add("MaxUnavailable", Some(count)),
        Some(Unavailable::Percentage(of)) => params.add("MaxUnavailablePercentage", Some(of)),
        None => {}
    }
    params.0
}

pub(super) fn update_version(
    call: &mut Call<'_>,
    request: UpdateNodegroupVersionRequest,
) -> Outcome<UpdateNodegroupVersionResponse> {
    eks::find_active(&call.state, call.context, &request.cluster_name)?;
    let of = (
        request.cluster_name.as_str(),
        request.nodegroup_name.as_str(),
    );
    let to = (request.version, request.release_version);
    let template = template(request.launch_template);
    let forced = request.force == Some(true);
    let key = nodegroup::update_version(&mut call.state, call.context, of, to, template, forced)?;
    Ok(UpdateNodegroupVersionResponse {
        update: Some(shown_update(call, &key)),
    })
}
