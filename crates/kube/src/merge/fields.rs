//! Sets of fields, and how `managedFields` writes them (`FieldsV1`).
//!
//! <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/>: a key is `f:` and
//! a field's name, `k:` and the keys of a list's item, or `v:` and a value of a set; `.` stands for the
//! item itself.

use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A step of a path: `f:name`, `k:{"name":"c"}` or `v:"a"`, as `FieldsV1` writes it.
pub(super) type Element = String;

/// A set of fields: a tree of steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields {
    /// Whether the place itself is in the set.
    pub(super) own: bool,
    /// What lies below it.
    pub(super) below: BTreeMap<Element, Fields>,
}

/// The step to a field.
pub(super) fn field(name: &str) -> Element {
    format!("f:{name}")
}

/// The step to a value of a set.
pub(super) fn value(value: &Value) -> Element {
    format!("v:{value}")
}

/// The step to a list's item by its keys. Those that an item lacks have their default.
pub(super) fn item(item: &Value, keys: &[(String, Option<Value>)]) -> Element {
    let mut named = Map::new();
    for (key, default) in keys {
        let found = item.get(key).filter(|value| !value.is_null());
        if let Some(value) = found.or(default.as_ref()) {
            named.insert(key.clone(), value.clone());
        }
    }
    format!("k:{}", Value::Object(named))
}

impl Fields {
    /// A place and nothing below it.
    pub(super) fn leaf() -> Self {
        Self {
            own: true,
            below: BTreeMap::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.own && self.below.is_empty()
    }

    /// Puts something below a step, unless it is empty.
    pub(super) fn put(&mut self, step: Element, fields: Self) {
        if fields.is_empty() {
            return;
        }
        let held = self.below.entry(step).or_default();
        *held = held.union(&fields);
    }

    /// Reads what `managedFields` holds.
    pub(super) fn read(value: &Value) -> Self {
        let mut fields = Self::default();
        let Some(map) = value.as_object() else {
            return fields;
        };
        if map.is_empty() {
            return Self::leaf();
        }
        for (step, below) in map {
            if step == "." {
                fields.own = true;
            } else {
                fields.below.insert(step.clone(), Self::read(below));
            }
        }
        fields
    }

    /// As `managedFields` holds it.
    pub(super) fn write(&self) -> Value {
        let mut map = Map::new();
        if self.own && !self.below.is_empty() {
            map.insert(".".to_owned(), Value::Object(Map::new()));
        }
        for (step, below) in &self.below {
            map.insert(step.clone(), below.write());
        }
        Value::Object(map)
    }

    /// What is in either.
    pub(super) fn union(&self, other: &Self) -> Self {
        let mut all = self.clone();
        all.own |= other.own;
        for (step, below) in &other.below {
            let held = all.below.entry(step.clone()).or_default();
            *held = held.union(below);
        }
        all
    }

    /// What is in this one and not in the other.
    pub(super) fn without(&self, other: &Self) -> Self {
        let mut left = Self {
            own: self.own && !other.own,
            below: BTreeMap::new(),
        };
        for (step, below) in &self.below {
            let rest = match other.below.get(step) {
                Some(other) => below.without(other),
                None => below.clone(),
            };
            if !rest.is_empty() {
                left.below.insert(step.clone(), rest);
            }
        }
        left
    }

    /// What is in both.
    pub(super) fn both(&self, other: &Self) -> Self {
        let mut both = Self {
            own: self.own && other.own,
            below: BTreeMap::new(),
        };
        for (step, below) in &self.below {
            if let Some(other) = other.below.get(step) {
                let inner = below.both(other);
                if !inner.is_empty() {
                    both.below.insert(step.clone(), inner);
                }
            }
        }
        both
    }

    /// The paths in the set, as people read them: `.spec.containers[name="c"].image`.
    pub(super) fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect("", &mut paths);
        paths
    }

    fn collect(&self, path: &str, paths: &mut Vec<String>) {
        if self.own && !path.is_empty() {
            paths.push(path.to_owned());
        }
        for (step, below) in &self.below {
            below.collect(&format!("{path}{}", told(step)), paths);
        }
    }
}

/// A step as people read it.
fn told(step: &str) -> String {
    if let Some(name) = step.strip_prefix("f:") {
        return format!(".{name}");
    }
    if let Some(keys) = step.strip_prefix("k:") {
        let keys: Map<String, Value> = serde_json::from_str(keys).unwrap_or_default();
        let keys: Vec<String> = keys
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        return format!("[{}]", keys.join(","));
    }
    format!("[={}]", step.trim_start_matches("v:"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sample() -> Value {
        json!({"f:spec": {"f:replicas": {}, "f:containers": {
            "k:{\"name\":\"c\"}": {".": {}, "f:image": {}},
        }}})
    }

    /// K8S-API: what is written is what was read.
    #[test]
    fn sets_are_written_as_they_were_read() {
        assert_eq!(Fields::read(&sample()).write(), sample());
        let told = [
            ".spec.containers[name=\"c\"]",
            ".spec.containers[name=\"c\"].image",
            ".spec.replicas",
        ];
        assert_eq!(Fields::read(&sample()).paths(), told);
    }

    #[test]
    fn sets_are_joined_and_cut() {
        let all = Fields::read(&sample());
        let part = Fields::read(&json!({"f:spec": {"f:replicas": {}}}));
        assert_eq!(all.both(&part), part);
        assert_eq!(all.without(&part).union(&part), all);
        assert!(part.without(&all).is_empty());
    }
}
