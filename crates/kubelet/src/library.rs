//! Objects that pods refer to, as the API has them; those read a short while ago are not asked for
//! again.

use kube_client::{Client, Error};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// So many objects are kept.
const KEPT: usize = 1024;

/// Objects by their paths.
#[derive(Debug)]
pub(crate) struct Library {
    client: Client,
    known: Mutex<HashMap<String, (Instant, Arc<Value>)>>,
}

impl Library {
    pub(crate) fn new(client: Client) -> Self {
        Self {
            client,
            known: Mutex::default(),
        }
    }

    /// The object at a path, not older than this.
    pub(crate) async fn get(&self, path: &str, age: Duration) -> Result<Arc<Value>, Error> {
        if let Some(known) = self.fresh(path, age) {
            return Ok(known);
        }
        let read = Arc::new(self.client.get(path).await?);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEPT {
            known.clear();
        }
        known.insert(path.to_owned(), (Instant::now(), read.clone()));
        Ok(read)
    }

    fn fresh(&self, path: &str, age: Duration) -> Option<Arc<Value>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, object) = known.get(path)?;
        // What says that it never changes doesn't.
        let fixed = object["immutable"] == true;
        (fixed || since.elapsed() <= age).then(|| object.clone())
    }
}
