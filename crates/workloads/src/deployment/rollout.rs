//! The state of one reconcile of a Deployment.

use std::sync::Arc;

use serde_json::{Value, json};

use super::set::{DESIRED, REVISION, Set};
use super::spec::Spec;
use crate::{Action, Outcome, Resource, View, object};

/// A Deployment, its sets and what changes of them.
pub(super) struct Rollout<'a> {
    pub view: &'a dyn View,
    pub deployment: &'a Value,
    pub spec: Spec,
    pub now: i64,
    /// Every set of the Deployment, the oldest first.
    pub sets: Vec<Set>,
    /// Which of the sets has the Deployment's template.
    pub new: Option<usize>,
    /// `status.conditions` as they are to be.
    pub conditions: Vec<Value>,
    /// `status.collisionCount` as it is to be.
    pub collisions: Option<i64>,
    /// The Deployment's revision annotation as it is to be.
    pub revision: Option<String>,
    /// The status as it is to be.
    pub status: Option<Value>,
    pub outcome: Outcome,
}

impl<'a> Rollout<'a> {
    pub(super) fn new(
        view: &'a dyn View,
        deployment: &'a Value,
        sets: Vec<Arc<Value>>,
        now: i64,
    ) -> Self {
        let mut sets: Vec<Set> = sets.into_iter().map(Set::cached).collect();
        sets.sort_by(|a, b| a.creation().cmp(&b.creation()));
        Self {
            view,
            deployment,
            spec: Spec::of(deployment),
            now,
            sets,
            new: None,
            conditions: object::list(deployment, "/status/conditions").to_vec(),
            collisions: object::int(deployment, "/status/collisionCount"),
            revision: object::annotation(deployment, REVISION).map(str::to_owned),
            status: None,
            outcome: Outcome::default(),
        }
    }

    pub(super) fn new_set(&self) -> Option<&Set> {
        self.sets.get(self.new?)
    }

    /// The sets of other templates.
    pub(super) fn old_sets(&self) -> impl Iterator<Item = &Set> {
        self.sets
            .iter()
            .enumerate()
            .filter(|(i, _)| Some(*i) != self.new)
            .map(|(_, set)| set)
    }

    /// The places of the old sets that have replicas, the oldest first.
    pub(super) fn active_old(&self) -> Vec<usize> {
        (0..self.sets.len())
            .filter(|i| Some(*i) != self.new && self.replicas(*i) > 0)
            .collect()
    }

    /// `spec.replicas` of the set at a place.
    pub(super) fn replicas(&self, place: usize) -> i64 {
        self.sets.get(place).map_or(0, Set::replicas)
    }

    /// Changes the size of the set at a place; whether it was another.
    pub(super) fn scale_set(&mut self, place: usize, replicas: i64) -> bool {
        match self.sets.get_mut(place) {
            Some(set) if set.replicas() != replicas => set.scale(replicas, &self.spec),
            _ => false,
        }
    }

    /// The sum of all sets' `spec.replicas`.
    pub(super) fn total(&self) -> i64 {
        self.sets.iter().map(Set::replicas).sum()
    }

    /// The sum of a number of all sets' statuses.
    pub(super) fn sum(&self, field: &str) -> i64 {
        self.sets.iter().map(|set| set.status(field)).sum()
    }

    /// Whether the Deployment was scaled since its sets were.
    pub(super) fn was_scaled(&self) -> bool {
        let noted = |set: &Set| object::annotation_int(set.object(), DESIRED);
        self.sets
            .iter()
            .filter(|set| set.replicas() > 0)
            .any(|set| noted(set).is_some_and(|n| n != self.spec.replicas))
    }

    /// Deletes the oldest revisions beyond the limit, of those that are empty.
    pub(super) fn clean_up(&mut self) {
        let Some(limit) = self.spec.history else {
            return;
        };
        let mut old: Vec<&Set> = self.old_sets().collect();
        old.retain(|set| !object::terminating(set.object()));
        old.sort_by_key(|set| (set.revision(), set.creation()));
        let surplus = old.len().saturating_sub(limit);
        let doomed: Vec<Value> = old
            .into_iter()
            .take(surplus)
            .filter(|set| set.idle())
            .map(|set| set.object().clone())
            .collect();
        for set in doomed {
            self.outcome.delete(Resource::ReplicaSets, &set);
        }
    }

    /// Turns the changes into actions. The annotation comes last: its patch asks for no version,
    /// so the write of the status before it does not stand in its way.
    pub(super) fn finish(self, outcome: &mut Outcome) {
        for set in self.sets {
            set.finish(self.deployment, outcome);
        }
        outcome.actions.extend(self.outcome.actions);
        if let Some(status) = self.status {
            outcome.status(Resource::Deployments, self.deployment, status);
        }
        if let Some(seconds) = self.outcome.again_in {
            outcome.again_in = Some(seconds);
        }
        let revision = self.revision.as_deref();
        if revision != object::annotation(self.deployment, REVISION) {
            outcome.push(Action::Patch {
                resource: Resource::Deployments,
                namespace: object::namespace(self.deployment).to_owned(),
                name: object::name(self.deployment).to_owned(),
                patch: json!({"metadata": {"annotations": {REVISION: revision}}}),
            });
        }
    }
}
