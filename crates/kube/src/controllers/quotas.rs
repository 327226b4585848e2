//! Quotas say what is used of them.
//!
//! What is let in is decided when it comes, by what there is; this only tells.

use crate::api::Status;
use crate::client::{Client, resource};
use crate::quota;
use crate::store::Key;

pub(super) async fn reconcile(client: &Client, key: &Key) -> Result<(), Status> {
    let published = client.cluster().now();
    let Some(found) = published.store.get(key) else {
        return Ok(());
    };
    let status = quota::status(&published.store, found);
    if found["status"] == status {
        return Ok(());
    }
    let mut quota = found.as_ref().clone();
    quota["status"] = status;
    let kind = resource(quota::QUOTAS).ok_or_else(Status::no_such_path)?;
    client.replace(kind, "status", &quota).await.map(drop)
}
