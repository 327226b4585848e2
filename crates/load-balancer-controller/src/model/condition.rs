//! Which requests a rule takes.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_RuleCondition.html>

use super::action::{folded, said};
use super::error::BuildError;
use aws_client::answer::{list, text, texts};
use serde_json::{Value, json};

/// A condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// A header has one of these values.
    Header {
        /// The header.
        name: String,
        /// The values.
        values: Vec<String>,
    },
    /// The method is one of these.
    Method(Vec<String>),
    /// The query has one of these, each a value with its key.
    Query(Vec<(Option<String>, String)>),
    /// The client is in one of these ranges.
    SourceIp(Vec<String>),
    /// The host is one of these.
    Host(Vec<String>),
    /// The path is one of these.
    Path(Vec<String>),
}

impl Condition {
    /// As requests have it.
    pub fn wire(&self) -> Value {
        match self {
            Self::Header { name, values } => json!({
                "Field": "http-header",
                "HttpHeaderConfig": {"HttpHeaderName": name, "Values": values},
            }),
            Self::Method(values) => json!({
                "Field": "http-request-method", "HttpRequestMethodConfig": {"Values": values},
            }),
            Self::Query(values) => {
                let pairs = values.iter();
                let pairs = pairs.map(|(key, value)| json!({"Key": key, "Value": value}));
                json!({
                    "Field": "query-string",
                    "QueryStringConfig": {"Values": pairs.collect::<Vec<_>>()},
                })
            }
            Self::SourceIp(values) => json!({
                "Field": "source-ip", "SourceIpConfig": {"Values": values},
            }),
            Self::Host(values) => json!({
                "Field": "host-header", "HostHeaderConfig": {"Values": values},
            }),
            Self::Path(values) => json!({
                "Field": "path-pattern", "PathPatternConfig": {"Values": values},
            }),
        }
    }

    /// One that was described.
    fn read(described: &Value) -> Option<Self> {
        let values = |config: &str| texts(&described[config], "Values");
        Some(match text(described, "Field") {
            "http-header" => Self::Header {
                name: text(&described["HttpHeaderConfig"], "HttpHeaderName").to_owned(),
                values: values("HttpHeaderConfig"),
            },
            "http-request-method" => Self::Method(values("HttpRequestMethodConfig")),
            "query-string" => {
                let pairs = list(&described["QueryStringConfig"], "Values").iter();
                let pairs = pairs.map(|pair| {
                    let key = pair["Key"].as_str().map(str::to_owned);
                    (key, text(pair, "Value").to_owned())
                });
                Self::Query(pairs.collect())
            }
            "source-ip" => Self::SourceIp(values("SourceIpConfig")),
            "host-header" => Self::Host(values("HostHeaderConfig")),
            "path-pattern" => Self::Path(values("PathPatternConfig")),
            _ => return None,
        })
    }
}

/// Whether conditions that were described are these, in whatever order.
pub fn are(conditions: &[Condition], described: &[Value]) -> bool {
    let there: Vec<Option<Condition>> = described.iter().map(Condition::read).collect();
    there.len() == conditions.len()
        && conditions
            .iter()
            .all(|of| there.iter().any(|there| there.as_ref() == Some(of)))
}

/// What annotations add to a backend's rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// Conditions of other kinds than hosts and paths.
    pub others: Vec<Condition>,
    /// More hosts.
    pub hosts: Vec<String>,
    /// More paths.
    pub paths: Vec<String>,
}

/// Reads an annotation with conditions.
///
/// # Errors
/// It is none.
pub fn read(annotation: &Value) -> Result<Added, BuildError> {
    let annotation = folded(annotation);
    let mut added = Added::default();
    for of in annotation.as_array().into_iter().flatten() {
        let field = text(of, "field");
        let config = |name: &str| {
            let found = &of[name];
            if found.is_null() {
                return Err(BuildError::new(format!("missing {name} for field {field}")));
            }
            Ok(found)
        };
        let values = |name: &str| config(name).map(|config| texts(config, "values"));
        match field {
            "host-header" => added.hosts.extend(values("hostheaderconfig")?),
            "path-pattern" => added.paths.extend(values("pathpatternconfig")?),
            "http-header" => {
                let config = config("httpheaderconfig")?;
                added.others.push(Condition::Header {
                    name: text(config, "httpheadername").to_owned(),
                    values: texts(config, "values"),
                });
            }
            "http-request-method" => {
                let values = values("httprequestmethodconfig")?;
                added.others.push(Condition::Method(values));
            }
            "query-string" => {
                let pairs = list(config("querystringconfig")?, "values").iter();
                let pairs = pairs.map(|pair| {
                    let value = said(&pair["value"]).unwrap_or_default();
                    (said(&pair["key"]), value)
                });
                added.others.push(Condition::Query(pairs.collect()));
            }
            "source-ip" => added
                .others
                .push(Condition::SourceIp(values("sourceipconfig")?)),
            other => {
                return Err(BuildError::new(format!("unknown ruleCondition: {other}")));
            }
        }
    }
    Ok(added)
}

/// The patterns of a path.
///
/// # Errors
/// An exact path or a prefix has a wildcard.
pub fn patterns(path: &str, kind: &str) -> Result<Vec<String>, BuildError> {
    let wild = path.contains(['*', '?']);
    match kind {
        _ if path.is_empty() => Ok(Vec::new()),
        "Exact" if wild => Err(BuildError::new(format!(
            "exact path shouldn't contain wildcards: {path}"
        ))),
        "Prefix" if wild => Err(BuildError::new(format!(
            "prefix path shouldn't contain wildcards: {path}"
        ))),
        "Prefix" if path == "/" => Ok(vec!["/*".to_owned()]),
        "Prefix" => {
            let path = path.trim_end_matches('/');
            Ok(vec![path.to_owned(), format!("{path}/*")])
        }
        _ => Ok(vec![path.to_owned()]),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// AWS-LBC: a prefix is two patterns, but the root; wildcards are for neither prefixes nor exact paths.
    #[test]
    fn paths_become_patterns() {
        let of = |path: &str, kind: &str| patterns(path, kind).unwrap();
        assert_eq!(of("/foo", "Prefix"), ["/foo", "/foo/*"]);
        assert_eq!(of("/foo/", "Prefix"), ["/foo", "/foo/*"]);
        assert_eq!(of("/", "Prefix"), ["/*"]);
        assert_eq!(of("/x", "Exact"), ["/x"]);
        assert_eq!(of("/a*b", "ImplementationSpecific"), ["/a*b"]);
        assert!(patterns("/*", "Prefix").is_err());
        assert!(patterns("/?", "Exact").is_err());
    }

    /// AWS-LBC: an annotation's conditions are read in any case, and come back from AWS the same.
    #[test]
    fn annotations_add_conditions() {
        let annotation = json!([
            {"field": "host-header", "hostHeaderConfig": {"values": ["anno.example.com"]}},
            {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X", "Values": ["a"]}},
            {"field": "query-string", "queryStringConfig": {"values": [{"key": "p", "value": "1"}, {"value": "2"}]}},
        ]);
        let added = read(&annotation).unwrap();
        assert_eq!(added.hosts, ["anno.example.com"]);
        let back: Vec<Value> = added.others.iter().map(Condition::wire).collect();
        assert!(are(&added.others, &back));
        assert!(read(&json!([{"field": "source-ip"}])).is_err());
    }
}
