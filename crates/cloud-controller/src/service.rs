//! A service, as far as its load balancer is concerned.

use kube::object;
use serde_json::Value;
use std::collections::BTreeMap;

/// The finalizer that keeps a service until its load balancer is gone.
pub(crate) const FINALIZER: &str = "service.kubernetes.io/load-balancer-cleanup";
/// Names of load balancers have so many letters at most.
const NAME: usize = 32;

/// A service's port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServicePort {
    pub(crate) name: String,
    /// `TCP` or `UDP`.
    pub(crate) protocol: String,
    pub(crate) port: u16,
    /// Where nodes take it; none if the service has none.
    pub(crate) node_port: Option<u16>,
}

/// What a service says of its load balancer. Two that are equal need the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Service {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) ports: Vec<ServicePort>,
    pub(crate) session_affinity: String,
    pub(crate) load_balancer_ip: String,
    /// `spec.loadBalancerSourceRanges`.
    pub(crate) source_ranges: Vec<String>,
    /// The node port of the health check under the policy Local.
    pub(crate) health_check_port: Option<u16>,
    /// Whether this controller is to make a load balancer.
    pub(crate) wanted: bool,
    /// Whether it has the finalizer.
    pub(crate) held: bool,
    /// Whether it is being deleted.
    pub(crate) going: bool,
}

impl Service {
    /// Reads an object.
    pub(crate) fn of(service: &Value) -> Self {
        let spec = |name: &str| object::text(service, &["spec", name]).to_owned();
        let annotations = object::entries(service, &["metadata", "annotations"]);
        let local = service["spec"]["externalTrafficPolicy"] == "Local";
        let health_check_port = number(&service["spec"]["healthCheckNodePort"]);
        let ranges = object::list(service, &["spec", "loadBalancerSourceRanges"]).iter();
        let balancer = service["spec"]["type"] == "LoadBalancer";
        // Whoever implements the class looks after it.
        let classless = object::text(service, &["spec", "loadBalancerClass"]).is_empty();
        let finalizers = object::list(service, &["metadata", "finalizers"]);
        Self {
            namespace: object::namespace(service).to_owned(),
            name: object::name(service).to_owned(),
            uid: object::uid(service).to_owned(),
            annotations: annotations
                .map(|(key, value)| {
                    (
                        key.to_owned(),
                        value.as_str().unwrap_or_default().to_owned(),
                    )
                })
                .collect(),
            ports: object::list(service, &["spec", "ports"])
                .iter()
                .filter_map(port)
                .collect(),
            session_affinity: spec("sessionAffinity"),
            load_balancer_ip: spec("loadBalancerIP"),
            source_ranges: ranges
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            health_check_port: health_check_port.filter(|_| local),
            wanted: balancer && classless,
            held: finalizers.iter().any(|of| of == FINALIZER),
            going: object::is_terminating(service),
        }
    }

    /// Whether what it had of this controller has to go.
    pub(crate) fn cleanup(&self) -> bool {
        self.held && (self.going || !self.wanted)
    }

    /// `namespace/name`.
    pub(crate) fn path(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// Its load balancer's name: `a` and the service's uid without dashes, as far as it fits.
    pub(crate) fn balancer(&self) -> String {
        let digits = self.uid.chars().filter(|letter| *letter != '-');
        std::iter::once('a').chain(digits).take(NAME).collect()
    }
}

fn number(value: &Value) -> Option<u16> {
    let number = value.as_u64().filter(|number| *number != 0)?;
    u16::try_from(number).ok()
}

fn port(port: &Value) -> Option<ServicePort> {
    Some(ServicePort {
        name: object::text(port, &["name"]).to_owned(),
        protocol: match object::text(port, &["protocol"]) {
            "" => "TCP".to_owned(),
            protocol => protocol.to_owned(),
        },
        port: number(&port["port"])?,
        node_port: number(&port["nodePort"]),
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    /// The chapter's service.
    pub(crate) fn web() -> Value {
        json!({
            "metadata": {"namespace": "default", "name": "clusterip-service",
                "uid": "76d1c691-25e5-43e5-b67c-899f5e452849"},
            "spec": {"type": "LoadBalancer", "sessionAffinity": "None",
                "ports": [{"port": 80, "nodePort": 32671, "protocol": "TCP"}]},
        })
    }

    /// AWS-LBC: a load balancer is named after its service's uid, whose last digit doesn't fit.
    #[test]
    fn a_load_balancer_is_named_after_its_services_uid() {
        let service = Service::of(&web());
        assert_eq!(service.balancer(), "a76d1c69125e543e5b67c899f5e45284");
        assert_eq!(service.balancer().len(), 32);
    }

    /// AWS-LBC: a service with a class is somebody else's; one that had a load balancer and wants none is cleaned up.
    #[test]
    fn only_services_without_a_class_are_ours() {
        let mut object = web();
        let own = Service::of(&object);
        assert!(own.wanted && !own.cleanup());
        object["metadata"]["finalizers"] = json!([FINALIZER]);
        assert!(!Service::of(&object).cleanup());
        object["spec"]["loadBalancerClass"] = json!("service.k8s.aws/nlb");
        let other = Service::of(&object);
        assert!(!other.wanted && other.cleanup());
        object["spec"] = json!({"type": "ClusterIP"});
        assert!(Service::of(&object).cleanup());
    }
}
