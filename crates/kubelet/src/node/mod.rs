//! The node itself: its object, its lease, its heartbeat.
//! <https://kubernetes.io/docs/concepts/architecture/nodes/#heartbeats>

mod heartbeat;
mod lease;
mod object;

pub(crate) use heartbeat::keep;
pub(crate) use lease::renew;

use crate::lifecycle::Event;
use crate::shared::Shared;
use serde_json::{Value, json};

/// How a node without a network says so.
pub(crate) fn network_message(trouble: &str) -> String {
    format!(
        "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: {trouble}"
    )
}

/// The path of the node's object.
pub(crate) fn path(name: &str) -> String {
    format!("/api/v1/nodes/{name}")
}

/// Tells something of the node.
pub(crate) fn tell(shared: &Shared, event: Event) {
    shared.recorder.tell(reference(&shared.config.name), event);
}

/// An `ObjectReference` to a node. Kubelets put its name where a uid should be.
fn reference(name: &str) -> Value {
    json!({"kind": "Node", "apiVersion": "v1", "name": name, "uid": name})
}
