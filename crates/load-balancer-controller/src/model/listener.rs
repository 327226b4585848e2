//! The listeners of a group, merged from what its members ask for.

use super::action::{Action, Redirect};
use super::annotation::{Annotations, INGRESS};
use super::build::Builder;
use super::error::BuildError;
use super::optimize::optimized;
use super::stack::{Listener, Pairs};
use super::surround::certificates_for;
use super::{Member, class};
use std::collections::{BTreeMap, BTreeSet};

/// What one member, or all together, want of a port.
#[derive(Clone, Debug, Default)]
pub(super) struct Port {
    pub(super) protocol: &'static str,
    /// Who may call.
    pub(super) ranges: BTreeSet<String>,
    pub(super) lists: BTreeSet<String>,
    certificates: Vec<String>,
    policy: Option<String>,
    attributes: Pairs,
    /// The members that listen there, by their place.
    members: Vec<usize>,
}

/// The ports that a member asks for, with their protocols.
fn listen_ports(member: &Member<'_>) -> Result<BTreeMap<u16, &'static str>, BuildError> {
    let annotations = Annotations::new(INGRESS, vec![&member.ingress.metadata.annotations]);
    let Some(given) = annotations.json("listen-ports")? else {
        let by_class = member
            .params
            .is_some_and(|params| !params.certificate_arn.is_empty());
        let secure = by_class || annotations.text("certificate-arn").is_some();
        let (port, protocol) = if secure { (443, "HTTPS") } else { (80, "HTTP") };
        return Ok(BTreeMap::from([(port, protocol)]));
    };
    let mut ports = BTreeMap::new();
    let entries = given.as_array().into_iter().flatten();
    for (protocol, port) in entries.filter_map(|entry| entry.as_object()).flatten() {
        let number = port.as_u64().and_then(|port| u16::try_from(port).ok());
        let number = number.filter(|port| *port > 0).ok_or_else(|| {
            BuildError::new(format!("listen port must be within [1, 65535]: {port}"))
        })?;
        let protocol = match protocol.as_str() {
            "HTTP" => "HTTP",
            "HTTPS" => "HTTPS",
            other => {
                return Err(BuildError::new(format!(
                    "listen protocol must be within [HTTP, HTTPS]: {other}"
                )));
            }
        };
        if ports
            .insert(number, protocol)
            .is_some_and(|other| other != protocol)
        {
            return Err(BuildError::new(format!(
                "conflicting protocol for listen port {number}"
            )));
        }
    }
    if ports.is_empty() {
        return Err(BuildError::new(format!(
            "empty listen-ports annotation: {given}"
        )));
    }
    Ok(ports)
}

impl Builder<'_> {
    /// What all members want, by port.
    pub(super) fn ports(&self) -> Result<BTreeMap<u16, Port>, BuildError> {
        let mut all: BTreeMap<u16, Port> = BTreeMap::new();
        for (index, member) in self.members.iter().enumerate() {
            let about = |error: BuildError| {
                error.about(&format!("ingress: {}", member.ingress.metadata.key()))
            };
            for (number, protocol) in listen_ports(member).map_err(about)? {
                let wanted = self.port(member, number, protocol).map_err(about)?;
                let known = all.entry(number).or_insert_with(|| Port {
                    protocol,
                    ..Port::default()
                });
                merge(known, wanted, number)?;
                known.members.push(index);
            }
        }
        for port in all.values_mut() {
            if port.ranges.is_empty() && port.lists.is_empty() {
                port.ranges.insert("0.0.0.0/0".to_owned());
            }
        }
        Ok(all)
    }

    fn port(
        &self,
        member: &Member<'_>,
        number: u16,
        protocol: &'static str,
    ) -> Result<Port, BuildError> {
        let annotations = Annotations::new(INGRESS, vec![&member.ingress.metadata.annotations]);
        let params = member.params;
        let given = |own: Option<&Vec<String>>, name: &str| {
            let own = own.filter(|own| !own.is_empty()).cloned();
            own.or_else(|| annotations.texts(name)).unwrap_or_default()
        };
        let ranges = given(params.map(|of| &of.inbound_cidrs), "inbound-cidrs");
        for range in &ranges {
            if range.parse::<ipnet::IpNet>().is_err() {
                return Err(BuildError::new(format!(
                    "invalid alb.ingress.kubernetes.io/inbound-cidrs settings: invalid CIDR address: {range}"
                )));
            }
        }
        let lists = given(
            params.map(|of| &of.prefix_lists_ids),
            "security-group-prefix-lists",
        );
        let mut attributes =
            annotations.pairs(&format!("listener-attributes.{protocol}-{number}"))?;
        for of in params.iter().flat_map(|params| &params.listeners) {
            if of.port == number && of.protocol == protocol {
                attributes.extend(class::pairs(&of.listener_attributes));
            }
        }
        let mut port = Port {
            protocol,
            ranges: ranges.into_iter().collect(),
            lists: lists.into_iter().collect(),
            attributes,
            ..Port::default()
        };
        if protocol == "HTTPS" {
            let by_class = params.and_then(|params| params.ssl_policy.as_deref());
            let policy = by_class.or_else(|| annotations.text("ssl-policy"));
            port.policy = policy.map(str::to_owned);
            port.certificates = given(params.map(|of| &of.certificate_arn), "certificate-arn");
            if port.certificates.is_empty() {
                port.certificates = self.discovered(member)?;
            }
        }
        Ok(port)
    }

    /// The certificates of an ingress' hosts.
    fn discovered(&self, member: &Member<'_>) -> Result<Vec<String>, BuildError> {
        let spec = &member.ingress.spec;
        let rules = spec.rules.iter().map(|rule| &rule.host);
        let hosts = rules.chain(spec.tls.iter().flat_map(|tls| &tls.hosts));
        let hosts = hosts.filter(|host| !host.is_empty()).cloned().collect();
        let found = certificates_for(&hosts, &self.surround.certificates);
        let found = found
            .map_err(|host| BuildError::new(format!("no certificate found for host: {host}")))?;
        Ok(found.into_iter().map(str::to_owned).collect())
    }

    /// The port that plain requests are sent to.
    fn redirect_port(&self, ports: &BTreeMap<u16, Port>) -> Result<Option<u16>, BuildError> {
        let mut wanted = BTreeSet::new();
        for member in self.members {
            let annotations = Annotations::new(INGRESS, vec![&member.ingress.metadata.annotations]);
            let by_class = member
                .params
                .and_then(|params| params.ssl_redirect_port.clone());
            let own = annotations.text("ssl-redirect").map(str::to_owned);
            wanted.extend(by_class.filter(|of| !of.is_empty()).or(own));
        }
        let mut wanted = wanted.into_iter();
        let Some(text) = wanted.next() else {
            return Ok(None);
        };
        if let Some(other) = wanted.next() {
            return Err(BuildError::new(format!(
                "conflicting sslRedirect port: [{text} {other}]"
            )));
        }
        let number = text.parse::<u16>().map_err(|_| {
            BuildError::new(format!(
                "failed to parse int64 annotation, {INGRESS}/ssl-redirect: {text}"
            ))
        })?;
        match ports.get(&number) {
            None => Err(BuildError::new(format!(
                "listener does not exist for SSLRedirect port: {number}"
            ))),
            Some(port) if port.protocol != "HTTPS" => Err(BuildError::new(format!(
                "listener protocol non-SSL for SSLRedirect port: {number}"
            ))),
            Some(_) => Ok(Some(number)),
        }
    }

    /// The listeners.
    pub(super) fn listeners(
        &mut self,
        ports: &BTreeMap<u16, Port>,
        tags: &Pairs,
    ) -> Result<Vec<Listener>, BuildError> {
        let redirect = self.redirect_port(ports)?;
        let mut listeners = Vec::with_capacity(ports.len());
        for (number, port) in ports {
            let members: Vec<&Member<'_>> =
                port.members.iter().map(|at| &self.members[*at]).collect();
            let secure = port.protocol == "HTTPS";
            let (default, rules) = match redirect.filter(|_| !secure) {
                Some(to) => (vec![to_tls(to)], Vec::new()),
                None => {
                    let default = self.default_actions(&members, port.protocol)?;
                    let rules = self.rules(&members, port.protocol)?;
                    (default, optimized(rules, *number, port.protocol))
                }
            };
            let policy = port.policy.clone();
            listeners.push(Listener {
                port: *number,
                protocol: port.protocol,
                default,
                certificates: port.certificates.clone(),
                policy: secure.then(|| policy.unwrap_or_else(|| self.settings.ssl_policy.clone())),
                alpn: None,
                attributes: port.attributes.clone(),
                rules,
                tags: tags.clone(),
            });
        }
        Ok(listeners)
    }

    fn default_actions(
        &mut self,
        members: &[&Member<'_>],
        protocol: &str,
    ) -> Result<Vec<Action>, BuildError> {
        let with = members
            .iter()
            .filter(|of| of.ingress.spec.default_backend.is_some());
        let with: Vec<&&Member<'_>> = with.collect();
        match with.as_slice() {
            [] => Ok(vec![Action::not_found()]),
            [only] => {
                let backend = only
                    .ingress
                    .spec
                    .default_backend
                    .clone()
                    .unwrap_or_default();
                let key = only.ingress.metadata.key();
                let actions = self.actions(only, &backend, protocol);
                actions.map_err(|error| error.about(&format!("ingress: {key}")))
            }
            several => {
                let keys = several.iter().map(|of| of.ingress.metadata.key());
                let keys = keys.collect::<Vec<_>>().join(" ");
                Err(BuildError::new(format!(
                    "multiple ingress defined default backend: [{keys}]"
                )))
            }
        }
    }
}

/// Takes what one member wants of a port into what all want.
fn merge(known: &mut Port, wanted: Port, number: u16) -> Result<(), BuildError> {
    if known.protocol != wanted.protocol {
        return Err(BuildError::new(format!(
            "conflicting protocol of listen port {number}, {} | {}",
            known.protocol, wanted.protocol
        )));
    }
    match (&known.policy, &wanted.policy) {
        (Some(one), Some(other)) if one != other => {
            return Err(BuildError::new(format!(
                "conflicting sslPolicy of listen port {number}, {one} | {other}"
            )));
        }
        (None, Some(_)) => known.policy = wanted.policy,
        _ => {}
    }
    known.ranges.extend(wanted.ranges);
    known.lists.extend(wanted.lists);
    for (key, value) in wanted.attributes {
        let before = known.attributes.insert(key.clone(), value.clone());
        if let Some(before) = before.filter(|before| *before != value) {
            return Err(BuildError::new(format!(
                "conflicting attributes of listen port {number}, {key}: {before} | {value}"
            )));
        }
    }
    for arn in wanted.certificates {
        if !known.certificates.contains(&arn) {
            known.certificates.push(arn);
        }
    }
    Ok(())
}

/// Sends a client to a port with TLS.
fn to_tls(port: u16) -> Action {
    Action::Redirect(Redirect {
        protocol: "HTTPS".to_owned(),
        port: port.to_string(),
        ..Redirect::default()
    })
}
