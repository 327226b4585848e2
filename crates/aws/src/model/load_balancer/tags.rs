//! Tags of balancers, target groups, listeners and rules.
//!
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_AddTags.html>

use super::*;

/// The most tags of a resource.
const MOST: usize = 50;

/// Reads a request's tags.
///
/// # Errors
/// `DuplicateTagKeys`, `TooManyTags`, `ValidationError`.
pub fn read(
    tags: impl IntoIterator<Item = (String, String)>,
) -> Result<BTreeMap<String, String>, Refusal> {
    let mut read = BTreeMap::new();
    for (key, value) in tags {
        if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
            return Err(invalid(format!(
                "The tag key '{key}' must have 1 to 128 characters and its value at most 256"
            )));
        }
        if key.to_lowercase().starts_with("aws:") {
            return Err(invalid(
                "aws: prefixed tag key names are not allowed for external use.",
            ));
        }
        if read.insert(key.clone(), value).is_some() {
            return Err(Refusal::new(
                "DuplicateTagKeys",
                format!("Tag key '{key}' was specified more than once"),
            ));
        }
    }
    check_count(&read)?;
    Ok(read)
}

/// Refuses more tags than a resource may have.
pub(crate) fn check_count(tags: &BTreeMap<String, String>) -> Result<(), Refusal> {
    if tags.len() > MOST {
        return Err(Refusal::new(
            "TooManyTags",
            format!("The maximum number of tags per resource is '{MOST}'"),
        ));
    }
    Ok(())
}

/// A resource's tags.
///
/// # Errors
/// The resource's own code where there is no such one, `ValidationError` for another kind of ARN.
pub fn of(
    state: &State,
    context: &Context,
    arn: &str,
) -> Result<BTreeMap<String, String>, Refusal> {
    if name::is_arn(arn, "targetgroup") {
        return Ok(target_group::find(state, context, arn)?.tags.clone());
    }
    if name::is_arn(arn, "listener") {
        return Ok(listener::find(state, context, arn)?.tags.clone());
    }
    if name::is_arn(arn, "listener-rule") {
        return Ok(rule::find(state, context, arn)?.tags.clone());
    }
    if name::is_arn(arn, "loadbalancer") {
        return Ok(find(state, context, arn)?.tags.clone());
    }
    Err(invalid(format!("'{arn}' is not a valid resource ARN")))
}

/// Changes a resource's tags.
///
/// # Errors
/// As [`of`]; `TooManyTags`.
pub fn change(
    state: &mut State,
    context: &Context,
    arn: &str,
    change: impl FnOnce(&mut BTreeMap<String, String>),
) -> Result<(), Refusal> {
    let mut tags = of(state, context, arn)?;
    change(&mut tags);
    check_count(&tags)?;
    if let Some(group) = state.target_groups.get_mut(arn) {
        Arc::make_mut(group).tags = tags;
    } else if let Some(listener) = state.listeners.get_mut(arn) {
        Arc::make_mut(listener).tags = tags;
    } else if let Some(rule) = state.listener_rules.get_mut(arn) {
        Arc::make_mut(rule).tags = tags;
    } else {
        edit(state, arn, |balancer| balancer.tags = tags);
    }
    Ok(())
}
