//! Who may talk to the API at all: programs on this machine and in the lab, not web pages.
//!
//! A page of any origin can make a browser send requests to loopback. It can't choose the Host
//! header (DNS rebinding gives it a foreign name) and can't hide its Origin; so both are checked.

use crate::names;
use http::HeaderMap;
use http::header::{HOST, HeaderName, ORIGIN};

/// Why a request is refused before anybody reads it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Denied {
    /// No Host header, or several.
    #[error("a request needs one Host header")]
    Host,
    /// The Host header names something else.
    #[error("{0:?} is not a name of this lab's API")]
    ForeignHost(String),
    /// A page of another origin made it.
    #[error("requests of web pages are refused (origin {0:?})")]
    ForeignOrigin(String),
}

/// Checks a request's headers.
pub(super) fn check(headers: &HeaderMap) -> Result<(), Denied> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().map_err(|_| Denied::Host)?,
        _ => return Err(Denied::Host),
    };
    if !is_own(host) {
        return Err(Denied::ForeignHost(host.to_owned()));
    }
    if let Some(origin) = headers.get(ORIGIN) {
        let origin = origin.to_str().unwrap_or("?");
        let same = ["http://", "https://"]
            .iter()
            .any(|scheme| origin.strip_prefix(scheme) == Some(host));
        if !same {
            return Err(Denied::ForeignOrigin(origin.to_owned()));
        }
    }
    let site = headers.get(HeaderName::from_static("sec-fetch-site"));
    match site.map(|site| site.to_str().unwrap_or("?")) {
        None | Some("same-origin" | "none") => Ok(()),
        Some(site) => Err(Denied::ForeignOrigin(site.to_owned())),
    }
}

/// Whether a Host header names loopback or one of the services that the lab plays.
fn is_own(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.to_ascii_lowercase();
    matches!(name.as_str(), "localhost" | "127.0.0.1") || names::is_service(&name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_bytes(name.as_bytes()).unwrap(),
                    value.parse().unwrap(),
                )
            })
            .collect()
    }

    /// OPS-SAFE: browser pages of other origins, and names rebound to loopback, are refused.
    #[test]
    fn pages_and_foreign_names_are_refused() {
        for host in ["127.0.0.1:4566", "localhost", "ec2.us-west-2.amazonaws.com"] {
            assert_eq!(check(&headers(&[("host", host)])), Ok(()), "{host}");
        }
        for host in [
            "evil.example",
            "127.0.0.1.evil.example:4566",
            "10.0.0.1",
            "",
        ] {
            let refused = Err(Denied::ForeignHost(host.to_owned()));
            assert_eq!(check(&headers(&[("host", host)])), refused);
        }
        assert_eq!(check(&headers(&[])), Err(Denied::Host));
        let own = ("host", "localhost:4566");
        assert!(check(&headers(&[own, ("origin", "https://evil.example")])).is_err());
        assert!(check(&headers(&[own, ("origin", "null")])).is_err());
        assert!(check(&headers(&[own, ("sec-fetch-site", "cross-site")])).is_err());
        assert_eq!(
            check(&headers(&[own, ("origin", "http://localhost:4566")])),
            Ok(())
        );
    }
}
