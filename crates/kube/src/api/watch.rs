//! Watching: which changes a client is told of, and in what form.
//!
//! <https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes>

use super::read::{Form, Selection, in_version, partial};
use super::status::Status;
use super::{Call, table};
use crate::resource::Resource;
use crate::store::Change;
use serde_json::{Value, json};
use std::sync::Arc;

/// What a client watches.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Which objects.
    pub selection: Selection,
    /// Changes after this revision; `None` for the objects there are, then changes.
    pub since: Option<u64>,
    /// Whether it wants to hear of revisions without changes.
    pub bookmarks: bool,
    /// Whether a bookmark ends the objects there are.
    pub initial_events: bool,
    /// For how long, in seconds.
    pub seconds: Option<i64>,
    resource: Arc<Resource>,
    form: Form,
    wanted: table::Wanted,
}

/// An event of a watch.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// The object, or a `Status` for an error.
    pub object: Value,
}

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// It is there, or is selected now.
    Added,
    /// It has changed.
    Modified,
    /// It is gone, or selected no longer.
    Deleted,
    /// Nothing; the revision goes on.
    Bookmark,
    /// The watch ends.
    Error,
}

impl EventKind {
    /// As the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
            Self::Bookmark => "BOOKMARK",
            Self::Error => "ERROR",
        }
    }
}

impl Event {
    /// As the API writes it, on a line.
    pub fn value(&self) -> Value {
        json!({"type": self.kind.as_str(), "object": self.object})
    }

    /// The end of a watch.
    pub fn error(status: &Status) -> Self {
        Self {
            kind: EventKind::Error,
            object: status.value(),
        }
    }
}

impl Filter {
    pub(super) fn read(
        call: &Call<'_>,
        resource: &Resource,
        selection: Selection,
    ) -> Result<Self, Status> {
        let revision = call
            .request
            .parameter("resourceVersion")
            .unwrap_or_default();
        let initial_events = call.request.flag("sendInitialEvents");
        let since = match revision {
            "" | "0" => None,
            _ if initial_events => None,
            text => Some(text.parse().map_err(|_| {
                Status::bad_request(format!("Invalid value: {text:?}: strconv.ParseUint"))
            })?),
        };
        Ok(Self {
            selection,
            since,
            bookmarks: call.request.flag("allowWatchBookmarks"),
            initial_events,
            seconds: call.request.number("timeoutSeconds")?,
            resource: Arc::new(resource.clone()),
            form: Form::wanted(&call.request.accept),
            wanted: table::Wanted::of(call.request),
        })
    }

    /// The kind that is watched, in the version that the client wants.
    pub fn resource(&self) -> &Resource {
        &self.resource
    }

    /// What a change is to this client; `None` if it is none of its business.
    pub fn event(&self, change: &Change, now: i64) -> Option<Event> {
        if *change.key.resource != *self.selection.resource {
            return None;
        }
        let selected = |object: &Option<Arc<Value>>| {
            object
                .clone()
                .filter(|object| self.selection.includes(object))
        };
        let (before, after) = (selected(&change.before), selected(&change.after));
        let (kind, object) = match (before, after) {
            (None, None) => return None,
            (None, Some(after)) => (EventKind::Added, after),
            (Some(_), Some(after)) => (EventKind::Modified, after),
            (Some(before), None) => (EventKind::Deleted, before),
        };
        let mut object = object.as_ref().clone();
        if kind == EventKind::Deleted {
            // The last state of a deleted object carries the revision of its deletion.
            object["metadata"]["resourceVersion"] = json!(change.revision.to_string());
        }
        Some(Event {
            kind,
            object: self.shown(&object, now),
        })
    }

    /// An object that is there when the watch begins.
    pub fn initial(&self, object: &Value, now: i64) -> Option<Event> {
        self.selection.includes(object).then(|| Event {
            kind: EventKind::Added,
            object: self.shown(object, now),
        })
    }

    /// The news that there is none up to a revision. `last` marks the end of the objects there were.
    pub fn bookmark(&self, revision: u64, last: bool) -> Event {
        let mut metadata =
            json!({"resourceVersion": revision.to_string(), "creationTimestamp": null});
        if last {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        Event {
            kind: EventKind::Bookmark,
            object: json!({
                "kind": self.resource.kind,
                "apiVersion": self.resource.api_version(),
                "metadata": metadata,
            }),
        }
    }

    fn shown(&self, object: &Value, now: i64) -> Value {
        match self.form {
            Form::Plain => in_version(&self.resource, object).into_owned(),
            Form::Metadata => partial(object),
            Form::Table => {
                let revision = object["metadata"]["resourceVersion"].clone();
                let meta = json!({"resourceVersion": revision});
                table::table(&self.resource, &[object], &meta, self.wanted, now)
            }
        }
    }
}
