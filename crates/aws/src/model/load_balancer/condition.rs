//! Conditions of rules.
//!
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html>

use super::*;
use ipnet::IpNet;

/// A condition: it holds if one of its values does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Condition {
    /// The host, whatever its case; `*` and `?` stand for any letters and for one.
    HostHeader(Vec<String>),
    /// The path, its case kept; with `*` and `?`.
    PathPattern(Vec<String>),
    /// A header's value, whatever its case; with `*` and `?`.
    HttpHeader {
        /// The header's name.
        name: String,
        /// Its values.
        values: Vec<String>,
    },
    /// The method.
    HttpRequestMethod(Vec<String>),
    /// A key and its value in the query, or a value of any key; with `*` and `?`, which a backslash makes ordinary.
    QueryString(Vec<(Option<String>, String)>),
    /// The client's address.
    SourceIp(Vec<IpNet>),
}

impl Condition {
    /// AWS's word.
    pub fn field(&self) -> &'static str {
        match self {
            Self::HostHeader(_) => "host-header",
            Self::PathPattern(_) => "path-pattern",
            Self::HttpHeader { .. } => "http-header",
            Self::HttpRequestMethod(_) => "http-request-method",
            Self::QueryString(_) => "query-string",
            Self::SourceIp(_) => "source-ip",
        }
    }

    /// How many values it has.
    fn values(&self) -> usize {
        match self {
            Self::HostHeader(values)
            | Self::PathPattern(values)
            | Self::HttpHeader { values, .. }
            | Self::HttpRequestMethod(values) => values.len(),
            Self::QueryString(values) => values.len(),
            Self::SourceIp(values) => values.len(),
        }
    }

    /// How many stars and question marks it has.
    fn wildcards(&self) -> usize {
        let in_text = |text: &str| {
            let mut escaped = false;
            let mut count = 0;
            for letter in text.chars() {
                if !escaped && matches!(letter, '*' | '?') {
                    count += 1;
                }
                escaped = letter == '\\' && !escaped;
            }
            count
        };
        match self {
            Self::HostHeader(values)
            | Self::PathPattern(values)
            | Self::HttpHeader { values, .. } => values.iter().map(|value| in_text(value)).sum(),
            Self::QueryString(values) => values
                .iter()
                .map(|(key, value)| key.as_deref().map_or(0, in_text) + in_text(value))
                .sum(),
            Self::HttpRequestMethod(_) | Self::SourceIp(_) => 0,
        }
    }

    /// Whether a rule may have several of its kind.
    fn repeats(&self) -> bool {
        matches!(self, Self::HttpHeader { .. } | Self::QueryString(_))
    }

    fn check(&self) -> Result<(), Refusal> {
        let field = self.field();
        if self.values() == 0 {
            return Err(invalid(format!("A '{field}' value must be specified")));
        }
        match self {
            Self::HostHeader(values) => each(values, field, 128, is_host),
            Self::PathPattern(values) => each(values, field, 128, is_path),
            Self::HttpHeader { name, values } => {
                check_header(name)?;
                each(values, field, 128, |_| true)
            }
            Self::HttpRequestMethod(values) => each(values, field, 40, is_method),
            Self::QueryString(values) => values.iter().try_for_each(|(key, value)| {
                if key.as_ref().is_some_and(|key| key.chars().count() > 128) {
                    return Err(invalid("The 'Key' value is too long; the limit is '128'"));
                }
                if value.is_empty() {
                    return Err(invalid(
                        "A 'Value' must be specified in 'QueryStringKeyValuePair'",
                    ));
                }
                if value.chars().count() > 128 {
                    return Err(invalid("The 'Value' value is too long; the limit is '128'"));
                }
                Ok(())
            }),
            Self::SourceIp(_) => Ok(()),
        }
    }
}

fn each(
    values: &[String],
    field: &str,
    longest: usize,
    good: impl Fn(&str) -> bool,
) -> Result<(), Refusal> {
    for value in values {
        if value.is_empty() {
            return Err(invalid("A condition value must be specified"));
        }
        if value.chars().count() > longest {
            return Err(invalid(format!(
                "The '{field}' value is too long; the limit is '{longest}'"
            )));
        }
        if !good(value) {
            return Err(invalid(format!(
                "The value '{value}' is not valid for '{field}'"
            )));
        }
    }
    Ok(())
}

/// Letters, digits, `-`, `.`, `*` and `?`, with a dot and after the last one letters only.
fn is_host(value: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-.*?".contains(c);
    let Some((_, last)) = value.rsplit_once('.') else {
        // A lone star is every host.
        return value == "*";
    };
    value.chars().all(allowed)
        && last
            .chars()
            .all(|c| c.is_ascii_alphabetic() || matches!(c, '*' | '?'))
}

fn is_path(value: &str) -> bool {
    value
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "_-.$/~\"'@:+&*?()!,;=%".contains(c))
}

fn is_method(value: &str) -> bool {
    value
        .chars()
        .all(|c| c.is_ascii_uppercase() || matches!(c, '-' | '_'))
}

/// A header's name is a token (RFC 7230), and the host has a condition of its own.
fn check_header(name: &str) -> Result<(), Refusal> {
    if name.chars().count() > 40 {
        return Err(invalid(
            "The 'HttpHeaderName' value is too long; the limit is '40'",
        ));
    }
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(token) || name.eq_ignore_ascii_case("host") {
        return Err(invalid(format!(
            "The 'HttpHeaderName' value '{name}' is not valid"
        )));
    }
    Ok(())
}

/// The range of a client's addresses.
///
/// # Errors
/// `ValidationError`.
pub fn source(text: &str) -> Result<IpNet, Refusal> {
    text.parse().map_err(|_| {
        invalid(format!(
            "The value '{text}' is not a valid CIDR block for 'source-ip'"
        ))
    })
}

/// Checks a rule's conditions.
///
/// # Errors
/// `ValidationError`.
pub(crate) fn check(context: &Context, conditions: &[Condition]) -> Result<(), Refusal> {
    if conditions.is_empty() {
        return Err(invalid("At least one condition must be specified"));
    }
    for (index, condition) in conditions.iter().enumerate() {
        let again = conditions[..index]
            .iter()
            .any(|other| other.field() == condition.field());
        if again && !condition.repeats() {
            return Err(invalid(format!(
                "A rule can only have one condition of type '{}'",
                condition.field()
            )));
        }
        condition.check()?;
    }
    let values: usize = conditions.iter().map(Condition::values).sum();
    let wildcards: usize = conditions.iter().map(Condition::wildcards).sum();
    for (name, count, what) in [
        ("condition-values-per-alb-rule", values, "condition values"),
        (
            "condition-wildcards-per-alb-rule",
            wildcards,
            "condition wildcards",
        ),
    ] {
        let message = format!("A rule can only have '{}' {what}", limit::of(name));
        limit::check(context, name, count, "ValidationError", &message)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AWS-ALB: what hosts, methods and headers may be.
    #[test]
    fn values_are_checked() {
        for (host, good) in [
            ("example.com", true),
            ("*.example.com", true),
            ("*", true),
            ("example", false),
            ("example.c0m", false),
            ("exa_mple.com", false),
        ] {
            assert_eq!(is_host(host), good, "{host}");
        }
        assert!(is_method("GET") && is_method("X-GET") && !is_method("get"));
        assert!(check_header("User-Agent").is_ok() && check_header("Host").is_err());
        let escaped = Condition::QueryString(vec![(Some("a*".to_owned()), "\\*?".to_owned())]);
        assert_eq!(escaped.wildcards(), 2);
    }
}
