//! Replacing a node group's nodes, one after another, when its version changes.
//!
//! Nodes with the old launch template are emptied and go as long as no more are missing than may be; the Auto Scaling
//! group launches others with the new one. AWS launches the new ones first.
//! <https://docs.aws.amazon.com/eks/latest/userguide/managed-node-update-behavior.html>

use crate::Moment;
use crate::api::auto_scaling::terminate;
use crate::model::auto_scaling::AutoScalingGroup;
use crate::model::eks::nodegroup::{self, Leaving, Nodegroup};
use crate::model::eks::{NodegroupStatus, PartKey, UpdateStatus};
use crate::model::{Context, InstanceId, State};
use std::sync::Arc;

/// How long a replacement's nodes are waited for, in seconds.
const PATIENCE: i64 = 60 * 60;
/// How long a node's pods may take to move, in seconds.
const EVICTION: i64 = 15 * 60;

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
        let deadline = began + moment.pace.timer(PATIENCE);
        match step(state, &context, &nodegroup) {
            Progress::Done => end(state, &update, &key, None),
            Progress::Stuck(nodes) => end(state, &update, &key, Some(not_empty(&key, nodes))),
            Progress::Going(_) if deadline <= moment.now => {
                let failure = not_joining(strangers(state, &nodegroup));
                end(state, &update, &key, Some(failure));
            }
            Progress::Going(until) => {
                next = [next, Some(deadline), until].into_iter().flatten().min();
            }
        }
    }
    next
}

/// How far a replacement is.
enum Progress {
    /// Every node is a new one.
    Done,
    /// It goes on; something is due by itself at that time, in seconds since 1970.
    Going(Option<i64>),
    /// These nodes' pods don't move.
    Stuck(Vec<String>),
}

/// What failed: EKS's code, its words, the instances concerned.
type Failed = (String, String, Vec<String>);

fn not_joining(instances: Vec<String>) -> Failed {
    (
        "NodeCreationFailure".to_owned(),
        "Couldn't proceed with upgrade process as new nodes are not joining node group".to_owned(),
        instances,
    )
}

fn not_empty(nodegroup: &PartKey, instances: Vec<String>) -> Failed {
    let name = &nodegroup.name;
    (
        "PodEvictionFailure".to_owned(),
        format!("Reached max retries while trying to evict pods from nodes in node group {name}"),
        instances,
    )
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

/// Goes a step further: idle old nodes are terminated, empty ones too, and as many others as may go are to be emptied.
fn step(state: &mut State, context: &Context, nodegroup: &Nodegroup) -> Progress {
    let Some(group) = group(state, nodegroup).cloned() else {
        return Progress::Going(None);
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
        forget_leaving(state, nodegroup);
        return match serving >= desired {
            true => Progress::Done,
            false => Progress::Going(None),
        };
    }
    let patience = context.pace.timer(EVICTION);
    let late = |of: &Leaving| !of.drained && of.since + patience <= context.now;
    let leaving = |id: &InstanceId| nodegroup.leaving.get(id);
    // What has not joined serves nobody: it goes first, and at once.
    let goes = |id: &&InstanceId| {
        !joined(id) || leaving(id).is_some_and(|of| of.drained || nodegroup.forced && late(of))
    };
    let (gone, rest): (Vec<&InstanceId>, Vec<&InstanceId>) = old.iter().partition(goes);
    for id in &gone {
        let why =
            "an instance was taken out of service in response to a node group's version update.";
        terminate(state, context, &nodegroup.group, id, why);
    }
    let stuck = rest.iter().filter(|id| leaving(id).is_some_and(late));
    let stuck: Vec<String> = stuck.map(ToString::to_string).collect();
    if !stuck.is_empty() {
        forget_leaving(state, nodegroup);
        return Progress::Stuck(stuck);
    }
    let (waiting, staying): (Vec<&InstanceId>, Vec<&InstanceId>) =
        rest.into_iter().partition(|id| leaving(id).is_some());
    let lost = gone.iter().filter(|id| joined(id)).count();
    let missing = desired.saturating_sub(serving) + lost + waiting.len();
    let may = nodegroup.unavailable.of(desired).saturating_sub(missing);
    let chosen = staying.into_iter().take(may).cloned();
    empty(state, context, nodegroup, chosen.collect());
    let first = nodegroup.leaving.values().map(|of| of.since).min();
    Progress::Going(first.map(|since| since + patience))
}

/// Has nodes emptied.
fn empty(state: &mut State, context: &Context, nodegroup: &Nodegroup, chosen: Vec<InstanceId>) {
    if chosen.is_empty() {
        return;
    }
    nodegroup::edit(state, &nodegroup.key, |nodegroup| {
        let leaving = Leaving {
            since: context.now,
            drained: false,
        };
        let chosen = chosen.into_iter().map(|id| (id, leaving));
        nodegroup.leaving.extend(chosen);
    });
}

fn forget_leaving(state: &mut State, nodegroup: &Nodegroup) {
    if !nodegroup.leaving.is_empty() {
        nodegroup::edit(state, &nodegroup.key, |nodegroup| {
            nodegroup.leaving.clear();
        });
    }
}

/// A replacement is over, well or not.
fn end(state: &mut State, update: &PartKey, nodegroup: &PartKey, failed: Option<Failed>) {
    if let Some(update) = state.eks_updates.get_mut(update) {
        let update = Arc::make_mut(update);
        update.status = match &failed {
            None => UpdateStatus::Successful,
            Some(_) => UpdateStatus::Failed,
        };
        update.errors = failed.into_iter().collect();
    }
    nodegroup::edit(state, nodegroup, |nodegroup| {
        nodegroup.status = NodegroupStatus::Active;
    });
}
