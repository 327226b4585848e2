//! `EndpointSlice`s and Endpoints: the addresses of a Service's pods.
//! <https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/>

mod address;
mod front;
mod legacy;
mod mirror;
mod ports;
mod slices;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::selector::Selector;
use crate::{Outcome, Resource, View, object};

use address::Family;

pub use front::{ApiFront, api_service};
pub use mirror::endpoint_slice_mirror;

/// Reconciles the `EndpointSlice`s and the Endpoints of one Service. The driver passes the
/// outcome through [`Expectations::admit`](crate::Expectations::admit), as slices have names
/// that the API server chooses.
///
/// It depends on the Service, its pods, their nodes' zones, its slices and its Endpoints.
pub fn endpoint_slice(view: &dyn View, namespace: &str, name: &str, _now: i64) -> Outcome {
    let mut outcome = Outcome::default();
    let Some(service) = view.get(Resource::Services, namespace, name) else {
        // Slices have the Service as their owner, Endpoints only have its name.
        if let Some(endpoints) = view.get(Resource::Endpoints, namespace, name) {
            outcome.delete(Resource::Endpoints, &endpoints);
        }
        return outcome;
    };
    if object::terminating(&service) || object::text(&service, "/spec/type") == "ExternalName" {
        return outcome;
    }
    let selector = service.pointer("/spec/selector").and_then(Selector::of_map);
    let Some(selector) = selector else {
        return outcome;
    };
    let mut pods: Vec<Arc<Value>> = view.list(Resource::Pods, Some(namespace));
    pods.retain(|pod| selector.matches(pod));
    pods.sort_by(|a, b| object::name(a).cmp(object::name(b)));
    let families = families(&service);
    slices::reconcile(view, &service, &pods, &families, &mut outcome);
    if let Some(first) = families.first() {
        legacy::reconcile(view, &service, &pods, *first, &mut outcome);
    }
    outcome
}

/// Whether a Service chooses its endpoints by labels.
fn selects(service: &Value) -> bool {
    service
        .pointer("/spec/selector")
        .and_then(Selector::of_map)
        .is_some()
}

/// The address families of a Service, IPv4 where none is given.
fn families(service: &Value) -> Vec<Family> {
    let named = object::list(service, "/spec/ipFamilies");
    let named: BTreeSet<usize> = named
        .iter()
        .map(|f| usize::from(f.as_str() == Some("IPv6")))
        .collect();
    let first_is_v6 = object::text(service, "/spec/ipFamilies/0") == "IPv6";
    match (named.len(), first_is_v6) {
        (2, true) => vec![Family::V6, Family::V4],
        (2, false) => vec![Family::V4, Family::V6],
        (_, true) => vec![Family::V6],
        (_, false) => vec![Family::V4],
    }
}

/// Whether the Service has no address of its own.
fn headless(service: &Value) -> bool {
    let address = object::text(service, "/spec/clusterIP");
    address.is_empty() || address == "None"
}

/// The Service's labels for what is made of it.
fn labels(service: &Value) -> Map<String, Value> {
    let mut labels = object::map(service, "/metadata/labels");
    labels.remove("service.kubernetes.io/headless");
    if headless(service) {
        labels.insert("service.kubernetes.io/headless".to_owned(), "".into());
    }
    labels
}
