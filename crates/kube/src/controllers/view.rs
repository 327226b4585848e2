//! A cluster's objects as workload controllers see them.

use crate::store::{Key, Store};
use serde_json::Value;
use std::sync::Arc;
use workloads::{Resource, View};

/// The objects of a store.
pub(crate) struct Objects<'s>(pub(crate) &'s Store);

/// A resource's name over all groups.
pub(super) fn qualified(resource: Resource) -> String {
    if resource.group().is_empty() {
        resource.plural().to_owned()
    } else {
        format!("{}.{}", resource.plural(), resource.group())
    }
}

impl View for Objects<'_> {
    fn get(&self, resource: Resource, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.0
            .get(&Key::new(&qualified(resource), namespace, name))
            .cloned()
    }

    fn list(&self, resource: Resource, namespace: Option<&str>) -> Vec<Arc<Value>> {
        let resource = qualified(resource);
        let all = self.0.list(&resource, namespace);
        all.map(|(_, object)| object.clone()).collect()
    }
}
