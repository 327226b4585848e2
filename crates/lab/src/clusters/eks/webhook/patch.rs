//! What a webhook answers: the way from one object to another.

use serde_json::{Map, Value, json};

/// A JSON patch that makes one object another. What differs is replaced whole, two levels deep: `/spec/volumes`.
pub(super) fn between(old: &Value, new: &Value) -> Value {
    let mut steps = Vec::new();
    let nothing = Map::new();
    for (part, now) in new.as_object().unwrap_or(&nothing) {
        let before = &old[part];
        match (before, now) {
            (Value::Object(before), Value::Object(now)) => fields(part, before, now, &mut steps),
            _ if before == now => {}
            _ => steps.push(json!({"op": "add", "path": pointer(&[part]), "value": now})),
        }
    }
    Value::Array(steps)
}

fn fields(part: &str, old: &Map<String, Value>, new: &Map<String, Value>, steps: &mut Vec<Value>) {
    for (field, now) in new
        .iter()
        .filter(|(field, now)| old.get(*field) != Some(*now))
    {
        steps.push(json!({"op": "add", "path": pointer(&[part, field]), "value": now}));
    }
    for field in old.keys().filter(|field| !new.contains_key(*field)) {
        steps.push(json!({"op": "remove", "path": pointer(&[part, field])}));
    }
}

/// <https://www.rfc-editor.org/rfc/rfc6901#section-3>
fn pointer(parts: &[&str]) -> String {
    let escaped = parts
        .iter()
        .map(|part| part.replace('~', "~0").replace('/', "~1"));
    escaped.map(|part| format!("/{part}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_replaced_and_what_is_gone_removed() {
        let old = json!({"metadata": {"name": "a"}, "spec": {"volumes": [1], "priority": 0}});
        let new = json!({"metadata": {"name": "a", "a/b": 1}, "spec": {"volumes": [1, 2]}});
        assert_eq!(
            between(&old, &new),
            json!([
                {"op": "add", "path": "/metadata/a~1b", "value": 1},
                {"op": "add", "path": "/spec/volumes", "value": [1, 2]},
                {"op": "remove", "path": "/spec/priority"},
            ])
        );
        assert_eq!(between(&old, &old), json!([]));
    }
}
