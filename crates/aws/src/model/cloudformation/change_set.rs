//! Change sets: what an operation would change, before it does.

use super::{Around, NewStack, alive, check_updatable, find, invalid, put, same_outputs, start};
use crate::model::{Context, Refusal, State};
use cloudformation::Stack;
use cloudformation::stack::{Definition, OnFailure, Planned, StackStatus};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A change set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeSet {
    /// Its ARN.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The ARN of its stack.
    pub stack: String,
    /// What its stack is to become.
    pub definition: Definition,
    /// What would change.
    pub planned: Vec<Planned>,
    /// What its author says of it.
    pub description: Option<String>,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// What a failure of the stack brings.
    pub on_failure: Option<OnFailure>,
    /// How it stands.
    pub status: SetStatus,
}

/// How a change set stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SetStatus {
    /// It can be executed.
    Available,
    /// Nothing would change.
    Empty,
    /// It was executed.
    Executed,
    /// Another one was.
    Obsolete,
}

/// A new change set's wishes.
#[derive(Clone, Debug, PartialEq)]
pub struct NewChangeSet {
    /// Its name.
    pub name: String,
    /// Its stack, by name or ARN.
    pub stack: String,
    /// Whether the stack is to be made by it.
    pub creates: bool,
    /// What the stack is to become.
    pub definition: Definition,
    /// What its author says of it.
    pub description: Option<String>,
    /// What a failure of the stack brings.
    pub on_failure: Option<OnFailure>,
}

/// Makes a change set, and for a stack that isn't there one to review; gives the ARNs of both.
///
/// # Errors
/// The stack is not as the caller thinks, or there is such a change set.
pub fn create_change_set(
    state: &mut State,
    context: &Context,
    new: NewChangeSet,
) -> Result<(String, String), Refusal> {
    let there = find(state, context, &new.stack)
        .ok()
        .filter(|stack| alive(stack))
        .cloned();
    let stack = match (there, new.creates) {
        (Some(stack), true) if stack.status == StackStatus::ReviewInProgress => stack,
        (Some(stack), true) => {
            let message = format!(
                "Stack [{}] already exists and cannot be created again with the changeSet [{}].",
                stack.name, new.name
            );
            return Err(invalid(message));
        }
        (Some(stack), false) => {
            check_updatable(&stack)?;
            stack
        }
        (None, true) => review(state, context, &new)?,
        (None, false) => {
            return Err(find(state, context, &new.stack)
                .err()
                .unwrap_or_else(|| invalid(format!("Stack [{}] does not exist", new.stack))));
        }
    };
    if super::of_stack(state, &stack.id).any(|set| set.name == new.name) {
        let message = format!("ChangeSet {} already exists", new.name);
        return Err(Refusal::new("AlreadyExistsException", message));
    }
    let planned = stack.plan(&new.definition, &Around::new(state, &stack.region))?;
    let nothing = !new.creates
        && planned.is_empty()
        && stack.definition.tags == new.definition.tags
        && same_outputs(&stack, &new.definition);
    let id = format!(
        "arn:aws:cloudformation:{}:{}:changeSet/{}/{}",
        stack.region,
        stack.account,
        new.name,
        super::fresh_uuid(state)
    );
    let set = ChangeSet {
        id: id.clone(),
        name: new.name,
        stack: stack.id.clone(),
        definition: new.definition,
        planned,
        description: new.description,
        created: context.now,
        on_failure: new.on_failure,
        status: if nothing {
            SetStatus::Empty
        } else {
            SetStatus::Available
        },
    };
    state.change_sets.insert(id.clone(), Arc::new(set));
    Ok((id, stack.id))
}

/// A stack of which only this change set is there.
fn review(state: &mut State, context: &Context, new: &NewChangeSet) -> Result<Stack, Refusal> {
    let wishes = NewStack {
        name: new.stack.clone(),
        definition: new.definition.clone(),
        on_failure: new.on_failure.unwrap_or_default(),
        protected: false,
        timeout_minutes: None,
        token: None,
    };
    let start = start(state, context, wishes)?;
    let stack = Stack::review(start, context.now);
    put(state, stack.clone());
    Ok(stack)
}

/// A change set by its ARN, or by its name and its stack.
///
/// # Errors
/// `ChangeSetNotFound`, or there is no such stack.
pub fn find_change_set<'a>(
    state: &'a State,
    context: &Context,
    name: &str,
    stack: Option<&str>,
) -> Result<&'a ChangeSet, Refusal> {
    let not_found = || {
        Refusal::new(
            "ChangeSetNotFound",
            format!("ChangeSet [{name}] does not exist"),
        )
    };
    if name.starts_with("arn:") {
        return state
            .change_sets
            .get(name)
            .map(Arc::as_ref)
            .ok_or_else(not_found);
    }
    let stack = stack.ok_or_else(|| {
        invalid("StackName must be specified if ChangeSetName is not specified as an ARN.")
    })?;
    let stack = find(state, context, stack)?;
    let mut sets = state.change_sets.values().map(Arc::as_ref);
    sets.find(|set| set.stack == stack.id && set.name == name)
        .ok_or_else(not_found)
}

/// Begins what a change set plans.
///
/// # Errors
/// It isn't there or can't be executed, or its stack can't be changed now.
pub fn execute(
    state: &mut State,
    context: &Context,
    name: &str,
    stack: Option<&str>,
    on_failure: Option<OnFailure>,
    token: Option<String>,
) -> Result<(), Refusal> {
    let set = find_change_set(state, context, name, stack)?.clone();
    if set.status != SetStatus::Available {
        let message = format!(
            "ChangeSet [{}] cannot be executed in its current status",
            set.id
        );
        return Err(Refusal::new("InvalidChangeSetStatus", message));
    }
    let mut stack = find(state, context, &set.stack)?.clone();
    stack.token = token;
    stack.on_failure = on_failure.or(set.on_failure).unwrap_or_default();
    let around = Around::new(state, &set_region(&stack));
    if stack.status == StackStatus::ReviewInProgress {
        stack.definition = set.definition.clone();
        stack.begin_creation(&around, context.now);
    } else {
        check_updatable(&stack)?;
        stack.update(set.definition.clone(), &around, context.now);
    }
    let others: Vec<String> = super::of_stack(state, &set.stack)
        .map(|of| of.id.clone())
        .collect();
    for id in others {
        if let Some(of) = state.change_sets.get_mut(&id) {
            let of = Arc::make_mut(of);
            of.status = if id == set.id {
                SetStatus::Executed
            } else {
                SetStatus::Obsolete
            };
        }
    }
    put(state, stack);
    Ok(())
}

fn set_region(stack: &Stack) -> String {
    stack.region.clone()
}

/// Deletes a change set. One that isn't there is as good as deleted.
///
/// # Errors
/// There is no such stack.
pub fn delete_change_set(
    state: &mut State,
    context: &Context,
    name: &str,
    stack: Option<&str>,
) -> Result<(), Refusal> {
    match find_change_set(state, context, name, stack) {
        Ok(set) => {
            let id = set.id.clone();
            state.change_sets.remove(&id);
            Ok(())
        }
        Err(refusal) if refusal.code == "ChangeSetNotFound" => Ok(()),
        Err(refusal) => Err(refusal),
    }
}
