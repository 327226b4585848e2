//! Scaling activities: what a group did, and why.

use super::*;

/// The most that are kept of a group.
const KEPT: usize = 100;

/// A scaling activity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Activity {
    /// Its id.
    pub id: String,
    /// Its place in the group's history.
    pub number: u64,
    /// The group.
    pub group: GroupKey,
    /// What it did.
    pub description: String,
    /// Why.
    pub cause: String,
    /// When it began, in seconds since 1970.
    pub began: i64,
    /// When it ended, in seconds since 1970.
    pub ended: Option<i64>,
    /// How it goes.
    pub outcome: Outcome,
    /// Why it failed.
    pub message: Option<String>,
    /// The subnet and zone, as JSON.
    pub details: String,
    /// The instance that it is about.
    pub instance: Option<InstanceId>,
}

/// How an activity goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// An instance was asked for and boots.
    PreInService,
    /// Under way.
    InProgress,
    /// Done.
    Successful,
    /// Not done.
    Failed,
}

/// Records that something begins; its id is made here, the oldest are forgotten.
pub fn begin(state: &mut State, mut activity: Activity) -> String {
    activity.number = state.ids_made;
    activity.id = uuid(state);
    let (id, group) = (activity.id.clone(), activity.group.clone());
    state
        .scaling_activities
        .insert(id.clone(), Arc::new(activity));
    let old: Vec<String> = activities_of(state, &group)
        .into_iter()
        .skip(KEPT)
        .map(|activity| activity.id.clone())
        .collect();
    for id in old {
        state.scaling_activities.remove(&id);
    }
    id
}

/// A fresh UUID.
pub(crate) fn uuid(state: &mut State) -> String {
    let bytes = state.bytes();
    let hex: String = bytes[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    // The version and variant of a random UUID.
    format!(
        "{}-{}-4{}-a{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[13..16],
        &hex[17..20],
        &hex[20..]
    )
}

/// A group's activities, the newest first.
pub fn activities_of<'s>(state: &'s State, group: &GroupKey) -> Vec<&'s Activity> {
    let mut all: Vec<&Activity> = state
        .scaling_activities
        .values()
        .map(Arc::as_ref)
        .filter(|activity| activity.group == *group)
        .collect();
    all.sort_by_key(|activity| std::cmp::Reverse(activity.number));
    all
}

/// Ends what is under way with an instance.
pub fn finish(state: &mut State, group: &GroupKey, instance: &InstanceId, now: i64) {
    let under_way: Vec<String> = state
        .scaling_activities
        .values()
        .filter(|activity| {
            activity.group == *group
                && activity.instance.as_ref() == Some(instance)
                && matches!(
                    activity.outcome,
                    Outcome::PreInService | Outcome::InProgress
                )
        })
        .map(|activity| activity.id.clone())
        .collect();
    for id in under_way {
        if let Some(activity) = state.scaling_activities.get_mut(&id) {
            let activity = Arc::make_mut(activity);
            activity.outcome = Outcome::Successful;
            activity.ended = Some(now);
        }
    }
    edit(state, group, |group| group.scaled = Some(now));
}

/// Forgets a group's activities.
pub fn forget_activities(state: &mut State, group: &GroupKey) {
    let ids: Vec<String> = activities_of(state, group)
        .into_iter()
        .map(|activity| activity.id.clone())
        .collect();
    for id in ids {
        state.scaling_activities.remove(&id);
    }
}
