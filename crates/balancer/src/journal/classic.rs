//! A classic load balancer's lines.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/access-log-collection.html>

use super::{Entry, address, name, or_hyphen, quoted};
use crate::calendar::precise;
use crate::front::Client;
use crate::stream::Carried;
use fabric::id::BalancerId;
use std::net::SocketAddr;

/// A request's line.
pub(super) fn line(entry: &Entry) -> String {
    let tls = entry.client.tls.as_ref();
    let agent = entry
        .agent
        .as_deref()
        .map_or_else(|| "-".to_owned(), quoted);
    [
        precise(entry.created),
        name(&entry.balancer).to_owned(),
        entry.client.peer.to_string(),
        address(entry.target),
        entry.times(6),
        or_hyphen(entry.status),
        entry.target_status.unwrap_or(0).to_string(),
        entry.bytes_received().to_string(),
        entry.sent.to_string(),
        format!("\"{}\"", quoted(&entry.request)),
        format!("\"{agent}\""),
        or_hyphen(tls.map(|tls| &tls.cipher)),
        or_hyphen(tls.map(|tls| tls.version)),
    ]
    .join(" ")
}

/// A connection's line, where it carries bytes and no requests.
pub(super) fn connection(
    balancer: &BalancerId,
    client: &Client,
    member: Option<SocketAddr>,
    carried: Carried,
) -> String {
    let tls = client.tls.as_ref();
    [
        precise(client.began),
        name(balancer).to_owned(),
        client.peer.to_string(),
        address(member),
        if member.is_some() {
            format!("{:.6} 0.000000 0.000000", carried.connecting.as_secs_f64())
        } else {
            "-1 -1 -1".to_owned()
        },
        "- -".to_owned(),
        carried.from_client.to_string(),
        carried.to_client.to_string(),
        "\"- - - \" \"-\"".to_owned(),
        or_hyphen(tls.map(|tls| &tls.cipher)),
        or_hyphen(tls.map(|tls| tls.version)),
    ]
    .join(" ")
}
