//! `ControllerRevision`s: the templates that a `DaemonSet` or `StatefulSet` had.
//! <https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/controller-revision-v1/>

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{Action, Outcome, Resource, View, claim, hash, object, template};

/// The label that has a revision's hash.
const HASH: &str = "controller.kubernetes.io/hash";

/// The revisions of one owner, the oldest first.
pub(crate) struct History<'a> {
    view: &'a dyn View,
    resource: Resource,
    owner: &'a Value,
    pub revisions: Vec<Arc<Value>>,
}

/// The revision that has the owner's template.
pub(crate) struct Latest {
    /// The revision's name: the owner's and the hash.
    pub name: String,
    /// The hash alone.
    pub hash: String,
    /// What the owner's `status.collisionCount` is to be.
    pub collisions: Option<i64>,
}

impl<'a> History<'a> {
    pub(crate) fn of(view: &'a dyn View, resource: Resource, owner: &'a Value) -> Self {
        let mut revisions = claim::owned(view, Resource::ControllerRevisions, owner);
        revisions.sort_by_key(|r| (number(r), object::creation(r), object::name(r).to_owned()));
        Self {
            view,
            resource,
            owner,
            revisions,
        }
    }

    /// The template of the revision of a name.
    pub(crate) fn template(&self, name: &str) -> Option<&Value> {
        let found = self.revisions.iter().find(|r| object::name(r) == name)?;
        found.pointer("/data/spec/template")
    }

    /// Finds the revision with the owner's template and makes it the latest, or creates it.
    pub(crate) fn latest(&self, outcome: &mut Outcome) -> Latest {
        let wanted = template::of(self.owner);
        let next = 1 + self.revisions.last().map_or(0, |r| number(r));
        let mut collisions = object::int(self.owner, "/status/collisionCount");
        let same = |r: &&Arc<Value>| {
            let stored = r
                .pointer("/data/spec/template")
                .cloned()
                .unwrap_or_default();
            template::same(&without_directive(stored), wanted)
        };
        if let Some(found) = self.revisions.iter().rev().find(same) {
            if number(found) + 1 < next {
                let mut object = (**found).clone();
                object::put(&mut object, &["revision"], next.into());
                outcome.push(Action::Update {
                    resource: Resource::ControllerRevisions,
                    object,
                });
            }
            let name = object::name(found).to_owned();
            let prefix = format!("{}-", object::name(self.owner));
            let hash = name.strip_prefix(&prefix).unwrap_or(&name).to_owned();
            return Latest {
                name,
                hash,
                collisions,
            };
        }
        let namespace = object::namespace(self.owner);
        loop {
            let hash = hash::template(wanted, collisions);
            let name = format!("{}-{hash}", object::name(self.owner));
            let taken = self
                .view
                .get(Resource::ControllerRevisions, namespace, &name);
            if taken.is_some() {
                collisions = Some(collisions.unwrap_or(0) + 1);
                continue;
            }
            outcome.push(self.creation(&name, &hash, next));
            return Latest {
                name,
                hash,
                collisions,
            };
        }
    }

    fn creation(&self, name: &str, hash: &str, number: i64) -> Action {
        let resource = Resource::ControllerRevisions;
        let mut labels = object::map(template::of(self.owner), "/metadata/labels");
        labels.insert(HASH.to_owned(), hash.into());
        if self.resource == Resource::DaemonSets {
            labels.insert(template::REVISION_LABEL.to_owned(), hash.into());
        }
        let mut stored = template::of(self.owner).clone();
        // The data is a strategic merge patch, as `kubectl rollout undo` applies it.
        object::put(&mut stored, &["$patch"], "replace".into());
        Action::Create {
            resource,
            object: json!({
                "apiVersion": resource.api_version(),
                "kind": resource.kind(),
                "metadata": {
                    "name": name,
                    "namespace": object::namespace(self.owner),
                    "labels": labels,
                    "annotations": object::map(self.owner, "/metadata/annotations"),
                    "ownerReferences": [claim::reference(self.resource, self.owner)],
                },
                "data": {"spec": {"template": stored}},
                "revision": number,
            }),
        }
    }

    /// Deletes the oldest revisions beyond `spec.revisionHistoryLimit` that are not in use.
    pub(crate) fn clean_up(&self, in_use: impl Fn(&str) -> bool, outcome: &mut Outcome) {
        let limit = object::size(object::count(self.owner, "/spec/revisionHistoryLimit", 10));
        let unused: Vec<_> = self
            .revisions
            .iter()
            .filter(|r| !in_use(object::name(r)))
            .collect();
        let surplus = unused.len().saturating_sub(limit);
        for revision in unused.into_iter().take(surplus) {
            outcome.delete(Resource::ControllerRevisions, revision);
        }
    }
}

/// A revision's number.
fn number(revision: &Value) -> i64 {
    let number = revision.get("revision").and_then(Value::as_i64);
    number.unwrap_or(0).clamp(0, i64::MAX - 1)
}

/// A stored template without the directive of its patch.
pub(crate) fn without_directive(mut template: Value) -> Value {
    if let Some(map) = template.as_object_mut() {
        map.remove("$patch");
    }
    template
}
