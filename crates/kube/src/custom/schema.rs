//! Structural schemas: what an object of a custom kind may hold, and what it gets by default.
//!
//! <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema>

use crate::api::Cause;
use serde_json::{Map, Value, json};
use std::collections::HashSet;

/// Fields that every object has and no schema needs to name.
const EVERYWHERE: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// Drops the fields that a schema doesn't know and names them.
pub fn prune(value: &mut Value, schema: &Value) -> Vec<String> {
    let mut dropped = Vec::new();
    prune_at(value, schema, "", &mut dropped);
    dropped
}

fn keeps_unknown(schema: &Value) -> bool {
    schema["x-kubernetes-preserve-unknown-fields"] == true || schema.is_null()
}

pub(super) fn below(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn prune_at(value: &mut Value, schema: &Value, path: &str, dropped: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            let whole = path.is_empty() || schema["x-kubernetes-embedded-resource"] == true;
            let more = &schema["additionalProperties"];
            map.retain(|name, _| {
                let known = !schema["properties"][name].is_null()
                    || (!more.is_null() && *more != false)
                    || keeps_unknown(schema)
                    || (whole && EVERYWHERE.contains(&name.as_str()));
                if !known {
                    dropped.push(below(path, name));
                }
                known
            });
            for (name, value) in map {
                // What metadata may hold no schema says: it is the same for all objects.
                if whole && EVERYWHERE.contains(&name.as_str()) {
                    continue;
                }
                let own = &schema["properties"][name];
                let of = if own.is_null() { more } else { own };
                if of.is_object() {
                    prune_at(value, of, &below(path, name), dropped);
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                prune_at(item, &schema["items"], &format!("{path}[{index}]"), dropped);
            }
        }
        _ => {}
    }
}

/// Fills in a schema's defaults.
pub fn fill(value: &mut Value, schema: &Value) {
    match value {
        Value::Object(map) => {
            let properties = schema["properties"].as_object();
            for (name, of) in properties.into_iter().flatten() {
                let default = &of["default"];
                let missing = match map.get(name) {
                    None => true,
                    Some(held) => held.is_null() && of["nullable"] != true,
                };
                if missing {
                    if default.is_null() {
                        map.remove(name);
                    } else {
                        map.insert(name.clone(), default.clone());
                    }
                }
            }
            for (name, value) in map {
                let own = &schema["properties"][name];
                let of = if own.is_null() {
                    &schema["additionalProperties"]
                } else {
                    own
                };
                if of.is_object() {
                    fill(value, of);
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                fill(item, &schema["items"]);
            }
        }
        _ => {}
    }
}

/// What is wrong with an object.
pub fn check(value: &Value, schema: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    check_at(value, schema, "", &mut causes);
    causes
}

fn is_type(value: &Value, kind: &str) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.as_f64().is_some_and(|v| v.fract() == 0.0),
        "number" => value.is_number(),
        _ => true,
    }
}

/// A value's type in the words of schemas.
fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_i64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn check_at(value: &Value, schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    let field = || if path.is_empty() { "<nil>" } else { path };
    if value.is_null() && schema["nullable"] == true {
        return;
    }
    if schema["x-kubernetes-int-or-string"] == true {
        if !value.is_string() && !value.is_i64() {
            let found = json!(type_of(value));
            let detail = format!(
                "{} in body must be of type integer,string: {found}",
                field()
            );
            causes.push(Cause::wrong_type(field(), &found, detail));
        }
        return;
    }
    let kind = schema["type"].as_str().unwrap_or_default();
    if !is_type(value, kind) {
        let found = json!(type_of(value));
        let detail = format!("{} in body must be of type {kind}: {found}", field());
        causes.push(Cause::wrong_type(field(), &found, detail));
        return;
    }
    if let Some(values) = schema["enum"].as_array()
        && !values.contains(value)
    {
        let words: Vec<String> = values
            .iter()
            .map(|v| v.as_str().map_or(v.to_string(), str::to_owned))
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        causes.push(Cause::unsupported(field(), value, &words));
    }
    match value {
        Value::Object(map) => object(map, schema, path, causes),
        Value::Array(items) => array(items, schema, path, causes),
        Value::String(text) => self::text(text, schema, path, causes),
        Value::Number(_) => number(value, schema, path, causes),
        _ => {}
    }
    combined(value, schema, path, causes);
}

fn object(map: &Map<String, Value>, schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    for name in schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        if !map.contains_key(name) {
            causes.push(Cause::required(below(path, name), ""));
        }
    }
    bound(
        map.len(),
        schema,
        ["minProperties", "maxProperties"],
        "properties",
        path,
        causes,
    );
    for (name, value) in map {
        let own = &schema["properties"][name];
        let of = if own.is_null() {
            &schema["additionalProperties"]
        } else {
            own
        };
        if of.is_object() {
            check_at(value, of, &below(path, name), causes);
        }
    }
}

fn array(items: &[Value], schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    bound(
        items.len(),
        schema,
        ["minItems", "maxItems"],
        "items",
        path,
        causes,
    );
    for (index, item) in items.iter().enumerate() {
        check_at(item, &schema["items"], &format!("{path}[{index}]"), causes);
    }
    let keys = schema["x-kubernetes-list-map-keys"].as_array();
    let is_set = schema["x-kubernetes-list-type"] == "set";
    if keys.is_none() && !is_set {
        return;
    }
    let mut seen = HashSet::new();
    for (index, item) in items.iter().enumerate() {
        if !seen.insert(identity(item, keys)) {
            causes.push(Cause::duplicate(format!("{path}[{index}]"), item));
        }
    }
}

/// What tells an item of a list from the others.
fn identity<'v>(item: &'v Value, keys: Option<&Vec<Value>>) -> Vec<&'v Value> {
    match keys {
        Some(keys) => {
            let keys = keys.iter().filter_map(Value::as_str);
            keys.map(|key| &item[key]).collect()
        }
        None => vec![item],
    }
}

/// A count within its bounds.
fn bound(
    count: usize,
    schema: &Value,
    [least, most]: [&str; 2],
    what: &str,
    path: &str,
    causes: &mut Vec<Cause>,
) {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    if let Some(least) = schema[least].as_i64().filter(|least| count < *least) {
        let detail = format!("{path} in body should have at least {least} {what}");
        causes.push(Cause::invalid(path, &json!(count), detail));
    }
    if let Some(most) = schema[most].as_i64().filter(|most| count > *most) {
        let detail = format!("must have at most {most} {what}");
        causes.push(Cause::invalid(path, &json!(count), detail));
    }
}

fn text(text: &str, schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    let length = text.chars().count();
    bound(
        length,
        schema,
        ["minLength", "maxLength"],
        "chars",
        path,
        causes,
    );
    if let Some(pattern) = schema["pattern"].as_str() {
        let fits = regex_lite::Regex::new(pattern).is_ok_and(|regex| regex.is_match(text));
        if !fits {
            let detail = format!("{path} in body should match '{pattern}'");
            causes.push(Cause::invalid(path, &json!(text), detail));
        }
    }
    if schema["format"] == "date-time" && crate::schema::parse_rfc3339(text).is_none() {
        let detail = format!("{path} in body must be of type date-time: {text:?}");
        causes.push(Cause::invalid(path, &json!(text), detail));
    }
}

fn number(value: &Value, schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    let Some(number) = value.as_f64() else { return };
    if let Some(least) = schema["minimum"].as_f64() {
        let exclusive = schema["exclusiveMinimum"] == true;
        if number < least || (exclusive && number <= least) {
            let than = if exclusive {
                "greater than"
            } else {
                "greater than or equal to"
            };
            let detail = format!("{path} in body should be {than} {least}");
            causes.push(Cause::invalid(path, value, detail));
        }
    }
    if let Some(most) = schema["maximum"].as_f64() {
        let exclusive = schema["exclusiveMaximum"] == true;
        if number > most || (exclusive && number >= most) {
            let than = if exclusive {
                "less than"
            } else {
                "less than or equal to"
            };
            let detail = format!("{path} in body should be {than} {most}");
            causes.push(Cause::invalid(path, value, detail));
        }
    }
    if let Some(of) = schema["multipleOf"].as_f64().filter(|of| *of > 0.0)
        && (number / of).fract() != 0.0
    {
        let detail = format!("{path} in body should be a multiple of {of}");
        causes.push(Cause::invalid(path, value, detail));
    }
}

/// `allOf`, `anyOf`, `oneOf` and `not`.
fn combined(value: &Value, schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    let branches = |name: &str| {
        schema[name]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default()
    };
    let holds = |of: &Value| {
        let mut inner = Vec::new();
        check_at(value, of, path, &mut inner);
        inner.is_empty()
    };
    for of in branches("allOf") {
        check_at(value, of, path, causes);
    }
    let field = if path.is_empty() { "<nil>" } else { path };
    let any = branches("anyOf");
    if !any.is_empty() && !any.iter().any(holds) {
        let detail = format!("{field} in body must validate at least one schema (anyOf)");
        causes.push(Cause::invalid(field, value, detail));
    }
    let one = branches("oneOf");
    if !one.is_empty() && one.iter().filter(|of| holds(of)).count() != 1 {
        let detail = format!("{field} in body must validate one and only one schema (oneOf)");
        causes.push(Cause::invalid(field, value, detail));
    }
    if !schema["not"].is_null() && holds(&schema["not"]) {
        let detail = format!("{field} in body must not validate the schema (not)");
        causes.push(Cause::invalid(field, value, detail));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Value {
        json!({"type": "object", "properties": {
            "spec": {"type": "object", "required": ["size"], "properties": {
                "size": {"type": "integer", "minimum": 1, "maximum": 9},
                "mode": {"type": "string", "enum": ["a", "b"], "default": "a"},
                "name": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 5},
                "port": {"x-kubernetes-int-or-string": true},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "items": {"type": "array", "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["id"],
                    "items": {"type": "object", "properties": {"id": {"type": "string"}}}},
            }},
        }})
    }

    fn told(spec: &Value) -> Vec<String> {
        let value = json!({"apiVersion": "v", "kind": "K", "metadata": {}, "spec": spec});
        check(&value, &schema())
            .into_iter()
            .map(|cause| cause.field)
            .collect()
    }

    /// K8S-API: unknown fields go, but where the schema keeps them.
    #[test]
    fn unknown_fields_are_pruned() {
        let mut value = json!({
            "apiVersion": "v", "kind": "K", "metadata": {"name": "n"}, "other": 1,
            "spec": {"size": 1, "siez": 2, "free": {"x": 1}, "items": [{"id": "a", "no": 1}]},
        });
        assert_eq!(
            prune(&mut value, &schema()),
            ["other", "spec.siez", "spec.items[0].no"]
        );
        assert_eq!(value["spec"]["free"]["x"], 1);
        assert_eq!(value["metadata"]["name"], "n");
    }

    /// K8S-API: metadata that a schema names but doesn't describe stays whole.
    #[test]
    fn metadata_stays() {
        let schema = json!({"type": "object", "properties": {"metadata": {"type": "object"}}});
        let mut value = json!({"metadata": {"name": "n", "labels": {"a": "b"}}});
        assert!(prune(&mut value, &schema).is_empty());
        assert_eq!(value["metadata"]["labels"]["a"], "b");
    }

    /// K8S-API: defaults are filled in.
    #[test]
    fn defaults_are_filled_in() {
        let mut value = json!({"spec": {"size": 1}});
        fill(&mut value, &schema());
        assert_eq!(value["spec"]["mode"], "a");
    }

    /// K8S-API: what the schema forbids is told by its field.
    #[test]
    fn schemas_forbid() {
        assert!(told(&json!({"size": 1, "mode": "b", "name": "ab", "port": "http"})).is_empty());
        assert_eq!(told(&json!({})), ["spec.size"]);
        assert_eq!(told(&json!({"size": 10})), ["spec.size"]);
        assert_eq!(told(&json!({"size": "1"})), ["spec.size"]);
        assert_eq!(told(&json!({"size": 1, "mode": "c"})), ["spec.mode"]);
        assert_eq!(told(&json!({"size": 1, "name": "A"})), ["spec.name"]);
        assert_eq!(told(&json!({"size": 1, "name": "abcdef"})), ["spec.name"]);
        assert_eq!(told(&json!({"size": 1, "port": true})), ["spec.port"]);
        assert_eq!(
            told(&json!({"size": 1, "labels": {"a": 1}})),
            ["spec.labels.a"]
        );
        let twice = json!({"size": 1, "items": [{"id": "a"}, {"id": "a"}]});
        assert_eq!(told(&twice), ["spec.items[1]"]);
    }
}
