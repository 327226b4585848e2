//! Endpoints that people write, for Services without a selector, mirrored into `EndpointSlice`s.
//! <https://kubernetes.io/docs/concepts/services-networking/service/#endpointslice-mirroring>

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::address::Family;
use crate::{Action, Outcome, Resource, View, claim, object};

/// The label that names a slice's Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// The label that tells who writes a slice.
const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
/// The mirror's name in that label.
const MANAGER: &str = "endpointslicemirroring-controller.k8s.io";
/// The label of Endpoints that are not mirrored.
const SKIP: &str = "endpointslice.kubernetes.io/skip-mirror";
/// Endpoints with this annotation are a lock of somebody's, not addresses.
const LEADER: &str = "control-plane.alpha.kubernetes.io/leader";
/// Addresses of a subset that are mirrored at most.
const MOST: usize = 1000;

const SLICES: Resource = Resource::EndpointSlices;

/// A slice as it is to be.
struct Mirrored {
    family: Family,
    ports: Vec<Value>,
    endpoints: Vec<Value>,
}

/// Brings the mirrored slices of some Endpoints up to date. They stand for the Endpoints of a Service
/// without a selector; where there are none, none stay. The driver passes the outcome through
/// [`Expectations::admit`](crate::Expectations::admit).
///
/// It depends on the Endpoints, the Service of their name, and its slices.
pub fn endpoint_slice_mirror(view: &dyn View, namespace: &str, name: &str, _now: i64) -> Outcome {
    let mut outcome = Outcome::default();
    let mut existing = view.list(SLICES, Some(namespace));
    existing.retain(|slice| {
        object::label(slice, SERVICE_NAME) == Some(name)
            && object::label(slice, MANAGED_BY) == Some(MANAGER)
            && !object::terminating(slice)
    });
    let endpoints = view.get(Resource::Endpoints, namespace, name);
    let mirrored = endpoints.filter(|endpoints| {
        view.get(Resource::Services, namespace, name)
            .is_some_and(|s| !super::selects(&s))
            && object::label(endpoints, SKIP) != Some("true")
            && object::annotation(endpoints, LEADER).is_none()
    });
    if let Some(endpoints) = mirrored {
        for wanted in of(&endpoints) {
            let place = existing.iter().position(|slice| {
                object::text(slice, "/addressType") == wanted.family.name()
                    && object::list(slice, "/ports") == wanted.ports
            });
            write(
                &endpoints,
                place.map(|at| existing.swap_remove(at)),
                wanted,
                &mut outcome,
            );
        }
    }
    for slice in existing {
        outcome.delete(SLICES, &slice);
    }
    outcome
}

/// The slices that some Endpoints make: one a subset and family.
fn of(endpoints: &Value) -> Vec<Mirrored> {
    let mut all = Vec::new();
    for subset in object::list(endpoints, "/subsets") {
        let ports: Vec<Value> = object::list(subset, "/ports").iter().map(port).collect();
        for family in [Family::V4, Family::V6] {
            let mut found = Vec::new();
            for (field, ready) in [("/addresses", true), ("/notReadyAddresses", false)] {
                let addresses = object::list(subset, field).iter();
                found.extend(addresses.filter_map(|address| endpoint(address, family, ready)));
            }
            found.truncate(MOST);
            if !found.is_empty() {
                all.push(Mirrored {
                    family,
                    ports: ports.clone(),
                    endpoints: found,
                });
            }
        }
    }
    all
}

/// A port, whose name a slice always has.
fn port(port: &Value) -> Value {
    let mut port = port.clone();
    let name = object::text(&port, "/name").to_owned();
    object::put(&mut port, &["name"], name.into());
    port
}

fn endpoint(address: &Value, family: Family, ready: bool) -> Option<Value> {
    let ip = object::text(address, "/ip");
    if !family.holds(ip) {
        return None;
    }
    let mut endpoint = json!({"addresses": [ip], "conditions": {"ready": ready}});
    for field in ["hostname", "nodeName", "targetRef"] {
        if let Some(value) = address.get(field).filter(|value| !value.is_null()) {
            object::put(&mut endpoint, &[field], value.clone());
        }
    }
    Some(endpoint)
}

fn labels(endpoints: &Value) -> Map<String, Value> {
    let mut labels = object::map(endpoints, "/metadata/labels");
    labels.insert(SERVICE_NAME.to_owned(), object::name(endpoints).into());
    labels.insert(MANAGED_BY.to_owned(), MANAGER.into());
    labels
}

fn write(endpoints: &Value, slice: Option<Arc<Value>>, wanted: Mirrored, outcome: &mut Outcome) {
    let labels = Value::Object(labels(endpoints));
    let Some(slice) = slice else {
        let object = json!({
            "apiVersion": SLICES.api_version(),
            "kind": SLICES.kind(),
            "metadata": {
                "generateName": format!("{}-", object::name(endpoints)),
                "namespace": object::namespace(endpoints),
                "labels": labels,
                "ownerReferences": [claim::reference(Resource::Endpoints, endpoints)],
            },
            "addressType": wanted.family.name(),
            "endpoints": wanted.endpoints,
            "ports": wanted.ports,
        });
        outcome.push(Action::Create {
            resource: SLICES,
            object,
        });
        return;
    };
    let mut object = (*slice).clone();
    object::put(&mut object, &["metadata", "labels"], labels);
    object::put(&mut object, &["endpoints"], wanted.endpoints.into());
    if !object::same(&slice, &object) {
        outcome.push(Action::Update {
            resource: SLICES,
            object,
        });
    }
}
