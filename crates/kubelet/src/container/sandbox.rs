//! What a pod's sandbox shall be.

use super::dns;
use crate::config::KubeletConfig;
use crate::pod::{Metadata, Pod, Port};
use cri::{HostPort, PortProtocol, SandboxSpec, Spaces};

/// A host name has so many characters.
const LONGEST: usize = 63;

/// The sandbox's specification; and whether the pod wanted the cluster's name server and there is
/// none.
pub(crate) fn of(pod: &Pod, attempt: u32, config: &KubeletConfig) -> (SandboxSpec, bool) {
    let Metadata {
        namespace,
        name,
        uid,
        labels,
        annotations,
        ..
    } = &pod.metadata;
    let spec = &pod.spec;
    let (hostname, domain) = names(pod, &config.cluster_domain);
    let hostname = match domain {
        _ if spec.host_network => config.hostname.clone(),
        Some(domain) if spec.set_hostname_as_fqdn => format!("{hostname}.{domain}"),
        _ => hostname,
    };
    let (dns, missing) = dns::of(pod, config);
    let sysctls = spec.security_context.sysctls.iter();
    let spec = SandboxSpec {
        namespace: namespace.clone(),
        name: name.clone(),
        uid: uid.clone(),
        attempt,
        hostname,
        spaces: Spaces {
            host_network: spec.host_network,
            host_pid: spec.host_pid,
            host_ipc: spec.host_ipc,
            shared_pid: spec.share_process_namespace,
        },
        dns,
        host_aliases: spec
            .host_aliases
            .iter()
            .map(|alias| (alias.ip.clone(), alias.hostnames.clone()))
            .collect(),
        sysctls: sysctls
            .map(|sysctl| (sysctl.name.replace('/', "."), sysctl.value.clone()))
            .collect(),
        host_ports: host_ports(pod),
        labels: labels.clone(),
        annotations: annotations.clone(),
    };
    (spec, missing)
}

/// A pod's host name, and the domain it is in if it has one.
/// <https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#pod-s-hostname-and-subdomain-fields>
pub(crate) fn names(pod: &Pod, cluster_domain: &str) -> (String, Option<String>) {
    let spec = &pod.spec;
    let mut hostname = if spec.hostname.is_empty() {
        pod.metadata.name.clone()
    } else {
        spec.hostname.clone()
    };
    if hostname.len() > LONGEST {
        hostname.truncate(LONGEST);
        hostname.truncate(hostname.trim_end_matches(['-', '.']).len());
    }
    let domain = (!spec.subdomain.is_empty()).then(|| {
        let namespace = &pod.metadata.namespace;
        format!("{}.{namespace}.svc.{cluster_domain}", spec.subdomain)
    });
    (hostname, domain)
}

/// Ports of the node that lead to the pod.
fn host_ports(pod: &Pod) -> Vec<HostPort> {
    if pod.spec.host_network {
        return Vec::new();
    }
    pod.containers()
        .flat_map(|(_, container)| &container.ports)
        .filter(|port| port.host_port > 0)
        .map(|port| HostPort {
            host_port: port.host_port,
            container_port: port.container_port,
            protocol: protocol(port),
            host_ip: port.host_ip.parse().ok(),
        })
        .collect()
}

fn protocol(port: &Port) -> PortProtocol {
    match port.protocol.as_str() {
        "UDP" => PortProtocol::Udp,
        "SCTP" => PortProtocol::Sctp,
        _ => PortProtocol::Tcp,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::testing::config;
    use serde_json::{Value, json};

    fn sandbox(spec: Value) -> SandboxSpec {
        let pod = json!({"metadata": {"name": "web", "namespace": "shop"}, "spec": spec});
        of(&Pod::read(&pod).unwrap(), 0, &config()).0
    }

    /// K8S-RUN: the documented host names.
    #[test]
    fn host_names() {
        let long = "a".repeat(62) + "-b";
        for (spec, wanted) in [
            (json!({}), "web".to_owned()),
            (json!({"hostname": "a", "subdomain": "b"}), "a".into()),
            (
                json!({"hostname": "a", "subdomain": "b", "setHostnameAsFQDN": true}),
                "a.b.shop.svc.cluster.local".into(),
            ),
            (json!({"hostname": long}), "a".repeat(62)),
            (json!({"hostNetwork": true}), "n1".into()),
        ] {
            assert_eq!(sandbox(spec.clone()).hostname, wanted, "{spec}");
        }
    }

    #[test]
    fn ports_of_the_node() {
        let ports = json!([{"containerPort": 80, "hostPort": 8080, "hostIP": "10.0.0.1"},
            {"containerPort": 53, "protocol": "UDP"}]);
        let found = sandbox(json!({"containers": [{"ports": ports}]})).host_ports;
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].host_port, found[0].container_port), (8080, 80));
        let host = json!({"hostNetwork": true, "containers": [{"ports": ports}]});
        assert!(sandbox(host).host_ports.is_empty());
    }
}
