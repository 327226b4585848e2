//! `EndpointSlice`s: the endpoints of a Service, spread over objects of limited size.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::address::{self, Family};
use super::{labels, ports};
use crate::{Action, Outcome, Resource, View, claim, object};

/// The label that names a slice's Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// The label that tells who writes a slice.
const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
/// This controller's name in that label.
const MANAGER: &str = "endpointslice-controller.k8s.io";
/// The most endpoints of a slice (`--max-endpoints-per-slice`).
const MOST: usize = 100;

/// Endpoints that have the same ports, by pod and address.
struct Group {
    ports: Vec<Value>,
    endpoints: BTreeMap<(String, String), Value>,
}

/// Brings the slices of a Service up to date, changing as few of them as can be.
pub(super) fn reconcile(
    view: &dyn View,
    service: &Value,
    pods: &[Arc<Value>],
    families: &[Family],
    outcome: &mut Outcome,
) {
    let mut existing = view.list(Resource::EndpointSlices, Some(object::namespace(service)));
    existing.retain(|slice| {
        object::label(slice, SERVICE_NAME) == Some(object::name(service))
            && object::label(slice, MANAGED_BY) == Some(MANAGER)
            && !object::terminating(slice)
    });
    for family in families {
        let (mine, others) = existing
            .into_iter()
            .partition(|slice| object::text(slice, "/addressType") == family.name());
        existing = others;
        reconcile_family(view, service, pods, *family, mine, outcome);
    }
    // What is left is of a family that the Service does not have any more.
    for slice in existing {
        outcome.delete(Resource::EndpointSlices, &slice);
    }
}

fn reconcile_family(
    view: &dyn View,
    service: &Value,
    pods: &[Arc<Value>],
    family: Family,
    existing: Vec<Arc<Value>>,
    outcome: &mut Outcome,
) {
    let (mut wanted, mut unused) = (Vec::new(), existing);
    for group in groups(view, service, pods, family) {
        let (same, others): (Vec<_>, Vec<_>) = unused
            .into_iter()
            .partition(|slice| object::list(slice, "/ports") == group.ports);
        unused = others;
        let (kept, empty) = fill(group, same);
        wanted.extend(kept);
        unused.extend(empty);
    }
    if wanted.is_empty() {
        // One slice stays, so that it can be told that there are no endpoints.
        let place = unused.iter().position(|slice| endpoints(slice).is_empty());
        let slice = match place {
            Some(place) => Some(unused.swap_remove(place)),
            None => unused.pop(),
        };
        wanted.push((slice, Vec::new(), Vec::new()));
    }
    for (slice, ports, endpoints) in wanted {
        let slice = slice.or_else(|| unused.pop());
        write(service, family, slice, &ports, &endpoints, outcome);
    }
    for slice in unused {
        outcome.delete(Resource::EndpointSlices, &slice);
    }
}

/// A slice as it is to be: the one that it is made of, its ports and its endpoints.
type Wanted = (Option<Arc<Value>>, Vec<Value>, Vec<Value>);

/// Spreads a group over the slices that have its ports: endpoints stay where they are, new ones
/// go to slices that change anyway, then where there is room, then to new slices. Also returns
/// the slices that are left empty.
fn fill(mut group: Group, slices: Vec<Arc<Value>>) -> (Vec<Wanted>, Vec<Arc<Value>>) {
    let mut kept: Vec<(Arc<Value>, Vec<Value>)> = Vec::new();
    for slice in slices {
        let stay = endpoints(&slice)
            .iter()
            .filter_map(|e| group.endpoints.remove(&key(e)));
        let stay: Vec<Value> = stay.take(MOST).collect();
        kept.push((slice, stay));
    }
    let mut rest: VecDeque<Value> = group.endpoints.into_values().collect();
    kept.sort_by_key(|(slice, stay)| {
        let unchanged = stay.as_slice() == endpoints(slice);
        (unchanged, std::cmp::Reverse(stay.len()))
    });
    for (_, stay) in &mut kept {
        let room = MOST.saturating_sub(stay.len()).min(rest.len());
        stay.extend(rest.drain(..room));
    }
    let (kept, empty): (Vec<_>, Vec<_>) = kept.into_iter().partition(|(_, stay)| !stay.is_empty());
    let mut wanted: Vec<Wanted> = kept
        .into_iter()
        .map(|(slice, stay)| (Some(slice), group.ports.clone(), stay))
        .collect();
    while !rest.is_empty() {
        let size = MOST.min(rest.len());
        wanted.push((None, group.ports.clone(), rest.drain(..size).collect()));
    }
    (wanted, empty.into_iter().map(|(slice, _)| slice).collect())
}

/// The endpoints that there are to be, by their ports: pods may have different numbers for a
/// named port.
fn groups(view: &dyn View, service: &Value, pods: &[Arc<Value>], family: Family) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let portless = object::list(service, "/spec/ports").is_empty() && super::headless(service);
    for pod in pods.iter().filter(|pod| address::eligible(pod, true)) {
        let Some(ip) = address::of(pod, family) else {
            continue;
        };
        let ports = ports::of(service, pod);
        if ports.is_empty() && !portless {
            continue;
        }
        let endpoint = address::endpoint(view, service, pod, ip);
        let entry = (key(&endpoint), endpoint);
        match groups.iter_mut().find(|g| g.ports == ports) {
            Some(group) => {
                group.endpoints.insert(entry.0, entry.1);
            }
            None => groups.push(Group {
                ports,
                endpoints: BTreeMap::from([entry]),
            }),
        }
    }
    groups
}

fn endpoints(slice: &Value) -> &[Value] {
    object::list(slice, "/endpoints")
}

/// What makes an endpoint the same one: its pod and its address.
fn key(endpoint: &Value) -> (String, String) {
    let uid = object::text(endpoint, "/targetRef/uid");
    (
        uid.to_owned(),
        object::text(endpoint, "/addresses/0").to_owned(),
    )
}

fn slice_labels(service: &Value) -> Map<String, Value> {
    let mut labels = labels(service);
    labels.insert(SERVICE_NAME.to_owned(), object::name(service).into());
    labels.insert(MANAGED_BY.to_owned(), MANAGER.into());
    labels
}

/// Adds the creation of a slice, or the write of a changed one.
fn write(
    service: &Value,
    family: Family,
    slice: Option<Arc<Value>>,
    ports: &[Value],
    endpoints: &[Value],
    outcome: &mut Outcome,
) {
    let resource = Resource::EndpointSlices;
    let labels = Value::Object(slice_labels(service));
    let Some(slice) = slice else {
        let object = json!({
            "apiVersion": resource.api_version(),
            "kind": resource.kind(),
            "metadata": {
                "generateName": format!("{}-", object::name(service)),
                "namespace": object::namespace(service),
                "labels": labels,
                "ownerReferences": [claim::reference(Resource::Services, service)],
            },
            "addressType": family.name(),
            "endpoints": endpoints,
            "ports": ports,
        });
        outcome.push(Action::Create { resource, object });
        return;
    };
    let mut object = (*slice).clone();
    object::put(&mut object, &["metadata", "labels"], labels);
    object::put(&mut object, &["endpoints"], endpoints.to_vec().into());
    object::put(&mut object, &["ports"], ports.to_vec().into());
    if !object::same(&slice, &object) {
        outcome.push(Action::Update { resource, object });
    }
}
