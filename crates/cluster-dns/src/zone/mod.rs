//! A cluster's objects, as names are made of them.

mod lookup;
mod objects;
mod reverse;
#[cfg(test)]
mod tests;

pub use lookup::Found;
use objects::{Key, Service, Slice};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

/// Which kind of object changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `v1` Namespace.
    Namespace,
    /// `v1` Service.
    Service,
    /// `discovery.k8s.io/v1` EndpointSlice.
    EndpointSlice,
    /// `v1` Pod; wanted only where pods' names are verified.
    Pod,
}

/// A cluster's services, endpoints and namespaces.
#[derive(Debug, Default)]
pub struct Zone {
    namespaces: BTreeSet<String>,
    services: BTreeMap<Key, Service>,
    slices: BTreeMap<String, Slice>,
    pods: HashMap<String, Vec<IpAddr>>,
    /// Which slices are a service's.
    of_service: HashMap<Key, BTreeSet<String>>,
    service_at: HashMap<IpAddr, BTreeSet<Key>>,
    slices_at: HashMap<IpAddr, BTreeSet<String>>,
    pods_at: HashMap<IpAddr, BTreeSet<String>>,
    /// When something changed last, in seconds since 1970: the zone's serial number.
    changed: u32,
    /// Whether all objects have been seen once.
    complete: bool,
    /// The name server's own addresses.
    local: Vec<IpAddr>,
}

impl Zone {
    /// A zone of nothing. `local` are the name server's own addresses, by which it finds its own service.
    pub fn new(local: Vec<IpAddr>) -> Self {
        Self {
            local,
            ..Self::default()
        }
    }

    /// From now on, what isn't here doesn't exist. Before, the server doesn't know.
    pub fn complete(&mut self) {
        self.complete = true;
    }

    /// Whether all objects have been seen once.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Takes an object as it is now, or its end. `key` is `namespace/name`, or a namespace's name; `now` are
    /// seconds since 1970.
    pub fn apply(&mut self, kind: Kind, key: &str, object: Option<&Value>, now: u32) {
        self.changed = now;
        match kind {
            Kind::Namespace => {
                self.namespaces.remove(key);
                if object.is_some() {
                    self.namespaces.insert(key.to_owned());
                }
            }
            Kind::Service => self.apply_service(split(key), object.map(Service::read)),
            Kind::EndpointSlice => self.apply_slice(key, object.and_then(Slice::read)),
            Kind::Pod => {
                let old = self.pods.remove(key).unwrap_or_default();
                let new = object.map(objects::pod_addresses).unwrap_or_default();
                reindex(&mut self.pods_at, &old, &new, &key.to_owned());
                if !new.is_empty() {
                    self.pods.insert(key.to_owned(), new);
                }
            }
        }
    }

    fn apply_service(&mut self, key: Key, service: Option<Service>) {
        let addresses = |service: Option<&Service>| match service {
            Some(Service::Cluster { addresses, .. }) => addresses.clone(),
            _ => Vec::new(),
        };
        let old = addresses(self.services.remove(&key).as_ref());
        let new = addresses(service.as_ref());
        reindex(&mut self.service_at, &old, &new, &key);
        if let Some(service) = service {
            self.services.insert(key, service);
        }
    }

    fn apply_slice(&mut self, key: &str, slice: Option<Slice>) {
        let addresses = |slice: &Slice| slice.endpoints.iter().map(|end| end.address).collect();
        let key = key.to_owned();
        let old = self.slices.remove(&key);
        if let Some(old) = &old
            && let Some(keys) = self.of_service.get_mut(&old.service)
        {
            keys.remove(&key);
            if keys.is_empty() {
                self.of_service.remove(&old.service);
            }
        }
        let old: Vec<_> = old.as_ref().map(addresses).unwrap_or_default();
        let new: Vec<_> = slice.as_ref().map(addresses).unwrap_or_default();
        reindex(&mut self.slices_at, &old, &new, &key);
        if let Some(slice) = slice {
            let keys = self.of_service.entry(slice.service.clone()).or_default();
            keys.insert(key.clone());
            self.slices.insert(key, slice);
        }
    }

    /// A service's slices.
    fn slices_of(&self, service: &Key) -> impl Iterator<Item = &Slice> {
        let keys = self.of_service.get(service).into_iter().flatten();
        keys.filter_map(|key| self.slices.get(key))
    }
}

fn split(key: &str) -> Key {
    let (namespace, name) = key.split_once('/').unwrap_or(("", key));
    (namespace.to_owned(), name.to_owned())
}

/// Moves what has some addresses from its old ones to its new ones.
fn reindex<K: Clone + Ord>(
    index: &mut HashMap<IpAddr, BTreeSet<K>>,
    old: &[IpAddr],
    new: &[IpAddr],
    key: &K,
) {
    for address in old {
        if let Some(keys) = index.get_mut(address) {
            keys.remove(key);
            if keys.is_empty() {
                index.remove(address);
            }
        }
    }
    for address in new {
        index.entry(*address).or_default().insert(key.clone());
    }
}
