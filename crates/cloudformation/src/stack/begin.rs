//! How operations on stacks begin.

use super::{Definition, Progress, Stack, StackStatus, Verb};
use crate::parameter::Given;
use crate::scope::World;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What a failure brings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnFailure {
    /// The stack goes back to what it was: nothing, when it was being made.
    #[default]
    Rollback,
    /// It stays as far as it got.
    Nothing,
    /// It is deleted, when it was being made.
    Delete,
}

/// What a new stack is made from.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// Its ARN.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its account.
    pub account: String,
    /// Its region.
    pub region: String,
    /// What it is to be.
    pub definition: Definition,
    /// What a failure brings.
    pub on_failure: OnFailure,
    /// Whether it can't be deleted.
    pub protected: bool,
    /// After how many minutes its creation fails.
    pub timeout_minutes: Option<i32>,
    /// The request's token.
    pub token: Option<String>,
}

impl Stack {
    /// A stack of which only a change set is there.
    pub fn review(start: Start, now: i64) -> Self {
        let mut stack = Self {
            id: start.id,
            name: start.name,
            account: start.account,
            region: start.region,
            definition: start.definition,
            previous: None,
            status: StackStatus::ReviewInProgress,
            reason: None,
            created: now,
            updated: None,
            deleted: None,
            resources: Vec::new(),
            outputs: Vec::new(),
            imports: BTreeSet::new(),
            events: Vec::new(),
            on_failure: start.on_failure,
            protected: start.protected,
            timeout_minutes: start.timeout_minutes,
            begun: now,
            token: start.token,
            serials: 0,
            operations: 0,
        };
        let reason = Some("User Initiated".to_owned());
        stack.become_status(StackStatus::ReviewInProgress, reason, now);
        stack
    }

    /// A new stack, being made.
    pub fn create(start: Start, world: &dyn World, now: i64) -> Self {
        let mut stack = Self::review(start, now);
        stack.events.clear();
        stack.begin_creation(world, now);
        stack
    }

    /// Begins to make what the definition says.
    pub fn begin_creation(&mut self, world: &dyn World, now: i64) {
        self.begun = now;
        self.operations += 1;
        let reason = Some("User Initiated".to_owned());
        self.become_status(StackStatus::CreateInProgress, reason, now);
        self.advance(world, now);
    }

    /// Begins to bring the stack to another definition.
    pub fn update(&mut self, definition: Definition, world: &dyn World, now: i64) {
        let previous = std::mem::replace(&mut self.definition, definition);
        self.previous = Some(Box::new(previous));
        self.updated = Some(now);
        self.begun = now;
        self.operations += 1;
        for resource in &mut self.resources {
            resource.new = false;
        }
        let reason = Some("User Initiated".to_owned());
        self.become_status(StackStatus::UpdateInProgress, reason, now);
        self.advance(world, now);
    }

    /// Begins to go back to what the stack was before its update.
    pub fn roll_update_back(&mut self, reason: Option<String>, world: &dyn World, now: i64) {
        self.go_back(reason, now);
        self.advance(world, now);
    }

    /// Wants what was wanted before: what the update made is doomed, what it replaced is not.
    pub(super) fn go_back(&mut self, reason: Option<String>, now: i64) {
        if let Some(previous) = self.previous.take() {
            self.definition = *previous;
        }
        for resource in &mut self.resources {
            resource.doing = None;
            if resource.new {
                resource.doomed = true;
            } else if resource.replaced && !resource.gone() {
                (resource.doomed, resource.replaced) = (false, false);
            }
            // What is half changed is changed back.
            if resource.status.verb != Verb::Delete {
                resource.status.progress = Progress::Complete;
            }
        }
        self.operations += 1;
        self.become_status(StackStatus::UpdateRollbackInProgress, reason, now);
    }

    /// Begins to delete everything but what the caller wants kept.
    pub fn delete(&mut self, retained: &[String], world: &dyn World, now: i64) {
        self.begun = now;
        self.operations += 1;
        let reason = Some("User Initiated".to_owned());
        for resource in &mut self.resources {
            if resource.status.progress == Progress::Failed && retained.contains(&resource.logical)
            {
                resource.deletion = crate::template::Policy::Retain;
            }
        }
        self.doom_all();
        self.become_status(StackStatus::DeleteInProgress, reason, now);
        self.advance(world, now);
    }

    /// Nothing is wanted any more. What is being done is broken off.
    pub(super) fn doom_all(&mut self) {
        for resource in &mut self.resources {
            resource.doomed = true;
            if !resource.gone() {
                resource.doing = None;
            }
        }
    }

    /// A parameter's value, as it is.
    pub fn parameter(&self, name: &str) -> Option<&Given> {
        self.definition.parameters.get(name)
    }
}
