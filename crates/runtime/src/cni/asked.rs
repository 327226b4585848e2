//! What a sandbox asks of its network's plugins, in the forms that CNI has conventions for.
//! <https://github.com/containernetworking/cni/blob/main/CONVENTIONS.md#dynamic-plugin-specific-fields-capabilities--runtime-configuration>

use cri::{HostPort, PortProtocol, SandboxSpec};
use serde_json::{Map, Value, json};

const INGRESS: &str = "kubernetes.io/ingress-bandwidth";
const EGRESS: &str = "kubernetes.io/egress-bandwidth";
/// The burst that containerd asks for beside a rate.
const BURST: u64 = u32::MAX as u64;

/// All that a sandbox asks for, by capability.
pub(crate) fn of(spec: &SandboxSpec) -> Map<String, Value> {
    let mut asked = Map::new();
    let ports: Vec<_> = spec.host_ports.iter().filter_map(port).collect();
    if !ports.is_empty() {
        asked.insert("portMappings".to_owned(), Value::Array(ports));
    }
    if let Some(bandwidth) = bandwidth(spec) {
        asked.insert("bandwidth".to_owned(), bandwidth);
    }
    let dns = &spec.dns;
    if !dns.servers.is_empty() || !dns.searches.is_empty() || !dns.options.is_empty() {
        let dns = json!({"servers": dns.servers, "searches": dns.searches, "options": dns.options});
        asked.insert("dns".to_owned(), dns);
    }
    let annotations = json!(spec.annotations);
    asked.insert("io.kubernetes.cri.pod-annotations".to_owned(), annotations);
    asked
}

fn port(port: &HostPort) -> Option<Value> {
    let protocol = match port.protocol {
        PortProtocol::Tcp => "tcp",
        PortProtocol::Udp => "udp",
        PortProtocol::Sctp => "sctp",
    };
    (port.host_port > 0).then(|| {
        json!({"hostPort": port.host_port, "containerPort": port.container_port,
            "protocol": protocol,
            "hostIP": port.host_ip.map(|ip| ip.to_string()).unwrap_or_default()})
    })
}

fn bandwidth(spec: &SandboxSpec) -> Option<Value> {
    let rate = |name: &str| bits(spec.annotations.get(name)?);
    let mut bandwidth = Map::new();
    for (name, what) in [(INGRESS, "ingress"), (EGRESS, "egress")] {
        if let Some(rate) = rate(name) {
            bandwidth.insert(format!("{what}Rate"), json!(rate));
            bandwidth.insert(format!("{what}Burst"), json!(BURST));
        }
    }
    (!bandwidth.is_empty()).then_some(Value::Object(bandwidth))
}

/// A rate in bits a second, written as Kubernetes writes quantities; `None` for what is none.
fn bits(quantity: &str) -> Option<u64> {
    let end = quantity
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(quantity.len());
    let (number, suffix) = quantity.split_at(end);
    let factor = match suffix {
        "" => 1.0,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "Ki" => 1024.0,
        "Mi" => 1024.0 * 1024.0,
        "Gi" => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    let bits = number.parse::<f64>().ok()? * factor;
    // Fractions of a bit are rounded up, as quantities are.
    (bits.is_finite() && bits >= 0.0).then_some(bits.ceil() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_rates_are_asked_for() {
        let mut spec = SandboxSpec {
            host_ports: vec![
                HostPort {
                    host_port: 8080,
                    container_port: 80,
                    protocol: PortProtocol::Tcp,
                    host_ip: None,
                },
                HostPort {
                    host_port: 0,
                    container_port: 53,
                    protocol: PortProtocol::Udp,
                    host_ip: None,
                },
            ],
            ..SandboxSpec::default()
        };
        spec.annotations
            .insert(INGRESS.to_owned(), "1.5M".to_owned());
        let asked = of(&spec);
        assert_eq!(
            asked["portMappings"],
            json!([{"hostPort": 8080, "containerPort": 80, "protocol": "tcp", "hostIP": ""}])
        );
        let bandwidth = json!({"ingressRate": 1_500_000, "ingressBurst": BURST});
        assert_eq!(asked["bandwidth"], bandwidth);
        assert!(!asked.contains_key("dns"));
    }

    #[test]
    fn rates_are_quantities() {
        assert_eq!(bits("10M"), Some(10_000_000));
        assert_eq!(bits("1Ki"), Some(1024));
        assert_eq!(bits("1.1"), Some(2));
        assert_eq!(bits("fast"), None);
        assert_eq!(bits("1X"), None);
    }
}
