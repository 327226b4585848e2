//! A pod as an address of a Service.

use std::net::IpAddr;

use serde_json::{Value, json};

use crate::{Resource, View, object, pod};

/// The node label that names a failure zone.
const ZONE: &str = "topology.kubernetes.io/zone";

/// `addressType` of a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }

    /// Whether the text is an address of the family.
    pub(super) fn holds(self, address: &str) -> bool {
        match address.parse() {
            Ok(IpAddr::V4(_)) => self == Self::V4,
            Ok(IpAddr::V6(_)) => self == Self::V6,
            Err(_) => false,
        }
    }
}

/// The pod's address of a family.
pub(super) fn of(pod: &Value, family: Family) -> Option<&str> {
    object::list(pod, "/status/podIPs")
        .iter()
        .map(|entry| object::text(entry, "/ip"))
        .chain([object::text(pod, "/status/podIP")])
        .find(|ip| family.holds(ip))
}

/// Whether a pod can be an endpoint at all; one that is being deleted can for slices.
pub(super) fn eligible(pod: &Value, with_terminating: bool) -> bool {
    !pod::finished(pod) && (with_terminating || !object::terminating(pod))
}

/// `ObjectReference` of an endpoint to its pod.
pub(super) fn target(pod: &Value) -> Value {
    json!({
        "kind": "Pod",
        "namespace": object::namespace(pod),
        "name": object::name(pod),
        "uid": object::uid(pod),
    })
}

/// The name that the pod has below the Service's, if it has one.
pub(super) fn hostname<'a>(pod: &'a Value, service: &Value) -> Option<&'a str> {
    let hostname = object::text(pod, "/spec/hostname");
    let below = object::text(pod, "/spec/subdomain") == object::name(service);
    (below && !hostname.is_empty()).then_some(hostname)
}

/// Whether addresses count though their pods are not ready.
pub(super) fn publishes_unready(service: &Value) -> bool {
    object::flag(service, "/spec/publishNotReadyAddresses")
}

/// A pod as an endpoint of a slice.
/// <https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#conditions>
pub(super) fn endpoint(view: &dyn View, service: &Value, pod: &Value, address: &str) -> Value {
    let serving = pod::ready(pod);
    let terminating = object::terminating(pod);
    let mut endpoint = json!({
        "addresses": [address],
        "conditions": {
            "ready": publishes_unready(service) || (serving && !terminating),
            "serving": serving,
            "terminating": terminating,
        },
        "targetRef": target(pod),
    });
    let node = pod::node(pod);
    if !node.is_empty() {
        object::put(&mut endpoint, &["nodeName"], node.into());
        let node = view.get(Resource::Nodes, "", node);
        if let Some(zone) = node.as_deref().and_then(|n| object::label(n, ZONE)) {
            object::put(&mut endpoint, &["zone"], zone.into());
        }
    }
    if let Some(hostname) = hostname(pod, service) {
        object::put(&mut endpoint, &["hostname"], hostname.into());
    }
    endpoint
}
