//! `X-Amzn-Trace-Id`.

use crate::{calendar, chance};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::time::SystemTime;

/// The header's name.
pub(crate) const TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// Adds an id to a request that has none, and the balancer's own part to one that has.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-request-tracing.html>
pub(crate) fn add(headers: &mut HeaderMap) {
    let old = headers.get(TRACE_ID).and_then(|value| value.to_str().ok());
    let value = extended(old, &fresh());
    if let Ok(value) = HeaderValue::from_maybe_shared(value) {
        headers.insert(TRACE_ID, value);
    }
}

/// `1-67891233-abcdef012345678912345678`: the time and 96 bits of chance.
fn fresh() -> String {
    let (first, second) = (chance::number(), chance::number() as u32);
    let now = calendar::unix(SystemTime::now());
    format!("1-{now:08x}-{first:016x}{second:08x}")
}

fn extended(old: Option<&str>, id: &str) -> String {
    let Some(old) = old else {
        return format!("Root={id}");
    };
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
mod tests {
    use super::*;

    /// AWS-ALB: a request keeps its root and gets the balancer's own id in front.
    #[test]
    fn ids() {
        assert_eq!(extended(None, "1-a-b"), "Root=1-a-b");
        assert_eq!(
            extended(Some("Root=1-x-y;CalledFrom=app"), "1-a-b"),
            "Self=1-a-b;Root=1-x-y;CalledFrom=app"
        );
        assert_eq!(
            extended(Some("Self=1-o-o;Root=1-x-y"), "1-a-b"),
            "Self=1-a-b;Root=1-x-y"
        );
        assert_eq!(
            extended(Some("CalledFrom=app"), "1-a-b"),
            "CalledFrom=app;Root=1-a-b"
        );
        assert_eq!(fresh().len(), 35);
    }
}
