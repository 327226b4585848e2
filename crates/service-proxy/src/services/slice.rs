//! An EndpointSlice, as far as a proxy looks at it.

use super::Options;
use crate::object::{Name, address, flag, list, port, protocol, text};
use fabric::Protocol;
use serde_json::Value;
use std::net::Ipv4Addr;

const SERVICE: &str = "/metadata/labels/kubernetes.io~1service-name";
/// Slices of headless services have this label; no proxy looks at them.
const HEADLESS: &str = "/metadata/labels/service.kubernetes.io~1headless";

/// A slice.
#[derive(Clone, Debug)]
pub(super) struct Slice {
    ports: Vec<(String, Protocol, u16)>,
    pub(super) endpoints: Vec<Endpoint>,
}

/// An endpoint.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    pub(super) address: Ipv4Addr,
    pub(super) ready: bool,
    pub(super) serving: bool,
    pub(super) terminating: bool,
    node: String,
    zones: Vec<String>,
    nodes: Vec<String>,
    /// Who it is, in words.
    pub(super) name: String,
}

impl Slice {
    /// Reads a slice and the service that it is for.
    pub(super) fn read(object: &Value) -> Option<(Name, Self)> {
        if text(object, "/addressType") != "IPv4" || object.pointer(HEADLESS).is_some() {
            return None;
        }
        let service = text(object, SERVICE);
        if service.is_empty() {
            return None;
        }
        let ports = list(object, "/ports").iter().filter_map(|value| {
            let name = text(value, "/name").to_owned();
            Some((
                name,
                protocol(text(value, "/protocol"))?,
                port(value, "/port")?,
            ))
        });
        let slice = Self {
            ports: ports.collect(),
            endpoints: list(object, "/endpoints")
                .iter()
                .filter_map(Endpoint::read)
                .collect(),
        };
        let service = Name::new(text(object, "/metadata/namespace"), service);
        Some((service, slice))
    }

    /// The number of a port of the service.
    pub(super) fn port(&self, name: &str, protocol: Protocol) -> Option<u16> {
        let mut ports = self.ports.iter();
        ports
            .find(|(known, of, _)| known == name && *of == protocol)
            .map(|(_, _, number)| *number)
    }
}

impl Endpoint {
    fn read(value: &Value) -> Option<Self> {
        let address = list(value, "/addresses")
            .first()
            .and_then(Value::as_str)
            .and_then(address)?;
        let hints = |kind: &str| {
            list(value, kind)
                .iter()
                .map(|hint| text(hint, "/name").to_owned())
                .collect()
        };
        let (of, name) = (
            text(value, "/targetRef/namespace"),
            text(value, "/targetRef/name"),
        );
        let name = if name.is_empty() {
            String::new()
        } else {
            Name::new(of, name).to_string()
        };
        Some(Self {
            address,
            ready: flag(value, "/conditions/ready").unwrap_or(true),
            serving: flag(value, "/conditions/serving").unwrap_or(true),
            terminating: flag(value, "/conditions/terminating").unwrap_or(false),
            node: text(value, "/nodeName").to_owned(),
            zones: hints("/hints/forZones"),
            nodes: hints("/hints/forNodes"),
            name,
        })
    }

    /// Whether it is on a node.
    pub(super) fn is_on(&self, options: &Options) -> bool {
        !options.node.is_empty() && self.node == options.node
    }

    /// Whether it hints at nodes, and at this one.
    pub(super) fn for_node(&self, options: &Options) -> Option<bool> {
        (!self.nodes.is_empty()).then(|| self.nodes.contains(&options.node))
    }

    /// Whether it hints at zones, and at this one.
    pub(super) fn for_zone(&self, options: &Options) -> Option<bool> {
        let here = |zone: &String| options.zone.as_ref() == Some(zone);
        (!self.zones.is_empty()).then(|| self.zones.iter().any(here))
    }
}
