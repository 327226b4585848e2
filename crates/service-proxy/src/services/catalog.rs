//! A cluster's services and slices, read once, for any of its nodes.

use super::definition::Definition;
use super::slice::{Endpoint, Slice};
use super::{HealthCheck, Options, choose};
use crate::object::Name;
use fabric::{Service, Services};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is known of a cluster's services.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    definitions: BTreeMap<Name, Definition>,
    slices: BTreeMap<Name, BTreeMap<String, Slice>>,
    service_of: BTreeMap<Name, Name>,
}

impl Catalog {
    /// Reads services and slices, in any order.
    pub fn read<'a>(
        services: impl IntoIterator<Item = &'a Value>,
        slices: impl IntoIterator<Item = &'a Value>,
    ) -> Self {
        let mut catalog = Self::default();
        for service in services {
            catalog.service(service);
        }
        for slice in slices {
            catalog.slice(slice);
        }
        catalog
    }

    /// The services as one node serves them.
    pub fn on(&self, options: &Options) -> Services {
        let mut services = options.services();
        for name in self.definitions.keys() {
            for service in self.ports(name, options) {
                services
                    .services
                    .insert(service.id.clone(), Arc::new(service));
            }
        }
        services
    }

    pub(super) fn names(&self) -> Vec<Name> {
        self.definitions.keys().cloned().collect()
    }

    pub(super) fn service(&mut self, object: &Value) -> Name {
        let name = Name::of(object);
        match Definition::read(object) {
            Some(definition) => {
                self.definitions.insert(name.clone(), definition);
            }
            None => self.forget_service(&name),
        }
        name
    }

    pub(super) fn forget_service(&mut self, name: &Name) {
        self.definitions.remove(name);
    }

    /// Takes a slice; the services that it concerned and concerns.
    pub(super) fn slice(&mut self, object: &Value) -> BTreeSet<Name> {
        let name = Name::of(object);
        let mut touched: BTreeSet<Name> = self.forget_slice(&name).into_iter().collect();
        if let Some((service, slice)) = Slice::read(object) {
            let slices = self.slices.entry(service.clone()).or_default();
            slices.insert(name.name.clone(), slice);
            self.service_of.insert(name, service.clone());
            touched.insert(service);
        }
        touched
    }

    /// Forgets a slice; the service that it concerned.
    pub(super) fn forget_slice(&mut self, name: &Name) -> Option<Name> {
        let service = self.service_of.remove(name)?;
        if let Some(slices) = self.slices.get_mut(&service) {
            slices.remove(&name.name);
            if slices.is_empty() {
                self.slices.remove(&service);
            }
        }
        Some(service)
    }

    /// The ports of a service, as a node serves them.
    pub(super) fn ports(&self, name: &Name, options: &Options) -> Vec<Service> {
        let Some(definition) = self.definitions.get(name) else {
            return Vec::new();
        };
        definition
            .ports
            .iter()
            .map(|port| {
                let endpoints = self.endpoints(name, &port.name, port.protocol);
                let chosen = choose::choose(&endpoints, options);
                Service {
                    id: port.id(name),
                    protocol: port.protocol,
                    frontends: definition.frontends(port, options),
                    backends: chosen.everywhere,
                    local: chosen.here,
                    lingering: chosen.lingering,
                    internal: definition.internal,
                    external: definition.external,
                    affinity: definition.affinity,
                }
            })
            .collect()
    }

    fn endpoints(
        &self,
        name: &Name,
        port: &str,
        protocol: fabric::Protocol,
    ) -> Vec<(&Endpoint, u16)> {
        let slices = self.slices.get(name).into_iter().flat_map(BTreeMap::values);
        slices
            .flat_map(|slice| {
                let number = slice.port(port, protocol);
                let endpoints = slice.endpoints.iter();
                number
                    .into_iter()
                    .flat_map(move |number| endpoints.clone().map(move |one| (one, number)))
            })
            .collect()
    }

    pub(super) fn health_checks(&self, options: &Options) -> Vec<HealthCheck> {
        let with_check = self
            .definitions
            .iter()
            .filter_map(|(name, definition)| Some((name, definition.health_check?)));
        with_check
            .map(|(name, port)| {
                let slices = self.slices.get(name).into_iter().flat_map(BTreeMap::values);
                let ready: BTreeSet<_> = slices
                    .flat_map(|slice| &slice.endpoints)
                    .filter(|endpoint| endpoint.ready && endpoint.is_on(options))
                    .map(|endpoint| endpoint.address)
                    .collect();
                HealthCheck {
                    namespace: name.namespace.clone(),
                    name: name.name.clone(),
                    port,
                    local: ready.len(),
                }
            })
            .collect()
    }
}
