//! How a node group is shown.

use crate::model::State;
use crate::model::eks::NodegroupStatus as Status;
use crate::model::eks::nodegroup::{self, Issue as OfIssue, Nodegroup as Of, Unavailable};
use wire::Timestamp;
use wire::eks::*;

pub(super) fn wire_taint(of: &nodegroup::Taint) -> Taint {
    Taint {
        key: Some(of.key.clone()),
        value: Some(of.value.clone()),
        effect: of.effect.parse().ok(),
    }
}

fn wire_issue(of: &OfIssue) -> Issue {
    Issue {
        code: of.code.parse().ok(),
        message: Some(of.message.clone()),
        resource_ids: of.resources.clone(),
    }
}

fn status(of: Status) -> NodegroupStatus {
    match of {
        Status::Creating => NodegroupStatus::CREATING,
        Status::Active => NodegroupStatus::ACTIVE,
        Status::Updating => NodegroupStatus::UPDATING,
        Status::Deleting => NodegroupStatus::DELETING,
        Status::CreateFailed => NodegroupStatus::CREATEFAILED,
        Status::Degraded => NodegroupStatus::DEGRADED,
    }
}

pub(super) fn wire_nodegroup(state: &State, of: &Of) -> Nodegroup {
    let (count, percentage) = match of.unavailable {
        Unavailable::Count(count) => (Some(count), None),
        Unavailable::Percentage(percentage) => (None, Some(percentage)),
    };
    Nodegroup {
        nodegroup_name: Some(of.key.name.clone()),
        nodegroup_arn: Some(of.arn(&state.settings.account)),
        cluster_name: Some(of.key.cluster.name.clone()),
        version: Some(of.version.to_string()),
        release_version: Some(of.release.clone()),
        created_at: Some(Timestamp(of.created)),
        modified_at: Some(Timestamp(of.modified)),
        status: Some(status(of.status)),
        capacity_type: of.capacity_type.parse().ok(),
        scaling_config: Some(NodegroupScalingConfig {
            min_size: Some(of.scaling.min),
            max_size: Some(of.scaling.max),
            desired_size: Some(of.scaling.desired),
        }),
        instance_types: of.instance_types.clone(),
        subnets: of.subnets.iter().map(ToString::to_string).collect(),
        remote_access: of.remote_access.as_ref().map(|access| RemoteAccessConfig {
            ec2_ssh_key: Some(access.key.clone()),
            source_security_groups: access.sources.iter().map(ToString::to_string).collect(),
        }),
        ami_type: of.ami_type.as_str().parse().ok(),
        node_role: Some(of.role.clone()),
        labels: of.labels.clone(),
        taints: of.taints.iter().map(wire_taint).collect(),
        resources: Some(NodegroupResources {
            auto_scaling_groups: vec![AutoScalingGroup {
                name: Some(of.group.name.clone()),
            }],
            remote_access_security_group: of
                .remote_access
                .as_ref()
                .map(|access| access.group.to_string()),
        }),
        disk_size: of.disk_size,
        health: Some(NodegroupHealth {
            issues: of.issues.iter().map(wire_issue).collect(),
        }),
        update_config: Some(NodegroupUpdateConfig {
            max_unavailable: count,
            max_unavailable_percentage: percentage,
            ..Default::default()
        }),
        launch_template: of
            .source
            .as_ref()
            .map(|source| LaunchTemplateSpecification {
                name: Some(source.name.clone()),
                version: Some(source.version.to_string()),
                id: Some(source.id.to_string()),
            }),
        tags: of.tags.clone(),
        ..Default::default()
    }
}
