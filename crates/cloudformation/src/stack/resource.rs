//! One resource of a stack.

use super::{Progress, ResourceStatus, Stack, Verb};
use crate::kind::ask::Ask;
use crate::kind::{self, Kind};
use crate::scope::Place;
use crate::step::{ID, Step};
use crate::template::Policy;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// A resource: wanted, or doomed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    /// Its number in the stack, which no other ever has.
    pub serial: u32,
    /// Its logical id.
    pub logical: String,
    /// Its type.
    pub kind: String,
    /// Its physical id, once there is one.
    pub physical: Option<String>,
    /// Its properties.
    pub properties: Map<String, Value>,
    /// What is known of it.
    pub known: BTreeMap<String, Value>,
    /// The logical ids that it needs.
    pub needs: BTreeSet<String>,
    /// How it stands.
    pub status: ResourceStatus,
    /// Why.
    pub reason: Option<String>,
    /// Since when, in seconds since 1970.
    pub at: i64,
    /// What becomes of it when it isn't wanted.
    pub deletion: Policy,
    /// What becomes of it when another one replaces it.
    pub replacement: Policy,
    /// Whether it has to go.
    pub doomed: bool,
    /// Whether it has to go because another one replaces it.
    pub replaced: bool,
    /// Whether the operation under way made it.
    pub new: bool,
    /// The number of the operation that last looked at it.
    pub visited: u32,
    /// What is being done with it.
    pub doing: Option<Doing>,
}

/// Something under way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Doing {
    /// What.
    pub verb: Verb,
    /// The properties before a change.
    pub before: Map<String, Value>,
    /// Which step is next.
    pub step: usize,
}

impl Resource {
    /// Whether it is there and nothing is being done with it.
    pub(super) fn settled(&self) -> bool {
        self.doing.is_none() && self.status.progress == Progress::Complete
    }

    /// Whether it is deleted, or never was.
    pub(super) fn gone(&self) -> bool {
        self.status.verb == Verb::Delete
            && matches!(self.status.progress, Progress::Complete | Progress::Skipped)
    }

    /// Its type.
    pub(super) fn kind(&self) -> Result<&'static Kind, String> {
        kind::find(&self.kind).ok_or_else(|| format!("Unrecognized resource type {}", self.kind))
    }
}

/// Letters and digits that make a resource's generated names unique.
fn suffix(stack: &str, resource: &Resource) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut hash = Sha256::new();
    hash.update(stack);
    hash.update(&resource.logical);
    hash.update(resource.serial.to_be_bytes());
    let digest = hash.finalize();
    let letters = digest.iter().take(12);
    letters
        .map(|byte| char::from(LETTERS[usize::from(byte % 32)]))
        .collect()
}

impl Stack {
    /// The steps of what is being done with a resource.
    pub(super) fn steps(&self, resource: &Resource) -> Result<Vec<Step>, String> {
        let Some(doing) = &resource.doing else {
            return Ok(Vec::new());
        };
        let place: Place = self.place();
        let suffix = suffix(&self.id, resource);
        let ask = Ask {
            properties: &resource.properties,
            before: (doing.verb == Verb::Update).then_some(&doing.before),
            known: &resource.known,
            place: &place,
            logical: &resource.logical,
            suffix: &suffix,
            stack_tags: &self.definition.tags,
        };
        let kind = resource.kind()?;
        match doing.verb {
            Verb::Create => kind.create(&ask),
            Verb::Update => kind.update(&ask),
            // What was never made needs no deletion.
            Verb::Delete if !resource.known.contains_key(ID) => Ok(Vec::new()),
            Verb::Delete => kind.delete(&ask),
        }
    }
}
