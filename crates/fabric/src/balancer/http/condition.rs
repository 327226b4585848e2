//! What a rule asks of requests.

use super::Pattern;
use ipnet::IpNet;
use std::net::IpAddr;

/// What a rule asks of a request. Any of the values of one condition is enough.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html>
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The host's name, without the port.
    Host(Vec<Pattern>),
    /// The path, without the query.
    Path(Vec<Pattern>),
    /// A header: one of those with the name.
    Header {
        /// Its name, in any case.
        name: String,
        /// What it may be.
        values: Vec<Pattern>,
    },
    /// The method, exactly.
    Method(Vec<String>),
    /// One of the parameters in the query.
    Query(Vec<Parameter>),
    /// The address that the connection comes from.
    Source(Vec<IpNet>),
}

/// A parameter in a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name; any, if there is none.
    pub key: Option<Pattern>,
    /// Its value.
    pub value: Pattern,
}

/// What rules see of a request.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a str,
    /// The host's name that it is for, without a port.
    pub host: &'a str,
    /// The path.
    pub path: &'a str,
    /// What follows the `?`, if there is one.
    pub query: Option<&'a str>,
    /// The headers.
    pub headers: &'a dyn Headers,
    /// The address that the connection comes from.
    pub source: IpAddr,
}

/// The headers of a request.
pub trait Headers {
    /// Whether one of the values that a header has passes a test. The name may be in any case.
    fn any(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> bool;
}

impl Headers for [(&str, &str)] {
    fn any(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.iter()
            .any(|(of, value)| of.eq_ignore_ascii_case(name) && test(value.as_bytes()))
    }
}

impl<const N: usize> Headers for [(&str, &str); N] {
    fn any(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.as_slice().any(name, test)
    }
}

impl Condition {
    /// Whether a request is as it asks.
    pub fn holds(&self, request: &Request<'_>) -> bool {
        match self {
            Self::Host(patterns) => fits(patterns, request.host.as_bytes()),
            Self::Path(patterns) => fits(patterns, request.path.as_bytes()),
            Self::Header { name, values } => {
                let mut test = |value: &[u8]| fits(values, value);
                request.headers.any(name, &mut test)
            }
            Self::Method(methods) => methods.iter().any(|method| method == request.method),
            Self::Query(wanted) => parameters(request.query)
                .any(|(key, value)| wanted.iter().any(|one| one.fits(key, value))),
            Self::Source(prefixes) => prefixes.iter().any(|one| one.contains(&request.source)),
        }
    }
}

impl Parameter {
    fn fits(&self, key: &str, value: &str) -> bool {
        let key_fits = |pattern: &Pattern| pattern.fits(key.as_bytes());
        self.key.as_ref().is_none_or(key_fits) && self.value.fits(value.as_bytes())
    }
}

fn fits(patterns: &[Pattern], text: &[u8]) -> bool {
    patterns.iter().any(|pattern| pattern.fits(text))
}

/// The parameters in a query, names and values as they are written.
fn parameters(query: Option<&str>) -> impl Iterator<Item = (&str, &str)> {
    let pairs = query.unwrap_or_default().split('&');
    pairs
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}
