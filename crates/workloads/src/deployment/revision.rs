//! The set that has the Deployment's template, and the revisions that count templates.

use serde_json::{Value, json};

use super::rollout::Rollout;
use super::set::Set;
use super::spec::Strategy;
use super::status;
use crate::condition::{self, Finding};
use crate::{Resource, claim, hash, object, template};

impl Rollout<'_> {
    /// Finds the set with the Deployment's template (the oldest, if there are several), or creates
    /// it where that is asked for, and makes it the latest revision.
    pub(super) fn find_new_set(&mut self, create: bool) {
        let wanted = template::of(self.deployment);
        self.new = self
            .sets
            .iter()
            .position(|set| template::same(template::of(set.object()), wanted));
        let old = self.old_sets().map(Set::revision).max();
        let revision = old.unwrap_or(0).saturating_add(1);
        if let Some(set) = self.new.and_then(|i| self.sets.get_mut(i)) {
            set.annotate(self.deployment, revision);
            set.require_ready_for(self.spec.min_ready);
            self.revision = Some(set.revision().to_string());
            let name = set.name().to_owned();
            let known = condition::find(&self.conditions, status::PROGRESSING).is_some();
            if !known {
                let message = format!("Found new replica set \"{name}\"");
                self.tell_progress("FoundNewReplicaSet", &message);
            }
        } else if create {
            self.create_new_set(revision);
        }
    }

    fn create_new_set(&mut self, revision: i64) {
        let hash = hash::template(template::of(self.deployment), self.collisions);
        let name = format!("{}-{hash}", object::name(self.deployment));
        let namespace = object::namespace(self.deployment);
        if self
            .view
            .get(Resource::ReplicaSets, namespace, &name)
            .is_some()
        {
            // Another template, or another owner's set, has the name. The next reconcile finds
            // another hash.
            self.collisions = Some(self.collisions.unwrap_or(0) + 1);
            self.outcome.again(1);
            return;
        }
        let mut set = Set::created(self.new_set_object(&name, &hash));
        set.annotate(self.deployment, revision);
        set.note_sizes(&self.spec);
        self.revision = Some(set.revision().to_string());
        self.new = Some(self.sets.len());
        self.sets.push(set);
        let message = format!("Created new replica set \"{name}\"");
        self.tell_progress("NewReplicaSetCreated", &message);
    }

    fn new_set_object(&self, name: &str, hash: &str) -> Value {
        let mut template = template::of(self.deployment).clone();
        let label = ["metadata", "labels", template::HASH_LABEL];
        object::put(&mut template, &label, hash.into());
        let selector = self.deployment.pointer("/spec/selector").cloned();
        let mut selector = selector.unwrap_or_else(|| json!({}));
        object::put(
            &mut selector,
            &["matchLabels", template::HASH_LABEL],
            hash.into(),
        );
        let resource = Resource::ReplicaSets;
        json!({
            "apiVersion": resource.api_version(),
            "kind": resource.kind(),
            "metadata": {
                "name": name,
                "namespace": object::namespace(self.deployment),
                "labels": template.pointer("/metadata/labels"),
                "ownerReferences": [claim::reference(Resource::Deployments, self.deployment)],
            },
            "spec": {
                "replicas": self.new_set_replicas(0),
                "minReadySeconds": self.spec.min_ready,
                "selector": selector,
                "template": template,
            },
        })
    }

    /// The size that a new set of a size may grow to within the largest size of the Deployment
    /// (`NewRSNewReplicas`).
    pub(super) fn new_set_replicas(&self, replicas: i64) -> i64 {
        if self.spec.strategy == Strategy::Recreate {
            return self.spec.replicas;
        }
        let room = self.spec.replicas + self.spec.max_surge - self.total();
        replicas + room.min(self.spec.replicas - replicas).max(0)
    }

    fn tell_progress(&mut self, reason: &str, message: &str) {
        if self.spec.deadline.is_some() {
            let finding = Finding {
                kind: status::PROGRESSING,
                status: "True",
                reason,
                message,
            };
            status::set(&mut self.conditions, &finding, self.now);
        }
    }
}
