//! Objects: JSON with the parts that every kind has.

use serde_json::{Map, Value};

/// A value below an object, by a path of names; `Null` where there is none.
pub fn at<'v>(value: &'v Value, path: &[&str]) -> &'v Value {
    path.iter().fold(value, |value, name| &value[*name])
}

/// Text below an object; empty where there is none.
pub fn text<'v>(value: &'v Value, path: &[&str]) -> &'v str {
    at(value, path).as_str().unwrap_or_default()
}

/// A number below an object.
pub fn number(value: &Value, path: &[&str]) -> Option<i64> {
    at(value, path).as_i64()
}

/// A list below an object; empty where there is none.
pub fn list<'v>(value: &'v Value, path: &[&str]) -> &'v [Value] {
    at(value, path).as_array().map_or(&[], Vec::as_slice)
}

/// The entries of a map below an object.
pub fn entries<'v>(
    value: &'v Value,
    path: &[&str],
) -> impl Iterator<Item = (&'v String, &'v Value)> + use<'v> {
    at(value, path).as_object().into_iter().flatten()
}

/// An object's name.
pub fn name(object: &Value) -> &str {
    text(object, &["metadata", "name"])
}

/// An object's namespace.
pub fn namespace(object: &Value) -> &str {
    text(object, &["metadata", "namespace"])
}

/// An object's uid.
pub fn uid(object: &Value) -> &str {
    text(object, &["metadata", "uid"])
}

/// Whether an object is being deleted.
pub fn is_terminating(object: &Value) -> bool {
    !at(object, &["metadata", "deletionTimestamp"]).is_null()
}

/// The map at a field, made if there is none. What isn't a map is replaced.
pub fn map_mut<'v>(value: &'v mut Value, name: &str) -> &'v mut Map<String, Value> {
    let held = object_mut(value).entry(name).or_insert(Value::Null);
    object_mut(held)
}

/// The value as a map; what isn't one is replaced.
pub fn object_mut(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(map) => map,
        // It was just made one.
        _ => unreachable!("not a map"),
    }
}

/// The object's metadata.
pub fn metadata(object: &mut Value) -> &mut Map<String, Value> {
    map_mut(object, "metadata")
}

/// Sets a field unless it is there.
pub fn default(map: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    if map.get(name).is_none_or(Value::is_null) {
        map.insert(name.to_owned(), value.into());
    }
}

/// A reference to an object, for events and owners.
pub fn reference(object: &Value) -> Value {
    serde_json::json!({
        "apiVersion": object["apiVersion"],
        "kind": object["kind"],
        "name": object["metadata"]["name"],
        "namespace": object["metadata"]["namespace"],
        "uid": object["metadata"]["uid"],
        "resourceVersion": object["metadata"]["resourceVersion"],
    })
}
