//! A template's text as a value: JSON, or YAML with the short forms of functions.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html>

use crate::TemplateError;
use serde_json::{Map, Value};
use serde_norway::Value as Yaml;
use serde_norway::value::TaggedValue;

/// The longest template in a request, in bytes.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>
pub const LONGEST: usize = 51_200;
/// The deepest nesting that is read.
const DEEPEST: usize = 100;

/// Reads a template. `!Ref x` becomes `{"Ref": "x"}` and `!Sub x` becomes `{"Fn::Sub": "x"}`.
///
/// # Errors
/// It is neither JSON nor YAML, or not an object.
pub fn read(text: &str) -> Result<Value, TemplateError> {
    let value = if text.trim_start().starts_with('{') {
        json(text)?
    } else {
        yaml(text)?
    };
    match value {
        Value::Object(_) => Ok(value),
        _ => Err(TemplateError::format("unsupported structure.")),
    }
}

/// A template that begins like JSON may be YAML's flow style too.
fn json(text: &str) -> Result<Value, TemplateError> {
    serde_json::from_str(text).or_else(|error: serde_json::Error| {
        yaml(text).map_err(|_| {
            let (line, column) = (error.line(), error.column());
            TemplateError::format(format!(
                "JSON not well-formed. (line {line}, column {column})"
            ))
        })
    })
}

fn yaml(text: &str) -> Result<Value, TemplateError> {
    let value: Yaml = serde_norway::from_str(text).map_err(|error| {
        let place = error.location().map_or_else(String::new, |at| {
            format!(" (line {}, column {})", at.line(), at.column())
        });
        TemplateError::format(format!("YAML not well-formed.{place}"))
    })?;
    converted(value, 0)
}

fn converted(value: Yaml, depth: usize) -> Result<Value, TemplateError> {
    if depth == DEEPEST {
        return Err(TemplateError::format("the template is nested too deeply."));
    }
    Ok(match value {
        Yaml::Null => Value::Null,
        Yaml::Bool(truth) => Value::Bool(truth),
        Yaml::Number(number) => number_of(&number),
        Yaml::String(text) => Value::String(text),
        Yaml::Sequence(items) => Value::Array(
            items
                .into_iter()
                .map(|item| converted(item, depth + 1))
                .collect::<Result<_, _>>()?,
        ),
        Yaml::Mapping(members) => {
            let mut object = Map::new();
            for (key, value) in members {
                object.insert(key_of(&key)?, converted(value, depth + 1)?);
            }
            Value::Object(object)
        }
        Yaml::Tagged(tagged) => short_form(*tagged, depth)?,
    })
}

fn number_of(number: &serde_norway::Number) -> Value {
    if let Some(whole) = number.as_i64() {
        return Value::from(whole);
    }
    if let Some(whole) = number.as_u64() {
        return Value::from(whole);
    }
    number
        .as_f64()
        .map_or_else(|| Value::String(number.to_string()), Value::from)
}

/// Keys such as an account's number or a port are texts, whatever YAML makes of them.
fn key_of(key: &Yaml) -> Result<String, TemplateError> {
    match key {
        Yaml::String(text) => Ok(text.clone()),
        Yaml::Number(number) => Ok(number.to_string()),
        Yaml::Bool(truth) => Ok(truth.to_string()),
        _ => Err(TemplateError::format("a key is not a text.")),
    }
}

fn short_form(tagged: TaggedValue, depth: usize) -> Result<Value, TemplateError> {
    let tag = tagged.tag.to_string();
    let name = tag.trim_start_matches('!');
    let value = converted(tagged.value, depth + 1)?;
    let (name, value) = match (name, value) {
        ("Ref" | "Condition", value) => (name.to_owned(), value),
        ("GetAtt", Value::String(path)) => {
            let (resource, attribute) = path.split_once('.').unwrap_or((&path, ""));
            (
                "Fn::GetAtt".to_owned(),
                serde_json::json!([resource, attribute]),
            )
        }
        (name, value) => (format!("Fn::{name}"), value),
    };
    Ok(Value::Object([(name, value)].into_iter().collect()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn short_forms_are_the_long_ones() {
        let text = "
AWSTemplateFormatVersion: 2010-09-09
A: !Ref VPC
B: !GetAtt Role.Arn
C: !Sub '${AWS::StackName}/x'
D: !Select [0, !GetAZs '']
E: !If [IsOn, !Ref 'AWS::NoValue', 'no']
F: !GetAtt [A, B]
G: !Equals [!Ref X, yes]
80: x
";
        let expected = json!({
            "AWSTemplateFormatVersion": "2010-09-09",
            "A": { "Ref": "VPC" },
            "B": { "Fn::GetAtt": ["Role", "Arn"] },
            "C": { "Fn::Sub": "${AWS::StackName}/x" },
            "D": { "Fn::Select": [0, { "Fn::GetAZs": "" }] },
            "E": { "Fn::If": ["IsOn", { "Ref": "AWS::NoValue" }, "no"] },
            "F": { "Fn::GetAtt": ["A", "B"] },
            "G": { "Fn::Equals": [{ "Ref": "X" }, "yes"] },
            "80": "x",
        });
        assert_eq!(read(text).unwrap(), expected);
    }

    #[test]
    fn what_is_no_template_is_refused_with_its_place() {
        let error = read("{\"Resources\": ").unwrap_err().to_string();
        assert!(
            error.starts_with("Template format error: JSON not well-formed. (line 1"),
            "{error}"
        );
        let error = read("Resources:\n\t- x: [").unwrap_err().to_string();
        assert!(error.contains("YAML not well-formed. (line 2"), "{error}");
        let error = read("just words").unwrap_err().to_string();
        assert_eq!(error, "Template format error: unsupported structure.");
    }
}
