//! Whether a request can be understood at all, and what it is addressed to.

use crate::own::Refusal;
use fabric::balancer::http::Desync;
use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, Method, Version, request};

/// How long a URL and a header may be, in bytes.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html#http-400-issues>
const LONGEST: usize = 16 * 1024;
/// How many addresses `X-Forwarded-For` may have.
const MOST_FORWARDED: usize = 30;

/// How far a request keeps to the standard.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html#classification-reasons>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// It does.
    Compliant,
    /// It doesn't, and no harm comes of it.
    Acceptable(&'static str),
    /// Programs may read it differently.
    Ambiguous(&'static str),
}

/// The host's name that a request is for, without a port; empty if it says none.
pub(crate) fn host(head: &request::Parts) -> &str {
    let named = match head.uri.authority() {
        Some(authority) => authority.as_str(),
        None => head
            .headers
            .get(HOST)
            .and_then(|host| host.to_str().ok())
            .unwrap_or_default(),
    };
    without_port(named)
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Refuses what no rule may see.
///
/// # Errors
/// It is refused.
pub(crate) fn inspect(head: &request::Parts, desync: Desync) -> Result<Class, Refusal> {
    if head.method == Method::TRACE {
        return Err(Refusal::Method);
    }
    if head.method == Method::CONNECT {
        return Err(Refusal::BadRequest);
    }
    let path = head.uri.path_and_query();
    if path.is_some_and(|path| path.as_str().len() > LONGEST) {
        return Err(Refusal::UriTooLong);
    }
    let headers = &head.headers;
    let hosts = headers.get_all(HOST).iter().count();
    let named = hosts == 1 || (hosts == 0 && head.uri.authority().is_some());
    if hosts > 1 || (head.version == Version::HTTP_11 && !named) {
        return Err(Refusal::BadRequest);
    }
    let mut length = 0;
    for (name, value) in headers {
        let own = name.as_str().len() + value.len();
        length += own + 4;
        if own > LONGEST {
            return Err(Refusal::BadRequest);
        }
    }
    if length > 4 * LONGEST {
        return Err(Refusal::BadRequest);
    }
    transfer_coding(headers)?;
    forwarded(headers)?;
    let class = classify(head);
    match (class, desync) {
        (Class::Ambiguous(_) | Class::Acceptable(_), Desync::Strictest) => Err(Refusal::BadRequest),
        _ => Ok(class),
    }
}

fn transfer_coding(headers: &HeaderMap) -> Result<(), Refusal> {
    for value in headers.get_all(TRANSFER_ENCODING) {
        let value = value.to_str().map_err(|_| Refusal::BadRequest)?;
        let known = |coding: &str| {
            let coding = coding.trim();
            coding.eq_ignore_ascii_case("chunked") || coding.eq_ignore_ascii_case("identity")
        };
        if !value.split(',').all(known) {
            return Err(Refusal::TransferCoding);
        }
    }
    Ok(())
}

fn forwarded(headers: &HeaderMap) -> Result<(), Refusal> {
    let all = headers.get_all("x-forwarded-for").iter();
    let commas = all.map(|value| value.as_bytes().iter().filter(|b| **b == b',').count() + 1);
    if commas.sum::<usize>() > MOST_FORWARDED {
        return Err(Refusal::TooManyForwarded);
    }
    Ok(())
}

fn classify(head: &request::Parts) -> Class {
    let headers = &head.headers;
    let length = headers.get(CONTENT_LENGTH);
    if length.is_some() && headers.contains_key(TRANSFER_ENCODING) {
        return Class::Ambiguous("BothTeClPresent");
    }
    if let (Some(length), &Method::GET | &Method::HEAD) = (length, &head.method) {
        return match length.as_bytes() {
            b"0" => Class::Acceptable("GetHeadZeroContentLength"),
            _ => Class::Ambiguous("UndefinedContentLengthSemantics"),
        };
    }
    let odd = |name: &http::HeaderName| !is_plain(name.as_str());
    if headers.keys().any(odd) {
        return Class::Acceptable("NonCompliantHeader");
    }
    Class::Compliant
}

/// Whether a header's name is letters, digits and hyphens.
pub(crate) fn is_plain(name: &str) -> bool {
    name.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use http::Request;

    fn head(method: &str, uri: &str, headers: &[(&str, &str)]) -> request::Parts {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn inspected(method: &str, uri: &str, headers: &[(&str, &str)]) -> Result<Class, Refusal> {
        inspect(&head(method, uri, headers), Desync::Defensive)
    }

    /// AWS-ALB: 400, 405, 414, 463 and 501 as AWS gives them.
    #[test]
    fn refusals() {
        let host = ("host", "a.example");
        assert_eq!(inspected("TRACE", "/", &[host]), Err(Refusal::Method));
        assert_eq!(inspected("GET", "/", &[]), Err(Refusal::BadRequest));
        assert_eq!(
            inspected("GET", "/", &[host, host]),
            Err(Refusal::BadRequest)
        );
        let long = format!("/{}", "a".repeat(LONGEST));
        assert_eq!(inspected("GET", &long, &[host]), Err(Refusal::UriTooLong));
        assert_eq!(
            inspected("GET", "/", &[host, ("x", &long)]),
            Err(Refusal::BadRequest)
        );
        let many = vec!["1.1.1.1"; 31].join(", ");
        let forwarded = ("x-forwarded-for", many.as_str());
        assert_eq!(
            inspected("GET", "/", &[host, forwarded]),
            Err(Refusal::TooManyForwarded)
        );
        let coding = ("transfer-encoding", "gzip, chunked");
        assert_eq!(
            inspected("POST", "/", &[host, coding]),
            Err(Refusal::TransferCoding)
        );
        assert_eq!(inspected("GET", "/", &[host]), Ok(Class::Compliant));
    }

    /// AWS-ALB: strictest mode refuses what defensive mode only remarks.
    #[test]
    fn desync() {
        let headers = [("host", "a.example"), ("content-length", "3")];
        let get = head("GET", "/", &headers);
        let remark = Class::Ambiguous("UndefinedContentLengthSemantics");
        assert_eq!(inspect(&get, Desync::Defensive), Ok(remark));
        assert_eq!(inspect(&get, Desync::Strictest), Err(Refusal::BadRequest));
    }

    /// AWS-ALB: a host is compared without its port.
    #[test]
    fn hosts() {
        assert_eq!(without_port("a.example:8080"), "a.example");
        assert_eq!(without_port("a.example"), "a.example");
        assert_eq!(without_port("[::1]:80"), "[::1]");
    }
}
