//! The ports of a network load balancer.

use super::Builder;
use crate::model::action::{Action, TargetRef};
use crate::model::error::BuildError;
use crate::model::object::ServicePort;
use crate::model::stack::Listener;

/// A port, and what listens there.
#[derive(Clone, Debug)]
pub(super) struct Port<'a> {
    pub(super) number: u16,
    /// `TCP`, `UDP`, `TCP_UDP` or `TLS`.
    pub(super) protocol: &'static str,
    /// How targets are spoken to.
    pub(super) backend: &'static str,
    pub(super) of: &'a ServicePort,
    certificates: Vec<String>,
}

impl Port<'_> {
    /// The transports that come in there.
    pub(super) fn transports(&self) -> impl Iterator<Item = &'static str> {
        let udp = ["UDP", "TCP_UDP"].contains(&self.protocol);
        let tcp = self.protocol != "UDP";
        let tcp = tcp.then_some("tcp");
        tcp.into_iter().chain(udp.then_some("udp"))
    }
}

/// The ports of a service; one with both TCP and UDP is one port here.
pub(super) fn ports<'a>(builder: &Builder<'a>) -> Result<Vec<Port<'a>>, BuildError> {
    let annotations = &builder.annotations;
    let certificates = annotations
        .texts("aws-load-balancer-ssl-cert")
        .unwrap_or_default();
    let secure = annotations.texts("aws-load-balancer-ssl-ports");
    let secure = secure.unwrap_or_else(|| vec!["*".to_owned()]);
    let backend = annotations.text("aws-load-balancer-backend-protocol");
    let mut all: Vec<Port<'a>> = Vec::new();
    for port in &builder.service.spec.ports {
        let tls = !certificates.is_empty()
            && secure
                .iter()
                .any(|of| of == "*" || *of == port.name || *of == port.port.to_string());
        let (protocol, spoken) = match (port.protocol.as_str(), tls, backend) {
            ("UDP", ..) => ("UDP", "UDP"),
            ("TCP" | "", true, Some("ssl" | "tls")) => ("TLS", "TLS"),
            ("TCP" | "", true, _) => ("TLS", "TCP"),
            ("TCP" | "", false, _) => ("TCP", "TCP"),
            (other, ..) => {
                return Err(BuildError::new(format!("unsupported protocol: {other}")));
            }
        };
        let known = all.iter_mut().find(|of| of.number == port.port);
        match known {
            Some(known) if known.of.node_port == port.node_port || builder.target_type == "ip" => {
                known.protocol = "TCP_UDP";
                known.backend = "TCP_UDP";
            }
            Some(_) => {
                return Err(BuildError::new(format!(
                    "port {} has TCP and UDP with different node ports",
                    port.port
                )));
            }
            None => all.push(Port {
                number: port.port,
                protocol,
                backend: spoken,
                of: port,
                certificates: match tls && protocol == "TLS" {
                    true => certificates.clone(),
                    false => Vec::new(),
                },
            }),
        }
    }
    Ok(all)
}

impl Builder<'_> {
    /// The listener of a port.
    pub(super) fn listener(&self, port: &Port<'_>, group: &str) -> Listener {
        let tls = port.protocol == "TLS";
        let policy = self
            .annotations
            .text("aws-load-balancer-ssl-negotiation-policy");
        let policy = policy.unwrap_or(&self.settings.ssl_policy);
        let alpn = self.annotations.text("aws-load-balancer-alpn-policy");
        let attributes = self.annotations.pairs(&format!(
            "aws-load-balancer-listener-attributes.{}-{}",
            port.protocol, port.number
        ));
        Listener {
            port: port.number,
            protocol: port.protocol,
            default: vec![Action::Forward {
                groups: vec![(TargetRef::Own(group.to_owned()), 1)],
                sticky: None,
            }],
            certificates: port.certificates.clone(),
            policy: tls.then(|| policy.to_owned()),
            alpn: alpn.filter(|_| tls).map(str::to_owned),
            attributes: attributes.unwrap_or_default(),
            rules: Vec::new(),
            tags: self.tags.clone(),
        }
    }
}
