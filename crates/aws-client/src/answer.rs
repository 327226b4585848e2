//! What answers hold, as [`wire::call::read`] gives them: every leaf of XML is a text.

use serde_json::{Value, json};

/// A filter of EC2's.
pub fn filter(name: &str, value: &str) -> Value {
    json!({"Name": name, "Value": [value]})
}

/// A member's text; empty where there is none.
pub fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

/// A member's elements.
pub fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

/// A member's elements that are texts.
pub fn texts(value: &Value, name: &str) -> Vec<String> {
    let texts = list(value, name).iter().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}

/// A tag's value of something of EC2's.
pub fn tag<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    let mut tags = list(value, "tagSet").iter();
    tags.find(|tag| tag["key"] == key)
        .map(|tag| text(tag, "value"))
}
