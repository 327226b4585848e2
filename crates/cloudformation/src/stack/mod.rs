//! A stack: what is wanted, what is there, and what is being done about the difference.
//!
//! Every operation is one machine: resources are brought to what the template says, in the order in which they
//! need each other; then what isn't wanted any more is deleted, in the opposite order. A failure changes what is
//! wanted: nothing, or what was there before.
//!
//! The record says everything: whoever runs a stack can be killed at any moment and go on from it.

mod advance;
mod begin;
mod change;
mod learn;
mod outputs;
mod resource;
mod status;

pub use begin::{OnFailure, Start};
pub use change::{Action, Planned};
pub use learn::Due;
pub use outputs::StackOutput;
pub use resource::{Doing, Resource};
pub use status::{Progress, ResourceStatus, StackStatus, Verb};

use crate::parameter::Given;
use crate::scope::{Place, World};
use crate::{Template, TemplateError};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The type of a stack in its own events.
pub const TYPE: &str = "AWS::CloudFormation::Stack";

/// What a stack is to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// The template, as it was given.
    pub template: String,
    /// Its parameters' values.
    pub parameters: BTreeMap<String, Given>,
    /// The stack's tags, which its resources get too.
    pub tags: BTreeMap<String, String>,
    /// What the caller acknowledged.
    pub capabilities: Vec<String>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When, in seconds since 1970.
    pub at: i64,
    /// The logical id.
    pub logical: String,
    /// The physical id, if there is one yet.
    pub physical: String,
    /// The type.
    pub kind: String,
    /// The status, as AWS writes it.
    pub status: String,
    /// Why.
    pub reason: Option<String>,
    /// The resource's properties as JSON.
    pub properties: Option<String>,
    /// The token of the request that it comes from.
    pub token: Option<String>,
}

/// A stack. See the module's documentation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stack {
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
    /// What it was before the update that is under way, or failed to be rolled back.
    pub previous: Option<Box<Definition>>,
    /// How it stands.
    pub status: StackStatus,
    /// Why.
    pub reason: Option<String>,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// When it was last updated.
    pub updated: Option<i64>,
    /// When it was deleted.
    pub deleted: Option<i64>,
    /// Its resources: one a logical id, and those that have to go.
    pub resources: Vec<Resource>,
    /// What it gives.
    pub outputs: Vec<StackOutput>,
    /// The names of exports that it uses.
    pub imports: BTreeSet<String>,
    /// What happened, oldest first.
    pub events: Vec<Event>,
    /// What a failure brings.
    pub on_failure: OnFailure,
    /// Whether it can't be deleted.
    pub protected: bool,
    /// After how many minutes its creation fails.
    pub timeout_minutes: Option<i32>,
    /// When what is under way began.
    pub begun: i64,
    /// The token of the request under way.
    pub token: Option<String>,
    /// How many resources it has ever had.
    pub serials: u32,
    /// How many operations, rollbacks too, there have been.
    pub operations: u32,
}

impl Stack {
    /// Where it is.
    pub fn place(&self) -> Place {
        Place {
            account: self.account.clone(),
            region: self.region.clone(),
            stack: self.name.clone(),
            id: self.id.clone(),
        }
    }

    /// Its template. It was checked when it came.
    ///
    /// # Errors
    /// It is of a version of Skylab that took others.
    pub fn template(&self) -> Result<Template, TemplateError> {
        Template::read(&self.definition.template)
    }

    /// The resource of a logical id that is wanted.
    pub fn resource(&self, logical: &str) -> Option<&Resource> {
        let mut wanted = self.resources.iter().filter(|of| !of.doomed);
        wanted.find(|of| of.logical == logical)
    }

    fn resource_mut(&mut self, serial: u32) -> Option<&mut Resource> {
        self.resources.iter_mut().find(|of| of.serial == serial)
    }

    /// Brings the stack to a status, with its event.
    fn become_status(&mut self, status: StackStatus, reason: Option<String>, now: i64) {
        self.status = status;
        self.reason.clone_from(&reason);
        self.events.push(Event {
            at: now,
            logical: self.name.clone(),
            physical: self.id.clone(),
            kind: TYPE.to_owned(),
            status: status.as_str().to_owned(),
            reason,
            properties: None,
            token: self.token.clone(),
        });
    }

    /// Brings a resource to a status, with its event.
    fn resource_becomes(
        &mut self,
        serial: u32,
        status: ResourceStatus,
        reason: Option<String>,
        now: i64,
    ) {
        let token = self.token.clone();
        let Some(resource) = self.resource_mut(serial) else {
            return;
        };
        resource.status = status;
        resource.reason.clone_from(&reason);
        resource.at = now;
        let event = Event {
            at: now,
            logical: resource.logical.clone(),
            physical: resource.physical.clone().unwrap_or_default(),
            kind: resource.kind.clone(),
            status: status.to_string(),
            reason,
            properties: serde_json::to_string(&resource.properties).ok(),
            token,
        };
        self.events.push(event);
    }

    /// Goes on as far as that is possible without an answer from outside: starts what can start, ends what is
    /// over.
    pub fn advance(&mut self, world: &dyn World, now: i64) {
        advance::advance(self, world, now);
    }
}

#[cfg(test)]
mod tests;
