//! Namespaces that go: first what is in them, then they.
//!
//! <https://kubernetes.io/docs/tasks/administer-cluster/namespaces/>

use crate::api::{Method, Status};
use crate::client::{Client, path, resource};
use crate::object;
use crate::registry;
use crate::resource::Resource;
use crate::store::{Key, Store};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) async fn reconcile(client: &Client, name: &str) -> Result<(), Status> {
    let published = client.cluster().now();
    let Some(namespace) = published
        .store
        .get(&Key::new("namespaces", "", name))
        .cloned()
    else {
        return Ok(());
    };
    if !object::is_terminating(&namespace) {
        return Ok(());
    }
    let mut left = 0;
    for kind in kinds(&published.store) {
        let qualified = kind.qualified();
        let going = published.store.list(&qualified, Some(name));
        let (all, staying) = going.fold((0, 0), |(all, staying), (_, object)| {
            (
                all + 1,
                staying + usize::from(!object::is_terminating(object)),
            )
        });
        left += all;
        if staying > 0 {
            let all = path(&kind, name, "", "");
            let options = json!({"propagationPolicy": "Background"});
            client
                .send(Method::Delete, &all, "application/json", &options)
                .await?;
        }
    }
    let now = client.cluster().now();
    let mut all = kinds(&now.store).into_iter();
    let empty = all.all(|kind| {
        now.store
            .list(&kind.qualified(), Some(name))
            .next()
            .is_none()
    });
    if left == 0 || empty {
        return finish(client, namespace.as_ref().clone()).await;
    }
    Ok(())
}

/// The kinds whose objects lie in namespaces.
fn kinds(store: &Store) -> Vec<Arc<Resource>> {
    let mut kinds = registry::all(store);
    kinds.retain(|kind| kind.namespaced && kind.kept);
    kinds
}

/// The namespace's own finalizer goes, and with it the namespace.
async fn finish(client: &Client, mut namespace: Value) -> Result<(), Status> {
    let held = object::map_mut(&mut namespace, "spec");
    if let Some(Value::Array(finalizers)) = held.get_mut("finalizers") {
        finalizers.retain(|finalizer| finalizer != "kubernetes");
    }
    let kind = resource("namespaces").ok_or_else(Status::no_such_path)?;
    match client.replace(kind, "finalize", &namespace).await {
        Err(status) if status.code != 404 => Err(status),
        _ => Ok(()),
    }
}
