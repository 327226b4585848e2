//! Going on without an answer from outside.

use super::{Doing, OnFailure, Progress, Resource, ResourceStatus, Stack, StackStatus, Verb};
use crate::graph;
use crate::kind::Change;
use crate::scope::{Unanswered, World};
use crate::template::{Declared, Policy, Template};
use std::collections::{BTreeMap, BTreeSet};

/// Goes on until an answer from outside is needed.
pub(super) fn advance(stack: &mut Stack, world: &dyn World, now: i64) {
    // Each turn starts or ends something; a stack of the most resources (500) needs fewer.
    for _ in 0..10_000 {
        let before = mark(stack);
        stack.end_idle(now);
        if stack.status.converges() {
            converge(stack, world, now);
        } else if stack.status.cleans() {
            clean(stack, now);
        }
        if before == mark(stack) {
            return;
        }
    }
}

/// What differs after a turn that did anything.
fn mark(stack: &Stack) -> (StackStatus, usize, usize) {
    let visited = stack
        .resources
        .iter()
        .filter(|of| of.visited == stack.operations);
    (stack.status, stack.events.len(), visited.count())
}

/// The resources that the template wants under its conditions.
fn wanted(
    stack: &Stack,
    template: &Template,
    world: &dyn World,
) -> Result<BTreeMap<String, Declared>, Unanswered> {
    let (wanted, _) = stack.scoped(template, world, |scope| {
        let mut wanted = BTreeMap::new();
        for (logical, declared) in &template.resources {
            let holds = declared
                .condition
                .as_ref()
                .map(|name| scope.condition(name));
            if holds.transpose()?.unwrap_or(true) {
                wanted.insert(logical.clone(), declared.clone());
            }
        }
        Ok(wanted)
    });
    wanted
}

fn converge(stack: &mut Stack, world: &dyn World, now: i64) {
    let template = match stack.template() {
        Ok(template) => template,
        Err(error) => return fail(stack, error.to_string(), now),
    };
    let wanted = match wanted(stack, &template, world) {
        Ok(wanted) => wanted,
        Err(error) => return fail(stack, error.to_string(), now),
    };
    let failed: Vec<String> = failures(stack);
    if failed.is_empty() {
        for (logical, declared) in &wanted {
            start(stack, &template, &wanted, logical, declared, world, now);
        }
    }
    let busy = stack
        .resources
        .iter()
        .any(|of| !of.doomed && of.doing.is_some());
    let failed = failures(stack);
    if !failed.is_empty() {
        // What is under way is broken off; what it made is known.
        let busy: Vec<(u32, Verb)> = stack
            .resources
            .iter()
            .filter(|of| !of.doomed)
            .filter_map(|of| Some((of.serial, of.doing.as_ref()?.verb)))
            .collect();
        for (serial, verb) in busy {
            if let Some(resource) = stack.resource_mut(serial) {
                resource.doing = None;
            }
            let word = if verb == Verb::Create {
                "creation"
            } else {
                "update"
            };
            let reason = Some(format!("Resource {word} cancelled"));
            stack.resource_becomes(
                serial,
                ResourceStatus::new(verb, Progress::Failed),
                reason,
                now,
            );
        }
        let verb = if stack.status == StackStatus::CreateInProgress {
            "create"
        } else {
            "update"
        };
        let reason = format!(
            "The following resource(s) failed to {verb}: [{}]. ",
            failed.join(", ")
        );
        return fail(stack, reason, now);
    }
    let done = |of: &Resource| of.settled() && visited(stack, of);
    let all = wanted
        .keys()
        .all(|logical| stack.resource(logical).is_some_and(done));
    if !busy && all {
        converged(stack, &template, &wanted, world, now);
    }
}

/// The logical ids of what failed.
fn failures(stack: &Stack) -> Vec<String> {
    let failed = |of: &&Resource| {
        !of.doomed && of.status.progress == Progress::Failed && of.status.verb != Verb::Delete
    };
    stack
        .resources
        .iter()
        .filter(failed)
        .map(|of| of.logical.clone())
        .collect()
}

/// Starts what has to be done with a resource, if all that it needs is there.
fn start(
    stack: &mut Stack,
    template: &Template,
    wanted: &BTreeMap<String, Declared>,
    logical: &str,
    declared: &Declared,
    world: &dyn World,
    now: i64,
) {
    let needs: BTreeSet<String> = graph::needs(template, declared)
        .into_iter()
        .filter(|need| wanted.contains_key(need))
        .collect();
    let there = |need: &String| {
        stack
            .resource(need)
            .is_some_and(|of| of.settled() && visited(stack, of))
    };
    let current = stack.resource(logical).cloned();
    if current
        .as_ref()
        .is_some_and(|of| of.doing.is_some() || visited(stack, of))
        || !needs.iter().all(there)
    {
        return;
    }
    let (properties, imported) = stack.scoped(template, world, |scope| {
        scope.properties(&declared.properties)
    });
    stack.imports.extend(imported);
    let properties = match properties {
        Ok(properties) => Ok(properties),
        Err(Unanswered::Later(name)) => Err(format!(
            "Unresolved resource dependencies [{name}] in the Resources block of the template"
        )),
        Err(error) => Err(error.to_string()),
    };
    let verb = if current.is_some() {
        Verb::Update
    } else {
        Verb::Create
    };
    let (properties, refused) = match properties {
        Ok(properties) => (properties, None),
        Err(reason) => (serde_json::Map::new(), Some(reason)),
    };
    let begun = Begun {
        declared,
        needs,
        properties,
    };
    match current {
        None => {
            let serial = begun.create(stack, logical, now);
            if let Some(reason) = refused {
                give_up(stack, serial, verb, reason, now);
            }
        }
        Some(current) => match refused {
            Some(reason) => give_up(stack, current.serial, verb, reason, now),
            None => begun.change(stack, &current, now),
        },
    }
}

/// Whether the operation under way is over with a resource.
fn visited(stack: &Stack, resource: &Resource) -> bool {
    resource.doing.is_none() && resource.visited == stack.operations
}

fn give_up(stack: &mut Stack, serial: u32, verb: Verb, reason: String, now: i64) {
    if let Some(resource) = stack.resource_mut(serial) {
        resource.doing = None;
    }
    stack.resource_becomes(
        serial,
        ResourceStatus::new(verb, Progress::Failed),
        Some(reason),
        now,
    );
}

/// A resource's state to come.
struct Begun<'a> {
    declared: &'a Declared,
    needs: BTreeSet<String>,
    properties: serde_json::Map<String, serde_json::Value>,
}

impl Begun<'_> {
    fn create(self, stack: &mut Stack, logical: &str, now: i64) -> u32 {
        stack.serials += 1;
        let serial = stack.serials;
        stack.resources.push(Resource {
            serial,
            logical: logical.to_owned(),
            kind: self.declared.kind.clone(),
            physical: None,
            properties: self.properties,
            known: BTreeMap::new(),
            needs: self.needs,
            status: ResourceStatus::new(Verb::Create, Progress::InProgress),
            reason: None,
            at: now,
            deletion: self.declared.deletion,
            replacement: self.declared.replacement,
            doomed: false,
            replaced: false,
            new: true,
            visited: stack.operations,
            doing: Some(Doing {
                verb: Verb::Create,
                before: serde_json::Map::new(),
                step: 0,
            }),
        });
        stack.resource_becomes(
            serial,
            ResourceStatus::new(Verb::Create, Progress::InProgress),
            None,
            now,
        );
        serial
    }

    /// Changes a resource, replaces it, or leaves it as it is.
    fn change(self, stack: &mut Stack, current: &Resource, now: i64) {
        let serial = current.serial;
        let differences = match current.kind() {
            Ok(kind) => kind.differences(&current.properties, &self.properties),
            Err(reason) => return give_up(stack, serial, Verb::Update, reason, now),
        };
        let replace = current.kind != self.declared.kind
            || differences.iter().any(|of| of.change == Change::Replace);
        // Properties that the type doesn't have are refused by its steps.
        let same = current.properties == self.properties;
        let visit = stack.operations;
        if replace {
            let reason = "Requested update requires the creation of a new physical resource; hence creating one.";
            stack.resource_becomes(
                serial,
                ResourceStatus::new(Verb::Update, Progress::InProgress),
                Some(reason.to_owned()),
                now,
            );
            if let Some(old) = stack.resource_mut(serial) {
                (old.doomed, old.replaced) = (true, true);
                old.status = ResourceStatus::new(Verb::Update, Progress::Complete);
            }
            let logical = current.logical.clone();
            self.create(stack, &logical, now);
            return;
        }
        let Some(resource) = stack.resource_mut(serial) else {
            return;
        };
        resource.needs = self.needs;
        resource.deletion = self.declared.deletion;
        resource.replacement = self.declared.replacement;
        resource.visited = visit;
        if same {
            return;
        }
        let before = std::mem::replace(&mut resource.properties, self.properties);
        resource.doing = Some(Doing {
            verb: Verb::Update,
            before,
            step: 0,
        });
        stack.resource_becomes(
            serial,
            ResourceStatus::new(Verb::Update, Progress::InProgress),
            None,
            now,
        );
    }
}

/// Everything is as the template says.
fn converged(
    stack: &mut Stack,
    template: &Template,
    wanted: &BTreeMap<String, Declared>,
    world: &dyn World,
    now: i64,
) {
    match stack.evaluate_outputs(template, world) {
        Ok(outputs) => stack.outputs = outputs,
        Err(error) => return fail(stack, error.to_string(), now),
    }
    for resource in &mut stack.resources {
        if !wanted.contains_key(&resource.logical) {
            resource.doomed = true;
        }
    }
    match stack.status {
        StackStatus::CreateInProgress => {
            stack.become_status(StackStatus::CreateComplete, None, now);
        }
        StackStatus::UpdateInProgress => {
            stack.previous = None;
            stack.become_status(StackStatus::UpdateCompleteCleanupInProgress, None, now);
        }
        _ => stack.become_status(
            StackStatus::UpdateRollbackCompleteCleanupInProgress,
            None,
            now,
        ),
    }
}

/// What a failure brings.
fn fail(stack: &mut Stack, reason: String, now: i64) {
    match (stack.status, stack.on_failure) {
        (StackStatus::CreateInProgress, OnFailure::Nothing) => {
            stack.become_status(StackStatus::CreateFailed, Some(reason), now);
        }
        (StackStatus::CreateInProgress, OnFailure::Rollback) => {
            let reason = format!("{reason}Rollback requested by user.");
            retain_on_create(stack);
            stack.doom_all();
            stack.become_status(StackStatus::RollbackInProgress, Some(reason), now);
        }
        (StackStatus::CreateInProgress, OnFailure::Delete) => {
            retain_on_create(stack);
            stack.doom_all();
            stack.become_status(StackStatus::DeleteInProgress, Some(reason), now);
        }
        (StackStatus::UpdateInProgress, OnFailure::Nothing) => {
            stack.become_status(StackStatus::UpdateFailed, Some(reason), now);
        }
        (StackStatus::UpdateInProgress, _) => stack.go_back(Some(reason), now),
        _ => stack.become_status(StackStatus::UpdateRollbackFailed, Some(reason), now),
    }
}

/// What the failed creation made goes even under the policy that keeps older things.
fn retain_on_create(stack: &mut Stack) {
    for resource in &mut stack.resources {
        if resource.deletion == Policy::RetainExceptOnCreate {
            resource.deletion = Policy::Delete;
        }
    }
}

/// Deletes what is doomed, in the order in which nothing needs it any more.
fn clean(stack: &mut Stack, now: i64) {
    let deleting = |of: &Resource| {
        of.doing
            .as_ref()
            .is_some_and(|doing| doing.verb == Verb::Delete)
    };
    let failed = |of: &Resource| failed_to_go(of) && of.visited == stack.operations;
    let fresh = |of: &&Resource| of.doomed && !of.gone() && !deleting(of) && !failed(of);
    let free: Vec<u32> = stack
        .resources
        .iter()
        .filter(fresh)
        .filter(|of| !needed(stack, of))
        .map(|of| of.serial)
        .collect();
    let deleting = stack.resources.iter().any(|of| of.doomed && deleting(of));
    if free.is_empty() && !deleting {
        return cleaned(stack, now);
    }
    for serial in free {
        begin_deletion(stack, serial, now);
    }
}

/// Whether something that has to go first needs a resource.
fn needed(stack: &Stack, resource: &Resource) -> bool {
    stack.resources.iter().any(|of| {
        of.doomed
            && !of.gone()
            && of.serial != resource.serial
            && of.needs.contains(&resource.logical)
    })
}

fn begin_deletion(stack: &mut Stack, serial: u32, now: i64) {
    let visit = stack.operations;
    let Some(resource) = stack.resource_mut(serial) else {
        return;
    };
    resource.visited = visit;
    let policy = if resource.replaced {
        resource.replacement
    } else {
        resource.deletion
    };
    if policy != Policy::Delete {
        return stack.resource_becomes(
            serial,
            ResourceStatus::new(Verb::Delete, Progress::Skipped),
            None,
            now,
        );
    }
    resource.doing = Some(Doing {
        verb: Verb::Delete,
        before: serde_json::Map::new(),
        step: 0,
    });
    stack.resource_becomes(
        serial,
        ResourceStatus::new(Verb::Delete, Progress::InProgress),
        None,
        now,
    );
}

/// Whether a resource could not be deleted.
fn failed_to_go(of: &Resource) -> bool {
    of.status == ResourceStatus::new(Verb::Delete, Progress::Failed)
}

/// Nothing more can be deleted.
fn cleaned(stack: &mut Stack, now: i64) {
    let left: Vec<String> = stack
        .resources
        .iter()
        .filter(|of| of.doomed && !of.gone())
        .map(|of| of.logical.clone())
        .collect();
    let failed = stack.resources.iter().filter(|of| failed_to_go(of));
    let failed: Vec<String> = failed.map(|of| of.logical.clone()).collect();
    let reason = || {
        let failed = failed.join(", ");
        Some(format!(
            "The following resource(s) failed to delete: [{failed}]. "
        ))
    };
    match stack.status {
        StackStatus::DeleteInProgress if left.is_empty() => {
            stack.deleted = Some(now);
            stack.outputs.clear();
            stack.imports.clear();
            stack.become_status(StackStatus::DeleteComplete, None, now);
        }
        StackStatus::DeleteInProgress => {
            stack.become_status(StackStatus::DeleteFailed, reason(), now);
        }
        StackStatus::RollbackInProgress if left.is_empty() => {
            stack.become_status(StackStatus::RollbackComplete, None, now);
        }
        StackStatus::RollbackInProgress => {
            stack.become_status(StackStatus::RollbackFailed, reason(), now);
        }
        status => {
            // A stack is changed even where something that it doesn't want stays behind.
            stack.resources.retain(|of| !of.doomed);
            let done = if status == StackStatus::UpdateCompleteCleanupInProgress {
                StackStatus::UpdateComplete
            } else {
                StackStatus::UpdateRollbackComplete
            };
            stack.become_status(done, None, now);
        }
    }
}
