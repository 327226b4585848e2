//! Events about writes whose result only the driver knows.

use serde_json::{Value, json};

use crate::{Action, EventKind, Resource, claim, object};

/// The Event that upstream's controllers record when the API server has created a pod for them,
/// such as `Created pod: web-5d4f-x2x9v` on a `ReplicaSet`. The driver calls it with what the API
/// server answered to an [`Action::Create`]; it is none for objects whose Event is already among
/// the actions of the reconcile.
#[must_use]
pub fn created(object: &Value) -> Option<Action> {
    let about = pods_controller(object)?;
    Some(Action::Event {
        about,
        kind: EventKind::Normal,
        reason: "SuccessfulCreate",
        message: format!("Created pod: {}", object::name(object)),
    })
}

/// The Event for a pod that could not be created, to be recorded with the API server's `error`.
#[must_use]
pub fn create_failed(object: &Value, error: &str) -> Option<Action> {
    let about = pods_controller(object)?;
    Some(Action::Event {
        about,
        kind: EventKind::Warning,
        reason: "FailedCreate",
        message: format!("Error creating: {error}"),
    })
}

/// The `ObjectReference` of the controller of a pod, where that is one whose pods' names the API
/// server chooses.
fn pods_controller(pod: &Value) -> Option<Value> {
    let owner = claim::controller(pod)?;
    let (api_version, kind) = (
        object::text(owner, "/apiVersion"),
        object::text(owner, "/kind"),
    );
    let resource = Resource::of_kind(api_version, kind)?;
    let is_pod = object::text(pod, "/kind") == Resource::Pods.kind();
    let chosen = matches!(
        resource,
        Resource::ReplicaSets
            | Resource::ReplicationControllers
            | Resource::DaemonSets
            | Resource::Jobs
    );
    (is_pod && chosen).then(|| {
        json!({
            "kind": kind,
            "apiVersion": api_version,
            "namespace": object::namespace(pod),
            "name": owner.get("name"),
            "uid": owner.get("uid"),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_created_pod_is_told_on_its_controller() {
        let pod = json!({"kind": "Pod", "metadata": {"name": "web-x", "namespace": "a",
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web",
                "uid": "u", "controller": true}]}});
        let Some(Action::Event { about, message, .. }) = created(&pod) else {
            panic!("no event");
        };
        assert_eq!(message, "Created pod: web-x");
        assert_eq!(about["name"], "web");
        assert_eq!(created(&json!({"kind": "Pod"})), None);
    }
}
