//! `X-Amzn-Trace-Id`.

use crate::{calendar, chance};
use bytes::BytesMut;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::time::SystemTime;

/// The header's name.
pub(crate) const TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// Adds an id to a request that has none, and the balancer's own part to one that has.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-request-tracing.html>
pub(crate) fn add(headers: &mut HeaderMap) {
    let old = headers.get(TRACE_ID).and_then(|value| value.to_str().ok());
    let value = match old {
        None => {
            let mut value = BytesMut::with_capacity(ROOT.len() + LENGTH);
            value.extend_from_slice(ROOT);
            write_fresh(&mut value);
            HeaderValue::from_maybe_shared(value.freeze())
        }
        Some(old) => HeaderValue::from_maybe_shared(extended(old, &fresh())),
    };
    if let Ok(value) = value {
        headers.insert(TRACE_ID, value);
    }
}

/// What stands before a request's own id.
const ROOT: &[u8] = b"Root=";
/// How long an id is.
const LENGTH: usize = 35;

/// `1-67891233-abcdef012345678912345678`: the time and 96 bits of chance.
fn write_fresh(to: &mut BytesMut) {
    let now = calendar::unix(SystemTime::now());
    to.extend_from_slice(b"1-");
    write_hex(now, 8, to);
    to.extend_from_slice(b"-");
    write_hex(chance::number(), 16, to);
    write_hex(chance::number(), 8, to);
}

/// The lowest digits of a number, in base 16.
fn write_hex(number: u64, digits: u32, to: &mut BytesMut) {
    for digit in (0..digits).rev() {
        let value = (number >> (4 * digit)) & 0xf;
        to.extend_from_slice(&[b"0123456789abcdef"[value as usize]]);
    }
}

fn fresh() -> String {
    let mut id = BytesMut::with_capacity(LENGTH);
    write_fresh(&mut id);
    String::from_utf8_lossy(&id).into_owned()
}

fn extended(old: &str, id: &str) -> String {
    let has_root = old.split(';').any(|part| part.trim().starts_with("Root="));
    if !has_root {
        return format!("{old};Root={id}");
    }
    let others = old
        .split(';')
        .filter(|part| !part.trim().starts_with("Self="));
    let others: Vec<&str> = others.collect();
    format!("Self={id};{}", others.join(";"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// AWS-ALB: a request keeps its root and gets the balancer's own id in front.
    #[test]
    fn ids() {
        let mut headers = HeaderMap::new();
        add(&mut headers);
        let value = headers[TRACE_ID].to_str().unwrap();
        assert!(value.starts_with("Root=1-"), "{value}");
        assert_eq!(
            extended("Root=1-x-y;CalledFrom=app", "1-a-b"),
            "Self=1-a-b;Root=1-x-y;CalledFrom=app"
        );
        assert_eq!(
            extended("Self=1-o-o;Root=1-x-y", "1-a-b"),
            "Self=1-a-b;Root=1-x-y"
        );
        assert_eq!(
            extended("CalledFrom=app", "1-a-b"),
            "CalledFrom=app;Root=1-a-b"
        );
        assert_eq!(fresh().len(), 35);
    }
}
