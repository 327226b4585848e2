//! Rules of schemas: `x-kubernetes-validations`.
//!
//! <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation-rules>

use super::schema::below;
use crate::api::Cause;
use crate::expression::{Expression, Fault, typed};
use crate::object::{list, text};
use serde_json::{Value, json};

/// The variables that rules have.
const VARIABLES: [&str; 2] = ["self", "oldSelf"];
/// What a schema calls its rules.
const RULES: &str = "x-kubernetes-validations";

/// What of an object, and of its change, a schema's rules forbid.
pub fn check(value: &Value, old: Option<&Value>, schema: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    walk(value, old, schema, "", &mut causes);
    causes
}

fn walk(value: &Value, old: Option<&Value>, schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    if value.is_null() || !schema.is_object() {
        return;
    }
    for rule in list(schema, &[RULES]) {
        causes.extend(broken(rule, value, old, schema, path));
    }
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                let own = &schema["properties"][name];
                let more = &schema["additionalProperties"];
                let of = if own.is_object() { own } else { more };
                let old = old.and_then(|old| old.get(name));
                walk(value, old, of, &below(path, name), causes);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let old = old.and_then(|old| same_item(old, item, schema));
                walk(
                    item,
                    old,
                    &schema["items"],
                    &format!("{path}[{index}]"),
                    causes,
                );
            }
        }
        _ => {}
    }
}

/// The item of the list as it was that an item is: only items with keys are known again.
fn same_item<'o>(old: &'o Value, item: &Value, schema: &Value) -> Option<&'o Value> {
    let keys = list(schema, &["x-kubernetes-list-map-keys"]);
    if schema["x-kubernetes-list-type"] != "map" || keys.is_empty() {
        return None;
    }
    list(old, &[]).iter().find(|other| {
        let mut names = keys.iter().filter_map(Value::as_str);
        names.all(|key| other[key] == item[key])
    })
}

/// What a rule says of a value, if it is broken.
fn broken(
    rule: &Value,
    value: &Value,
    old: Option<&Value>,
    schema: &Value,
    path: &str,
) -> Option<Cause> {
    let source = text(rule, &["rule"]);
    let compiled = Expression::compile(source, &VARIABLES);
    let of_change = compiled.as_ref().is_ok_and(|rule| rule.uses("oldSelf"));
    let mut variables = vec![("self", typed(value, schema))];
    match old {
        // What is as it was may stay, whatever rules came meanwhile.
        Some(old) if old == value && !of_change => return None,
        Some(old) => variables.push(("oldSelf", typed(old, schema))),
        // A rule of changes says nothing of what is new.
        None if of_change => return None,
        None => {}
    }
    let told = message(rule, &variables);
    let held = compiled.and_then(|rule| rule.holds(&variables));
    let path = match text(rule, &["fieldPath"]).trim_start_matches('.') {
        "" if path.is_empty() => "<nil>".to_owned(),
        "" => path.to_owned(),
        field => below(path, field),
    };
    let kind = json!(text(schema, &["type"]));
    match held {
        Ok(true) => None,
        Ok(false) => Some(match text(rule, &["reason"]) {
            "FieldValueForbidden" => Cause::forbidden(path, told),
            "FieldValueRequired" => Cause::required(path, &told),
            "FieldValueDuplicate" => Cause::duplicate(path, &kind),
            _ => Cause::invalid(path, &kind, told),
        }),
        Err(fault) => {
            let detail = format!("{fault} evaluating rule: {told}");
            Some(Cause::invalid(path, &kind, detail))
        }
    }
}

/// What is told of a broken rule.
fn message(rule: &Value, variables: &[(&str, cel::Value)]) -> String {
    let made = text(rule, &["messageExpression"]);
    if !made.is_empty() {
        let made = Expression::compile(made, &VARIABLES).and_then(|made| made.text(variables));
        match made {
            Ok(made) if !made.trim().is_empty() && !made.contains('\n') => return made,
            _ => {}
        }
    }
    match text(rule, &["message"]).trim() {
        "" => format!("failed rule: {}", text(rule, &["rule"]).trim()),
        told => told.to_owned(),
    }
}

/// What is wrong with a schema's rules themselves.
pub(super) fn sound(schema: &Value, field: &str, causes: &mut Vec<Cause>) {
    for (index, rule) in list(schema, &[RULES]).iter().enumerate() {
        let field = format!("{field}.{RULES}[{index}]");
        let source = text(rule, &["rule"]);
        if source.trim().is_empty() {
            causes.push(Cause::required(
                format!("{field}.rule"),
                "rule is not specified",
            ));
        }
        for name in ["rule", "messageExpression"] {
            let source = text(rule, &[name]);
            if let Some(fault) = fault(source) {
                let detail = format!("compilation failed: ERROR: <input>: {fault}");
                causes.push(Cause::invalid(
                    format!("{field}.{name}"),
                    &rule[name],
                    detail,
                ));
            }
        }
        let reason = &rule["reason"];
        let reasons = [
            "FieldValueDuplicate",
            "FieldValueForbidden",
            "FieldValueInvalid",
            "FieldValueRequired",
        ];
        if reason
            .as_str()
            .is_some_and(|reason| !reasons.contains(&reason))
        {
            causes.push(Cause::unsupported(
                format!("{field}.reason"),
                reason,
                &reasons,
            ));
        }
    }
}

fn fault(source: &str) -> Option<Fault> {
    (!source.trim().is_empty()).then(|| Expression::compile(source, &VARIABLES).err())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Value {
        json!({"type": "object", "properties": {
            "spec": {
                "type": "object",
                "x-kubernetes-validations": [
                    {"rule": "self.minReplicas <= self.replicas", "fieldPath": ".replicas",
                        "messageExpression": "'replicas must be at least ' + string(self.minReplicas)"},
                    {"rule": "!has(oldSelf.zone) || self.zone == oldSelf.zone", "message": "zone is fixed",
                        "reason": "FieldValueForbidden"},
                ],
                "properties": {
                    "replicas": {"type": "integer"}, "minReplicas": {"type": "integer"},
                    "zone": {"type": "string"},
                    "ratio": {"type": "number", "x-kubernetes-validations": [{"rule": "self < 1.5"}]},
                    "x-name": {"type": "string"},
                    "ports": {
                        "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                        "items": {"type": "object", "properties": {
                            "name": {"type": "string"},
                            "port": {"type": "integer", "x-kubernetes-validations": [
                                {"rule": "self >= oldSelf", "message": "ports only grow"}]},
                        }},
                    },
                },
            },
        }})
    }

    fn told(spec: &Value, old: Option<&Value>) -> Vec<String> {
        let whole = |spec: &Value| json!({"spec": spec});
        let old = old.map(whole);
        let causes = check(&whole(spec), old.as_ref(), &schema());
        causes
            .into_iter()
            .map(|cause| format!("{}: {}", cause.field, cause.message))
            .collect()
    }

    /// K8S-API: rules hold of objects, in the words that the definition gives them.
    #[test]
    fn rules_hold_of_objects() {
        let good = json!({"replicas": 3, "minReplicas": 1, "ratio": 1});
        assert!(told(&good, None).is_empty());
        let bad = json!({"replicas": 1, "minReplicas": 3, "ratio": 2});
        assert_eq!(
            told(&bad, None),
            [
                "spec.replicas: Invalid value: \"object\": replicas must be at least 3",
                "spec.ratio: Invalid value: \"number\": failed rule: self < 1.5",
            ]
        );
        let none = json!({"replicas": 1});
        assert_eq!(
            told(&none, None),
            [
                "spec.replicas: Invalid value: \"object\": no such key: minReplicas evaluating rule: failed rule: self.minReplicas <= self.replicas"
            ]
        );
    }

    /// K8S-API: rules of changes hold of changes alone, and of items that are known again.
    #[test]
    fn rules_of_changes_hold_of_changes() {
        let spec = |zone: &str, ports: Value| json!({"replicas": 1, "minReplicas": 1, "zone": zone, "ports": ports});
        let before = spec(
            "a",
            json!([{"name": "x", "port": 5}, {"name": "y", "port": 5}]),
        );
        assert!(told(&before, None).is_empty());
        let after = spec(
            "b",
            json!([{"name": "y", "port": 6}, {"name": "z", "port": 1}, {"name": "x", "port": 4}]),
        );
        assert_eq!(
            told(&after, Some(&before)),
            [
                "spec: Forbidden: zone is fixed",
                "spec.ports[2].port: Invalid value: \"integer\": ports only grow",
            ]
        );
    }

    /// K8S-API: what broke a rule before may stay as it is.
    #[test]
    fn what_is_as_it_was_may_stay() {
        let bad = json!({"replicas": 1, "minReplicas": 3});
        assert!(told(&bad, Some(&bad)).is_empty());
    }

    /// K8S-API: a rule that can't be one is told when it is defined.
    #[test]
    fn rules_are_checked_when_they_are_defined() {
        let mut causes = Vec::new();
        let schema = json!({"x-kubernetes-validations": [
            {"rule": "self.x >"}, {"rule": "other > 1"}, {"rule": "true", "reason": "Because"}, {"rule": ""}]});
        sound(&schema, "schema", &mut causes);
        let fields: Vec<&str> = causes.iter().map(|cause| cause.field.as_str()).collect();
        let at =
            |index: usize, name: &str| format!("schema.x-kubernetes-validations[{index}].{name}");
        assert_eq!(
            fields,
            [at(0, "rule"), at(1, "rule"), at(2, "reason"), at(3, "rule")]
        );
    }
}
