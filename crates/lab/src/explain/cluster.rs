//! What `explain` says of clusters beyond the fabric: whether anybody listens in a pod, and what to
//! change where a service or a policy stops a packet.

use super::{Action, Eyes, ToldHop, Way};
use crate::place::in_cluster::pod_of;
use fabric::{DropReason, Fabric, Flow, HostId, NodeDrop, Origin, Trace, Transport, Verdict};
use kernel::observe::Listening;
use std::collections::BTreeSet;

/// More pods than this are not looked into.
const MOST: usize = 64;

/// Who of those that may get a delivered flow does not listen.
pub(super) struct Deaf {
    /// The pods that do not, `pod/<namespace>/<name>`.
    pub(super) pods: Vec<HostId>,
    /// Whether others do.
    pub(super) others: bool,
    /// Where the packet arrives.
    pub(super) packet: Flow,
}

/// Looks into the pods where a flow may arrive.
pub(super) fn deaf(
    fabric: &Fabric,
    origin: &Origin,
    trace: &Trace,
    eyes: &Eyes<'_>,
) -> Option<Deaf> {
    if trace.verdict != Verdict::Delivered {
        return None;
    }
    let (first, packet) = trace.arrived.clone()?;
    pod_of(&first)?;
    let ways = fabric::walk::Walker::new(fabric).ways(origin, trace.flow);
    let arrived: BTreeSet<(HostId, std::net::Ipv4Addr, u16)> = ways
        .into_iter()
        .filter_map(|way| way.trace.arrived)
        .filter_map(|(host, packet)| Some((host, packet.destination, port(&packet)?.1)))
        .take(MOST)
        .collect();
    let (protocol, _) = port(&packet)?;
    let mut pods = Vec::new();
    let mut others = false;
    for (host, address, port) in arrived {
        match (eyes.listens)(&host, protocol, address, port) {
            Some(false) => pods.push(host),
            // Nobody could look, or somebody listens.
            Some(true) | None => others = true,
        }
    }
    (!pods.is_empty()).then_some(Deaf {
        pods,
        others,
        packet,
    })
}

fn port(packet: &Flow) -> Option<(Listening, u16)> {
    match packet.transport {
        Transport::Tcp {
            destination_port, ..
        } => Some((Listening::Tcp, destination_port)),
        Transport::Udp {
            destination_port, ..
        } => Some((Listening::Udp, destination_port)),
        Transport::Echo { .. } | Transport::Other(_) => None,
    }
}

impl Deaf {
    /// In a sentence.
    pub(super) fn reason(&self) -> String {
        let names: Vec<&str> = self.pods.iter().map(HostId::as_str).collect();
        let (protocol, port) = match port(&self.packet) {
            Some((Listening::Tcp, port)) => ("TCP", port),
            Some((Listening::Udp, port)) => ("UDP", port),
            None => ("", 0),
        };
        let some = if self.others {
            "; other backends do, so it depends on who is chosen"
        } else {
            ""
        };
        format!(
            "nothing listens on {protocol} {port} in {}{some}",
            names.join(", ")
        )
    }

    /// The hop that shows it.
    pub(super) fn hop(&self) -> ToldHop {
        ToldHop {
            direction: Way::Out,
            at: self.pods.first().map(ToString::to_string),
            resource: self.pods.first().map(ToString::to_string),
            rule: None,
            action: Action::Deny,
            detail: Some(self.reason()),
        }
    }

    /// What to do about it.
    pub(super) fn remedy(&self) -> String {
        let (namespace, name) = self.pods.first().and_then(pod_of).unwrap_or_default();
        format!(
            "See what the container listens on: kubectl exec -n {namespace} {name} -- cat /proc/net/tcp; compare the service's targetPort, and the address it binds to (127.0.0.1 is the pod's own)."
        )
    }
}

/// What to change where a cluster's node stopped a packet.
pub(super) fn remedies(trace: &Trace) -> Vec<String> {
    let Verdict::Dropped(_, DropReason::Node { why, .. }) = &trace.verdict else {
        return Vec::new();
    };
    let object = |id: &str| -> (String, String) {
        let name = id.split(':').next().unwrap_or_default();
        let (namespace, name) = name.split_once('/').unwrap_or(("default", name));
        (namespace.to_owned(), name.to_owned())
    };
    match why {
        NodeDrop::NoEndpoints { service } => {
            let (namespace, name) = object(service.as_str());
            vec![format!(
                "No pod that the service selects is ready: kubectl get endpointslices -n {namespace} -l kubernetes.io/service-name={name}; compare its selector with the pods' labels, and their readiness."
            )]
        }
        NodeDrop::NoLocalEndpoints { service, internal } => {
            let (namespace, name) = object(service.as_str());
            let policy = if *internal {
                "internalTrafficPolicy"
            } else {
                "externalTrafficPolicy"
            };
            vec![format!(
                "The service's {policy} is Local and this node has none of its pods: call another node, or kubectl patch service -n {namespace} {name} -p '{{\"spec\":{{\"{policy}\":\"Cluster\"}}}}'"
            )]
        }
        NodeDrop::SourceRange { service, source } => {
            let (namespace, name) = object(service.as_str());
            vec![format!(
                "{source} is not among the loadBalancerSourceRanges of the service: kubectl edit service -n {namespace} {name}"
            )]
        }
        NodeDrop::NoSuchPort { packet } => vec![format!(
            "A service has {} but not this port: kubectl get services -A | grep {}",
            packet.destination, packet.destination
        )],
        NodeDrop::Unallocated { address } => {
            vec![format!("No service has {address}: kubectl get services -A")]
        }
        NodeDrop::Policy { pod, ingress, .. } => {
            let (namespace, name) = object(pod);
            let (rule, way) = if *ingress {
                ("ingress", "to")
            } else {
                ("egress", "from")
            };
            vec![format!(
                "Policies select {name} for {rule} and none allows this packet {way} it: kubectl describe networkpolicies -n {namespace}; add an {rule} rule that does."
            )]
        }
    }
}
