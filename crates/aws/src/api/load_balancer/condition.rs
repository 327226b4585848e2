//! Conditions on the wire.

use crate::model::Refusal;
use crate::model::load_balancer::condition::{self, Condition};
use crate::model::load_balancer::invalid;
use wire::elbv2::{
    HostHeaderConditionConfig, HttpHeaderConditionConfig, HttpRequestMethodConditionConfig,
    PathPatternConditionConfig, QueryStringConditionConfig, QueryStringKeyValuePair, RuleCondition,
    SourceIpConditionConfig,
};

const FIELDS: &str =
    "path-pattern,host-header,http-header,http-request-method,query-string,source-ip";

/// Reads conditions.
///
/// # Errors
/// `ValidationError`.
pub(super) fn read(conditions: Vec<RuleCondition>) -> Result<Vec<Condition>, Refusal> {
    conditions.into_iter().map(read_one).collect()
}

fn missing(config: &str, field: &str) -> Refusal {
    invalid(format!("A '{config}' must be specified with '{field}'"))
}

fn read_one(of: RuleCondition) -> Result<Condition, Refusal> {
    let field = of.field.unwrap_or_default();
    let old = matches!(field.as_str(), "host-header" | "path-pattern");
    if !of.values.is_empty() && !old {
        return Err(invalid(format!(
            "The 'Values' field is not compatible with '{field}'"
        )));
    }
    match field.as_str() {
        "host-header" => {
            let config = of.host_header_config.map(|config| config.values);
            Ok(Condition::HostHeader(either(of.values, config, &field)?))
        }
        "path-pattern" => {
            let config = of.path_pattern_config.map(|config| config.values);
            Ok(Condition::PathPattern(either(of.values, config, &field)?))
        }
        "http-header" => {
            let config = of.http_header_config;
            let config = config.ok_or_else(|| missing("HttpHeaderConfig", &field))?;
            Ok(Condition::HttpHeader {
                name: config.http_header_name.unwrap_or_default(),
                values: config.values,
            })
        }
        "http-request-method" => {
            let config = of.http_request_method_config;
            let config = config.ok_or_else(|| missing("HttpRequestMethodConfig", &field))?;
            Ok(Condition::HttpRequestMethod(config.values))
        }
        "query-string" => {
            let config = of.query_string_config;
            let config = config.ok_or_else(|| missing("QueryStringConfig", &field))?;
            let pair = |pair: QueryStringKeyValuePair| (pair.key, pair.value.unwrap_or_default());
            Ok(Condition::QueryString(
                config.values.into_iter().map(pair).collect(),
            ))
        }
        "source-ip" => {
            let config = of.source_ip_config;
            let config = config.ok_or_else(|| missing("SourceIpConfig", &field))?;
            let ranges = config.values.iter().map(|text| condition::source(text));
            Ok(Condition::SourceIp(ranges.collect::<Result<_, _>>()?))
        }
        other => Err(invalid(format!(
            "Condition field '{other}' must be one of '[{FIELDS}]'"
        ))),
    }
}

/// The two oldest conditions have their values in either of two places; in the older there is one.
fn either(
    values: Vec<String>,
    config: Option<Vec<String>>,
    field: &str,
) -> Result<Vec<String>, Refusal> {
    match config {
        // What AWS shows has both, and may be sent back as it is.
        Some(config) if values.is_empty() || values == config => Ok(config),
        Some(_) => Err(invalid(format!(
            "You cannot provide both Values and a configuration for a condition of type '{field}'"
        ))),
        None if values.len() > 1 => Err(invalid(format!(
            "The '{field}' field contains too many values; the limit is '1'"
        ))),
        None => Ok(values),
    }
}

/// A condition as it is shown.
pub(super) fn view(condition: &Condition) -> RuleCondition {
    let mut view = RuleCondition {
        field: Some(condition.field().to_owned()),
        ..Default::default()
    };
    match condition {
        Condition::HostHeader(values) => {
            view.values.clone_from(values);
            view.host_header_config = Some(HostHeaderConditionConfig {
                values: values.clone(),
                ..Default::default()
            });
        }
        Condition::PathPattern(values) => {
            view.values.clone_from(values);
            view.path_pattern_config = Some(PathPatternConditionConfig {
                values: values.clone(),
                ..Default::default()
            });
        }
        Condition::HttpHeader { name, values } => {
            view.http_header_config = Some(HttpHeaderConditionConfig {
                http_header_name: Some(name.clone()),
                values: values.clone(),
                ..Default::default()
            });
        }
        Condition::HttpRequestMethod(values) => {
            view.http_request_method_config = Some(HttpRequestMethodConditionConfig {
                values: values.clone(),
            });
        }
        Condition::QueryString(values) => {
            let pair = |(key, value): &(Option<String>, String)| QueryStringKeyValuePair {
                key: key.clone(),
                value: Some(value.clone()),
            };
            view.query_string_config = Some(QueryStringConditionConfig {
                values: values.iter().map(pair).collect(),
            });
        }
        Condition::SourceIp(ranges) => {
            view.source_ip_config = Some(SourceIpConditionConfig {
                values: ranges.iter().map(ToString::to_string).collect(),
            });
        }
    }
    view
}
