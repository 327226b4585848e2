//! Calls that CloudFormation makes for a stack: the public APIs' own operations, in this process.
//!
//! A call that changes something and what the stack learns from it are one change: whatever happens to the lab,
//! nothing is ever made that its stack doesn't know.

use super::api::{Api, Asked, reads, run};
use super::call::Call;
use super::request_id;
use super::service::Service;
use aws::model::cloudformation::{learn, time_out};
use aws::model::{Context, State};
use cloudformation::Verdict;
use cloudformation::stack::Due;
use serde_json::Value;
use wire::call::read;
use wire::error::ApiError;
use wire::query::Node;

impl Api {
    /// Makes a call that a stack waits for, with the rights of the account, and keeps what comes of it unless it
    /// has to be made again. What fails for good is kept as well.
    pub(crate) async fn on_behalf(
        &self,
        stack: &str,
        region: &str,
        due: Due,
        late: bool,
    ) -> Verdict {
        let outcome = match understood(&due) {
            Ok(asked) => self.made(stack, region, &due, asked, late).await,
            Err(error) => self.keep(stack, region, &due, due.judge(&Err(error))).await,
        };
        outcome.unwrap_or_else(|error| Verdict::Retry(error.message))
    }

    async fn made(
        &self,
        stack: &str,
        region: &str,
        due: &Due,
        asked: Asked,
        late: bool,
    ) -> Result<Verdict, ApiError> {
        let id = request_id::fresh();
        let (context, place) = (self.root_context(region)?, self.place());
        let name = asked.operation.name();
        if reads(&asked.operation) {
            let state = &self.cloud.snapshot().state;
            let answer = run(state, &context, asked, &id, &place);
            let verdict = final_if(late, due.judge(&value(due, answer.map(|of| of.body))));
            return self.keep(stack, region, due, verdict).await;
        }
        let (stack, due, request) = (stack.to_owned(), due.clone(), id.clone());
        let change = move |state: &State| {
            let wanted = state
                .stacks
                .get(&stack)
                .is_some_and(|stack| stack.wants(&due));
            if !wanted {
                return (None, Verdict::Wait("broken off".to_owned()));
            }
            let answer = run(state, &context, asked, &request, &place);
            let (changed, body) = match answer {
                Ok(answer) => (answer.state, Ok(answer.body)),
                Err(error) => (None, Err(error)),
            };
            let verdict = final_if(late, due.judge(&value(&due, body)));
            let mut changed = changed.unwrap_or_else(|| state.clone());
            if !passing(&verdict) {
                learn(&mut changed, &context, &stack, &due, verdict.clone());
            }
            (Some(changed), verdict)
        };
        let verdict = self.cloud.change(&id, change).await;
        let verdict =
            verdict.map_err(|failure| ApiError::new("InternalFailure", failure.to_string()))?;
        tracing::info!(request = id, action = name, ?verdict, "stack's call");
        Ok(verdict)
    }

    /// Keeps what a look gave.
    async fn keep(
        &self,
        stack: &str,
        region: &str,
        due: &Due,
        verdict: Verdict,
    ) -> Result<Verdict, ApiError> {
        if passing(&verdict) {
            return Ok(verdict);
        }
        let (stack, due) = (stack.to_owned(), due.clone());
        let kept = verdict.clone();
        self.change_stack(region, move |state, context| {
            learn(state, context, &stack, &due, kept);
        })
        .await?;
        Ok(verdict)
    }

    /// Ends the creation of a stack that takes longer than its caller allows.
    pub(crate) async fn stack_time_out(&self, stack: &str, region: &str) {
        let stack = stack.to_owned();
        let ended = self.change_stack(region, move |state, context| {
            time_out(state, context, &stack);
        });
        if let Err(error) = ended.await {
            tracing::warn!(%error, "a stack's time is over and it can't be told");
        }
    }

    /// What the account's root user asks in a region: stacks have no role of their own.
    fn root_context(&self, region: &str) -> Result<Context, ApiError> {
        let mut context = self.context(region.to_owned(), None)?;
        let account = &self.cloud.snapshot().state.settings.account;
        context.caller = format!("arn:aws:iam::{account}:root");
        Ok(context)
    }

    async fn change_stack(
        &self,
        region: &str,
        change: impl FnOnce(&mut State, &Context) + Send + 'static,
    ) -> Result<(), ApiError> {
        let context = self.root_context(region)?;
        let id = request_id::fresh();
        let changed = self.cloud.change(&id, move |state| {
            let mut state = state.clone();
            change(&mut state, &context);
            (Some(state), ())
        });
        let failed =
            |failure: crate::cloud::Failure| ApiError::new("InternalFailure", failure.to_string());
        changed.await.map_err(failed)
    }
}

/// Whether a call is to be made again.
fn passing(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Wait(_) | Verdict::Retry(_))
}

/// What was in the way for too long fails.
fn final_if(late: bool, verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Retry(reason) if late => Verdict::Failed(reason),
        verdict => verdict,
    }
}

/// What a call asks for. Nobody's policies are asked: the account itself calls.
fn understood(due: &Due) -> Result<Asked, ApiError> {
    let request = due.call.request()?;
    let body = request.body.clone();
    let call = Call::from(request);
    let name = due.call.service.name();
    let service = Service::of(name, &call).ok_or_else(|| {
        let message = format!("Skylab does not have the service {name:?} yet");
        ApiError::new("UnsupportedOperation", message)
    })?;
    Ok(Asked {
        service,
        operation: call.operation(service, body.as_bytes())?,
        parameters: Node::default(),
        path: call.path,
        caller: None,
    })
}

/// An answer as a value.
fn value(due: &Due, answer: Result<String, ApiError>) -> Result<Value, ApiError> {
    answer.and_then(|body| read(due.call.service, 200, None, &body))
}
