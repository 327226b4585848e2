//! The access log: what a line says, and how each kind of balancer writes it.

mod application;
mod classic;
mod entry;
mod network;

pub(crate) use entry::Entry;
pub(crate) use network::TlsConnection;

use fabric::id::BalancerId;
use std::net::SocketAddr;

/// A balancer's name in its log: what an ARN has behind `loadbalancer/`.
fn name(balancer: &BalancerId) -> &str {
    let id = balancer.as_str();
    id.split_once("loadbalancer/").map_or(id, |(_, name)| name)
}

/// A value, or the hyphen that stands for none.
fn or_hyphen<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

fn address(at: Option<SocketAddr>) -> String {
    or_hyphen(at)
}

/// A text between quotation marks: what would end it, or the line, is escaped.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\x22"),
            '\\' => quoted.push_str("\\x5C"),
            c if c.is_ascii_control() => quoted.push_str(&format!("\\x{:02X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted
}
