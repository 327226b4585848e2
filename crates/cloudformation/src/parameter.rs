//! Parameters: their declarations, and values against them.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html>

use crate::TemplateError;
use regex_lite::Regex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A declared parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Declaration {
    /// Its type.
    pub kind: Kind,
    /// The type as the template writes it.
    pub type_name: String,
    /// The value of one that isn't given.
    pub default: Option<String>,
    /// What its author says of it.
    pub description: Option<String>,
    /// Whether its value is never shown.
    pub no_echo: bool,
    /// The values that it may have, if not any.
    pub allowed_values: Vec<String>,
    allowed_pattern: Option<String>,
    constraint: Option<String>,
    length: (Option<usize>, Option<usize>),
    range: (Option<f64>, Option<f64>),
}

/// A parameter's type, as far as it decides what `Ref` gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// A number.
    Number,
    /// Texts, separated by commas.
    List,
    /// Numbers, separated by commas.
    Numbers,
    /// The name of a parameter in the store of Systems Manager, whose value counts.
    Stored {
        /// Whether that value is a list.
        list: bool,
    },
}

/// A parameter's value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// What the caller gave, or the default.
    pub value: String,
    /// What the store of Systems Manager had under that name, for parameters of such types.
    pub stored: Option<String>,
}

impl Declaration {
    pub(crate) fn read(name: &str, value: &Value) -> Result<Self, TemplateError> {
        let text = |member: &str| value.get(member).and_then(plain);
        let type_name = text("Type").ok_or_else(|| {
            TemplateError::format("Every Parameters object must contain a Type member.")
        })?;
        let kind = Kind::read(&type_name).ok_or_else(|| {
            TemplateError::format(format!("Unrecognized parameter type: {type_name}"))
        })?;
        let whole = |member: &str| text(member).and_then(|text| text.parse().ok());
        let number = |member: &str| text(member).and_then(|text| text.parse().ok());
        let allowed_pattern = text("AllowedPattern");
        if let Some(pattern) = &allowed_pattern
            && anchored(pattern).is_none()
        {
            let message = format!("Invalid AllowedPattern for parameter {name}: {pattern}");
            return Err(TemplateError::format(message));
        }
        let allowed = value.get("AllowedValues").and_then(Value::as_array);
        let default = value.get("Default");
        Ok(Self {
            kind,
            type_name,
            default: default.map(|value| plain(value).unwrap_or_default()),
            description: text("Description"),
            no_echo: text("NoEcho").is_some_and(|text| text.eq_ignore_ascii_case("true")),
            allowed_values: allowed.into_iter().flatten().filter_map(plain).collect(),
            allowed_pattern,
            constraint: text("ConstraintDescription"),
            length: (whole("MinLength"), whole("MaxLength")),
            range: (number("MinValue"), number("MaxValue")),
        })
    }

    /// Checks a value.
    ///
    /// # Errors
    /// It breaks one of the constraints.
    pub fn check(&self, name: &str, value: &str) -> Result<(), TemplateError> {
        let elements: Vec<&str> = match self.kind {
            Kind::List | Kind::Numbers => value.split(',').map(str::trim).collect(),
            _ => vec![value],
        };
        for element in elements {
            if let Some(broken) = self.broken(name, element) {
                let said = self.constraint.as_ref();
                let message = said.map_or(broken, |said| {
                    format!("Parameter {name} failed to satisfy constraint: {said}")
                });
                return Err(TemplateError::Parameter(message));
            }
        }
        Ok(())
    }

    fn broken(&self, name: &str, value: &str) -> Option<String> {
        let length = value.chars().count();
        let number: Option<f64> = value.trim().parse().ok();
        if matches!(self.kind, Kind::Number | Kind::Numbers) && number.is_none() {
            return Some(format!("Parameter '{name}' must be a number."));
        }
        if !self.allowed_values.is_empty() && !self.allowed_values.iter().any(|of| of == value) {
            return Some(format!("Parameter '{name}' must be one of AllowedValues"));
        }
        if let Some(pattern) = &self.allowed_pattern
            && !anchored(pattern).is_some_and(|pattern| pattern.is_match(value))
        {
            return Some(format!("Parameter '{name}' must match pattern {pattern}"));
        }
        if let (Some(least), _) = self.length
            && length < least
        {
            return Some(format!(
                "Parameter '{name}' must contain at least {least} characters."
            ));
        }
        if let (_, Some(most)) = self.length
            && length > most
        {
            return Some(format!(
                "Parameter '{name}' must contain at most {most} characters."
            ));
        }
        match (self.range, number) {
            ((Some(least), _), Some(number)) if number < least => Some(format!(
                "Parameter '{name}' must be a number not less than {least}"
            )),
            ((_, Some(most)), Some(number)) if number > most => Some(format!(
                "Parameter '{name}' must be a number not greater than {most}"
            )),
            _ => None,
        }
    }

    /// What `Ref` gives.
    pub fn value(&self, given: &Given) -> Value {
        let list = |text: &str| {
            let elements = text.split(',').map(str::trim);
            Value::Array(elements.map(Value::from).collect())
        };
        match self.kind {
            Kind::Text | Kind::Number => Value::from(given.value.as_str()),
            Kind::List | Kind::Numbers => list(&given.value),
            Kind::Stored { list: false } => Value::from(given.stored.clone().unwrap_or_default()),
            Kind::Stored { list: true } => list(given.stored.as_deref().unwrap_or_default()),
        }
    }
}

impl Kind {
    fn read(name: &str) -> Option<Self> {
        match name {
            "String" | "AWS::SSM::Parameter::Name" => Some(Self::Text),
            "Number" => Some(Self::Number),
            "CommaDelimitedList" => Some(Self::List),
            "List<Number>" => Some(Self::Numbers),
            _ => Self::read_aws(name),
        }
    }

    /// AWS's own types: ids of existing resources, lists of them, and the store's parameters.
    fn read_aws(name: &str) -> Option<Self> {
        let inside = |prefix: &str| name.strip_prefix(prefix)?.strip_suffix('>');
        if let Some(of) = inside("AWS::SSM::Parameter::Value<") {
            let list = of == "CommaDelimitedList" || of.starts_with("List<");
            return (of == "String" || list || of.starts_with("AWS::"))
                .then_some(Self::Stored { list });
        }
        if let Some(of) = inside("List<") {
            return of.starts_with("AWS::EC2::").then_some(Self::List);
        }
        let known = name.starts_with("AWS::EC2::") || name == "AWS::Route53::HostedZone::Id";
        known.then_some(Self::Text)
    }
}

/// A pattern that the whole value must match.
fn anchored(pattern: &str) -> Option<Regex> {
    Regex::new(&format!("^(?:{pattern})$")).ok()
}

/// A scalar as a text.
pub(crate) fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}
