//! Calls that are due, and what their answers change.

use super::{Progress, Resource, ResourceStatus, Stack, StackStatus, Verb};
use crate::scope::World;
use crate::step::{ID, Step, Verdict};
use serde_json::Value;
use std::collections::BTreeMap;
use wire::call::Call;
use wire::error::ApiError;

/// A call that a resource waits for.
#[derive(Clone, Debug, PartialEq)]
pub struct Due {
    /// The resource's number.
    pub serial: u32,
    /// Which of its steps it is.
    pub number: usize,
    /// What is done with the resource.
    pub verb: Verb,
    /// Its logical id.
    pub logical: String,
    /// Since when, in seconds since 1970.
    pub since: i64,
    /// The call.
    pub call: Call,
    /// The step.
    pub step: Step,
    known: BTreeMap<String, Value>,
}

impl Due {
    /// What an answer means.
    pub fn judge(&self, answer: &Result<Value, ApiError>) -> Verdict {
        self.step.judge(answer, &self.known)
    }
}

impl Stack {
    /// The calls that resources wait for, one each.
    pub fn due(&self) -> Vec<Due> {
        if !self.status.in_progress() {
            return Vec::new();
        }
        self.resources
            .iter()
            .filter_map(|of| self.due_of(of))
            .collect()
    }

    fn due_of(&self, resource: &Resource) -> Option<Due> {
        let doing = resource.doing.as_ref()?;
        let step = self.steps(resource).ok()?.into_iter().nth(doing.step)?;
        Some(Due {
            serial: resource.serial,
            number: doing.step,
            verb: doing.verb,
            logical: resource.logical.clone(),
            since: resource.at,
            call: step.call(&resource.known),
            step,
            known: resource.known.clone(),
        })
    }

    /// Whether a call is still wanted: what it is for may have been broken off.
    pub fn wants(&self, due: &Due) -> bool {
        let resource = self.resources.iter().find(|of| of.serial == due.serial);
        let doing = resource.and_then(|of| of.doing.as_ref());
        doing.is_some_and(|doing| doing.verb == due.verb && doing.step == due.number)
    }

    /// Ends what needs no call at all: steps that can't be, and deeds without any.
    pub(super) fn end_idle(&mut self, now: i64) {
        let busy: Vec<Resource> = self
            .resources
            .iter()
            .filter(|of| of.doing.is_some())
            .cloned()
            .collect();
        for resource in busy {
            let Some(doing) = &resource.doing else {
                continue;
            };
            let verb = doing.verb;
            match self.steps(&resource) {
                Ok(steps) if doing.step < steps.len() => continue,
                Ok(_) => self.complete(resource.serial, verb, now),
                Err(reason) => self.give_up(resource.serial, verb, reason, now),
            }
        }
    }

    /// Takes in what a call gave, unless it was broken off meanwhile. A verdict to wait changes nothing.
    pub fn learn(&mut self, due: &Due, verdict: Verdict, world: &dyn World, now: i64) {
        let Some(resource) = self.resource_mut(due.serial) else {
            return;
        };
        let mine = |doing: &super::Doing| doing.verb == due.verb && doing.step == due.number;
        let under_way = resource.doing.as_ref().is_some_and(mine);
        match verdict {
            Verdict::Wait(_) | Verdict::Retry(_) => return,
            Verdict::Done(learned) => {
                // What was made is known even if nobody waits for it any more: it can then be deleted.
                let named = learned.get(ID).and_then(crate::parameter::plain);
                let first = resource.physical.is_none() && named.is_some();
                resource.known.extend(learned);
                if due.verb != Verb::Delete {
                    resource.physical = named.or(resource.physical.take());
                }
                if under_way && let Some(doing) = &mut resource.doing {
                    doing.step += 1;
                }
                if under_way && first {
                    let status = ResourceStatus::new(due.verb, Progress::InProgress);
                    let reason = Some("Resource creation Initiated".to_owned());
                    self.resource_becomes(due.serial, status, reason, now);
                }
            }
            Verdict::Failed(reason) if under_way => self.give_up(due.serial, due.verb, reason, now),
            Verdict::Failed(_) => return,
        }
        self.advance(world, now);
    }

    fn complete(&mut self, serial: u32, verb: Verb, now: i64) {
        if let Some(resource) = self.resource_mut(serial) {
            resource.doing = None;
        }
        self.resource_becomes(
            serial,
            ResourceStatus::new(verb, Progress::Complete),
            None,
            now,
        );
    }

    fn give_up(&mut self, serial: u32, verb: Verb, reason: String, now: i64) {
        if let Some(resource) = self.resource_mut(serial) {
            resource.doing = None;
        }
        let status = ResourceStatus::new(verb, Progress::Failed);
        self.resource_becomes(serial, status, Some(reason), now);
    }

    /// Ends a creation that takes longer than its caller allows.
    pub fn time_out(&mut self, world: &dyn World, now: i64) {
        let limit = self.timeout_minutes.map(|minutes| i64::from(minutes) * 60);
        let late = limit.is_some_and(|limit| now - self.begun > limit);
        if self.status != StackStatus::CreateInProgress || !late {
            return;
        }
        let busy = self
            .resources
            .iter()
            .find(|of| of.doing.is_some())
            .map(|of| of.serial);
        if let Some(serial) = busy {
            self.give_up(
                serial,
                Verb::Create,
                "Resource creation cancelled".to_owned(),
                now,
            );
        }
        self.advance(world, now);
    }
}
