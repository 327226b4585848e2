//! What a classic load balancer listens for.

use crate::failure::Failure;
use crate::service::{Service, ServicePort};
use crate::settings::Settings;
use serde_json::{Value, json};

/// A listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listener {
    /// `TCP`, `SSL`, `HTTP` or `HTTPS`.
    pub(crate) protocol: &'static str,
    pub(crate) port: u16,
    pub(crate) instance_protocol: &'static str,
    pub(crate) instance_port: u16,
    pub(crate) certificate: Option<String>,
}

impl Listener {
    /// As requests have it.
    pub(crate) fn wire(&self) -> Value {
        json!({
            "Protocol": self.protocol, "LoadBalancerPort": self.port,
            "InstanceProtocol": self.instance_protocol, "InstancePort": self.instance_port,
            "SSLCertificateId": self.certificate,
        })
    }

    /// Whether an answer's listener is this one.
    pub(crate) fn is(&self, listener: &Value) -> bool {
        let same = |name: &str, own: &str| {
            let text = listener[name].as_str().unwrap_or_default();
            text.eq_ignore_ascii_case(own)
        };
        same("Protocol", self.protocol)
            && same("InstanceProtocol", self.instance_protocol)
            && same("LoadBalancerPort", &self.port.to_string())
            && same("InstancePort", &self.instance_port.to_string())
            && same(
                "SSLCertificateId",
                self.certificate.as_deref().unwrap_or_default(),
            )
    }
}

/// The listeners of a service.
///
/// # Errors
/// Its ports can't be served by a classic load balancer.
pub(crate) fn listeners(service: &Service, settings: &Settings) -> Result<Vec<Listener>, Failure> {
    let ports = &service.ports;
    let Some(first) = ports.first() else {
        return Err(Failure::service("requested load balancer with no ports"));
    };
    if ports.iter().any(|port| port.protocol != first.protocol) {
        let why = "mixed protocol is not supported for LoadBalancer";
        return Err(Failure::service(why));
    }
    if first.protocol != "TCP" {
        return Err(Failure::service(format!(
            "Protocol {} not supported by LoadBalancer",
            first.protocol
        )));
    }
    let served = ports
        .iter()
        .filter_map(|port| Some((port, port.node_port?)));
    served
        .map(|(port, node_port)| listener(port, node_port, settings))
        .collect()
}

fn listener(port: &ServicePort, node_port: u16, settings: &Settings) -> Result<Listener, Failure> {
    let numbered = port.port.to_string();
    let with_tls = settings.tls_ports.as_ref().is_none_or(|ports| {
        ports
            .iter()
            .any(|of| *of == numbered || (!port.name.is_empty() && *of == port.name))
    });
    let certificate = settings.certificate.clone().filter(|_| with_tls);
    let (protocol, instance_protocol) = protocols(settings, certificate.is_some())?;
    Ok(Listener {
        protocol,
        port: port.port,
        instance_protocol,
        instance_port: node_port,
        certificate,
    })
}

/// What callers speak and what nodes are spoken to with.
fn protocols(settings: &Settings, with_tls: bool) -> Result<(&'static str, &'static str), Failure> {
    let backend = settings.backend_protocol.as_str();
    if with_tls {
        return match backend {
            "" | "tcp" => Ok(("SSL", "TCP")),
            "ssl" => Ok(("SSL", "SSL")),
            "http" => Ok(("HTTPS", "HTTP")),
            "https" => Ok(("HTTPS", "HTTPS")),
            other => Err(Failure::service(format!(
                "Invalid backend protocol {other} for {} in service.beta.kubernetes.io/aws-load-balancer-backend-protocol",
                settings.certificate.as_deref().unwrap_or_default()
            ))),
        };
    }
    Ok(match backend {
        "http" => ("HTTP", "HTTP"),
        _ => ("TCP", "TCP"),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::service::tests::web;

    fn of(change: impl FnOnce(&mut Value)) -> Result<Vec<Listener>, Failure> {
        let mut object = web();
        change(&mut object);
        let service = Service::of(&object);
        listeners(&service, &Settings::of(&service)?)
    }

    fn annotate(object: &mut Value, name: &str, value: &str) {
        let name = format!("service.beta.kubernetes.io/aws-load-balancer-{name}");
        object["metadata"]["annotations"][name] = json!(value);
    }

    /// AWS-LBC, AWS-CLB: a port is passed on to its node port by TCP.
    #[test]
    fn ports_are_passed_on_to_node_ports() {
        let listeners = of(|_| {}).unwrap();
        let wanted = json!({
            "Protocol": "TCP", "LoadBalancerPort": 80, "InstanceProtocol": "TCP",
            "InstancePort": 32671, "SSLCertificateId": null,
        });
        assert_eq!(listeners[0].wire(), wanted);
        let told = json!({"Protocol": "tcp", "LoadBalancerPort": "80", "InstanceProtocol": "TCP", "InstancePort": "32671"});
        assert!(listeners[0].is(&told));
    }

    /// AWS-LBC, AWS-CLB: a certificate puts TLS before what nodes speak, on the ports that are named.
    #[test]
    fn certificates_make_listeners_with_tls() {
        for (backend, front, back) in [
            ("http", "HTTPS", "HTTP"),
            ("https", "HTTPS", "HTTPS"),
            ("ssl", "SSL", "SSL"),
            ("tcp", "SSL", "TCP"),
        ] {
            let made = of(|object| {
                annotate(object, "ssl-cert", "arn:aws:acm:us-west-2:1:certificate/c");
                annotate(object, "backend-protocol", backend);
            });
            let made = made.unwrap();
            assert_eq!((made[0].protocol, made[0].instance_protocol), (front, back));
            assert!(made[0].certificate.is_some());
        }
        let other = of(|object| {
            annotate(object, "ssl-cert", "c");
            annotate(object, "ssl-ports", "443,https");
        });
        assert_eq!(other.unwrap()[0].certificate, None);
    }

    /// AWS-LBC: what a classic load balancer can't serve is refused with the provider's words.
    #[test]
    fn what_cannot_be_served_is_refused() {
        let udp = of(|object| object["spec"]["ports"][0]["protocol"] = json!("UDP"));
        let words = "Protocol UDP not supported by LoadBalancer";
        assert_eq!(udp, Err(Failure::service(words)));
        let mixed = of(|object| {
            let other = json!({"port": 53, "nodePort": 30053, "protocol": "UDP"});
            object["spec"]["ports"].as_array_mut().unwrap().push(other);
        });
        assert!(mixed.unwrap_err().to_string().starts_with("mixed protocol"));
        let none = of(|object| object["spec"]["ports"] = json!([]));
        let words = "requested load balancer with no ports";
        assert_eq!(none, Err(Failure::service(words)));
    }
}
