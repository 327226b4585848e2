//! Target groups of ingresses, and what binds services to them.

use super::action::TargetRef;
use super::annotation::{Annotations, INGRESS};
use super::build::Builder;
use super::error::BuildError;
use super::name;
use super::object::{NumberOrName, Service, ServicePort};
use super::stack::{Binding, Codes, HealthCheck, Pairs, Peer, PeerSource, TargetGroup};
use super::{Member, class};
use serde_json::{Value, json};

/// A kind of target, as AWS calls it.
pub(super) fn target_type(text: &str) -> Result<&'static str, BuildError> {
    match text {
        "instance" => Ok("instance"),
        "ip" => Ok("ip"),
        other => Err(BuildError::new(format!("unknown targetType: {other}"))),
    }
}

/// The port of a target group: nodes' port, or pods' where it is a number.
pub(super) fn target_port(
    service: &Service,
    port: &ServicePort,
    kind: &str,
) -> Result<u16, BuildError> {
    match (kind, port.target()) {
        ("instance", _) if !service.has_node_ports() || port.node_port == 0 => {
            Err(BuildError::new(
                "TargetGroup port is empty. When using Instance targets, your service must be of type 'NodePort' or 'LoadBalancer'",
            ))
        }
        ("instance", _) => Ok(port.node_port),
        (_, NumberOrName::Number(number)) => Ok(number),
        // It may differ from pod to pod; each is registered with its own.
        (_, NumberOrName::Name(_)) => Ok(1),
    }
}

/// Where targets are reached, as their security groups are told.
pub(super) fn peer_port(port: &ServicePort, kind: &str) -> Value {
    match kind {
        "instance" => json!(port.node_port),
        _ => port.target().wire(),
    }
}

/// The port of a health check: as it is written, or that of a service's port by name.
pub(super) fn check_port(
    service: &Service,
    wanted: Option<&str>,
    kind: &str,
) -> Result<String, BuildError> {
    let text = wanted.unwrap_or("traffic-port");
    if text == "traffic-port" || text.parse::<u16>().is_ok() {
        return Ok(text.to_owned());
    }
    let named = NumberOrName::Name(text.to_owned());
    let missing = || {
        BuildError::new(format!(
            "failed to resolve healthCheckPort: unable to find port {text} on service {}",
            service.metadata.key()
        ))
    };
    let port = service.port(&named).ok_or_else(missing)?;
    match (kind, port.target()) {
        ("instance", _) => Ok(port.node_port.to_string()),
        (_, NumberOrName::Number(number)) => Ok(number.to_string()),
        (_, NumberOrName::Name(_)) => Err(BuildError::new(
            "cannot use named healthCheckPort for IP TargetType when service's targetPort is a named port",
        )),
    }
}

/// A number of seconds, or of checks.
pub(super) fn count(
    annotations: &Annotations<'_>,
    name: &str,
    usual: u32,
) -> Result<u32, BuildError> {
    let given = annotations.number(name)?;
    let given = given.map(|number| u32::try_from(number).unwrap_or(0));
    Ok(given.unwrap_or(usual))
}

impl Builder<'_> {
    /// The target group of an ingress' backend, made if it isn't there yet; `None` where there is no such service.
    pub(super) fn target(
        &mut self,
        member: &Member<'_>,
        name: &str,
        wanted: &NumberOrName,
    ) -> Result<Option<TargetRef>, BuildError> {
        let ingress = &member.ingress.metadata;
        let Some(service) = self.services.service(&ingress.namespace, name) else {
            return Ok(None);
        };
        let resource = format!("{}-{name}:{wanted}", ingress.key());
        if let Some(made) = self.target_groups.get(&resource) {
            return Ok(Some(TargetRef::Own(made.name.clone())));
        }
        let port = service.port(wanted).ok_or_else(|| {
            let of = service.metadata.key();
            BuildError::new(format!("unable to find port {wanted} on service {of}"))
        })?;
        let sources = vec![&service.metadata.annotations, &ingress.annotations];
        let annotations = Annotations::new(INGRESS, sources);
        let by_class = member
            .params
            .and_then(|params| params.target_type.as_deref());
        let kind = by_class.or_else(|| annotations.text("target-type"));
        let kind = target_type(kind.unwrap_or(&self.settings.target_type))?;
        let group = self.make_target(
            member,
            &service,
            port,
            (kind, wanted, resource),
            &annotations,
        )?;
        let name = group.name.clone();
        let binding = self.bind(&service, port, wanted, &group, &annotations)?;
        self.target_groups.insert(group.resource.clone(), group);
        self.bindings.insert(name.clone(), binding);
        Ok(Some(TargetRef::Own(name)))
    }

    fn make_target(
        &self,
        member: &Member<'_>,
        service: &Service,
        port: &ServicePort,
        (kind, wanted, resource): (&'static str, &NumberOrName, String),
        annotations: &Annotations<'_>,
    ) -> Result<TargetGroup, BuildError> {
        let protocol = annotations.text("backend-protocol").unwrap_or("HTTP");
        let protocol = match protocol.to_uppercase().as_str() {
            "HTTP" => "HTTP",
            "HTTPS" => "HTTPS",
            _ => {
                return Err(BuildError::new(format!(
                    "backend protocol must be within [HTTP, HTTPS]: {protocol}"
                )));
            }
        };
        let version = annotations
            .text("backend-protocol-version")
            .unwrap_or("HTTP1");
        let version = version.to_uppercase();
        if !["HTTP1", "HTTP2", "GRPC"].contains(&version.as_str()) {
            return Err(BuildError::new(format!(
                "backend protocol version must be within [HTTP1, HTTP2, GRPC]: {version}"
            )));
        }
        let target_port = target_port(service, port, kind)?;
        let ingress = &member.ingress.metadata;
        let name = name::target_group(&name::TargetGroupParts {
            cluster: &self.settings.cluster,
            group: &self.group.to_string(),
            ingress: (&ingress.namespace, &ingress.name),
            service: service.identity(),
            port: &wanted.to_string(),
            target_port,
            target_type: kind,
            protocol: (protocol, &version),
        });
        let mut tags = annotations.pairs("tags")?;
        if let Some(params) = member.params {
            tags.extend(class::pairs(&params.tags));
        }
        Ok(TargetGroup {
            name,
            resource,
            target_type: kind,
            protocol: protocol.to_owned(),
            check: check(service, annotations, kind, (protocol, &version))?,
            version: Some(version),
            port: target_port,
            attributes: annotations.pairs("target-group-attributes")?,
            tags,
        })
    }

    fn bind(
        &self,
        service: &Service,
        port: &ServicePort,
        wanted: &NumberOrName,
        group: &TargetGroup,
        annotations: &Annotations<'_>,
    ) -> Result<Binding, BuildError> {
        let mut ports = vec![("TCP", peer_port(port, group.target_type))];
        if let Ok(number) = group.check.port.parse::<u16>()
            && ports.iter().all(|(_, of)| *of != json!(number))
        {
            ports.push(("TCP", json!(number)));
        }
        let networking = match self.backend_rules {
            false => Vec::new(),
            true => vec![Peer {
                from: PeerSource::Backend,
                ports,
            }],
        };
        let labels: Pairs = annotations.pairs("target-node-labels")?;
        let selector = (!labels.is_empty()).then(|| json!({"matchLabels": labels}));
        Ok(Binding {
            target_group: group.name.clone(),
            namespace: service.metadata.namespace.clone(),
            service: service.metadata.name.clone(),
            port: wanted.wire(),
            target_type: group.target_type,
            networking,
            node_selector: selector,
            protocol: group.protocol.clone(),
        })
    }
}

fn check(
    service: &Service,
    annotations: &Annotations<'_>,
    kind: &str,
    (protocol, version): (&str, &str),
) -> Result<HealthCheck, BuildError> {
    let grpc = version == "GRPC";
    let path = if grpc { "/AWS.ALB/healthcheck" } else { "/" };
    let path = annotations.text("healthcheck-path").unwrap_or(path);
    let codes = annotations.text("success-codes");
    let codes = match grpc {
        true => Codes::Grpc(codes.unwrap_or("12").to_owned()),
        false => Codes::Http(codes.unwrap_or("200").to_owned()),
    };
    let own = annotations.text("healthcheck-protocol");
    let checked = own.unwrap_or(protocol).to_uppercase();
    if !["HTTP", "HTTPS"].contains(&checked.as_str()) {
        return Err(BuildError::new(format!(
            "healthCheckProtocol must be within [HTTP, HTTPS]: {checked}"
        )));
    }
    Ok(HealthCheck {
        protocol: checked,
        port: check_port(service, annotations.text("healthcheck-port"), kind)?,
        path: Some(path.to_owned()),
        codes: Some(codes),
        interval: count(annotations, "healthcheck-interval-seconds", 15)?,
        timeout: count(annotations, "healthcheck-timeout-seconds", 5)?,
        healthy: count(annotations, "healthy-threshold-count", 2)?,
        unhealthy: count(annotations, "unhealthy-threshold-count", 2)?,
    })
}
