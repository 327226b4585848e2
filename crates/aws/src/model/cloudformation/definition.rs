//! What a caller wants of a stack, checked.

use super::invalid;
use crate::model::{Context, Refusal, State, ssm, tag};
use cloudformation::Template;
use cloudformation::document::LONGEST;
use cloudformation::parameter::{Given as Value, Kind};
use cloudformation::stack::Definition;
use std::collections::BTreeMap;

/// A parameter as a caller gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// A value.
    New(String),
    /// The one that the stack has.
    Previous,
}

/// What a caller offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offered {
    /// The template; `None` for the one that the stack has.
    pub template: Option<String>,
    /// Parameters.
    pub parameters: BTreeMap<String, Given>,
    /// The stack's tags; none in an update means those that it has.
    pub tags: BTreeMap<String, String>,
    /// What the caller acknowledges.
    pub capabilities: Vec<String>,
}

/// Checks what is offered for a stack, which there may already be.
///
/// # Errors
/// The template, a parameter or a tag can't be, or something is not acknowledged.
pub fn define(
    state: &State,
    context: &Context,
    offered: Offered,
    previous: Option<&Definition>,
) -> Result<Definition, Refusal> {
    let template = match (offered.template, previous) {
        (Some(template), _) => template,
        (None, Some(previous)) => previous.template.clone(),
        (None, None) => {
            return Err(invalid(
                "Either Template URL or Template Body must be specified.",
            ));
        }
    };
    if template.len() > LONGEST {
        return Err(invalid(format!(
            "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have length less than or equal to {LONGEST}"
        )));
    }
    let read = Template::read(&template)?;
    check_capabilities(&read, &offered.capabilities)?;
    let parameters = parameters((state, context), &read, &offered.parameters, previous)?;
    for (key, value) in &offered.tags {
        tag::check(key, value).map_err(|refusal| invalid(refusal.message))?;
    }
    let tags = match previous {
        Some(previous) if offered.tags.is_empty() => previous.tags.clone(),
        _ => offered.tags,
    };
    Ok(Definition {
        template,
        parameters,
        tags,
        capabilities: offered.capabilities,
    })
}

fn check_capabilities(template: &Template, given: &[String]) -> Result<(), Refusal> {
    let Some((needed, _)) = template.capabilities() else {
        return Ok(());
    };
    let has = |name: &str| given.iter().any(|of| of == name);
    if has("CAPABILITY_NAMED_IAM") || has(needed) {
        return Ok(());
    }
    let message = format!("Requires capabilities : [{needed}]");
    Err(Refusal::new("InsufficientCapabilitiesException", message))
}

fn parameters(
    (state, context): (&State, &Context),
    template: &Template,
    given: &BTreeMap<String, Given>,
    previous: Option<&Definition>,
) -> Result<BTreeMap<String, Value>, Refusal> {
    let unknown: Vec<&str> = given
        .keys()
        .filter(|name| !template.parameters.contains_key(*name))
        .map(String::as_str)
        .collect();
    if !unknown.is_empty() {
        let message = format!(
            "Parameters: [{}] do not exist in the template",
            unknown.join(", ")
        );
        return Err(invalid(message));
    }
    let (mut values, mut missing) = (BTreeMap::new(), Vec::new());
    for (name, declared) in &template.parameters {
        let value = match given.get(name) {
            Some(Given::New(value)) => Some(value.clone()),
            Some(Given::Previous) => {
                let before = previous.and_then(|previous| previous.parameters.get(name));
                let message = "Invalid input for parameter key. Cannot specify usePreviousValue as true for a parameter key not in the previous template";
                Some(before.ok_or_else(|| invalid(message))?.value.clone())
            }
            None => declared.default.clone(),
        };
        let Some(value) = value else {
            missing.push(name.as_str());
            continue;
        };
        declared.check(name, &value)?;
        let stored = match declared.kind {
            Kind::Stored { .. } => Some(stored(state, context, &value)?),
            _ => None,
        };
        values.insert(name.clone(), Value { value, stored });
    }
    if missing.is_empty() {
        Ok(values)
    } else {
        Err(invalid(format!(
            "Parameters: [{}] must have values",
            missing.join(", ")
        )))
    }
}

/// What the store of Systems Manager has under a name.
fn stored(state: &State, context: &Context, name: &str) -> Result<String, Refusal> {
    let found = ssm::lookup(state, context, name);
    found
        .map(|parameter| parameter.value.clone())
        .ok_or_else(|| {
            invalid(format!(
                "Unable to fetch parameters [{name}] from parameter store for this account."
            ))
        })
}
