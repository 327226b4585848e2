//! What there is in a collection, kept up to date: list, watch, and list again where the watch broke.

use crate::client::Client;
use crate::error::Error;
use crate::watch::Change;
use imbl::OrdMap;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// After a failure the next try waits so long, and twice as long each time up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Objects by [`key`]; a clone shares what it is a clone of.
pub type Objects = OrdMap<String, Arc<Value>>;

/// An object's key in a mirror: `namespace/name`, or its name alone.
pub fn key(object: &Value) -> String {
    let metadata = &object["metadata"];
    let name = metadata["name"].as_str().unwrap_or_default();
    match metadata["namespace"].as_str() {
        Some(namespace) => format!("{namespace}/{name}"),
        None => name.to_owned(),
    }
}

/// A collection as it is. Clones see the same; it is followed until the last one is gone.
#[derive(Clone, Debug)]
pub struct Mirror {
    objects: watch::Receiver<Option<Arc<Objects>>>,
    _following: Arc<Following>,
}

#[derive(Debug)]
struct Following(JoinHandle<()>);

impl Drop for Following {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Mirror {
    /// Begins to follow the collection at a path, `/api/v1/pods?fieldSelector=spec.nodeName%3Dn1`.
    /// Must be called on a runtime.
    pub fn start(client: Client, path: impl Into<String>) -> Self {
        let (publish, objects) = watch::channel(None);
        let path = path.into();
        let following = tokio::spawn(async move { follow(&client, &path, &publish).await });
        Self {
            objects,
            _following: Arc::new(Following(following)),
        }
    }

    /// What there is; `None` before the first list has come.
    pub fn now(&self) -> Option<Arc<Objects>> {
        self.objects.borrow().clone()
    }

    /// What there is, from the first list on.
    pub async fn ready(&mut self) -> Arc<Objects> {
        loop {
            if let Some(objects) = self.objects.borrow_and_update().clone() {
                return objects;
            }
            if self.objects.changed().await.is_err() {
                // The task that follows can't end before this mirror does.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits for a change since [`Mirror::ready`] or the last call, and gives what there is then.
    /// Changes that came together are seen together.
    pub async fn changed(&mut self) -> Arc<Objects> {
        loop {
            if self.objects.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            if let Some(objects) = self.objects.borrow_and_update().clone() {
                return objects;
            }
        }
    }
}

async fn follow(client: &Client, path: &str, publish: &watch::Sender<Option<Arc<Objects>>>) {
    let mut pause = FIRST_PAUSE;
    loop {
        match once(client, path, publish, &mut pause).await {
            Ok(()) => {}
            Err(error) if error.is_gone() => continue,
            Err(error) => {
                tracing::debug!(path, %error, "not followed for now");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// Lists, then watches until that ends. A watch that ended in peace is taken up where it ended.
async fn once(
    client: &Client,
    path: &str,
    publish: &watch::Sender<Option<Arc<Objects>>>,
    pause: &mut Duration,
) -> Result<(), Error> {
    let mut list = client.get(path).await?;
    let mut revision = text(&list["metadata"]["resourceVersion"]);
    // Items of a list don't say what they are; the list does.
    let kind = text(&list["kind"]);
    let kind = kind.strip_suffix("List").unwrap_or_default().to_owned();
    let version = list["apiVersion"].clone();
    let mut objects = Objects::new();
    if let Value::Array(items) = list["items"].take() {
        for mut item in items {
            if item["kind"].is_null() {
                item["kind"] = Value::from(kind.as_str());
                item["apiVersion"] = version.clone();
            }
            objects.insert(key(&item), Arc::new(item));
        }
    }
    publish.send_replace(Some(Arc::new(objects.clone())));
    *pause = FIRST_PAUSE;
    loop {
        let mut changes = client.watch(path, &revision).await?;
        while let Some(change) = changes.next().await? {
            match change {
                Change::Bookmark(seen) => revision = seen,
                Change::Applied(object) => {
                    revision = text(&object["metadata"]["resourceVersion"]);
                    objects.insert(key(&object), Arc::new(object));
                    publish.send_replace(Some(Arc::new(objects.clone())));
                }
                Change::Deleted(object) => {
                    revision = text(&object["metadata"]["resourceVersion"]);
                    objects.remove(&key(&object));
                    publish.send_replace(Some(Arc::new(objects.clone())));
                }
            }
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
