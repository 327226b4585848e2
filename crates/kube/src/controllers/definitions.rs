//! Definitions that go: first the objects of their kind, then they.
//!
//! <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#delete-a-customresourcedefinition>

use crate::api::{CLEANUP, Method, Status};
use crate::client::{Client, path, resource};
use crate::object;
use crate::registry;
use crate::store::Key;
use serde_json::{Value, json};

pub(super) async fn reconcile(client: &Client, name: &str) -> Result<(), Status> {
    let published = client.cluster().now();
    let key = Key::new(registry::DEFINITIONS, "", name);
    let Some(definition) = published.store.get(&key) else {
        return Ok(());
    };
    if !object::is_terminating(definition) {
        return Ok(());
    }
    if let Some(kind) = registry::by_name(&published.store, name) {
        for (key, object) in published.store.list(name, None) {
            if !object::is_terminating(object) {
                let at = path(&kind, &key.namespace, &key.name, "");
                let options = json!({"propagationPolicy": "Background"});
                client
                    .send(Method::Delete, &at, "application/json", &options)
                    .await?;
            }
        }
    }
    let now = client.cluster().now();
    if now.store.list(name, None).next().is_some() {
        return Ok(());
    }
    let held: Vec<&Value> = object::list(definition, &["metadata", "finalizers"])
        .iter()
        .filter(|held| **held != CLEANUP)
        .collect();
    let kind = resource(registry::DEFINITIONS).ok_or_else(Status::no_such_path)?;
    let patch = json!({"metadata": {"finalizers": held}});
    match client.patch(kind, "", name, &patch).await {
        Err(status) if status.code != 404 => Err(status),
        _ => Ok(()),
    }
}
