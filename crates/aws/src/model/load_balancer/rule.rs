//! Rules of listeners: the lowest priority number first, the default rule last.
//!
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-rules.html>

use super::*;

/// A rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Its ARN.
    pub arn: String,
    /// Its listener's ARN.
    pub listener: String,
    /// Its priority; the default rule has none.
    pub priority: Option<u32>,
    /// What it asks of a request; the default rule asks nothing.
    pub conditions: Vec<Condition>,
    /// What it does, in order.
    pub actions: Vec<Action>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// The highest priority number.
const LAST: i64 = 50_000;

impl Rule {
    /// The balancer's ARN.
    pub fn balancer<'s>(&self, state: &'s State) -> Option<&'s LoadBalancer> {
        let listener = state.listeners.get(&self.listener)?;
        state
            .load_balancers
            .get(&listener.balancer)
            .map(Arc::as_ref)
    }
}

/// The rule of an ARN in the region asked.
///
/// # Errors
/// `RuleNotFound`, `ValidationError` for what is no rule's ARN.
pub fn find<'s>(state: &'s State, context: &Context, arn: &str) -> Result<&'s Rule, Refusal> {
    if !name::is_arn(arn, "listener-rule") {
        return Err(invalid(format!("'{arn}' is not a valid listener rule ARN")));
    }
    let found = state.listener_rules.get(arn).map(Arc::as_ref);
    found
        .filter(|rule| {
            rule.balancer(state)
                .is_some_and(|of| of.region == context.region)
        })
        .ok_or_else(|| Refusal::new("RuleNotFound", "One or more rules not found"))
}

/// A listener's rules in the order in which they are asked.
pub fn of(state: &State, listener: &str) -> Vec<Arc<Rule>> {
    let mut rules: Vec<Arc<Rule>> = state
        .listener_rules
        .values()
        .filter(|rule| rule.listener == listener)
        .cloned()
        .collect();
    rules.sort_by_key(|rule| rule.priority.unwrap_or(u32::MAX));
    rules
}

/// The balancers that forward to a group.
pub fn balancers_of(state: &State, group: &str) -> Vec<String> {
    let forwards = |rule: &&Arc<Rule>| {
        let mut groups = rule.actions.iter().flat_map(Action::groups);
        groups.any(|of| of == group)
    };
    let mut balancers: Vec<String> = state
        .listener_rules
        .values()
        .filter(forwards)
        .filter_map(|rule| rule.balancer(state))
        .map(|balancer| balancer.arn.clone())
        .collect();
    balancers.sort();
    balancers.dedup();
    balancers
}

/// Makes a rule.
///
/// # Errors
/// `ListenerNotFound`, `PriorityInUse`, `TooManyRules`, and those of conditions and actions.
pub fn create(
    state: &mut State,
    context: &Context,
    listener: &str,
    priority: i32,
    conditions: Vec<Condition>,
    actions: Vec<Action>,
    tags: BTreeMap<String, String>,
) -> Result<String, Refusal> {
    let of = listener::find(state, context, listener)?.clone();
    let balancer = find_balancer(state, &of)?;
    if balancer.kind != Kind::Application {
        return Err(misconfigured(format!(
            "Rules are not supported for load balancers with type '{}'",
            balancer.kind
        )));
    }
    check_range("priority", i64::from(priority), 1, LAST)?;
    let priority = u32::try_from(priority).unwrap_or_default();
    check_free(state, listener, priority, &[])?;
    condition::check(context, &conditions)?;
    let place = action::Place {
        balancer,
        protocol: of.protocol,
    };
    let actions = action::check(state, context, place, actions)?;
    let own = |rule: &&Arc<Rule>| {
        rule.priority.is_some()
            && rule
                .balancer(state)
                .is_some_and(|of| of.arn == balancer.arn)
    };
    let count = state.listener_rules.values().filter(own).count() + 1;
    let message = "The maximum number of rules per load balancer has been reached";
    limit::check(
        context,
        "rules-per-application-load-balancer",
        count,
        "TooManyRules",
        message,
    )?;
    let arn = name::rule(listener, &name::hash(state));
    let rule = Rule {
        arn: arn.clone(),
        listener: listener.to_owned(),
        priority: Some(priority),
        conditions,
        actions,
        tags,
    };
    state.listener_rules.insert(arn.clone(), Arc::new(rule));
    Ok(arn)
}

fn find_balancer<'s>(state: &'s State, of: &Listener) -> Result<&'s LoadBalancer, Refusal> {
    let found = state.load_balancers.get(&of.balancer).map(Arc::as_ref);
    found.ok_or_else(|| Refusal::new("ListenerNotFound", "One or more listeners not found"))
}

/// Refuses a priority that another rule of the listener has, those that get another one apart.
fn check_free(
    state: &State,
    listener: &str,
    priority: u32,
    moving: &[String],
) -> Result<(), Refusal> {
    let taken = state.listener_rules.values().any(|rule| {
        rule.listener == listener && rule.priority == Some(priority) && !moving.contains(&rule.arn)
    });
    if taken {
        return Err(Refusal::new(
            "PriorityInUse",
            format!("Priority '{priority}' is currently in use"),
        ));
    }
    Ok(())
}

/// Changes a rule's conditions or actions; those not given stay.
///
/// # Errors
/// `RuleNotFound`, `OperationNotPermitted` for a default rule's conditions, and those of conditions and actions.
pub fn modify(
    state: &mut State,
    context: &Context,
    arn: &str,
    conditions: Option<Vec<Condition>>,
    actions: Option<Vec<Action>>,
) -> Result<(), Refusal> {
    let mut rule = find(state, context, arn)?.clone();
    if conditions.is_none() && actions.is_none() {
        return Err(invalid("Either conditions or actions must be specified"));
    }
    let listener = listener::find(state, context, &rule.listener)?;
    let balancer = find_balancer(state, listener)?;
    if let Some(conditions) = conditions {
        if rule.priority.is_none() {
            return Err(Refusal::new(
                "OperationNotPermitted",
                format!("The conditions of default rule '{arn}' cannot be modified"),
            ));
        }
        condition::check(context, &conditions)?;
        rule.conditions = conditions;
    }
    if let Some(actions) = actions {
        let place = action::Place {
            balancer,
            protocol: listener.protocol,
        };
        rule.actions = action::check(state, context, place, actions)?;
    }
    state.listener_rules.insert(arn.to_owned(), Arc::new(rule));
    health::settle(state);
    Ok(())
}

/// Deletes a rule.
///
/// # Errors
/// `RuleNotFound`, `OperationNotPermitted` for a default rule.
pub fn delete(state: &mut State, context: &Context, arn: &str) -> Result<(), Refusal> {
    if find(state, context, arn)?.priority.is_none() {
        return Err(Refusal::new(
            "OperationNotPermitted",
            format!("Default rule '{arn}' cannot be deleted"),
        ));
    }
    state.listener_rules.remove(arn);
    health::settle(state);
    Ok(())
}

/// Gives rules other priorities, all at once.
///
/// # Errors
/// `RuleNotFound`, `PriorityInUse`, `OperationNotPermitted` for a default rule, `ValidationError` for a priority or
/// rule named twice.
pub fn set_priorities(
    state: &mut State,
    context: &Context,
    wanted: &[(String, i32)],
) -> Result<(), Refusal> {
    let moving: Vec<String> = wanted.iter().map(|(arn, _)| arn.clone()).collect();
    for (index, (arn, priority)) in wanted.iter().enumerate() {
        let rule = find(state, context, arn)?;
        if rule.priority.is_none() {
            return Err(Refusal::new(
                "OperationNotPermitted",
                format!("The priority of default rule '{arn}' cannot be set"),
            ));
        }
        check_range("priority", i64::from(*priority), 1, LAST)?;
        for (other, taken) in &wanted[..index] {
            if other == arn {
                return Err(invalid(format!("Rule '{arn}' was provided multiple times")));
            }
            let same = find(state, context, other)?.listener == rule.listener;
            if same && taken == priority {
                return Err(invalid(format!(
                    "Priority '{priority}' was provided multiple times"
                )));
            }
        }
        let priority = u32::try_from(*priority).unwrap_or_default();
        check_free(state, &rule.listener, priority, &moving)?;
    }
    for (arn, priority) in wanted {
        if let Some(rule) = state.listener_rules.get_mut(arn) {
            Arc::make_mut(rule).priority = u32::try_from(*priority).ok();
        }
    }
    Ok(())
}
