//! The garbage collector: what nobody owns any longer goes.
//!
//! <https://kubernetes.io/docs/concepts/architecture/garbage-collection/>

use super::route::owner_key;
use crate::api::Status;
use crate::client::Client;
use crate::object;
use crate::registry;
use crate::store::{Key, Store};
use serde_json::{Value, json};
use std::sync::Arc;

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

/// Looks at what an object that is gone owned.
pub(super) async fn collect(client: &Client, uid: &str) -> Result<(), Status> {
    let published = client.cluster().now();
    for (key, object) in dependents(&published.store, uid) {
        remove_unowned(client, &published.store, &key, &object).await?;
    }
    Ok(())
}

/// The objects that name an owner.
fn dependents(store: &Store, uid: &str) -> Vec<(Key, Arc<Value>)> {
    let names = |object: &Value| {
        object::list(object, &["metadata", "ownerReferences"])
            .iter()
            .any(|owner| owner["uid"] == uid)
    };
    store
        .keys()
        .filter_map(|key| Some((key.clone(), store.get(key)?.clone())))
        .filter(|(_, object)| names(object))
        .collect()
}

/// Deletes an object whose owners are all gone.
async fn remove_unowned(
    client: &Client,
    store: &Store,
    key: &Key,
    object: &Value,
) -> Result<(), Status> {
    let owners = object::list(object, &["metadata", "ownerReferences"]);
    let lives = |owner: &Value| {
        // Of a kind that isn't served nothing is known: better keep than lose.
        owner_key(store, owner, &key.namespace).is_none_or(|at| {
            store
                .get(&at)
                .is_some_and(|found| owner["uid"] == object::uid(found))
        })
    };
    if owners.is_empty() || owners.iter().any(lives) || object::is_terminating(object) {
        return Ok(());
    }
    delete(client, key, object, "Background").await
}

async fn delete(
    client: &Client,
    key: &Key,
    object: &Value,
    propagation: &str,
) -> Result<(), Status> {
    let kind = registry::by_name(&client.cluster().now().store, &key.resource);
    let kind = kind.ok_or_else(Status::no_such_path)?;
    let options = json!({
        "preconditions": {"uid": object::uid(object)}, "propagationPolicy": propagation,
    });
    match client
        .delete(&kind, &key.namespace, &key.name, &options)
        .await
    {
        Err(status) if status.code != 404 => Err(status),
        _ => Ok(()),
    }
}

/// Does what an object's finalizers ask for; an object without any goes if its owners are gone.
pub(super) async fn finalize(client: &Client, key: &Key) -> Result<(), Status> {
    let published = client.cluster().now();
    let Some(object) = published.store.get(key).cloned() else {
        return Ok(());
    };
    if !object::is_terminating(&object) {
        return remove_unowned(client, &published.store, key, &object).await;
    }
    let held = |name: &str| {
        object::list(&object, &["metadata", "finalizers"])
            .iter()
            .any(|held| held == name)
    };
    let owned = dependents(&published.store, object::uid(&object));
    if held(ORPHAN) {
        for (key, dependent) in &owned {
            disown(client, key, dependent, object::uid(&object)).await?;
        }
        return release(client, key, &object, ORPHAN).await;
    }
    if held(FOREGROUND) {
        let blocking = |dependent: &Value| {
            object::list(dependent, &["metadata", "ownerReferences"])
                .iter()
                .any(|owner| {
                    owner["uid"] == object::uid(&object) && owner["blockOwnerDeletion"] == true
                })
        };
        let mut left = 0;
        for (key, dependent) in &owned {
            left += usize::from(blocking(dependent));
            if !object::is_terminating(dependent) {
                delete(client, key, dependent, "Foreground").await?;
            }
        }
        if left == 0 {
            return release(client, key, &object, FOREGROUND).await;
        }
    }
    Ok(())
}

/// Takes an owner off a dependent.
async fn disown(client: &Client, key: &Key, object: &Value, uid: &str) -> Result<(), Status> {
    let owners: Vec<&Value> = object::list(object, &["metadata", "ownerReferences"])
        .iter()
        .filter(|owner| owner["uid"] != uid)
        .collect();
    let patch = json!({"metadata": {"ownerReferences": owners}});
    change(client, key, &patch).await
}

/// Takes a finalizer off an object.
async fn release(client: &Client, key: &Key, object: &Value, name: &str) -> Result<(), Status> {
    let held: Vec<&Value> = object::list(object, &["metadata", "finalizers"])
        .iter()
        .filter(|held| **held != name)
        .collect();
    let patch = json!({"metadata": {
        "finalizers": held, "resourceVersion": object["metadata"]["resourceVersion"],
    }});
    change(client, key, &patch).await
}

async fn change(client: &Client, key: &Key, patch: &Value) -> Result<(), Status> {
    let kind = registry::by_name(&client.cluster().now().store, &key.resource);
    let kind = kind.ok_or_else(Status::no_such_path)?;
    match client.patch(&kind, &key.namespace, &key.name, patch).await {
        Err(status) if status.code != 404 => Err(status),
        _ => Ok(()),
    }
}
