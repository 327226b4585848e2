//! A cluster's objects: by key, each change with a revision of its own.
//!
//! A store is a value: cloning shares, a request works on a clone that is kept when it succeeds.

use imbl::OrdMap;
use serde_json::Value;
use std::sync::Arc;

/// What an object is found by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The resource over all groups, `deployments.apps`.
    pub resource: Arc<str>,
    /// The namespace; empty for kinds without.
    pub namespace: Arc<str>,
    /// The name.
    pub name: Arc<str>,
}

impl Key {
    /// A key.
    pub fn new(resource: &str, namespace: &str, name: &str) -> Self {
        Self {
            resource: resource.into(),
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

/// A change of one object.
#[derive(Clone, Debug)]
pub struct Change {
    /// The revision that it made.
    pub revision: u64,
    /// The object's key.
    pub key: Key,
    /// The object before.
    pub before: Option<Arc<Value>>,
    /// The object after; `None` when it is gone.
    pub after: Option<Arc<Value>>,
}

/// A cluster's objects.
#[derive(Clone, Debug, Default)]
pub struct Store {
    revision: u64,
    objects: OrdMap<Key, Arc<Value>>,
    changes: Vec<Change>,
}

impl Store {
    /// The newest revision.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Puts an object back that was stored before, with the revision it has.
    pub fn restore(&mut self, key: Key, object: Value) {
        let revision = object["metadata"]["resourceVersion"].as_str();
        let revision = revision.and_then(|text| text.parse().ok()).unwrap_or(0);
        self.revision = self.revision.max(revision);
        self.objects.insert(key, Arc::new(object));
    }

    /// Goes on from at least this revision: deletions leave no object that tells of theirs.
    pub fn restore_revision(&mut self, revision: u64) {
        self.revision = self.revision.max(revision);
    }

    /// An object.
    pub fn get(&self, key: &Key) -> Option<&Arc<Value>> {
        self.objects.get(key)
    }

    /// The keys of all objects.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.objects.keys()
    }

    /// The objects of a resource, in one namespace or, with `None`, in all, by namespace and name.
    pub fn list<'s>(
        &'s self,
        resource: &'s str,
        namespace: Option<&'s str>,
    ) -> impl Iterator<Item = (&'s Key, &'s Arc<Value>)> + 's {
        let from = Key::new(resource, namespace.unwrap_or_default(), "");
        self.objects.range(from..).take_while(move |(key, _)| {
            &*key.resource == resource
                && namespace.is_none_or(|namespace| &*key.namespace == namespace)
        })
    }

    /// Stores an object and gives it as it is now, with its revision.
    pub fn put(&mut self, key: Key, mut object: Value) -> Arc<Value> {
        self.revision += 1;
        let revision = self.revision.to_string();
        crate::object::metadata(&mut object).insert("resourceVersion".to_owned(), revision.into());
        let after = Arc::new(object);
        let before = self.objects.insert(key.clone(), after.clone());
        self.changes.push(Change {
            revision: self.revision,
            key,
            before,
            after: Some(after.clone()),
        });
        after
    }

    /// Puts an object into another form, which is no change.
    pub(crate) fn reform(&mut self, key: Key, object: Arc<Value>) {
        self.objects.insert(key, object);
    }

    /// Removes an object.
    pub fn remove(&mut self, key: &Key) -> Option<Arc<Value>> {
        let before = self.objects.remove(key)?;
        self.revision += 1;
        self.changes.push(Change {
            revision: self.revision,
            key: key.clone(),
            before: Some(before.clone()),
            after: None,
        });
        Some(before)
    }

    /// The changes since they were last taken.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }
}
