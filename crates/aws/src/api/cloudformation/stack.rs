//! Operations that change stacks.

use super::super::{Call, Outcome};
use super::offered;
use crate::model::Refusal;
use crate::model::cloudformation::{self, NewStack, invalid};
use ::cloudformation::stack::OnFailure;
use wire::cloudformation::*;
use wire::shape::Nothing;

/// What a failure brings, of two parameters that say it.
fn on_failure(
    on_failure: Option<OnFailureOf>,
    disable_rollback: Option<bool>,
) -> Result<OnFailure, Refusal> {
    match (on_failure, disable_rollback) {
        (Some(_), Some(_)) => Err(invalid(
            "You can specify either DisableRollback or OnFailure, but not both.",
        )),
        (Some(OnFailureOf::DONOTHING), None) | (None, Some(true)) => Ok(OnFailure::Nothing),
        (Some(OnFailureOf::DELETE), None) => Ok(OnFailure::Delete),
        _ => Ok(OnFailure::Rollback),
    }
}

use wire::cloudformation::OnFailure as OnFailureOf;

pub(super) fn create(call: &mut Call<'_>, request: CreateStackInput) -> Outcome<CreateStackOutput> {
    let offered = offered(
        request.template_body,
        request.parameters,
        request.tags,
        &request.capabilities,
    );
    let new = NewStack {
        name: request.stack_name,
        definition: cloudformation::define(&call.state, call.context, offered, None)?,
        on_failure: on_failure(request.on_failure, request.disable_rollback)?,
        protected: request.enable_termination_protection.unwrap_or(false),
        timeout_minutes: request.timeout_in_minutes,
        token: request.client_request_token,
    };
    let id = cloudformation::create(&mut call.state, call.context, new)?;
    Ok(CreateStackOutput {
        operation_id: None,
        stack_id: Some(id),
    })
}

pub(super) fn update(call: &mut Call<'_>, request: UpdateStackInput) -> Outcome<UpdateStackOutput> {
    let stack = cloudformation::find(&call.state, call.context, &request.stack_name)?;
    if request.template_body.is_none() && request.use_previous_template != Some(true) {
        let message = "Either Template URL or Template Body must be specified.";
        return Err(invalid(message).into());
    }
    let offered = offered(
        request.template_body,
        request.parameters,
        request.tags,
        &request.capabilities,
    );
    let definition =
        cloudformation::define(&call.state, call.context, offered, Some(&stack.definition))?;
    let on_failure = on_failure(None, request.disable_rollback)?;
    let token = request.client_request_token;
    let id = cloudformation::update(
        &mut call.state,
        call.context,
        &request.stack_name,
        definition,
        on_failure,
        token,
    )?;
    Ok(UpdateStackOutput {
        operation_id: None,
        stack_id: Some(id),
    })
}

pub(super) fn delete(call: &mut Call<'_>, request: DeleteStackInput) -> Outcome<Nothing> {
    if request.deletion_mode == Some(DeletionMode::FORCEDELETESTACK) {
        let message = "FORCE_DELETE_STACK is not implemented by Skylab";
        return Err(Refusal::unsupported(message).into());
    }
    cloudformation::delete(
        &mut call.state,
        call.context,
        &request.stack_name,
        &request.retain_resources,
        request.client_request_token,
    )?;
    Ok(Nothing {})
}

pub(super) fn cancel_update(
    call: &mut Call<'_>,
    request: CancelUpdateStackInput,
) -> Outcome<Nothing> {
    cloudformation::cancel_update(&mut call.state, call.context, &request.stack_name)?;
    Ok(Nothing {})
}

pub(super) fn continue_rollback(
    call: &mut Call<'_>,
    request: ContinueUpdateRollbackInput,
) -> Outcome<ContinueUpdateRollbackOutput> {
    let skipped = request.resources_to_skip.into_iter().collect();
    let name = &request.stack_name;
    cloudformation::continue_rollback(&mut call.state, call.context, name, &skipped)?;
    Ok(ContinueUpdateRollbackOutput {})
}

pub(super) fn protect(
    call: &mut Call<'_>,
    request: UpdateTerminationProtectionInput,
) -> Outcome<UpdateTerminationProtectionOutput> {
    let protected = request.enable_termination_protection;
    let id = cloudformation::protect(
        &mut call.state,
        call.context,
        &request.stack_name,
        protected,
    )?;
    Ok(UpdateTerminationProtectionOutput { stack_id: Some(id) })
}
