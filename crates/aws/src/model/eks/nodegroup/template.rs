//! The launch template that EKS makes for a node group.
//!
//! <https://docs.aws.amazon.com/eks/latest/userguide/launch-templates.html>

use super::*;
use crate::model::launch_template::{LaunchData, MetadataData, VolumeData};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The root volume's device.
const ROOT: &str = "/dev/xvda";
/// The size of disks where nobody chose it, in GiB.
pub(super) const DISK: i32 = 20;

/// What a user's launch template says, if there is one.
///
/// # Errors
/// `InvalidParameterException` for a template or a version that isn't there.
pub(super) fn source(
    state: &State,
    context: &Context,
    (id, name, version): (Option<&str>, Option<&str>, Option<&str>),
) -> Result<(Source, LaunchData), Refusal> {
    let wrong = |refusal: Refusal| invalid(refusal.message);
    let found = launch_template::find(state, context, id, name).map_err(wrong)?;
    let version = found.version(version).map_err(wrong)?;
    let source = Source {
        id: found.id.clone(),
        name: found.name.clone(),
        version: version.number,
    };
    Ok((source, version.data.clone()))
}

/// The data of a node group's own launch template.
///
/// # Errors
/// `InvalidRequestException` for user data without parts.
pub(super) fn data(
    state: &State,
    cluster: &Cluster,
    nodegroup: &Nodegroup,
    own: Option<&LaunchData>,
) -> Result<LaunchData, Refusal> {
    let own = own.cloned().unwrap_or_default();
    let image = own.image.clone().or_else(|| {
        let image = nodegroup.ami_type.image(nodegroup.version)?;
        Some(image.id.to_string())
    });
    let user_data = match nodegroup.ami_type {
        // With an image of the user's own, all that a node is told is the user's.
        AmiType::Custom => own.user_data.clone(),
        _ => Some(node_config(
            state,
            cluster,
            nodegroup,
            &own,
            image.as_deref(),
        )?),
    };
    let cluster_group = || {
        let mut groups = vec![cluster.cluster_group.to_string()];
        groups.extend(
            nodegroup
                .remote_access
                .as_ref()
                .map(|of| of.group.to_string()),
        );
        groups
    };
    let has_groups = !own.group_ids.is_empty()
        || !own.group_names.is_empty()
        || own.interfaces.iter().any(|of| !of.groups.is_empty());
    let ours = LaunchData {
        image,
        instance_type: own
            .instance_type
            .clone()
            .or_else(|| nodegroup.instance_types.first().cloned()),
        user_data,
        group_ids: if has_groups || !own.interfaces.is_empty() {
            own.group_ids.clone()
        } else {
            cluster_group()
        },
        interfaces: own
            .interfaces
            .iter()
            .cloned()
            .map(|mut interface| {
                if !has_groups {
                    interface.groups = cluster_group();
                }
                interface
            })
            .collect(),
        key_name: nodegroup.remote_access.as_ref().map(|of| of.key.clone()),
        volumes: nodegroup.disk_size.map(volume).into_iter().collect(),
        profile_name: Some(profile(nodegroup)),
        metadata: own.metadata.clone().or_else(|| {
            Some(MetadataData {
                tokens: Some("required".to_owned()),
                hop_limit: Some(2),
                ..Default::default()
            })
        }),
        ..Default::default()
    };
    Ok(ours.over(own))
}

fn volume(size: i32) -> VolumeData {
    VolumeData {
        device: Some(ROOT.to_owned()),
        size: Some(size),
        kind: Some("gp3".to_owned()),
        delete_on_termination: Some(true),
        iops: None,
        throughput: None,
    }
}

/// The name of the instance profile that EKS makes for a node group's role.
pub(super) fn profile(nodegroup: &Nodegroup) -> String {
    format!("eks-{}", nodegroup.uuid)
}

fn node_config(
    state: &State,
    cluster: &Cluster,
    nodegroup: &Nodegroup,
    own: &LaunchData,
    image: Option<&str>,
) -> Result<String, Refusal> {
    let decode = |text: &String| {
        let bytes = STANDARD.decode(text.trim()).ok()?;
        String::from_utf8(bytes).ok()
    };
    let theirs = match &own.user_data {
        None => None,
        Some(text) => Some(
            decode(text)
                .ok_or_else(|| impossible("User data was not in the MIME multipart format."))?,
        ),
    };
    let types = own.instance_type.iter().chain(&nodegroup.instance_types);
    let conduct = addon::networking(state, &cluster.key);
    // The smallest of the types, lest a node has pods that it can't give addresses.
    let max_pods = types
        .filter_map(|name| crate::model::instance_type::find(name))
        .map(|of| max_pods(of, conduct))
        .min();
    let config = user_data::NodeConfig {
        cluster,
        labels: nodegroup.all_labels(image.unwrap_or_default()),
        taints: &nodegroup.taints,
        max_pods,
        has_nodeadm: nodegroup.ami_type.has_nodeadm(),
    };
    Ok(STANDARD.encode(config.user_data(theirs.as_deref())?))
}
