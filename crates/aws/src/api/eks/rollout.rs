//! Replacing a node group's nodes, one after another, when its version changes.
//!
//! Nodes with the old launch template go as long as no more are missing than may be; the Auto Scaling group launches
//! others with the new one. AWS launches the new ones first.
//! <https://docs.aws.amazon.com/eks/latest/userguide/managed-node-update-behavior.html>

use crate::Moment;
use crate::api::auto_scaling::terminate;
use crate::model::auto_scaling::AutoScalingGroup;
use crate::model::eks::nodegroup::{self, Nodegroup};
use crate::model::eks::{NodegroupStatus, PartKey, UpdateStatus};
use crate::model::{Context, InstanceId, Pace, State};
use std::sync::Arc;

/// How long a replacement's nodes are waited for, in seconds.
const PATIENCE: i64 = 60 * 60;

/// Brings every node group that is being replaced nearer to its end, and says when one has failed.
pub(crate) fn advance(state: &mut State, moment: &Moment) -> Option<i64> {
    let under_way: Vec<(PartKey, PartKey, i64)> = state
        .eks_updates
        .values()
        .filter(|update| update.status == UpdateStatus::InProgress && update.until.is_none())
        .filter_map(|update| {
            let nodegroup = PartKey::new(&update.key.cluster, update.nodegroup.as_ref()?);
            Some((update.key.clone(), nodegroup, update.created))
        })
        .collect();
    let mut next = None;
    for (update, key, began) in under_way {
        let Some(nodegroup) = state.eks_nodegroups.get(&key).cloned() else {
            continue;
        };
        let context = moment.context(&key.cluster.region);
        let deadline = began + deadline(moment.pace);
        if step(state, &context, &nodegroup) {
            end(state, &update, &key, None);
        } else if deadline <= moment.now {
            let strangers = strangers(state, &nodegroup);
            end(state, &update, &key, Some(strangers));
        } else {
            next = [next, Some(deadline)].into_iter().flatten().min();
        }
    }
    next
}

fn deadline(pace: Pace) -> i64 {
    pace.timer(PATIENCE)
}

fn group<'s>(state: &'s State, nodegroup: &Nodegroup) -> Option<&'s Arc<AutoScalingGroup>> {
    state.auto_scaling_groups.get(&nodegroup.group)
}

/// The instances that are no nodes.
fn strangers(state: &State, nodegroup: &Nodegroup) -> Vec<String> {
    let members = group(state, nodegroup)
        .into_iter()
        .flat_map(|of| of.present());
    members
        .filter(|(id, _)| !nodegroup.joined.contains(*id))
        .map(|(id, _)| id.to_string())
        .collect()
}

/// Terminates as many old nodes as may go; whether there are none, and all new ones have joined.
fn step(state: &mut State, context: &Context, nodegroup: &Nodegroup) -> bool {
    let Some(group) = group(state, nodegroup).cloned() else {
        return false;
    };
    let latest = state
        .launch_templates
        .get(&nodegroup.template)
        .map_or(0, |template| template.latest_version);
    let joined = |id: &InstanceId| nodegroup.joined.contains(id);
    let desired = group.desired as usize;
    let serving = group.present().filter(|(id, _)| joined(id)).count();
    let old: Vec<InstanceId> = group
        .present()
        .filter(|(_, member)| member.version != latest)
        .map(|(id, _)| id.clone())
        .collect();
    if old.is_empty() {
        return serving >= desired;
    }
    let missing = desired.saturating_sub(serving);
    let may = nodegroup.unavailable.of(desired).saturating_sub(missing);
    // What has not joined serves nobody: it goes first, and at once.
    let (idle, useful): (Vec<_>, Vec<_>) = old.into_iter().partition(|id| !joined(id));
    for id in idle.into_iter().chain(useful.into_iter().take(may)) {
        let why =
            "an instance was taken out of service in response to a node group's version update.";
        terminate(state, context, &nodegroup.group, &id, why);
    }
    false
}

/// A replacement is over; with instances that failed to join, it failed.
fn end(state: &mut State, update: &PartKey, nodegroup: &PartKey, failed: Option<Vec<String>>) {
    if let Some(update) = state.eks_updates.get_mut(update) {
        let update = Arc::make_mut(update);
        update.status = match &failed {
            None => UpdateStatus::Successful,
            Some(_) => UpdateStatus::Failed,
        };
        let error = |instances| {
            (
                "NodeCreationFailure".to_owned(),
                "Couldn't proceed with upgrade process as new nodes are not joining node group"
                    .to_owned(),
                instances,
            )
        };
        update.errors = failed.into_iter().map(error).collect();
    }
    nodegroup::edit(state, nodegroup, |nodegroup| {
        nodegroup.status = NodegroupStatus::Active;
    });
}
