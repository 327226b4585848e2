//! CloudFormation's stacks and change sets.
//!
//! What a stack does is [`cloudformation::Stack`]'s; here is where stacks are kept, what lies around them, and
//! what is refused. The lab makes the calls that stacks wait for.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/Welcome.html>

mod change_set;
mod definition;
mod run;

pub use change_set::{
    ChangeSet, NewChangeSet, SetStatus, create_change_set, delete_change_set, execute,
    find_change_set,
};
pub use definition::{Given, Offered, define};
pub use run::{at_work, learn, time_out};

use super::{Context, Refusal, State, region};
use cloudformation::scope::World;
use cloudformation::stack::{OnFailure, Stack, StackStatus, Start};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A refusal in CloudFormation's words.
pub fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("ValidationError", message)
}

impl From<cloudformation::TemplateError> for Refusal {
    fn from(error: cloudformation::TemplateError) -> Self {
        invalid(error.to_string())
    }
}

/// What lies around a stack: its region, and the other stacks there.
pub struct Around<'a> {
    state: &'a State,
    region: String,
}

impl<'a> Around<'a> {
    /// What lies around the stacks of a region.
    pub fn new(state: &'a State, region: &str) -> Self {
        Self {
            state,
            region: region.to_owned(),
        }
    }

    fn stacks(&self) -> impl Iterator<Item = &'a Stack> {
        let region = self.region.clone();
        let all = self.state.stacks.values().map(Arc::as_ref);
        all.filter(move |stack| stack.region == region && alive(stack))
    }
}

impl World for Around<'_> {
    fn zones(&self, name: &str) -> Vec<String> {
        region::zones(name)
    }

    fn export(&self, name: &str) -> Option<String> {
        let mut outputs = self.stacks().flat_map(|stack| &stack.outputs);
        let found = outputs.find(|output| output.export.as_deref() == Some(name));
        found.map(|output| output.value.clone())
    }

    fn importer(&self, name: &str) -> Option<String> {
        importers(self.state, &self.region, name).into_iter().next()
    }
}

/// Whether a stack isn't deleted.
pub fn alive(stack: &Stack) -> bool {
    stack.status != StackStatus::DeleteComplete
}

/// The stacks of a region that aren't deleted.
pub fn stacks<'a>(state: &'a State, region: &'a str) -> impl Iterator<Item = &'a Stack> {
    all_stacks(state, region).filter(|stack| alive(stack))
}

/// The stacks of a region, deleted ones too.
pub fn all_stacks<'a>(state: &'a State, region: &'a str) -> impl Iterator<Item = &'a Stack> {
    let all = state.stacks.values().map(Arc::as_ref);
    all.filter(move |stack| stack.region == region)
}

/// The names of the stacks that use an export.
pub fn importers(state: &State, region: &str, export: &str) -> Vec<String> {
    let users = stacks(state, region).filter(|stack| stack.imports.contains(export));
    users.map(|stack| stack.name.clone()).collect()
}

/// A stack by its name, or by its ARN even if it is deleted.
///
/// # Errors
/// `ValidationError`: there is none.
pub fn find<'a>(state: &'a State, context: &Context, name: &str) -> Result<&'a Stack, Refusal> {
    let mut all = state.stacks.values().map(Arc::as_ref);
    let found = if name.starts_with("arn:") {
        state.stacks.get(name).map(Arc::as_ref)
    } else {
        all.find(|stack| stack.region == context.region && stack.name == name && alive(stack))
    };
    found.ok_or_else(|| invalid(format!("Stack with id {name} does not exist")))
}

fn put(state: &mut State, stack: Stack) {
    state.stacks.insert(stack.id.clone(), Arc::new(stack));
}

/// A new stack's wishes.
#[derive(Clone, Debug, PartialEq)]
pub struct NewStack {
    /// Its name.
    pub name: String,
    /// What it is to be.
    pub definition: cloudformation::stack::Definition,
    /// What a failure brings.
    pub on_failure: OnFailure,
    /// Whether it can't be deleted.
    pub protected: bool,
    /// After how many minutes its creation fails.
    pub timeout_minutes: Option<i32>,
    /// The request's token.
    pub token: Option<String>,
}

/// Checks a new stack's name and that none has it, and says what it starts from.
fn start(state: &mut State, context: &Context, new: NewStack) -> Result<Start, Refusal> {
    let name = &new.name;
    let mut letters = name.chars();
    let first = letters
        .next()
        .is_some_and(|letter| letter.is_ascii_alphabetic());
    let rest = letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '-');
    if !first || !rest || name.len() > 128 {
        return Err(invalid(format!(
            "1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
        )));
    }
    if stacks(state, &context.region).any(|stack| stack.name == *name) {
        return Err(Refusal::new(
            "AlreadyExistsException",
            format!("Stack [{name}] already exists"),
        ));
    }
    let account = state.settings.account.clone();
    let id = format!(
        "arn:aws:cloudformation:{}:{account}:stack/{name}/{}",
        context.region,
        fresh_uuid(state)
    );
    Ok(Start {
        id,
        name: new.name,
        account,
        region: context.region.clone(),
        definition: new.definition,
        on_failure: new.on_failure,
        protected: new.protected,
        timeout_minutes: new.timeout_minutes,
        token: new.token,
    })
}

/// A random UUID, version 4.
fn fresh_uuid(state: &mut State) -> String {
    let bytes = state.bytes();
    let hex: String = bytes
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!(
        "{}-{}-4{}-a{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[13..16],
        &hex[17..20],
        &hex[20..]
    )
}

/// Begins to make a stack; gives its ARN.
///
/// # Errors
/// Its name can't be, or a stack has it.
pub fn create(state: &mut State, context: &Context, new: NewStack) -> Result<String, Refusal> {
    let start = start(state, context, new)?;
    let stack = Stack::create(start, &Around::new(state, &context.region), context.now);
    let id = stack.id.clone();
    put(state, stack);
    Ok(id)
}

/// Begins to change a stack; gives its ARN.
///
/// # Errors
/// The stack isn't there or can't be changed now, or nothing would change.
pub fn update(
    state: &mut State,
    context: &Context,
    name: &str,
    definition: cloudformation::stack::Definition,
    on_failure: OnFailure,
    token: Option<String>,
) -> Result<String, Refusal> {
    let mut stack = find(state, context, name)?.clone();
    check_updatable(&stack)?;
    let around = Around::new(state, &stack.region);
    let same_tags = stack.definition.tags == definition.tags;
    if same_tags
        && stack.plan(&definition, &around)?.is_empty()
        && same_outputs(&stack, &definition)
    {
        return Err(invalid("No updates are to be performed."));
    }
    (stack.on_failure, stack.token) = (on_failure, token);
    stack.update(definition, &around, context.now);
    let id = stack.id.clone();
    put(state, stack);
    Ok(id)
}

fn check_updatable(stack: &Stack) -> Result<(), Refusal> {
    if stack.status.updatable() {
        return Ok(());
    }
    let (id, status) = (&stack.id, stack.status.as_str());
    Err(invalid(format!(
        "Stack:{id} is in {status} state and can not be updated."
    )))
}

/// Whether two definitions declare the same outputs.
fn same_outputs(stack: &Stack, definition: &cloudformation::stack::Definition) -> bool {
    let outputs =
        |text: &str| cloudformation::Template::read(text).map(|template| template.outputs);
    outputs(&stack.definition.template) == outputs(&definition.template)
}

/// Begins to delete a stack. One that isn't there is as good as deleted.
///
/// # Errors
/// It is protected, or others use its exports.
pub fn delete(
    state: &mut State,
    context: &Context,
    name: &str,
    retained: &[String],
    token: Option<String>,
) -> Result<(), Refusal> {
    let Ok(stack) = find(state, context, name) else {
        return Ok(());
    };
    let mut stack = stack.clone();
    if !alive(&stack) || stack.status == StackStatus::DeleteInProgress {
        return Ok(());
    }
    if stack.protected {
        return Err(invalid(format!(
            "Stack [{}] cannot be deleted while TerminationProtection is enabled",
            stack.name
        )));
    }
    for output in &stack.outputs {
        let Some(export) = &output.export else {
            continue;
        };
        if let Some(user) = importers(state, &stack.region, export).first() {
            return Err(invalid(format!(
                "Export {export} cannot be deleted as it is in use by {user}"
            )));
        }
    }
    if !retained.is_empty() && stack.status != StackStatus::DeleteFailed {
        let message =
            "Invalid operation on stack. Only stacks in DELETE_FAILED state can retain resources.";
        return Err(invalid(message));
    }
    stack.token = token;
    let id = stack.id.clone();
    stack.delete(
        retained,
        &Around::new(state, &stack.region.clone()),
        context.now,
    );
    put(state, stack);
    let sets: Vec<String> = of_stack(state, &id).map(|set| set.id.clone()).collect();
    for set in sets {
        state.change_sets.remove(&set);
    }
    Ok(())
}

/// The change sets of a stack.
pub fn of_stack<'a>(state: &'a State, stack: &'a str) -> impl Iterator<Item = &'a ChangeSet> {
    let all = state.change_sets.values().map(Arc::as_ref);
    all.filter(move |set| set.stack == stack)
}

/// Sets whether a stack can't be deleted; gives its ARN.
///
/// # Errors
/// There is no such stack.
pub fn protect(
    state: &mut State,
    context: &Context,
    name: &str,
    protected: bool,
) -> Result<String, Refusal> {
    let mut stack = find(state, context, name)?.clone();
    stack.protected = protected;
    let id = stack.id.clone();
    put(state, stack);
    Ok(id)
}

/// Breaks an update off: the stack goes back to what it was.
///
/// # Errors
/// The stack isn't there or isn't being changed.
pub fn cancel_update(state: &mut State, context: &Context, name: &str) -> Result<(), Refusal> {
    let mut stack = find(state, context, name)?.clone();
    if stack.status != StackStatus::UpdateInProgress {
        let message = "CancelUpdateStack cannot be called from current stack status";
        return Err(invalid(message));
    }
    let reason = Some("User Initiated".to_owned());
    stack.roll_update_back(
        reason,
        &Around::new(state, &stack.region.clone()),
        context.now,
    );
    put(state, stack);
    Ok(())
}

/// Tries again to bring a stack back to what it was; resources named are left as they are.
///
/// # Errors
/// The stack isn't there or isn't in that state.
pub fn continue_rollback(
    state: &mut State,
    context: &Context,
    name: &str,
    skipped: &BTreeSet<String>,
) -> Result<(), Refusal> {
    let mut stack = find(state, context, name)?.clone();
    if stack.status != StackStatus::UpdateRollbackFailed {
        let (id, status) = (&stack.id, stack.status.as_str());
        return Err(invalid(format!(
            "Stack:{id} is in {status} state and can not continue the rollback."
        )));
    }
    if !skipped.is_empty() {
        return Err(Refusal::unsupported(
            "ResourcesToSkip is not implemented by Skylab",
        ));
    }
    stack.roll_update_back(
        None,
        &Around::new(state, &stack.region.clone()),
        context.now,
    );
    put(state, stack);
    Ok(())
}
