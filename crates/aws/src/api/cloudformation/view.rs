//! Operations that show stacks.

use super::super::{Call, Outcome};
use super::page;
use crate::model::cloudformation::{self, all_stacks, find, invalid, stacks};
use ::cloudformation::parameter::Given;
use ::cloudformation::stack::{Event, OnFailure, Resource};
use ::cloudformation::{Stack as Record, Template};
use wire::Timestamp;
use wire::cloudformation::*;

/// What stands in place of a value that is never shown.
const HIDDEN: &str = "****";

/// Parameters as responses show them.
pub(super) fn parameters(
    template: Option<&Template>,
    of: &std::collections::BTreeMap<String, Given>,
) -> Vec<Parameter> {
    let hidden = |name: &str| {
        let declared = template.and_then(|template| template.parameters.get(name));
        declared.is_some_and(|declared| declared.no_echo)
    };
    of.iter()
        .map(|(name, given)| Parameter {
            parameter_key: Some(name.clone()),
            parameter_value: Some(if hidden(name) {
                HIDDEN.to_owned()
            } else {
                given.value.clone()
            }),
            resolved_value: given.stored.clone(),
            use_previous_value: None,
        })
        .collect()
}

pub(super) fn tags(of: &std::collections::BTreeMap<String, String>) -> Vec<Tag> {
    of.iter()
        .map(|(key, value)| Tag {
            key: Some(key.clone()),
            value: Some(value.clone()),
        })
        .collect()
}

fn shown(call: &Call<'_>, stack: &Record) -> Stack {
    let template = stack.template().ok();
    let set = cloudformation::of_stack(&call.state, &stack.id).max_by_key(|set| set.created);
    let outputs = stack.outputs.iter().map(|output| Output {
        description: output.description.clone(),
        export_name: output.export.clone(),
        output_key: Some(output.key.clone()),
        output_value: Some(output.value.clone()),
    });
    let capabilities = stack.definition.capabilities.iter();
    Stack {
        capabilities: capabilities.filter_map(|of| of.parse().ok()).collect(),
        change_set_id: set.map(|set| set.id.clone()),
        creation_time: Some(Timestamp(stack.created)),
        deletion_time: stack.deleted.map(Timestamp),
        description: template
            .as_ref()
            .and_then(|template| template.description.clone()),
        disable_rollback: Some(stack.on_failure == OnFailure::Nothing),
        drift_information: Some(StackDriftInformation {
            last_check_timestamp: None,
            stack_drift_status: "NOT_CHECKED".parse().ok(),
        }),
        enable_termination_protection: Some(stack.protected),
        last_updated_time: stack.updated.map(Timestamp),
        outputs: outputs.collect(),
        parameters: parameters(template.as_ref(), &stack.definition.parameters),
        stack_id: Some(stack.id.clone()),
        stack_name: Some(stack.name.clone()),
        stack_status: stack.status.as_str().parse().ok(),
        stack_status_reason: stack.reason.clone(),
        tags: tags(&stack.definition.tags),
        timeout_in_minutes: stack.timeout_minutes,
        ..Stack::default()
    }
}

pub(super) fn describe(
    call: &mut Call<'_>,
    request: DescribeStacksInput,
) -> Outcome<DescribeStacksOutput> {
    let found: Vec<&Record> = match &request.stack_name {
        Some(name) => vec![find(&call.state, call.context, name)?],
        None => newest_first(stacks(&call.state, &call.context.region).collect()),
    };
    let (found, next_token) = page(found, request.next_token.as_deref())?;
    Ok(DescribeStacksOutput {
        next_token,
        stacks: found.into_iter().map(|stack| shown(call, stack)).collect(),
    })
}

fn newest_first(mut stacks: Vec<&Record>) -> Vec<&Record> {
    stacks.sort_by_key(|stack| std::cmp::Reverse(stack.created));
    stacks
}

pub(super) fn list(call: &mut Call<'_>, request: ListStacksInput) -> Outcome<ListStacksOutput> {
    let all = newest_first(all_stacks(&call.state, &call.context.region).collect());
    let wanted: Vec<String> = request
        .stack_status_filter
        .iter()
        .map(ToString::to_string)
        .collect();
    let passes =
        |stack: &&Record| wanted.is_empty() || wanted.iter().any(|of| of == stack.status.as_str());
    let summary = |stack: &Record| StackSummary {
        creation_time: Some(Timestamp(stack.created)),
        deletion_time: stack.deleted.map(Timestamp),
        last_updated_time: stack.updated.map(Timestamp),
        stack_id: Some(stack.id.clone()),
        stack_name: Some(stack.name.clone()),
        stack_status: stack.status.as_str().parse().ok(),
        stack_status_reason: stack.reason.clone(),
        template_description: stack.template().ok().and_then(|of| of.description),
        ..StackSummary::default()
    };
    let (found, next_token) = page(
        all.into_iter().filter(passes).collect(),
        request.next_token.as_deref(),
    )?;
    Ok(ListStacksOutput {
        next_token,
        stack_summaries: found.into_iter().map(summary).collect(),
    })
}

pub(super) fn events(
    call: &mut Call<'_>,
    request: DescribeStackEventsInput,
) -> Outcome<DescribeStackEventsOutput> {
    let stack = find(&call.state, call.context, &request.stack_name)?;
    let shown = |(number, event): (usize, &Event)| StackEvent {
        client_request_token: event.token.clone(),
        event_id: Some(format!("{}-{}-{number}", event.logical, event.status)),
        logical_resource_id: Some(event.logical.clone()),
        physical_resource_id: Some(event.physical.clone()),
        resource_properties: event.properties.clone(),
        resource_status: event.status.parse().ok(),
        resource_status_reason: event.reason.clone(),
        resource_type: Some(event.kind.clone()),
        stack_id: Some(stack.id.clone()),
        stack_name: Some(stack.name.clone()),
        timestamp: Some(Timestamp(event.at)),
        ..StackEvent::default()
    };
    let all: Vec<(usize, &Event)> = stack.events.iter().enumerate().rev().collect();
    let (found, next_token) = page(all, request.next_token.as_deref())?;
    Ok(DescribeStackEventsOutput {
        next_token,
        stack_events: found.into_iter().map(shown).collect(),
    })
}

/// The resources that a stack shows: those that are being replaced stand once.
fn visible(stack: &Record) -> impl Iterator<Item = &Resource> {
    stack.resources.iter().filter(|of| !of.replaced)
}

fn not_found(stack: &Record, logical: &str) -> crate::model::Refusal {
    invalid(format!(
        "Resource {logical} does not exist for stack {}",
        stack.name
    ))
}

pub(super) fn resource(
    call: &mut Call<'_>,
    request: DescribeStackResourceInput,
) -> Outcome<DescribeStackResourceOutput> {
    let stack = find(&call.state, call.context, &request.stack_name)?;
    let logical = &request.logical_resource_id;
    let found = visible(stack).find(|of| of.logical == *logical);
    let of = found.ok_or_else(|| not_found(stack, logical))?;
    Ok(DescribeStackResourceOutput {
        stack_resource_detail: Some(StackResourceDetail {
            last_updated_timestamp: Some(Timestamp(of.at)),
            logical_resource_id: Some(of.logical.clone()),
            physical_resource_id: of.physical.clone(),
            resource_status: of.status.to_string().parse().ok(),
            resource_status_reason: of.reason.clone(),
            resource_type: Some(of.kind.clone()),
            stack_id: Some(stack.id.clone()),
            stack_name: Some(stack.name.clone()),
            ..StackResourceDetail::default()
        }),
    })
}

pub(super) fn resources(
    call: &mut Call<'_>,
    request: DescribeStackResourcesInput,
) -> Outcome<DescribeStackResourcesOutput> {
    let physical = request.physical_resource_id.as_deref();
    let stack = match (&request.stack_name, physical) {
        (Some(name), None) => find(&call.state, call.context, name)?,
        (None, Some(id)) => {
            let has = |of: &Resource| of.physical.as_deref() == Some(id);
            let mut all = stacks(&call.state, &call.context.region);
            let found = all.find(|stack| stack.resources.iter().any(has));
            found.ok_or_else(|| invalid(format!("Stack for {id} does not exist")))?
        }
        _ => {
            let message = "Exactly one of StackName and PhysicalResourceId must be specified.";
            return Err(invalid(message).into());
        }
    };
    let wanted = |of: &&Resource| {
        request
            .logical_resource_id
            .as_ref()
            .is_none_or(|logical| of.logical == *logical)
    };
    let found: Vec<StackResource> = visible(stack)
        .filter(wanted)
        .map(|of| StackResource {
            logical_resource_id: Some(of.logical.clone()),
            physical_resource_id: of.physical.clone(),
            resource_status: of.status.to_string().parse().ok(),
            resource_status_reason: of.reason.clone(),
            resource_type: Some(of.kind.clone()),
            stack_id: Some(stack.id.clone()),
            stack_name: Some(stack.name.clone()),
            timestamp: Some(Timestamp(of.at)),
            ..StackResource::default()
        })
        .collect();
    match (&request.logical_resource_id, found.is_empty()) {
        (Some(logical), true) => Err(not_found(stack, logical).into()),
        _ => Ok(DescribeStackResourcesOutput {
            stack_resources: found,
        }),
    }
}

pub(super) fn list_resources(
    call: &mut Call<'_>,
    request: ListStackResourcesInput,
) -> Outcome<ListStackResourcesOutput> {
    let stack = find(&call.state, call.context, &request.stack_name)?;
    let all: Vec<&Resource> = visible(stack).collect();
    let (found, next_token) = page(all, request.next_token.as_deref())?;
    let summary = |of: &Resource| StackResourceSummary {
        last_updated_timestamp: Some(Timestamp(of.at)),
        logical_resource_id: Some(of.logical.clone()),
        physical_resource_id: of.physical.clone(),
        resource_status: of.status.to_string().parse().ok(),
        resource_status_reason: of.reason.clone(),
        resource_type: Some(of.kind.clone()),
        ..StackResourceSummary::default()
    };
    Ok(ListStackResourcesOutput {
        next_token,
        stack_resource_summaries: found.into_iter().map(summary).collect(),
    })
}
