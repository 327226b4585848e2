//! Reading objects whose fields may be missing or of a wrong type.

use serde_json::Value;
use std::net::Ipv4Addr;

/// A namespace and a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Name {
    pub(crate) fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    /// An object's own.
    pub(crate) fn of(object: &Value) -> Self {
        Self::new(
            text(object, "/metadata/namespace"),
            text(object, "/metadata/name"),
        )
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// The text at a JSON pointer, empty where there is none.
pub(crate) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// The list at a JSON pointer, empty where there is none.
pub(crate) fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object
        .pointer(pointer)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

/// The truth value at a JSON pointer, if there is one.
pub(crate) fn flag(object: &Value, pointer: &str) -> Option<bool> {
    object.pointer(pointer).and_then(Value::as_bool)
}

/// The port number at a JSON pointer, if there is one other than 0.
pub(crate) fn port(object: &Value, pointer: &str) -> Option<u16> {
    let number = object.pointer(pointer).and_then(Value::as_u64)?;
    u16::try_from(number).ok().filter(|port| *port != 0)
}

/// The texts of a list.
pub(crate) fn texts<'a>(object: &'a Value, pointer: &str) -> impl Iterator<Item = &'a str> {
    list(object, pointer).iter().filter_map(Value::as_str)
}

/// An IPv4 address, if the text is one.
pub(crate) fn address(text: &str) -> Option<Ipv4Addr> {
    text.parse().ok()
}

/// The protocol that Kubernetes calls so; TCP where it says nothing.
pub(crate) fn protocol(name: &str) -> Option<fabric::Protocol> {
    match name {
        "" | "TCP" => Some(fabric::Protocol::TCP),
        "UDP" => Some(fabric::Protocol::UDP),
        "SCTP" => Some(fabric::Protocol(132)),
        _ => None,
    }
}
