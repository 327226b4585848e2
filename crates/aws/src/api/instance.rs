//! Instances' coming, going and being described.

use super::describe::{Kind, Wanted, no_pages_of_ids, select, wanted};
use super::instance_view::{FILTERS, field, wire_instance, wire_state, zone};
use super::{Call, Outcome};
use crate::model::instance::{self, Instance, InstanceState};
use crate::model::{InstanceId, ReservationId, State};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::HashMap;
use wire::Timestamp;
use wire::ec2;
use wire::shape::Nothing;

/// A reservation with those of its instances that were chosen.
pub(super) fn reservation(
    state: &State,
    id: &ReservationId,
    mut instances: Vec<&Instance>,
) -> ec2::Reservation {
    instances.sort_by_key(|instance| instance.launch_index);
    ec2::Reservation {
        instances: instances
            .into_iter()
            .map(|instance| wire_instance(state, instance))
            .collect(),
        owner_id: Some(state.settings.account.clone()),
        reservation_id: Some(id.to_string()),
        ..Default::default()
    }
}

pub(super) fn describe(
    call: &mut Call<'_>,
    request: ec2::DescribeInstancesRequest,
) -> Outcome<ec2::DescribeInstancesResult> {
    no_pages_of_ids("instancesSet", &request.instance_ids, request.max_results)?;
    let wanted = wanted!(request, instance_ids);
    let (chosen, next_token) = chosen(call, wanted, FILTERS)?;
    let mut reserved: Vec<(&ReservationId, Vec<&Instance>)> = Vec::new();
    let mut places: HashMap<&ReservationId, usize> = HashMap::new();
    for instance in chosen {
        let id = &instance.reservation;
        let place = *places.entry(id).or_insert_with(|| {
            reserved.push((id, Vec::new()));
            reserved.len() - 1
        });
        reserved[place].1.push(instance);
    }
    let reservations = reserved.into_iter();
    Ok(ec2::DescribeInstancesResult {
        next_token,
        reservations: reservations
            .map(|(id, instances)| reservation(&call.state, id, instances))
            .collect(),
    })
}

fn chosen<'c>(
    call: &'c Call<'_>,
    wanted: Wanted,
    filters: &'static [&'static str],
) -> Outcome<(Vec<&'c Instance>, Option<String>)> {
    let state = &call.state;
    let kind = Kind {
        filters,
        id: &|instance: &Instance| instance.id.to_string(),
        field: &|instance, name| field(state, instance, name),
        not_found: &instance::unknown,
    };
    let here = call.context.here(&state.instances);
    select(call, here, wanted, &kind)
}

pub(super) fn describe_status(
    call: &mut Call<'_>,
    request: ec2::DescribeInstanceStatusRequest,
) -> Outcome<ec2::DescribeInstanceStatusResult> {
    const NAMES: &[&str] = &[
        "availability-zone",
        "instance-state-code",
        "instance-state-name",
    ];
    let all = request.include_all_instances.unwrap_or(false);
    no_pages_of_ids("instancesSet", &request.instance_ids, request.max_results)?;
    let wanted = wanted!(request, instance_ids);
    let (chosen, next_token) = chosen(call, wanted, NAMES)?;
    let shown = chosen
        .into_iter()
        .filter(|instance| all || instance.state == InstanceState::Running);
    let statuses = shown.map(|instance| {
        let running = instance.state == InstanceState::Running;
        let summary = || ec2::InstanceStatusSummary {
            details: Vec::new(),
            status: if running { "ok" } else { "not-applicable" }.parse().ok(),
        };
        ec2::InstanceStatus {
            availability_zone: Some(zone(&call.state, instance)),
            instance_id: Some(instance.id.to_string()),
            instance_state: Some(wire_state(instance.state)),
            instance_status: Some(summary()),
            system_status: Some(summary()),
            ..Default::default()
        }
    });
    Ok(ec2::DescribeInstanceStatusResult {
        instance_statuses: statuses.collect(),
        next_token,
    })
}

/// Does something with each instance and tells how its state changed.
fn change_each(
    call: &mut Call<'_>,
    ids: &[String],
    mut change: impl FnMut(&mut Call<'_>, &str) -> Result<InstanceId, crate::model::Refusal>,
) -> Outcome<Vec<ec2::InstanceStateChange>> {
    if ids.is_empty() {
        return Err(crate::model::Refusal::missing("InstanceId").into());
    }
    let mut changes = Vec::new();
    for id in ids {
        let before = instance::find(&call.state, call.context, id)?.state;
        let id = change(call, id)?;
        let after = instance::find(&call.state, call.context, id.as_str())?.state;
        changes.push(ec2::InstanceStateChange {
            current_state: Some(wire_state(after)),
            instance_id: Some(id.to_string()),
            previous_state: Some(wire_state(before)),
        });
    }
    Ok(changes)
}

pub(super) fn terminate(
    call: &mut Call<'_>,
    request: ec2::TerminateInstancesRequest,
) -> Outcome<ec2::TerminateInstancesResult> {
    let changes = change_each(call, &request.instance_ids, |call, id| {
        instance::terminate(&mut call.state, call.context, id)
    })?;
    Ok(ec2::TerminateInstancesResult {
        terminating_instances: changes,
    })
}

pub(super) fn start(
    call: &mut Call<'_>,
    request: ec2::StartInstancesRequest,
) -> Outcome<ec2::StartInstancesResult> {
    let changes = change_each(call, &request.instance_ids, |call, id| {
        instance::start(&mut call.state, call.context, id)
    })?;
    Ok(ec2::StartInstancesResult {
        starting_instances: changes,
    })
}

pub(super) fn stop(
    call: &mut Call<'_>,
    request: ec2::StopInstancesRequest,
) -> Outcome<ec2::StopInstancesResult> {
    if request.hibernate.unwrap_or(false) {
        return Err(
            crate::model::Refusal::unsupported("Hibernation is not implemented by Skylab").into(),
        );
    }
    let changes = change_each(call, &request.instance_ids, |call, id| {
        instance::stop(&mut call.state, call.context, id)
    })?;
    Ok(ec2::StopInstancesResult {
        stopping_instances: changes,
    })
}

pub(super) fn reboot(
    call: &mut Call<'_>,
    request: ec2::RebootInstancesRequest,
) -> Outcome<Nothing> {
    if request.instance_ids.is_empty() {
        return Err(crate::model::Refusal::missing("InstanceId").into());
    }
    for id in &request.instance_ids {
        instance::reboot(&mut call.state, call.context, id)?;
    }
    Ok(Nothing {})
}

pub(super) fn console_output(
    call: &mut Call<'_>,
    request: ec2::GetConsoleOutputRequest,
) -> Outcome<ec2::GetConsoleOutputResult> {
    let instance = instance::find(&call.state, call.context, &request.instance_id)?;
    let text = (call.console)(&instance.id);
    Ok(ec2::GetConsoleOutputResult {
        instance_id: Some(instance.id.to_string()),
        output: text.map(|text| STANDARD.encode(text)),
        timestamp: Some(Timestamp(call.context.now)),
    })
}
