//! All kinds of a cluster: the built-in ones and those that users defined.

use crate::custom;
use crate::resource::{Resource, built_in};
use crate::store::Store;
use std::sync::Arc;

/// The definitions' own resource.
pub const DEFINITIONS: &str = "customresourcedefinitions.apiextensions.k8s.io";

/// The kinds that users defined.
pub fn custom(store: &Store) -> impl Iterator<Item = Arc<Resource>> + '_ {
    store
        .list(DEFINITIONS, None)
        .flat_map(|(_, definition)| custom::resources(definition))
}

/// All kinds.
pub fn all(store: &Store) -> Vec<Arc<Resource>> {
    built_in().iter().cloned().chain(custom(store)).collect()
}

fn find(store: &Store, wanted: impl Fn(&Resource) -> bool) -> Option<Arc<Resource>> {
    let own = built_in().iter().find(|resource| wanted(resource)).cloned();
    own.or_else(|| custom(store).find(|resource| wanted(resource)))
}

/// The kind that a path names.
pub fn by_path(store: &Store, group: &str, version: &str, plural: &str) -> Option<Arc<Resource>> {
    find(store, |resource| {
        resource.group == group && resource.version == version && resource.plural == plural
    })
}

/// The kind that a reference names.
pub fn by_kind(store: &Store, api_version: &str, kind: &str) -> Option<Arc<Resource>> {
    find(store, |resource| {
        resource.kind == kind && resource.api_version() == api_version
    })
}

/// The kind with a name over all groups, such as `deployments.apps`.
pub fn by_name(store: &Store, qualified: &str) -> Option<Arc<Resource>> {
    find(store, |resource| resource.qualified() == qualified)
}
