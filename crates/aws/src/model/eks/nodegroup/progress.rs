//! What becomes of node groups by itself: nodes join or don't, groups go.

use super::*;
use crate::model::auto_scaling::{AutoScalingGroup, Outcome};

/// Begins to delete a node group: its nodes go first.
///
/// # Errors
/// `ResourceNotFoundException`.
pub fn delete(
    state: &mut State,
    context: &Context,
    cluster: &str,
    name: &str,
) -> Result<PartKey, Refusal> {
    let nodegroup = find(state, context, cluster, name)?;
    let (key, group) = (nodegroup.key.clone(), nodegroup.group.clone());
    // A user may have deleted the Auto Scaling group.
    let _ = auto_scaling::delete(state, context, &group.name, true);
    edit(state, &key, |nodegroup| {
        nodegroup.status = NodegroupStatus::Deleting;
    });
    Ok(key)
}

/// Ends the states that are over by now.
pub(crate) fn finish_transitions(state: &mut State, now: i64) {
    let all: Vec<Arc<Nodegroup>> = state.eks_nodegroups.values().cloned().collect();
    for nodegroup in all {
        let group = state.auto_scaling_groups.get(&nodegroup.group).cloned();
        match (nodegroup.status, group) {
            (NodegroupStatus::Deleting, None) => remove(state, &nodegroup),
            (NodegroupStatus::Creating, Some(group)) => settle(state, &nodegroup, &group, now),
            (NodegroupStatus::Creating | NodegroupStatus::Active, None) => {
                degrade(state, &nodegroup);
            }
            _ => {}
        }
    }
}

/// When the next state ends.
pub(crate) fn next_transition(state: &State) -> Option<i64> {
    let end = |of: &Arc<Nodegroup>| {
        let without = !state.auto_scaling_groups.contains_key(&of.group);
        match of.status {
            NodegroupStatus::Creating => Some(of.until),
            // The last of its instances has just gone.
            NodegroupStatus::Deleting if without => Some(0),
            _ => None,
        }
    };
    state.eks_nodegroups.values().filter_map(end).min()
}

/// Whether a new node group is at work, or failed.
fn settle(state: &mut State, nodegroup: &Nodegroup, group: &AutoScalingGroup, now: i64) {
    let members: BTreeSet<&InstanceId> = group.present().map(|(id, _)| id).collect();
    let joined = nodegroup
        .joined
        .iter()
        .filter(|id| members.contains(id))
        .count();
    let issues = if joined >= group.desired as usize {
        Vec::new()
    } else {
        let mut issues = misplaced(state, nodegroup);
        if now >= nodegroup.until {
            issues.extend(failures(state, nodegroup, group, &members));
        }
        if issues.is_empty() {
            return;
        }
        issues
    };
    edit(state, &nodegroup.key, |nodegroup| {
        nodegroup.status = match issues.is_empty() {
            true => NodegroupStatus::Active,
            false => NodegroupStatus::CreateFailed,
        };
        nodegroup.issues = issues;
        nodegroup.modified = now;
    });
}

/// Subnets whose nodes could reach the internet if they only had public addresses.
fn misplaced(state: &State, nodegroup: &Nodegroup) -> Vec<Issue> {
    let without: Vec<&str> = nodegroup
        .subnets
        .iter()
        .filter_map(|id| state.subnets.get(id))
        .filter(|subnet| !subnet.map_public_ip_on_launch && network::is_public(state, subnet))
        .map(|subnet| subnet.id.as_str())
        .collect();
    // A template with an interface may ask for public addresses itself.
    let asks = state
        .launch_templates
        .get(&nodegroup.template)
        .and_then(|template| template.versions.last())
        .is_some_and(|version| version.data.interfaces.iter().any(|of| of.public.is_some()));
    if without.is_empty() || asks {
        return Vec::new();
    }
    let ids = without.iter().map(|id| (*id).to_owned()).collect();
    vec![Issue::new(
        "Ec2SubnetInvalidConfiguration",
        format!(
            "One or more Amazon EC2 Subnets of [{}] for node group {} does not automatically assign public IP addresses to instances launched into it. If you want your instances to be assigned a public IP address, then you need to enable auto-assign public IP address for the subnet. See IP addressing in VPC guide: https://docs.aws.amazon.com/vpc/latest/userguide/vpc-ip-addressing.html#subnet-public-ip",
            without.join(", "),
            nodegroup.key.name
        ),
        ids,
    )]
}

/// Why nodes are missing: instances that couldn't be launched, instances that didn't join.
fn failures(
    state: &State,
    nodegroup: &Nodegroup,
    group: &AutoScalingGroup,
    members: &BTreeSet<&InstanceId>,
) -> Vec<Issue> {
    let mut issues = Vec::new();
    let failed = auto_scaling::activities_of(state, &nodegroup.group)
        .into_iter()
        .find(|activity| activity.outcome == Outcome::Failed);
    if let Some(failed) = failed
        && members.len() < group.desired as usize
    {
        issues.push(Issue::new(
            "AsgInstanceLaunchFailures",
            failed.message.clone().unwrap_or_default(),
            vec![nodegroup.group.name.clone()],
        ));
    }
    let strangers = members.iter().filter(|id| !nodegroup.joined.contains(**id));
    let strangers: Vec<String> = strangers.map(ToString::to_string).collect();
    if !strangers.is_empty() || issues.is_empty() {
        issues.push(Issue::new(
            "NodeCreationFailure",
            "Instances failed to join the kubernetes cluster".to_owned(),
            strangers,
        ));
    }
    issues
}

/// A node group's Auto Scaling group is gone.
fn degrade(state: &mut State, nodegroup: &Nodegroup) {
    let name = nodegroup.group.name.clone();
    let issue = Issue::new(
        "AutoScalingGroupNotFound",
        format!("Could not find Auto Scaling Group {name}"),
        vec![name],
    );
    edit(state, &nodegroup.key, |nodegroup| {
        nodegroup.status = NodegroupStatus::Degraded;
        nodegroup.issues = vec![issue];
    });
}

/// A node group is no more, nor is what EKS made for it.
fn remove(state: &mut State, nodegroup: &Nodegroup) {
    launch_template::delete(state, &nodegroup.template);
    let profile = template::profile(nodegroup);
    let role = nodegroup.role.rsplit('/').next().unwrap_or_default();
    // A user may have taken either away.
    let _ = iam::instance_profile::remove_role(state, &profile, role);
    let _ = iam::instance_profile::delete(state, &profile);
    if let Some(access) = &nodegroup.remote_access {
        // A group that others use stays.
        let _ = security_group::delete(state, &access.group);
    }
    state.eks_nodegroups.remove(&nodegroup.key);
    let updates: Vec<PartKey> = of_cluster(&state.eks_updates, &nodegroup.key.cluster)
        .filter(|update| update.nodegroup.as_ref() == Some(&nodegroup.key.name))
        .map(|update| update.key.clone())
        .collect();
    for key in updates {
        state.eks_updates.remove(&key);
    }
}
