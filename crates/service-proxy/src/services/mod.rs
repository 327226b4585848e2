//! Services and their endpoints as one node serves them.
//!
//! What is compiled: ports of services with a cluster address; external addresses; addresses of load
//! balancers in mode VIP, with source ranges; node ports; traffic policies; session affinity;
//! endpoints by their conditions, with those that terminate where none is ready; topology hints. What
//! is not: headless services and those of type ExternalName, which have no addresses of their own;
//! services that name another proxy; IPv6.
//! <https://kubernetes.io/docs/reference/networking/virtual-ips/>

mod catalog;
mod choose;
mod definition;
mod slice;
#[cfg(test)]
mod tests;

use crate::object::Name;
pub use catalog::Catalog;
use fabric::{ServiceId, Services};
use ipnet::Ipv4Net;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// What a node's proxy knows of its node and cluster, and how it was told to work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The node's name: endpoints that name it are local.
    pub node: String,
    /// The node's zone, if it has one (`topology.kubernetes.io/zone`).
    pub zone: Option<String>,
    /// The node's addresses that take node ports, the primary first. Upstream's default is the primary
    /// one alone (`--nodeport-addresses primary`).
    pub addresses: Vec<Ipv4Addr>,
    /// All pods' ranges (`--cluster-cidr`), if known; it tells what is from outside.
    pub pods: Option<Vec<Ipv4Net>>,
    /// The ranges of cluster addresses (`ServiceCIDR`).
    pub ranges: Vec<Ipv4Net>,
    /// Whether everything to cluster addresses is masqueraded (`--masquerade-all`).
    pub masquerade_all: bool,
}

impl Options {
    /// What holds for all services.
    fn services(&self) -> Services {
        Services {
            services: imbl::OrdMap::new(),
            node_addresses: self.addresses.clone(),
            pods: self.pods.clone(),
            masquerade_all: self.masquerade_all,
            ranges: self.ranges.clone(),
        }
    }
}

/// What a proxy has to answer at a service's `healthCheckNodePort`.
/// <https://kubernetes.io/docs/tasks/access-application-cluster/create-external-load-balancer/#preserving-the-client-source-ip>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// The service's namespace.
    pub namespace: String,
    /// The service's name.
    pub name: String,
    /// The port.
    pub port: u16,
    /// How many of its endpoints are on this node and ready.
    pub local: usize,
}

/// Keeps one node's services as the objects say that it is told of.
#[derive(Clone, Debug)]
pub struct Compiler {
    options: Options,
    catalog: Catalog,
    compiled: Services,
    ids: BTreeMap<Name, Vec<ServiceId>>,
}

impl Compiler {
    /// A compiler that knows no services.
    pub fn new(options: Options) -> Self {
        Self {
            compiled: options.services(),
            options,
            catalog: Catalog::default(),
            ids: BTreeMap::new(),
        }
    }

    /// The services as they are now.
    pub fn services(&self) -> &Services {
        &self.compiled
    }

    /// The node is otherwise now (it got a zone, an address): everything is compiled again.
    pub fn set_options(&mut self, options: Options) {
        if self.options == options {
            return;
        }
        self.compiled = options.services();
        self.options = options;
        self.ids.clear();
        for name in self.catalog.names() {
            self.refresh(&name);
        }
    }

    /// A service is there, new or changed.
    pub fn service(&mut self, object: &Value) {
        let name = self.catalog.service(object);
        self.refresh(&name);
    }

    /// A service is gone.
    pub fn service_gone(&mut self, namespace: &str, name: &str) {
        let name = Name::new(namespace, name);
        self.catalog.forget_service(&name);
        self.refresh(&name);
    }

    /// An EndpointSlice is there, new or changed.
    pub fn slice(&mut self, object: &Value) {
        for service in self.catalog.slice(object) {
            self.refresh(&service);
        }
    }

    /// An EndpointSlice is gone.
    pub fn slice_gone(&mut self, namespace: &str, name: &str) {
        if let Some(service) = self.catalog.forget_slice(&Name::new(namespace, name)) {
            self.refresh(&service);
        }
    }

    /// What to answer at the health check ports of services with the external policy Local.
    pub fn health_checks(&self) -> Vec<HealthCheck> {
        self.catalog.health_checks(&self.options)
    }

    fn refresh(&mut self, name: &Name) {
        let fresh = self.catalog.ports(name, &self.options);
        let services = &mut self.compiled.services;
        let ids: Vec<ServiceId> = fresh.iter().map(|service| service.id.clone()).collect();
        for gone in self.ids.remove(name).unwrap_or_default() {
            if !ids.contains(&gone) {
                services.remove(&gone);
            }
        }
        for service in fresh {
            // What is the same stays the same value, so that comparing costs nothing.
            let same = |known: &Arc<fabric::Service>| **known == service;
            if !services.get(&service.id).is_some_and(same) {
                services.insert(service.id.clone(), Arc::new(service));
            }
        }
        if !ids.is_empty() {
            self.ids.insert(name.clone(), ids);
        }
    }
}
