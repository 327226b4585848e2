//! Scaling activities on the wire.

use super::super::{Call, Outcome as Answered};
use super::page;
use crate::model::State;
use crate::model::auto_scaling::{self, Outcome};
use std::sync::Arc;
use wire::Timestamp;
use wire::autoscaling::{
    ActivitiesType, Activity, DescribeScalingActivitiesType, ScalingActivityStatusCode,
};

pub(super) fn describe(
    call: &mut Call<'_>,
    request: DescribeScalingActivitiesType,
) -> Answered<ActivitiesType> {
    let named = request.auto_scaling_group_name.as_deref();
    let group = named
        .map(|name| auto_scaling::find(&call.state, call.context, name))
        .transpose()?
        .map(|group| &group.key);
    let mut all: Vec<_> = call
        .state
        .scaling_activities
        .values()
        .map(Arc::as_ref)
        .filter(|activity| {
            activity.group.region == call.context.region
                && group.is_none_or(|group| activity.group == *group)
                && (request.activity_ids.is_empty() || request.activity_ids.contains(&activity.id))
        })
        .collect();
    all.sort_by_key(|activity| std::cmp::Reverse(activity.number));
    let (all, next_token) = page(all, request.max_records, request.next_token.as_deref())?;
    Ok(ActivitiesType {
        activities: all.into_iter().map(|of| view(&call.state, of)).collect(),
        next_token,
    })
}

/// The activity with an id, as the API shows it.
pub(super) fn shown(state: &State, id: &str) -> Option<Activity> {
    state.scaling_activities.get(id).map(|of| view(state, of))
}

fn view(state: &State, of: &auto_scaling::Activity) -> Activity {
    let (status, progress) = match of.outcome {
        Outcome::PreInService => (ScalingActivityStatusCode::PreInService, 30),
        Outcome::InProgress => (ScalingActivityStatusCode::InProgress, 0),
        Outcome::Successful => (ScalingActivityStatusCode::Successful, 100),
        Outcome::Failed => (ScalingActivityStatusCode::Failed, 100),
    };
    let group = state.auto_scaling_groups.get(&of.group);
    Activity {
        activity_id: Some(of.id.clone()),
        auto_scaling_group_arn: group.map(|group| group.arn(&state.settings.account)),
        auto_scaling_group_name: Some(of.group.name.clone()),
        cause: Some(of.cause.clone()),
        description: Some(of.description.clone()),
        details: Some(of.details.clone()),
        end_time: of.ended.map(Timestamp),
        progress: Some(progress),
        start_time: Some(Timestamp(of.began)),
        status_code: Some(status),
        status_message: of.message.clone(),
        ..Default::default()
    }
}
