//! The target groups of a network load balancer.

use super::Builder;
use super::port::Port;
use crate::model::annotation::Annotations;
use crate::model::build::Settings;
use crate::model::error::BuildError;
use crate::model::name;
use crate::model::stack::{Binding, Codes, HealthCheck, Pairs, Peer, PeerSource, TargetGroup};
use crate::model::target::{check_port, count, peer_port, target_port};
use serde_json::json;

/// Whether a group's targets see clients' own addresses.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html#client-ip-preservation>
fn preserves(group: &TargetGroup) -> bool {
    match group.attributes.get("preserve_client_ip.enabled") {
        Some(said) => said == "true",
        None => group.target_type == "instance" || group.protocol.contains("UDP"),
    }
}

/// What targets are.
pub(super) fn kind(
    settings: &Settings,
    annotations: &Annotations<'_>,
) -> Result<&'static str, BuildError> {
    if annotations.text("aws-load-balancer-type") == Some("nlb-ip") {
        return Ok("ip");
    }
    let said = annotations.text("aws-load-balancer-nlb-target-type");
    match said.unwrap_or(&settings.target_type) {
        "ip" | "nlb-ip" => Ok("ip"),
        "instance" => Ok("instance"),
        other => Err(BuildError::new(format!(
            "unsupported target type {other:?} for load balancer type \"external\""
        ))),
    }
}

impl Builder<'_> {
    /// The target group of a port.
    pub(super) fn target_group(&self, port: &Port<'_>) -> Result<TargetGroup, BuildError> {
        let check = self.check()?;
        let number = target_port(self.service, port.of, self.target_type)?;
        let name = name::service_target_group(&name::ServiceTargetParts {
            cluster: &self.settings.cluster,
            service: self.service.identity(),
            ports: (number, port.number),
            target_type: self.target_type,
            protocol: port.backend,
            check: (&check.protocol, check.interval),
        });
        let mut attributes = self
            .annotations
            .pairs("aws-load-balancer-target-group-attributes")?;
        let proxied = match self.annotations.text("aws-load-balancer-proxy-protocol") {
            None => false,
            Some("*") => true,
            Some(other) => {
                return Err(BuildError::new(format!(
                    "invalid value {other} for Load Balancer proxy protocol v2 annotation, only value currently supported is *"
                )));
            }
        };
        let key = "proxy_protocol_v2.enabled".to_owned();
        attributes.entry(key).or_insert_with(|| proxied.to_string());
        Ok(TargetGroup {
            name,
            resource: format!("{}:{}", self.service.metadata.key(), port.number),
            target_type: self.target_type,
            protocol: port.backend.to_owned(),
            version: None,
            port: number,
            check,
            attributes,
            tags: self.tags.clone(),
        })
    }

    /// How targets are checked: nodes that pass on only to pods of their own tell whether they have any.
    fn check(&self) -> Result<HealthCheck, BuildError> {
        let spec = &self.service.spec;
        let local = self.target_type == "instance" && spec.external_traffic_policy == "Local";
        let of = |name: &str| {
            self.annotations
                .text(&format!("aws-load-balancer-healthcheck-{name}"))
        };
        let usual = if local { "HTTP" } else { "TCP" };
        let protocol = of("protocol").unwrap_or(usual).to_uppercase();
        if !["HTTP", "HTTPS", "TCP"].contains(&protocol.as_str()) {
            return Err(BuildError::new(format!(
                "unsupported health check protocol {protocol}, only HTTP, HTTPS and TCP are supported"
            )));
        }
        let number = |name: &str, usual: u32| {
            count(
                &self.annotations,
                &format!("aws-load-balancer-healthcheck-{name}"),
                usual,
            )
        };
        let port = spec.health_check_node_port.to_string();
        let port = match of("port") {
            None if local => port,
            said => check_port(self.service, said, self.target_type)?,
        };
        let http = protocol != "TCP";
        let path = of("path").unwrap_or(if local { "/healthz" } else { "/" });
        let codes = of("success-codes").unwrap_or("200-399");
        Ok(HealthCheck {
            port,
            path: http.then(|| path.to_owned()),
            codes: http.then(|| Codes::Http(codes.to_owned())),
            interval: number("interval", 10)?,
            timeout: number("timeout", if local { 6 } else { 10 })?,
            healthy: number("healthy-threshold", if local { 2 } else { 3 })?,
            unhealthy: number("unhealthy-threshold", if local { 2 } else { 3 })?,
            protocol,
        })
    }

    /// What binds the service to a port's target group.
    pub(super) fn binding(&self, port: &Port<'_>, group: &TargetGroup) -> Binding {
        let own = peer_port(port.of, self.target_type);
        let transports = port
            .transports()
            .map(|of| if of == "tcp" { "TCP" } else { "UDP" });
        let mut ports: Vec<_> = transports.map(|of| (of, own.clone())).collect();
        let checked = match group.check.port.parse::<u16>() {
            Ok(number) => json!(number),
            // It is checked by TCP where traffic goes.
            Err(_) => own,
        };
        if !ports.contains(&("TCP", checked.clone())) {
            ports.push(("TCP", checked));
        }
        let mut networking = Vec::new();
        if self.backend_rules {
            // Where targets see clients' own addresses, security groups here don't know that the load balancer passed them
            // on, so clients are let in themselves, as upstream does for load balancers without security groups.
            let ranges = self.ranges().into_iter().map(PeerSource::Range);
            let clients = ranges.filter(|_| preserves(group));
            let peers = std::iter::once(PeerSource::Backend).chain(clients);
            networking.extend(peers.map(|from| Peer {
                from,
                ports: ports.clone(),
            }));
        }
        let labels: Pairs = self
            .annotations
            .pairs("aws-load-balancer-target-node-labels")
            .unwrap_or_default();
        Binding {
            target_group: group.name.clone(),
            namespace: self.service.metadata.namespace.clone(),
            service: self.service.metadata.name.clone(),
            port: json!(port.number),
            target_type: self.target_type,
            networking,
            node_selector: (!labels.is_empty()).then(|| json!({"matchLabels": labels})),
            protocol: group.protocol.clone(),
        }
    }
}
