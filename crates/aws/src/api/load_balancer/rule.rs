//! Rules on the wire.

use super::super::{Call, Outcome};
use super::balancer::pairs;
use super::{action, condition, page};
use crate::model::load_balancer::{Rule, invalid, listener, rule, tags};
use std::sync::Arc;
use wire::elbv2::{
    CreateRuleInput, CreateRuleOutput, DeleteRuleInput, DeleteRuleOutput, DescribeRulesInput,
    DescribeRulesOutput, ModifyRuleInput, ModifyRuleOutput, Rule as View, SetRulePrioritiesInput,
    SetRulePrioritiesOutput,
};

fn view(rule: &Rule) -> View {
    let priority = rule.priority.map(|priority| priority.to_string());
    View {
        actions: action::view(&rule.actions),
        conditions: rule.conditions.iter().map(condition::view).collect(),
        is_default: Some(rule.priority.is_none()),
        priority: Some(priority.unwrap_or_else(|| "default".to_owned())),
        rule_arn: Some(rule.arn.clone()),
        ..Default::default()
    }
}

pub(super) fn create(call: &mut Call<'_>, request: CreateRuleInput) -> Outcome<CreateRuleOutput> {
    let arn = rule::create(
        &mut call.state,
        call.context,
        &request.listener_arn,
        request.priority,
        condition::read(request.conditions)?,
        action::read(request.actions, &[])?,
        tags::read(pairs(request.tags))?,
    )?;
    let made = rule::find(&call.state, call.context, &arn)?;
    Ok(CreateRuleOutput {
        rules: vec![view(made)],
    })
}

pub(super) fn modify(call: &mut Call<'_>, request: ModifyRuleInput) -> Outcome<ModifyRuleOutput> {
    let arn = &request.rule_arn;
    let present = rule::find(&call.state, call.context, arn)?.actions.clone();
    let conditions = match request.conditions.as_slice() {
        [] => None,
        _ => Some(condition::read(request.conditions)?),
    };
    let actions = match request.actions.as_slice() {
        [] => None,
        _ => Some(action::read(request.actions, &present)?),
    };
    rule::modify(&mut call.state, call.context, arn, conditions, actions)?;
    let changed = rule::find(&call.state, call.context, arn)?;
    Ok(ModifyRuleOutput {
        rules: vec![view(changed)],
    })
}

pub(super) fn delete(call: &mut Call<'_>, request: DeleteRuleInput) -> Outcome<DeleteRuleOutput> {
    rule::delete(&mut call.state, call.context, &request.rule_arn)?;
    Ok(DeleteRuleOutput {})
}

pub(super) fn describe(
    call: &mut Call<'_>,
    request: DescribeRulesInput,
) -> Outcome<DescribeRulesOutput> {
    let (state, context) = (&call.state, call.context);
    let chosen: Vec<View> = match (&request.listener_arn, request.rule_arns.as_slice()) {
        (Some(listener), []) => {
            listener::find(state, context, listener)?;
            let rules = rule::of(state, listener);
            rules.iter().map(Arc::as_ref).map(view).collect()
        }
        (None, [_, ..]) => request
            .rule_arns
            .iter()
            .map(|arn| rule::find(state, context, arn).map(view))
            .collect::<Result<_, _>>()?,
        _ => {
            return Err(
                invalid("You must specify either listener rule ARNs or a listener ARN").into(),
            );
        }
    };
    let (rules, next_marker) = page(chosen, request.page_size, request.marker.as_deref())?;
    Ok(DescribeRulesOutput { rules, next_marker })
}

pub(super) fn set_priorities(
    call: &mut Call<'_>,
    request: SetRulePrioritiesInput,
) -> Outcome<SetRulePrioritiesOutput> {
    let mut wanted = Vec::with_capacity(request.rule_priorities.len());
    for pair in request.rule_priorities {
        match (pair.rule_arn, pair.priority) {
            (Some(arn), Some(priority)) => wanted.push((arn, priority)),
            _ => return Err(invalid("A rule ARN and a priority must be specified").into()),
        }
    }
    rule::set_priorities(&mut call.state, call.context, &wanted)?;
    let rules = wanted
        .iter()
        .map(|(arn, _)| rule::find(&call.state, call.context, arn).map(view))
        .collect::<Result<_, _>>()?;
    Ok(SetRulePrioritiesOutput { rules })
}
