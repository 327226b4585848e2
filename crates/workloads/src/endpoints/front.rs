//! The API's own Service, `default/kubernetes`, and where it leads.
//!
//! <https://kubernetes.io/docs/tasks/access-application-cluster/access-cluster/>; upstream's API server
//! writes these objects itself and puts them back when somebody takes them away.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use crate::{Action, Outcome, Resource, View, object};

const NAMESPACE: &str = "default";
const NAME: &str = "kubernetes";

/// Where the API is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiFront {
    /// The Service's address.
    pub service: Ipv4Addr,
    /// Where the API answers.
    pub addresses: Vec<Ipv4Addr>,
    /// Its port there.
    pub port: u16,
}

/// Brings the API's Service, Endpoints and `EndpointSlice` up to date.
pub fn api_service(view: &dyn View, front: &ApiFront) -> Outcome {
    let mut outcome = Outcome::default();
    let addresses = || front.addresses.iter().map(Ipv4Addr::to_string);
    let plain: Vec<Value> = addresses().map(|ip| json!({"ip": ip})).collect();
    let sliced: Vec<Value> = addresses()
        .map(|ip| json!({"addresses": [ip], "conditions": {"ready": true}}))
        .collect();
    let metadata = |labels: Value| json!({"name": NAME, "namespace": NAMESPACE, "labels": labels});
    let port = json!({"name": "https", "port": front.port, "protocol": "TCP"});
    if view.get(Resource::Services, NAMESPACE, NAME).is_none() {
        let spec = json!({
            "type": "ClusterIP", "clusterIP": front.service.to_string(), "sessionAffinity": "None",
            "ports": [{"name": "https", "port": 443, "targetPort": front.port, "protocol": "TCP"}],
        });
        let labels = json!({"component": "apiserver", "provider": "kubernetes"});
        let object = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": metadata(labels), "spec": spec,
        });
        let resource = Resource::Services;
        outcome.push(Action::Create { resource, object });
    }
    let endpoints = json!({
        "apiVersion": "v1", "kind": "Endpoints",
        "metadata": metadata(json!({"endpointslice.kubernetes.io/skip-mirror": "true"})),
        "subsets": [{"addresses": plain, "ports": [port]}],
    });
    write(view, Resource::Endpoints, endpoints, &mut outcome);
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": metadata(json!({"kubernetes.io/service-name": NAME})),
        "addressType": "IPv4",
        "endpoints": sliced,
        "ports": [port],
    });
    write(view, Resource::EndpointSlices, slice, &mut outcome);
    outcome
}

/// Makes an object, or puts its own fields into the one there is.
fn write(view: &dyn View, resource: Resource, object: Value, outcome: &mut Outcome) {
    let Some(current) = view.get(resource, NAMESPACE, NAME) else {
        outcome.push(Action::Create { resource, object });
        return;
    };
    let mut next = (*current).clone();
    for field in ["subsets", "endpoints", "ports", "addressType"] {
        if let Some(value) = object.get(field) {
            object::put(&mut next, &[field], value.clone());
        }
    }
    for (key, value) in object::map(&object, "/metadata/labels") {
        object::put(&mut next, &["metadata", "labels", &key], value);
    }
    if !object::same(&current, &next) {
        outcome.push(Action::Update {
            resource,
            object: next,
        });
    }
}
