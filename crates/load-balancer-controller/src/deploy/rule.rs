//! Rules: those that are there already keep their place or are moved, the rest is changed, made and deleted.

use super::listener::{Arns, resolve};
use super::{Deployer, tags};
use crate::failure::Failure;
use crate::model::action::{self, Resolve};
use crate::model::condition;
use crate::model::stack::{Listener, Pairs, Rule, Stack};
use aws_client::Aws;
use aws_client::answer::{list, text};
use serde_json::{Value, json};

/// What becomes of a listener's rules. Rules are named by their places: those that are wanted, those that are there.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// (wanted, there): the same but for their priorities.
    pub(super) moved: Vec<(usize, usize)>,
    /// (wanted, there): given other conditions or actions.
    pub(super) changed: Vec<(usize, usize)>,
    /// Wanted ones that are made.
    pub(super) made: Vec<usize>,
    /// Those there that go.
    pub(super) gone: Vec<usize>,
    /// (wanted, there): all that stay.
    pub(super) kept: Vec<(usize, usize)>,
}

/// Finds what is to be done; `same` says whether a wanted rule is like one that is there, whose priority is given.
pub(super) fn plan(wanted: usize, there: &[u32], same: impl Fn(usize, usize) -> bool) -> Plan {
    let mut plan = Plan::default();
    let priority = |at: usize| u32::try_from(at + 1).unwrap_or(u32::MAX);
    let mut open: Vec<usize> = (0..there.len()).collect();
    let mut missing = Vec::new();
    for at in 0..wanted {
        let exact = open
            .iter()
            .position(|of| there[*of] == priority(at) && same(at, *of));
        match exact {
            Some(found) => plan.kept.push((at, open.swap_remove(found))),
            None => missing.push(at),
        }
    }
    let mut rest = Vec::new();
    for at in missing {
        match open.iter().position(|of| same(at, *of)) {
            Some(found) => plan.moved.push((at, open.swap_remove(found))),
            None => rest.push(at),
        }
    }
    for at in rest {
        // One in its place is changed rather than another.
        let found = open.iter().position(|of| there[*of] == priority(at));
        let found = found.or_else(|| (!open.is_empty()).then_some(0));
        match found {
            Some(found) => {
                let of = open.swap_remove(found);
                plan.changed.push((at, of));
                if there[of] != priority(at) {
                    plan.moved.push((at, of));
                }
            }
            None => plan.made.push(at),
        }
    }
    plan.gone = open;
    plan
}

/// So many rules are made at once.
const AT_ONCE: usize = 8;

impl<A: Aws> Deployer<A> {
    /// Makes a listener's rules as they should be.
    pub(super) async fn rules(
        &self,
        stack: &Stack,
        listener: &str,
        wanted: &Listener,
        arns: &Arns,
        fresh: bool,
    ) -> Result<(), Failure> {
        let resolve = resolve(arns);
        let there = match fresh {
            true => Vec::new(),
            false => {
                let asked = json!({"ListenerArn": listener});
                self.calls.all("DescribeRules", asked, "Rules").await?
            }
        };
        let there: Vec<(u32, &Value)> = there
            .iter()
            .filter_map(|rule| Some((text(rule, "Priority").parse().ok()?, rule)))
            .collect();
        let priorities: Vec<u32> = there.iter().map(|(priority, _)| *priority).collect();
        let plan = plan(wanted.rules.len(), &priorities, |at, of| {
            is(&wanted.rules[at], there[of].1, &resolve)
        });
        for (at, of) in &plan.changed {
            let rule = &wanted.rules[*at];
            let asked = json!({
                "RuleArn": there[*of].1["RuleArn"], "Conditions": conditions(rule),
                "Actions": action::wire(&rule.actions, &resolve),
            });
            self.calls.elb("ModifyRule", asked).await?;
        }
        for of in &plan.gone {
            let asked = json!({"RuleArn": there[*of].1["RuleArn"]});
            self.calls.elb("DeleteRule", asked).await?;
        }
        if !plan.moved.is_empty() {
            let moved = plan.moved.iter();
            let moved = moved
                .map(|(at, of)| json!({"RuleArn": there[*of].1["RuleArn"], "Priority": at + 1}));
            let asked = json!({"RulePriorities": moved.collect::<Vec<_>>()});
            self.calls.elb("SetRulePriorities", asked).await?;
        }
        self.make_rules(stack, listener, wanted, &plan.made, &resolve)
            .await
    }

    async fn make_rules(
        &self,
        stack: &Stack,
        listener: &str,
        wanted: &Listener,
        made: &[usize],
        resolve: Resolve<'_>,
    ) -> Result<(), Failure> {
        let asked = |at: usize| {
            let rule = &wanted.rules[at];
            let resource = format!("{}:{}", wanted.port, at + 1);
            let tags: Pairs = self.tags(stack, &resource, &rule.tags);
            json!({
                "ListenerArn": listener, "Priority": at + 1, "Conditions": conditions(rule),
                "Actions": action::wire(&rule.actions, resolve), "Tags": tags::wire(&tags),
            })
        };
        for some in made.chunks(AT_ONCE) {
            let calls = some
                .iter()
                .map(|at| self.calls.elb("CreateRule", asked(*at)));
            for made in crate::together::all(calls).await {
                made?;
            }
        }
        Ok(())
    }
}

fn conditions(rule: &Rule) -> Vec<Value> {
    rule.conditions
        .iter()
        .map(condition::Condition::wire)
        .collect()
}

fn is(wanted: &Rule, described: &Value, resolve: Resolve<'_>) -> bool {
    condition::are(&wanted.conditions, list(described, "Conditions"))
        && action::are(&wanted.actions, list(described, "Actions"), resolve)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plans for rules that are told apart by letters, those that are there with their priorities.
    fn planned(wanted: &str, there: &[(char, u32)]) -> Plan {
        let letters: Vec<char> = wanted.chars().collect();
        let priorities: Vec<u32> = there.iter().map(|(_, priority)| *priority).collect();
        plan(letters.len(), &priorities, |at, of| {
            letters[at] == there[of].0
        })
    }

    /// AWS-LBC: unchanged rules need nothing; one that comes first moves the others.
    #[test]
    fn rules_are_moved_rather_than_rewritten() {
        let same = planned("ab", &[('a', 1), ('b', 2)]);
        assert_eq!(same.kept.len(), 2);
        assert!(same.moved.is_empty() && same.changed.is_empty() && same.made.is_empty());
        let first = planned("xab", &[('a', 1), ('b', 2)]);
        assert_eq!(first.moved, [(1, 0), (2, 1)]);
        assert_eq!(first.made, [0]);
        let gone = planned("b", &[('a', 1), ('b', 2)]);
        assert_eq!(gone.moved, [(0, 1)]);
        assert_eq!(gone.gone, [0]);
        let other = planned("ac", &[('a', 1), ('b', 2)]);
        assert_eq!(other.changed, [(1, 1)]);
        assert!(other.moved.is_empty());
    }
}
