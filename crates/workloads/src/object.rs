//! Reading and changing objects whose fields may be missing or of a wrong type.

use serde_json::{Map, Value, json};

use crate::{Resource, clock};

/// The text at a JSON pointer, empty where there is none.
pub(crate) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// The int32 at a JSON pointer. Larger numbers are clamped, so that sums of a few never overflow.
pub(crate) fn int(object: &Value, pointer: &str) -> Option<i64> {
    let value = object.pointer(pointer)?;
    let number = value
        .as_i64()
        .or_else(|| value.as_u64().map(|_| i64::MAX))?;
    Some(number.clamp(i64::from(i32::MIN), i64::from(i32::MAX)))
}

/// A count at a JSON pointer, with what the API server would default it to; never negative.
pub(crate) fn count(object: &Value, pointer: &str, default: i64) -> i64 {
    int(object, pointer).unwrap_or(default).max(0)
}

/// The boolean at a JSON pointer, false where there is none.
pub(crate) fn flag(object: &Value, pointer: &str) -> bool {
    object
        .pointer(pointer)
        .and_then(Value::as_bool)
        .unwrap_or_default()
}

/// The list at a JSON pointer, empty where there is none.
pub(crate) fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object
        .pointer(pointer)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// The time at a JSON pointer, in Unix seconds.
pub(crate) fn time(object: &Value, pointer: &str) -> Option<i64> {
    clock::parse(text(object, pointer))
}

/// `metadata.name`.
pub(crate) fn name(object: &Value) -> &str {
    text(object, "/metadata/name")
}

/// `metadata.namespace`.
pub(crate) fn namespace(object: &Value) -> &str {
    text(object, "/metadata/namespace")
}

/// `metadata.uid`.
pub(crate) fn uid(object: &Value) -> &str {
    text(object, "/metadata/uid")
}

/// `metadata.generation`, 0 where there is none.
pub(crate) fn generation(object: &Value) -> i64 {
    object
        .pointer("/metadata/generation")
        .and_then(Value::as_i64)
        .unwrap_or_default()
}

/// `metadata.creationTimestamp` in Unix seconds, 0 where there is none.
pub(crate) fn creation(object: &Value) -> i64 {
    time(object, "/metadata/creationTimestamp").unwrap_or_default()
}

/// Whether the object is being deleted.
pub(crate) fn terminating(object: &Value) -> bool {
    !text(object, "/metadata/deletionTimestamp").is_empty()
}

/// A label's value.
pub(crate) fn label<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.pointer("/metadata/labels")?.get(key)?.as_str()
}

/// An annotation's value.
pub(crate) fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.pointer("/metadata/annotations")?.get(key)?.as_str()
}

/// An annotation's value as a number.
pub(crate) fn annotation_int(object: &Value, key: &str) -> Option<i64> {
    annotation(object, key)?.parse().ok()
}

/// The map at a JSON pointer, cloned; empty where there is none.
pub(crate) fn map(object: &Value, pointer: &str) -> Map<String, Value> {
    object
        .pointer(pointer)
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default()
}

/// Sets the value at a path of keys. What stands in the way and is no map is replaced by one.
pub(crate) fn put(object: &mut Value, path: &[&str], value: Value) {
    let mut at = object;
    for key in path {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        let Value::Object(map) = at else { return };
        at = map.entry((*key).to_owned()).or_insert(Value::Null);
    }
    *at = value;
}

/// Sets an annotation.
pub(crate) fn annotate(object: &mut Value, key: &str, value: impl Into<Value>) {
    put(object, &["metadata", "annotations", key], value.into());
}

/// An `ObjectReference` to a cached object, whose `kind` and `apiVersion` may be left out in it.
pub(crate) fn reference(resource: Resource, object: &Value) -> Value {
    json!({
        "kind": resource.kind(),
        "apiVersion": resource.api_version(),
        "namespace": namespace(object),
        "name": name(object),
        "uid": uid(object),
        "resourceVersion": text(object, "/metadata/resourceVersion"),
    })
}

/// Whether two values say the same to the API: a field that is null or empty is one that is
/// missing (`apiequality.Semantic.DeepEqual`).
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(x), Value::Object(y)) => {
            x.iter()
                .all(|(k, v)| same(v, y.get(k).unwrap_or(&Value::Null)))
                && y.iter().all(|(k, v)| x.contains_key(k) || empty(v))
        }
        (Value::Array(x), Value::Array(y)) => {
            x.len() == y.len() && x.iter().zip(y).all(|(v, w)| same(v, w))
        }
        _ => a == b || (empty(a) && empty(b)),
    }
}

/// Whether a value says nothing: null, or a list or map without anything said in it.
fn empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.values().all(empty),
        _ => false,
    }
}

/// A status' fields from pairs; zero is left out, as upstream's `omitempty` fields are.
pub(crate) fn counts(pairs: &[(&str, i64)]) -> Map<String, Value> {
    pairs
        .iter()
        .filter(|(_, n)| *n != 0)
        .map(|(key, n)| ((*key).to_owned(), Value::from(*n)))
        .collect()
}

/// A number of things as the API's integers are.
pub(crate) fn len<T>(items: &[T]) -> i64 {
    i64::try_from(items.len()).unwrap_or(i64::MAX)
}

/// A non-negative count as a length for slices.
pub(crate) fn size(count: i64) -> usize {
    usize::try_from(count).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_null_and_empty_are_the_same() {
        let a = json!({"a": 1, "b": null, "c": {}, "d": {"e": []}});
        assert!(same(&a, &json!({"a": 1})));
        assert!(same(&json!({"a": 1}), &a));
        assert!(!same(&a, &json!({"a": 1, "b": 0})));
        assert!(!same(&json!([1]), &json!([1, 2])));
    }

    #[test]
    fn wrong_types_read_as_missing() {
        let odd = json!({"metadata": [], "spec": {"replicas": "3", "big": u64::MAX}});
        assert_eq!(name(&odd), "");
        assert_eq!(int(&odd, "/spec/replicas"), None);
        assert_eq!(int(&odd, "/spec/big"), Some(i64::from(i32::MAX)));
        let mut changed = odd;
        put(&mut changed, &["metadata", "name"], json!("x"));
        assert_eq!(name(&changed), "x");
    }
}
