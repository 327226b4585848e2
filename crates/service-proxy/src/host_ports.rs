//! Pods' ports on their own nodes, for whoever asks for a way. On nodes the network plugin makes them.
//! <https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#ports>

use crate::object::{Name, list, port, protocol, text};
use fabric::{Backend, Service};
use serde_json::Value;
use std::net::Ipv4Addr;

/// The host ports of a pod that has this address.
pub fn of(pod: &Value, address: Ipv4Addr) -> Vec<Service> {
    let name = Name::of(pod);
    // Init containers that stay are containers like the others.
    let stays = |container: &&Value| text(container, "/restartPolicy") == "Always";
    let init = list(pod, "/spec/initContainers").iter().filter(stays);
    let containers = list(pod, "/spec/containers").iter().chain(init);
    containers
        .flat_map(|container| list(container, "/ports"))
        .filter_map(|value| {
            let host = port(value, "/hostPort").filter(|port| *port > 0)?;
            let protocol = protocol(text(value, "/protocol"))?;
            let at = match text(value, "/hostIP") {
                "" | "0.0.0.0" | "::" => None,
                text => Some(text.parse().ok()?),
            };
            let backend = Backend {
                address,
                port: port(value, "/containerPort")?,
                name: name.to_string(),
            };
            let id = format!("{name}:host-{}-{host}", protocol.0).into();
            Some(Service::host_port(id, protocol, (at, host), backend))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// K8S-NET: host ports are those of containers that stay, at the addresses that they name.
    #[test]
    fn ports_of_containers_that_stay() {
        let port = |number: u16, ip: &str| json!({"ports": [{"containerPort": 80, "hostPort": number, "hostIP": ip}, {"containerPort": 81}]});
        let pod = json!({
            "metadata": {"namespace": "default", "name": "web"},
            "spec": {
                "containers": [port(8080, ""), port(8081, "10.0.1.10"), port(8082, "fd00::1")],
                "initContainers": [port(8083, "")],
            },
        });
        let own = [Ipv4Addr::new(10, 0, 1, 10), Ipv4Addr::new(10, 0, 2, 10)];
        let places: Vec<(Ipv4Addr, u16)> = of(&pod, Ipv4Addr::new(10, 244, 1, 5))
            .iter()
            .flat_map(|service| &service.frontends)
            .flat_map(|frontend| frontend.places(&own))
            .collect();
        assert_eq!(places, [(own[0], 8080), (own[1], 8080), (own[0], 8081)]);
    }
}
