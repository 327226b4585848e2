//! What a change of a node, or of a pod on one, concerns.

use super::Task;
use crate::object;
use crate::store::{Key, Store};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A node concerns itself; its readiness concerns all nodes, its taints the pods on it.
pub(super) fn node(
    store: &Store,
    name: &str,
    before: Option<&Arc<Value>>,
    after: Option<&Arc<Value>>,
    queue: &mut BTreeSet<Task>,
) {
    queue.insert(Task::Node(name.to_owned()));
    queue.insert(Task::Range(name.to_owned()));
    if before.map(|node| ready(node)) != after.map(|node| ready(node)) {
        for (key, _) in store.list("nodes", None) {
            queue.insert(Task::Node(key.name.to_string()));
        }
        // A claim may have been waiting for a node that is ready.
        super::volumes::unbound(store, queue);
    }
    let taints = |node: Option<&Arc<Value>>| -> Vec<Value> {
        let all = node.map(|node| evicting(node).cloned().collect());
        all.unwrap_or_default()
    };
    if taints(before) != taints(after) {
        for (key, pod) in store.list("pods", None) {
            if object::text(pod, &["spec", "nodeName"]) == name {
                queue.insert(Task::Evict(key.namespace.to_string(), key.name.to_string()));
            }
        }
    }
    if after.is_none() && before.is_some() {
        queue.insert(Task::Orphans);
    }
}

/// A pod that came to a node with taints that evict, or whose tolerations changed there.
pub(super) fn pod(
    store: &Store,
    before: Option<&Arc<Value>>,
    after: Option<&Arc<Value>>,
    queue: &mut BTreeSet<Task>,
) {
    let Some(pod) = after else { return };
    let at = object::text(pod, &["spec", "nodeName"]);
    let same = before.is_some_and(|before| {
        ["nodeName", "tolerations"]
            .iter()
            .all(|f| before["spec"][f] == pod["spec"][f])
    });
    if at.is_empty() || same {
        return;
    }
    let node = store.get(&Key::new("nodes", "", at));
    if node.is_some_and(|node| evicting(node).next().is_some()) {
        let (namespace, name) = (object::namespace(pod), object::name(pod));
        queue.insert(Task::Evict(namespace.to_owned(), name.to_owned()));
    }
}

/// The status of a node's `Ready` condition.
fn ready(node: &Value) -> &str {
    let conditions = object::list(node, &["status", "conditions"]);
    let found = conditions.iter().find(|c| c["type"] == "Ready");
    found.map_or("", |c| object::text(c, &["status"]))
}

/// A node's taints that evict pods.
fn evicting(node: &Value) -> impl Iterator<Item = &Value> {
    let taints = object::list(node, &["spec", "taints"]).iter();
    taints.filter(|taint| taint["effect"] == "NoExecute")
}
