//! An application load balancer's lines.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html>

use super::{Entry, address, name, or_hyphen, quoted};
use crate::calendar::precise;
use std::time::SystemTime;

/// The client went away before there was an answer.
const CLIENT_CLOSED: u16 = 460;

/// A request's line.
pub(super) fn line(entry: &Entry) -> String {
    let tls = entry.client.tls.as_ref();
    let status = entry.status.unwrap_or(CLIENT_CLOSED);
    let or_quoted = |text: Option<&str>| text.map_or_else(|| "-".to_owned(), quoted);
    let (class, why) = entry.class.unwrap_or(("-", "-"));
    [
        entry.kind.to_owned(),
        precise(SystemTime::now()),
        name(&entry.balancer).to_owned(),
        entry.client.peer.to_string(),
        address(entry.target),
        entry.times(3),
        status.to_string(),
        or_hyphen(entry.target_status),
        entry.bytes_received().to_string(),
        entry.sent.to_string(),
        format!("\"{}\"", quoted(&entry.request)),
        format!("\"{}\"", or_quoted(entry.agent.as_deref())),
        or_hyphen(tls.map(|tls| &tls.cipher)),
        or_hyphen(tls.map(|tls| tls.version)),
        or_hyphen(entry.pool.as_ref()),
        format!("\"{}\"", or_quoted(entry.trace.as_deref())),
        format!("\"{}\"", or_quoted(tls.and_then(|tls| tls.name.as_deref()))),
        format!("\"{}\"", or_hyphen(tls.map(|tls| &tls.certificate))),
        or_hyphen(entry.priority),
        precise(entry.created),
        format!("\"{}\"", or_hyphen(entry.actions.as_ref())),
        format!("\"{}\"", or_quoted(entry.redirect.as_deref())),
        format!("\"{}\"", or_hyphen(entry.reason)),
        format!("\"{}\"", address(entry.target)),
        format!("\"{}\"", or_hyphen(entry.target_status)),
        format!("\"{class}\""),
        format!("\"{why}\""),
        connection(entry),
    ]
    .join(" ")
}

/// The connection's own id, the same in all its requests' lines.
fn connection(entry: &Entry) -> String {
    format!("TID_{:016x}{:016x}", entry.client.id.0, entry.client.id.1)
}
