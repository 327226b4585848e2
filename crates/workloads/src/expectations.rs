//! Writes whose effects the cache has not shown yet.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{Action, Outcome, Resource, claim, object};

/// Seconds after which an effect that never showed up is given up (`ExpectationsTimeout`).
const TIMEOUT: i64 = 5 * 60;

/// The object that a controller reconciles.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Controller {
    /// Its resource.
    pub resource: Resource,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Controller {
    /// The controller of a cached object, from its owner references.
    #[must_use]
    pub fn of(object: &Value) -> Option<Self> {
        let owner = claim::controller(object)?;
        Some(Self {
            resource: Resource::of_kind(
                object::text(owner, "/apiVersion"),
                object::text(owner, "/kind"),
            )?,
            namespace: object::namespace(object).to_owned(),
            name: object::text(owner, "/name").to_owned(),
        })
    }
}

/// How an object in the cache changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Added,
    /// It is another version.
    Modified,
    /// It is gone.
    Deleted,
}

/// What is still to be seen of one controller's writes.
#[derive(Debug)]
struct Pending {
    creations: usize,
    deletions: BTreeSet<String>,
    since: i64,
}

/// Keeps controllers from doing twice what the cache does not show yet
/// (`controller.ControllerExpectations`).
///
/// The driver passes each outcome through [`admit`](Self::admit) before it performs it, tells
/// every change of pods and `EndpointSlice`s to [`observe`](Self::observe) (before it queues the
/// controller), and tells failed writes to [`failed`](Self::failed).
#[derive(Debug, Default)]
pub struct Expectations(BTreeMap<Controller, Pending>);

impl Expectations {
    /// Nothing expected.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets an outcome's creations under generated names and its deletions through and expects
    /// their effects, or takes them out (with the Events about them) while effects of earlier
    /// ones are expected. Other actions always pass.
    pub fn admit(&mut self, controller: &Controller, mut outcome: Outcome, now: i64) -> Outcome {
        if let Some(pending) = self.pending(controller, now) {
            let wait = pending.since + TIMEOUT + 1 - now;
            let before = outcome.actions.len();
            outcome.actions = without_repeats(outcome.actions);
            if outcome.actions.len() < before {
                outcome.again(wait);
            }
            return outcome;
        }
        let creations = outcome.actions.iter().filter(|a| creates(a)).count();
        let deletions: BTreeSet<_> = outcome.actions.iter().filter_map(deletes).collect();
        if creations + deletions.len() > 0 {
            let pending = Pending {
                creations,
                deletions,
                since: now,
            };
            self.0.insert(controller.clone(), pending);
        }
        outcome
    }

    /// Whether no effects are expected any more.
    #[must_use]
    pub fn satisfied(&self, controller: &Controller, now: i64) -> bool {
        self.pending(controller, now).is_none()
    }

    /// Notes a change of an object in the cache.
    pub fn observe(&mut self, change: Change, object: &Value) {
        let Some(controller) = Controller::of(object) else {
            return;
        };
        let Some(pending) = self.0.get_mut(&controller) else {
            return;
        };
        if change == Change::Added {
            pending.creations = pending.creations.saturating_sub(1);
        }
        if change == Change::Deleted || object::terminating(object) {
            pending.deletions.remove(object::uid(object));
        }
    }

    /// Notes that an action of an admitted outcome failed or was not performed any more.
    pub fn failed(&mut self, controller: &Controller, action: &Action) {
        let Some(pending) = self.0.get_mut(controller) else {
            return;
        };
        if creates(action) {
            pending.creations = pending.creations.saturating_sub(1);
        } else if let Some(uid) = deletes(action) {
            pending.deletions.remove(&uid);
        }
    }

    /// Forgets a controller whose object is gone.
    pub fn forget(&mut self, controller: &Controller) {
        self.0.remove(controller);
    }

    fn pending(&self, controller: &Controller, now: i64) -> Option<&Pending> {
        self.0.get(controller).filter(|p| {
            let open = p.creations > 0 || !p.deletions.is_empty();
            open && now - p.since <= TIMEOUT
        })
    }
}

/// Actions without those that may be repeats, and without the Events directly behind them.
fn without_repeats(actions: Vec<Action>) -> Vec<Action> {
    let mut dropped = false;
    actions
        .into_iter()
        .filter(|action| {
            let event = matches!(action, Action::Event { .. });
            dropped = creates(action) || deletes(action).is_some() || (event && dropped);
            !dropped
        })
        .collect()
}

/// Whether an action creates an object whose name the API server chooses.
fn creates(action: &Action) -> bool {
    matches!(action, Action::Create { object, .. } if object::name(object).is_empty())
}

/// The uid of what an action deletes.
fn deletes(action: &Action) -> Option<String> {
    match action {
        Action::Delete {
            resource: Resource::Pods | Resource::EndpointSlices,
            uid,
            ..
        } => Some(uid.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn web() -> Controller {
        Controller {
            resource: Resource::ReplicaSets,
            namespace: "a".into(),
            name: "web".into(),
        }
    }

    fn pod() -> Value {
        json!({"metadata": {"generateName": "web-", "namespace": "a", "ownerReferences": [
            {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "controller": true}]}})
    }

    fn two_creations() -> Outcome {
        let create = Action::Create {
            resource: Resource::Pods,
            object: pod(),
        };
        Outcome {
            actions: vec![create.clone(), create],
            again_in: None,
        }
    }

    #[test]
    fn creations_are_not_repeated_until_they_are_seen() {
        let mut expectations = Expectations::new();
        assert_eq!(
            expectations.admit(&web(), two_creations(), 0),
            two_creations()
        );
        assert!(
            expectations
                .admit(&web(), two_creations(), 1)
                .actions
                .is_empty()
        );
        expectations.observe(Change::Added, &pod());
        assert!(!expectations.satisfied(&web(), 1));
        expectations.observe(Change::Added, &pod());
        assert!(expectations.satisfied(&web(), 1));
    }

    #[test]
    fn expectations_end_with_failures_and_after_five_minutes() {
        let mut expectations = Expectations::new();
        let outcome = expectations.admit(&web(), two_creations(), 0);
        assert!(!expectations.satisfied(&web(), TIMEOUT));
        assert!(expectations.satisfied(&web(), TIMEOUT + 1));
        for action in &outcome.actions {
            expectations.failed(&web(), action);
        }
        assert!(expectations.satisfied(&web(), 0));
    }

    #[test]
    fn an_event_about_a_dropped_deletion_is_dropped_too() {
        let mut outcome = Outcome::default();
        outcome.delete(Resource::Pods, &json!({"metadata": {"uid": "1"}}));
        let about = json!({});
        outcome.event(
            Resource::ReplicaSets,
            &about,
            crate::EventKind::Normal,
            "X",
            "",
        );
        let mut expectations = Expectations::new();
        expectations.admit(&web(), outcome.clone(), 0);
        assert!(expectations.admit(&web(), outcome, 1).actions.is_empty());
        let gone = json!({"metadata": {"uid": "1", "namespace": "a",
            "ownerReferences": pod()["metadata"]["ownerReferences"]}});
        expectations.observe(Change::Deleted, &gone);
        assert!(expectations.satisfied(&web(), 1));
    }
}
