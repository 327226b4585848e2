//! The paths of definitions: `.spec.replicas`, `.status.conditions[?(@.type=="Ready")].status`.
//!
//! <https://kubernetes.io/docs/reference/kubectl/jsonpath/>, as far as printer columns use it.

use serde_json::Value;

/// A step of a path.
#[derive(Debug, PartialEq, Eq)]
enum Step<'p> {
    Field(String),
    Index(usize),
    All,
    /// Items whose field has this value.
    Where(&'p str, &'p str),
}

/// The first value that a path leads to.
pub fn find<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    let steps = steps(path)?;
    let mut found = vec![value];
    for step in &steps {
        found = found
            .into_iter()
            .flat_map(|value| follow(value, step))
            .collect();
    }
    found.into_iter().find(|value| !value.is_null())
}

/// Sets the value at a path of plain fields, making what is missing on the way.
pub fn set(value: &mut Value, path: &str, new: Value) {
    let Some(steps) = steps(path) else { return };
    let mut at = value;
    for step in &steps {
        let Step::Field(name) = step else { return };
        at = crate::object::object_mut(at)
            .entry(name.clone())
            .or_insert(Value::Null);
    }
    *at = new;
}

fn follow<'v>(value: &'v Value, step: &Step<'_>) -> Vec<&'v Value> {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    match step {
        Step::Field(name) => value.get(name).into_iter().collect(),
        Step::Index(index) => items.get(*index).into_iter().collect(),
        Step::All => items.iter().collect(),
        Step::Where(field, wanted) => items
            .iter()
            .filter(|item| item.get(*field).and_then(Value::as_str) == Some(*wanted))
            .collect(),
    }
}

fn steps(path: &str) -> Option<Vec<Step<'_>>> {
    let mut rest = path.strip_prefix('$').unwrap_or(path);
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('[') {
            let (inside, after) = bracket(after)?;
            steps.push(inside);
            rest = after;
            continue;
        }
        rest = rest.strip_prefix('.').unwrap_or(rest);
        let mut name = String::new();
        let mut letters = rest.char_indices().peekable();
        let mut end = rest.len();
        while let Some((index, letter)) = letters.next() {
            match letter {
                '.' | '[' => {
                    end = index;
                    break;
                }
                // A dot that is part of a name is written with a backslash.
                '\\' => name.extend(letters.next().map(|(_, letter)| letter)),
                _ => name.push(letter),
            }
        }
        if name.is_empty() {
            return None;
        }
        steps.push(Step::Field(name));
        rest = &rest[end..];
    }
    Some(steps)
}

/// What stands in brackets, and what follows them.
fn bracket(text: &str) -> Option<(Step<'_>, &str)> {
    if let Some(filter) = text.strip_prefix("?(") {
        let (condition, after) = filter.split_once(")]")?;
        let (field, wanted) = condition.split_once("==")?;
        let field = field.trim().strip_prefix("@.")?;
        let wanted = wanted.trim().trim_matches(['"', '\'']);
        return Some((Step::Where(field, wanted), after));
    }
    let (inside, after) = text.split_once(']')?;
    let step = match inside {
        "*" => Step::All,
        quoted if quoted.starts_with(['"', '\'']) => {
            Step::Field(quoted.trim_matches(['"', '\'']).to_owned())
        }
        number => Step::Index(number.parse().ok()?),
    };
    Some((step, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// K8S-API: the paths that printer columns use.
    #[test]
    fn paths_lead_to_values() {
        let value = json!({
            "spec": {"replicas": 3, "hosts": ["a", "b"]},
            "metadata": {"labels": {"app.kubernetes.io/name": "web"}},
            "status": {"conditions": [
                {"type": "Other", "status": "False"}, {"type": "Ready", "status": "True"},
            ]},
        });
        let found = |path: &str| find(&value, path).cloned().unwrap_or(Value::Null);
        assert_eq!(found(".spec.replicas"), 3);
        assert_eq!(found(".spec.hosts[1]"), "b");
        assert_eq!(found(".spec.hosts[*]"), "a");
        assert_eq!(
            found(r#".status.conditions[?(@.type=="Ready")].status"#),
            "True"
        );
        assert_eq!(found(r".metadata.labels.app\.kubernetes\.io/name"), "web");
        assert_eq!(found(".metadata.labels['app.kubernetes.io/name']"), "web");
        for none in [".spec.none", "..", ".spec[", ".spec.hosts[x]"] {
            assert_eq!(found(none), Value::Null, "{none}");
        }
    }
}
