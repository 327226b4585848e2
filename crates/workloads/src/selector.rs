//! Label selectors.
//! <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors>

use serde_json::Value;

/// One requirement on a label.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    DoesNotExist(String),
}

/// A parsed `LabelSelector`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector(Vec<Requirement>);

impl Selector {
    /// Reads a `LabelSelector`. None where there is no selector or it is not a valid one: it then
    /// selects nothing.
    pub fn parse(selector: &Value) -> Option<Self> {
        let selector = selector.as_object()?;
        let mut requirements = match selector.get("matchLabels") {
            None | Some(Value::Null) => Vec::new(),
            Some(labels) => equalities(labels)?,
        };
        if let Some(expressions) = selector.get("matchExpressions").and_then(Value::as_array) {
            for expression in expressions {
                requirements.push(requirement(expression)?);
            }
        }
        Some(Self(requirements))
    }

    /// Reads the selector at a JSON pointer of an object.
    pub(crate) fn at(object: &Value, pointer: &str) -> Option<Self> {
        Self::parse(object.pointer(pointer)?)
    }

    /// Reads a plain map of labels, as a Service's `spec.selector` is; none for an empty map.
    pub(crate) fn of_map(labels: &Value) -> Option<Self> {
        equalities(labels).filter(|r| !r.is_empty()).map(Self)
    }

    /// Whether everything is selected.
    pub(crate) fn selects_all(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an object's labels are selected.
    pub fn matches(&self, object: &Value) -> bool {
        let labels = object.pointer("/metadata/labels");
        self.matches_labels(labels.unwrap_or(&Value::Null))
    }

    /// Whether labels are selected.
    pub fn matches_labels(&self, labels: &Value) -> bool {
        let value = |key: &str| labels.get(key).and_then(Value::as_str);
        self.0.iter().all(|requirement| match requirement {
            Requirement::In(key, values) => {
                value(key).is_some_and(|v| values.iter().any(|w| w == v))
            }
            Requirement::NotIn(key, values) => {
                value(key).is_none_or(|v| values.iter().all(|w| w != v))
            }
            Requirement::Exists(key) => value(key).is_some(),
            Requirement::DoesNotExist(key) => value(key).is_none(),
        })
    }
}

/// The requirements of a map of labels.
fn equalities(labels: &Value) -> Option<Vec<Requirement>> {
    labels
        .as_object()?
        .iter()
        .map(|(key, value)| {
            Some(Requirement::In(
                key.clone(),
                vec![value.as_str()?.to_owned()],
            ))
        })
        .collect()
}

/// The requirement of one of `matchExpressions`.
fn requirement(expression: &Value) -> Option<Requirement> {
    let key = expression.get("key")?.as_str()?.to_owned();
    let values = || -> Option<Vec<String>> {
        let values = expression.get("values")?.as_array()?;
        values
            .iter()
            .map(|v| Some(v.as_str()?.to_owned()))
            .collect()
    };
    match expression.get("operator")?.as_str()? {
        "In" => Some(Requirement::In(key, values()?)),
        "NotIn" => Some(Requirement::NotIn(key, values()?)),
        "Exists" => Some(Requirement::Exists(key)),
        "DoesNotExist" => Some(Requirement::DoesNotExist(key)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn selects(selector: &Value, labels: &Value) -> bool {
        Selector::parse(selector)
            .is_some_and(|s| s.matches(&json!({"metadata": {"labels": labels}})))
    }

    #[test]
    fn requirements_are_anded() {
        let selector = json!({"matchLabels": {"app": "web"}, "matchExpressions": [
            {"key": "tier", "operator": "NotIn", "values": ["db"]},
            {"key": "old", "operator": "DoesNotExist"}]});
        assert!(selects(&selector, &json!({"app": "web"})));
        assert!(!selects(&selector, &json!({"app": "web", "tier": "db"})));
        assert!(!selects(&selector, &json!({"app": "web", "old": ""})));
        assert!(!selects(&selector, &json!({})));
    }

    #[test]
    fn an_empty_selector_selects_all_and_a_missing_one_nothing() {
        assert!(selects(&json!({}), &json!(null)));
        assert!(!selects(&json!(null), &json!({})));
        let odd = json!({"matchExpressions": [{"key": "a", "operator": "Like"}]});
        assert!(!selects(&odd, &json!({"a": "b"})));
    }
}
