//! Clusters' objects in the lab's store.

use crate::store::{Record, Store};
use aws::model::RecordChange;
use kube::store::{Change, Key};
use std::io;
use std::sync::Arc;

/// Objects, by cluster and key.
const OBJECTS: &str = "kube";
/// The newest revision, by cluster: deletions leave no object that tells it.
const REVISIONS: &str = "kube-revision";

/// Where a cluster's changes go.
pub(super) struct Journal {
    cluster: String,
    store: Arc<Store>,
}

impl Journal {
    pub(super) fn new(cluster: &str, store: Arc<Store>) -> Self {
        Self {
            cluster: cluster.to_owned(),
            store,
        }
    }
}

impl kube::cluster::Journal for Journal {
    fn commit(&self, changes: &[Change]) -> io::Result<()> {
        let mut records = Vec::with_capacity(changes.len() + 1);
        for change in changes {
            let value = change.after.as_ref().map(serde_json::to_vec);
            records.push(RecordChange {
                table: OBJECTS.into(),
                key: place(&self.cluster, &change.key),
                value: value.transpose()?,
            });
        }
        if let Some(last) = changes.last() {
            records.push(RecordChange {
                table: REVISIONS.into(),
                key: self.cluster.clone(),
                value: Some(last.revision.to_string().into_bytes()),
            });
        }
        self.store.commit(&records).map_err(io::Error::other)
    }
}

/// An object's key in the lab's store. No part of it has a slash.
fn place(cluster: &str, key: &Key) -> String {
    let Key {
        resource,
        namespace,
        name,
    } = key;
    format!("{cluster}/{resource}/{namespace}/{name}")
}

/// A cluster's objects, from all records.
///
/// # Errors
/// A record is damaged.
pub(super) fn restore(cluster: &str, records: &[Record]) -> io::Result<kube::store::Store> {
    let mut store = kube::store::Store::default();
    for record in records {
        if record.table == REVISIONS && record.key == cluster {
            let text = String::from_utf8_lossy(&record.value);
            store.restore_revision(text.parse().map_err(io::Error::other)?);
        }
        if record.table != OBJECTS {
            continue;
        }
        let mut parts = record.key.splitn(4, '/');
        let mut next = || parts.next().unwrap_or_default();
        if next() == cluster {
            let key = Key::new(next(), next(), next());
            store.restore(key, serde_json::from_slice(&record.value)?);
        }
    }
    Ok(store)
}

/// The changes that forget a cluster's objects.
pub(super) fn forget(cluster: &str, store: &kube::store::Store) -> Vec<RecordChange> {
    let gone = |table: &'static str, key| RecordChange {
        table: table.into(),
        key,
        value: None,
    };
    let objects = store.keys().map(|key| gone(OBJECTS, place(cluster, key)));
    objects
        .chain([gone(REVISIONS, cluster.to_owned())])
        .collect()
}
