//! Selectors on labels and fields.
//!
//! <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors>

use crate::object;
use serde_json::Value;

/// Fields that are false where they are not there.
const SWITCHES: [&str; 2] = ["spec.hostNetwork", "spec.unschedulable"];

/// A requirement on one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// The value is one of these.
    In(String, Vec<String>),
    /// It is none of these, or there is none.
    NotIn(String, Vec<String>),
    /// There is one.
    Exists(String),
    /// There is none.
    Absent(String),
    /// It is a number above (`true`) or below this one.
    Compare(String, bool, i64),
}

/// A selector: every requirement holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector(pub Vec<Requirement>);

/// Text that is no selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unable to parse requirement: {0}")]
pub struct SelectorError(String);

impl Selector {
    /// Reads `a=b,c in (d,e),!f`.
    ///
    /// # Errors
    /// It isn't one.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let requirements = split(text)
            .into_iter()
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(requirement);
        requirements.collect::<Result<_, _>>().map(Self)
    }

    /// The selector of a `LabelSelector`: `matchLabels` and `matchExpressions`. An empty one selects
    /// everything, none at all nothing.
    pub fn of_labels(value: &Value) -> Option<Self> {
        if value.is_null() {
            return None;
        }
        let equal = object::entries(value, &["matchLabels"]).map(|(key, value)| {
            let value = value.as_str().unwrap_or_default().to_owned();
            Requirement::In(key.clone(), vec![value])
        });
        let mut all: Vec<_> = equal.collect();
        for expression in object::list(value, &["matchExpressions"]) {
            let key = object::text(expression, &["key"]).to_owned();
            let values = object::list(expression, &["values"])
                .iter()
                .filter_map(|value| value.as_str().map(str::to_owned))
                .collect::<Vec<_>>();
            all.push(match object::text(expression, &["operator"]) {
                "In" => Requirement::In(key, values),
                "NotIn" => Requirement::NotIn(key, values),
                "Exists" => Requirement::Exists(key),
                "DoesNotExist" => Requirement::Absent(key),
                // An operator that isn't one selects nothing.
                _ => Requirement::In(key, Vec::new()),
            });
        }
        Some(Self(all))
    }

    /// The selector of a plain map, as services and replication controllers have it.
    pub fn of_map(value: &Value) -> Option<Self> {
        let map = value.as_object().filter(|map| !map.is_empty())?;
        let equal = map.iter().map(|(key, value)| {
            let value = value.as_str().unwrap_or_default().to_owned();
            Requirement::In(key.clone(), vec![value])
        });
        Some(Self(equal.collect()))
    }

    /// Whether it holds of values by key.
    pub fn holds<'v>(&self, value: impl Fn(&str) -> Option<&'v str>) -> bool {
        self.0.iter().all(|requirement| match requirement {
            Requirement::In(key, wanted) => {
                value(key).is_some_and(|value| wanted.iter().any(|wanted| wanted == value))
            }
            Requirement::NotIn(key, wanted) => {
                value(key).is_none_or(|value| wanted.iter().all(|wanted| wanted != value))
            }
            Requirement::Exists(key) => value(key).is_some(),
            Requirement::Absent(key) => value(key).is_none(),
            Requirement::Compare(key, above, than) => value(key)
                .and_then(|value| value.parse::<i64>().ok())
                .is_some_and(|value| if *above { value > *than } else { value < *than }),
        })
    }

    /// Whether it holds of an object's labels.
    pub fn selects(&self, object: &Value) -> bool {
        self.holds(|key| object["metadata"]["labels"][key].as_str())
    }

    /// Whether it holds of an object's fields. A field that isn't there is empty text.
    pub fn selects_fields(&self, object: &Value) -> bool {
        self.0.iter().all(|requirement| {
            let (key, wanted, equal) = match requirement {
                Requirement::In(key, wanted) => (key, wanted, true),
                Requirement::NotIn(key, wanted) => (key, wanted, false),
                _ => return false,
            };
            let path: Vec<&str> = key.split('.').collect();
            let value = match object::at(object, &path) {
                Value::String(text) => text.clone(),
                Value::Null if SWITCHES.contains(&key.as_str()) => "false".to_owned(),
                Value::Null => String::new(),
                other => other.to_string(),
            };
            wanted.contains(&value) == equal
        })
    }
}

/// Splits at commas outside parentheses.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_usize, 0);
    for (index, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn requirement(part: &str) -> Result<Requirement, SelectorError> {
    let wrong = || SelectorError(format!("{part:?} is not a requirement"));
    let key = |text: &str| {
        let key = text.trim();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        if key.is_empty() || !key.chars().all(plain) {
            return Err(wrong());
        }
        Ok(key.to_owned())
    };
    if let Some(rest) = part.strip_prefix('!') {
        return Ok(Requirement::Absent(key(rest)?));
    }
    for (operator, negative) in [("!=", true), ("==", false), ("=", false)] {
        if let Some((left, right)) = part.split_once(operator) {
            let values = vec![right.trim().to_owned()];
            let key = key(left)?;
            return Ok(if negative {
                Requirement::NotIn(key, values)
            } else {
                Requirement::In(key, values)
            });
        }
    }
    for (operator, above) in [(">", true), ("<", false)] {
        if let Some((left, right)) = part.split_once(operator) {
            let than = right.trim().parse().map_err(|_| wrong())?;
            return Ok(Requirement::Compare(key(left)?, above, than));
        }
    }
    if let Some((left, right)) = part.split_once('(') {
        let values = right.trim_end().strip_suffix(')').ok_or_else(wrong)?;
        let values = values.split(',').map(|value| value.trim().to_owned());
        let values = values.collect();
        let mut words = left.split_whitespace();
        return match (words.next(), words.next(), words.next()) {
            (Some(name), Some("in"), None) => Ok(Requirement::In(key(name)?, values)),
            (Some(name), Some("notin"), None) => Ok(Requirement::NotIn(key(name)?, values)),
            _ => Err(wrong()),
        };
    }
    Ok(Requirement::Exists(key(part)?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    /// K8S-API: label and field selectors as the documentation has them.
    #[test]
    fn selectors_select() {
        let pod = json!({
            "metadata": {"labels": {"app": "web", "tier": "front", "n": "3"}},
            "spec": {"nodeName": "a"}, "status": {"phase": "Running"},
        });
        let labels = |text| Selector::parse(text).unwrap().selects(&pod);
        for yes in [
            "app=web",
            "app == web",
            "app in (web, db),tier",
            "!x",
            "app!=db",
            "x notin (y)",
            "n>2",
            "",
        ] {
            assert!(labels(yes), "{yes}");
        }
        for no in ["app=db", "!app", "app notin (web)", "x", "n<3", "x in (a)"] {
            assert!(!labels(no), "{no}");
        }
        let fields = |text| Selector::parse(text).unwrap().selects_fields(&pod);
        assert!(fields("spec.nodeName=a,status.phase!=Failed"));
        assert!(fields("spec.other="));
        assert!(!fields("spec.nodeName=b"));
        assert!(Selector::parse("a=b=c,(").is_err());
        assert!(Selector::parse("a in b").is_err());
    }
}
