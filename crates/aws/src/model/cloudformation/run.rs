//! What running a stack changes.

use super::{Around, put};
use crate::model::{Context, State, tag};
use cloudformation::Verdict;
use cloudformation::stack::{Due, Stack, Verb};
use serde_json::Value;
use std::sync::Arc;

/// Takes in what a call for a stack gave; what EC2 made gets the tags that only CloudFormation gives.
///
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-resource-tags.html>
pub fn learn(state: &mut State, context: &Context, id: &str, due: &Due, verdict: Verdict) {
    let Some(mut stack) = state.stacks.get(id).map(|stack| stack.as_ref().clone()) else {
        return;
    };
    if let (Verdict::Done(learned), Verb::Create) = (&verdict, due.verb)
        && let Some((resource_type, name)) = due.step.tagged
        && let Some(Value::String(made)) = learned.get(name)
    {
        let tags = own_tags(&stack, &due.logical);
        tag::mark(state, context, made, resource_type, tags);
    }
    stack.learn(
        due,
        verdict,
        &Around::new(state, &context.region),
        context.now,
    );
    put(state, stack);
}

/// Ends the creation of a stack that takes longer than its caller allows.
pub fn time_out(state: &mut State, context: &Context, id: &str) {
    let Some(mut stack) = state.stacks.get(id).map(|stack| stack.as_ref().clone()) else {
        return;
    };
    stack.time_out(&Around::new(state, &context.region), context.now);
    put(state, stack);
}

fn own_tags(stack: &Stack, logical: &str) -> [(String, String); 3] {
    [
        ("aws:cloudformation:stack-name", stack.name.as_str()),
        ("aws:cloudformation:stack-id", stack.id.as_str()),
        ("aws:cloudformation:logical-id", logical),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
}

/// The stacks that wait for calls, of every region.
pub fn at_work(state: &State) -> impl Iterator<Item = &Arc<Stack>> {
    state
        .stacks
        .values()
        .filter(|stack| stack.status.in_progress())
}
