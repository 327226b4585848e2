//! Operations on change sets.

use super::super::{Call, Outcome};
use super::view::{parameters, tags};
use super::{offered, page};
use crate::model::Refusal;
use crate::model::cloudformation::{
    self, ChangeSet, NewChangeSet, SetStatus, find, find_change_set, invalid,
};
use ::cloudformation::Template;
use ::cloudformation::stack::{Action, OnFailure, Planned};
use wire::Timestamp;
use wire::cloudformation::*;

pub(super) fn create(
    call: &mut Call<'_>,
    request: CreateChangeSetInput,
) -> Outcome<CreateChangeSetOutput> {
    let creates = match request.change_set_type {
        Some(ChangeSetType::CREATE) => true,
        None | Some(ChangeSetType::UPDATE) => false,
        Some(ChangeSetType::IMPORT) => {
            let message = "Change sets that import resources are not implemented by Skylab";
            return Err(Refusal::unsupported(message).into());
        }
    };
    let offered = offered(
        request.template_body,
        request.parameters,
        request.tags,
        &request.capabilities,
    );
    if offered.template.is_none() && request.use_previous_template != Some(true) {
        let message = "Either Template URL or Template Body must be specified.";
        return Err(invalid(message).into());
    }
    let stack = find(&call.state, call.context, &request.stack_name);
    let previous = match stack {
        Ok(stack) if !creates => Some(&stack.definition),
        _ => None,
    };
    let definition = cloudformation::define(&call.state, call.context, offered, previous)?;
    let new = NewChangeSet {
        name: request.change_set_name,
        stack: request.stack_name,
        creates,
        definition,
        description: request.description,
        on_failure: request.on_stack_failure.map(|of| match of {
            OnStackFailure::DONOTHING => OnFailure::Nothing,
            OnStackFailure::DELETE => OnFailure::Delete,
            OnStackFailure::ROLLBACK => OnFailure::Rollback,
        }),
    };
    let (id, stack) = cloudformation::create_change_set(&mut call.state, call.context, new)?;
    Ok(CreateChangeSetOutput {
        id: Some(id),
        stack_id: Some(stack),
    })
}

/// How a change set stands: whether it could be made, whether it can be executed, and why not.
fn status(of: &ChangeSet) -> (ChangeSetStatus, ExecutionStatus, Option<String>) {
    let why = "The submitted information didn't contain changes. Submit different information to create a change set.";
    match of.status {
        SetStatus::Available => (
            ChangeSetStatus::CREATECOMPLETE,
            ExecutionStatus::AVAILABLE,
            None,
        ),
        SetStatus::Empty => (
            ChangeSetStatus::FAILED,
            ExecutionStatus::UNAVAILABLE,
            Some(why.to_owned()),
        ),
        SetStatus::Executed => (
            ChangeSetStatus::CREATECOMPLETE,
            ExecutionStatus::EXECUTECOMPLETE,
            None,
        ),
        SetStatus::Obsolete => (
            ChangeSetStatus::CREATECOMPLETE,
            ExecutionStatus::OBSOLETE,
            None,
        ),
    }
}

fn change(of: &Planned) -> Change {
    let (action, replacement) = match of.action {
        Action::Add => (ChangeAction::Add, None),
        Action::Remove { .. } => (ChangeAction::Remove, None),
        Action::Modify { replace } => {
            let replacement = match replace {
                Some(true) => Replacement::True,
                Some(false) => Replacement::False,
                None => Replacement::Conditional,
            };
            (ChangeAction::Modify, Some(replacement))
        }
    };
    let policy = match of.action {
        Action::Remove { retained: true } => "Retain".parse().ok(),
        Action::Remove { retained: false } => "Delete".parse().ok(),
        Action::Modify {
            replace: Some(true),
        } => "ReplaceAndDelete".parse().ok(),
        _ => None,
    };
    let detail = |(name, recreates): &(String, bool)| ResourceChangeDetail {
        causing_entity: None,
        change_source: Some(ChangeSource::DirectModification),
        evaluation: Some(EvaluationType::Static),
        target: Some(ResourceTargetDefinition {
            attribute: Some(ResourceAttribute::Properties),
            name: Some(name.clone()),
            requires_recreation: Some(if *recreates {
                RequiresRecreation::Always
            } else {
                RequiresRecreation::Never
            }),
            ..ResourceTargetDefinition::default()
        }),
    };
    let details: Vec<ResourceChangeDetail> = of.properties.iter().map(detail).collect();
    Change {
        hook_invocation_count: None,
        resource_change: Some(ResourceChange {
            action: Some(action),
            scope: (!details.is_empty())
                .then_some(ResourceAttribute::Properties)
                .into_iter()
                .collect(),
            details,
            logical_resource_id: Some(of.logical.clone()),
            physical_resource_id: of.physical.clone(),
            policy_action: policy,
            replacement,
            resource_type: Some(of.kind.clone()),
            ..ResourceChange::default()
        }),
        type_: Some(ChangeType::Resource),
    }
}

pub(super) fn describe(
    call: &mut Call<'_>,
    request: DescribeChangeSetInput,
) -> Outcome<DescribeChangeSetOutput> {
    let stack = request.stack_name.as_deref();
    let of = find_change_set(&call.state, call.context, &request.change_set_name, stack)?;
    let stack = find(&call.state, call.context, &of.stack)?;
    let template = Template::read(&of.definition.template).ok();
    let (status, execution, reason) = status(of);
    let (changes, next_token) = page(
        of.planned.iter().map(change).collect(),
        request.next_token.as_deref(),
    )?;
    let capabilities = of.definition.capabilities.iter();
    Ok(DescribeChangeSetOutput {
        capabilities: capabilities.filter_map(|of| of.parse().ok()).collect(),
        change_set_id: Some(of.id.clone()),
        change_set_name: Some(of.name.clone()),
        changes,
        creation_time: Some(Timestamp(of.created)),
        description: of.description.clone(),
        execution_status: Some(execution),
        next_token,
        parameters: parameters(template.as_ref(), &of.definition.parameters),
        stack_id: Some(stack.id.clone()),
        stack_name: Some(stack.name.clone()),
        status: Some(status),
        status_reason: reason,
        tags: tags(&of.definition.tags),
        ..DescribeChangeSetOutput::default()
    })
}

pub(super) fn execute(
    call: &mut Call<'_>,
    request: ExecuteChangeSetInput,
) -> Outcome<ExecuteChangeSetOutput> {
    let on_failure = match request.disable_rollback {
        Some(true) => Some(OnFailure::Nothing),
        _ => None,
    };
    cloudformation::execute(
        &mut call.state,
        call.context,
        &request.change_set_name,
        request.stack_name.as_deref(),
        on_failure,
        request.client_request_token,
    )?;
    Ok(ExecuteChangeSetOutput {})
}

pub(super) fn delete(
    call: &mut Call<'_>,
    request: DeleteChangeSetInput,
) -> Outcome<DeleteChangeSetOutput> {
    let stack = request.stack_name.as_deref();
    let name = &request.change_set_name;
    cloudformation::delete_change_set(&mut call.state, call.context, name, stack)?;
    Ok(DeleteChangeSetOutput {})
}

pub(super) fn list(
    call: &mut Call<'_>,
    request: ListChangeSetsInput,
) -> Outcome<ListChangeSetsOutput> {
    let stack = find(&call.state, call.context, &request.stack_name)?;
    let summary = |of: &ChangeSet| {
        let (status, execution, reason) = status(of);
        ChangeSetSummary {
            change_set_id: Some(of.id.clone()),
            change_set_name: Some(of.name.clone()),
            creation_time: Some(Timestamp(of.created)),
            description: of.description.clone(),
            execution_status: Some(execution),
            stack_id: Some(stack.id.clone()),
            stack_name: Some(stack.name.clone()),
            status: Some(status),
            status_reason: reason,
            ..ChangeSetSummary::default()
        }
    };
    let all = cloudformation::of_stack(&call.state, &stack.id)
        .map(summary)
        .collect();
    let (summaries, next_token) = page(all, request.next_token.as_deref())?;
    Ok(ListChangeSetsOutput {
        next_token,
        summaries,
    })
}
