//! What a reconcile sees and what it asks for.

use std::sync::Arc;

use serde_json::Value;

use crate::Resource;
use crate::object;

/// What a reconcile sees: the cluster's objects, by resource. An informer's cache implements it,
/// and it may be behind the API server.
pub trait View {
    /// One object. `namespace` is empty for cluster-scoped resources.
    fn get(&self, resource: Resource, namespace: &str, name: &str) -> Option<Arc<Value>>;

    /// Every object of a resource, of one namespace or of all.
    fn list(&self, resource: Resource, namespace: Option<&str>) -> Vec<Arc<Value>>;
}

/// One write that a reconcile asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// POST of a new object. With `metadata.generateName` the API server chooses the name.
    Create {
        /// What is created.
        resource: Resource,
        /// The object, with its namespace, `apiVersion` and `kind`.
        object: Value,
    },
    /// PUT of an object; it carries the `resourceVersion` that was read, so that a write based on
    /// an old cache fails with a conflict.
    Update {
        /// What is replaced.
        resource: Resource,
        /// The whole object.
        object: Value,
    },
    /// PUT of an object's `status` subresource, with the `resourceVersion` that was read.
    UpdateStatus {
        /// Whose status is replaced.
        resource: Resource,
        /// The whole object with the new status.
        object: Value,
    },
    /// PATCH of type `application/merge-patch+json` (RFC 7386).
    Patch {
        /// What is patched.
        resource: Resource,
        /// The object's namespace.
        namespace: String,
        /// The object's name.
        name: String,
        /// The merge patch.
        patch: Value,
    },
    /// DELETE of an object.
    Delete {
        /// What is deleted.
        resource: Resource,
        /// The object's namespace.
        namespace: String,
        /// The object's name.
        name: String,
        /// `preconditions.uid`: nothing else of the same name is deleted.
        uid: String,
        /// `propagationPolicy` of the request.
        propagation: Propagation,
        /// `gracePeriodSeconds`, where the object's own does not count.
        grace: Option<i64>,
    },
    /// An Event for `kubectl describe`. It directly follows the action that it tells of.
    Event {
        /// `ObjectReference` of the object that the event is about.
        about: Value,
        /// Normal or Warning.
        kind: EventKind,
        /// The machine-readable reason, such as `ScalingReplicaSet`.
        reason: &'static str,
        /// The text for people.
        message: String,
    },
}

/// `type` of an Event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// Information only.
    Normal,
    /// Something may need attention.
    Warning,
}

impl EventKind {
    /// The value of the Event's `type` field.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// `propagationPolicy` of a deletion.
/// <https://kubernetes.io/docs/concepts/architecture/garbage-collection/#cascading-deletion>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// The object goes at once, what it owns is collected afterwards.
    Background,
    /// What the object owns goes first.
    Foreground,
}

impl Propagation {
    /// The value of `propagationPolicy`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Background => "Background",
            Self::Foreground => "Foreground",
        }
    }
}

/// What one reconcile asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The writes, to be performed in order up to the first that fails.
    pub actions: Vec<Action>,
    /// Seconds after which the reconcile wants to run again though nothing may have changed.
    pub again_in: Option<u64>,
}

impl Outcome {
    /// Adds an action.
    pub(crate) fn push(&mut self, action: Action) {
        self.actions.push(action);
    }

    /// Asks to run again in `seconds`, or earlier if that was asked for already; at least one
    /// second lies between two runs.
    pub(crate) fn again(&mut self, seconds: i64) {
        let seconds = u64::try_from(seconds).unwrap_or(0).max(1);
        self.again_in = Some(self.again_in.map_or(seconds, |s| s.min(seconds)));
    }

    /// Adds the deletion of a cached object.
    pub(crate) fn delete(&mut self, resource: Resource, target: &Value) {
        self.delete_with(resource, target, Propagation::Background);
    }

    /// Adds the deletion of a cached object with a propagation policy.
    pub(crate) fn delete_with(
        &mut self,
        resource: Resource,
        target: &Value,
        propagation: Propagation,
    ) {
        self.push(Action::Delete {
            resource,
            namespace: object::namespace(target).to_owned(),
            name: object::name(target).to_owned(),
            uid: object::uid(target).to_owned(),
            propagation,
            grace: None,
        });
    }

    /// Adds the deletion of a cached object that nobody is there to end gracefully.
    pub(crate) fn delete_at_once(&mut self, resource: Resource, target: &Value) {
        self.push(Action::Delete {
            resource,
            namespace: object::namespace(target).to_owned(),
            name: object::name(target).to_owned(),
            uid: object::uid(target).to_owned(),
            propagation: Propagation::Background,
            grace: Some(0),
        });
    }

    /// Adds an Event about a cached object.
    pub(crate) fn event(
        &mut self,
        resource: Resource,
        about: &Value,
        kind: EventKind,
        reason: &'static str,
        message: impl Into<String>,
    ) {
        self.push(Action::Event {
            about: object::reference(resource, about),
            kind,
            reason,
            message: message.into(),
        });
    }

    /// Adds the write of a new status, unless it says what the stored one says.
    pub(crate) fn status(&mut self, resource: Resource, current: &Value, status: Value) {
        let stored = current.get("status").unwrap_or(&Value::Null);
        if object::same(stored, &status) {
            return;
        }
        let mut object = current.clone();
        object::put(&mut object, &["status"], status);
        self.push(Action::UpdateStatus { resource, object });
    }
}
