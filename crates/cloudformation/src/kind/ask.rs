//! What a deed is asked of: the resource's properties, what it is known by, and its stack.

use crate::parameter::plain;
use crate::scope::Place;
use crate::step::ID;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// A resource to make, change or delete.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Its properties, every function carried out.
    pub properties: &'a Map<String, Value>,
    /// Those that it has so far, when it is changed.
    pub before: Option<&'a Map<String, Value>>,
    /// What is known of it so far: its id and attributes.
    pub known: &'a BTreeMap<String, Value>,
    /// Where its stack is.
    pub place: &'a Place,
    /// Its logical id.
    pub logical: &'a str,
    /// Letters that make generated names unique.
    pub suffix: &'a str,
    /// The stack's tags.
    pub stack_tags: &'a BTreeMap<String, String>,
}

impl Ask<'_> {
    /// A property, null if it isn't given.
    pub(crate) fn get(&self, name: &str) -> Value {
        self.properties.get(name).cloned().unwrap_or(Value::Null)
    }

    /// A property as a text.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.properties.get(name).and_then(plain)
    }

    /// A property that is required, as a text.
    pub(crate) fn required(&self, name: &str) -> Result<String, String> {
        self.text(name)
            .ok_or_else(|| format!("Value of property {name} must be of type String"))
    }

    /// A property as a truth.
    pub(crate) fn truth(&self, name: &str) -> Option<bool> {
        self.text(name)
            .map(|text| text.eq_ignore_ascii_case("true"))
    }

    /// A property as a list; a single value is a list of one.
    pub(crate) fn list(&self, name: &str) -> Vec<Value> {
        list_of(self.properties.get(name))
    }

    /// A property as a list, as it is before the change.
    pub(crate) fn list_before(&self, name: &str) -> Vec<Value> {
        list_of(self.before.and_then(|before| before.get(name)))
    }

    /// The physical id.
    pub(crate) fn id(&self) -> String {
        self.attribute(ID)
    }

    /// Something that is known of the resource.
    pub(crate) fn attribute(&self, name: &str) -> String {
        self.known.get(name).and_then(plain).unwrap_or_default()
    }

    /// Whether a property's value becomes another one.
    pub(crate) fn changed(&self, name: &str) -> bool {
        let before = self.before.and_then(|before| before.get(name));
        before != self.properties.get(name)
    }

    /// A name: the one that is given, or one made of the stack's name, the logical id and letters, not longer
    /// than `longest`.
    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-name.html>
    pub(crate) fn name(&self, property: &str, longest: usize) -> String {
        if let Some(name) = self.text(property) {
            return name;
        }
        let logical: String = self.logical.chars().take(24).collect();
        let suffix: String = self.suffix.chars().take(12).collect();
        let used = logical.len() + suffix.len() + 2;
        let room = longest.saturating_sub(used).min(30);
        let stack: String = self.place.stack.chars().take(room).collect();
        format!("{}-{logical}-{suffix}", stack.trim_end_matches('-'))
    }
}

fn list_of(value: Option<&Value>) -> Vec<Value> {
    match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(items)) => items.clone(),
        Some(one) => vec![one.clone()],
    }
}

/// A member of an object as a text.
pub(crate) fn member(of: &Value, name: &str) -> Option<String> {
    of.get(name).and_then(plain)
}

/// A value with the names of members changed, at every depth.
pub(crate) fn renamed(value: &Value, rename: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.iter();
            let renamed = members.map(|(name, value)| (rename(name), renamed(value, rename)));
            Value::Object(renamed.collect())
        }
        Value::Array(items) => items.iter().map(|item| renamed(item, rename)).collect(),
        other => other.clone(),
    }
}

/// A filter of EC2's Describe operations.
pub(crate) fn filter(name: &str, value: Value) -> Value {
    json!({ "Name": name, "Value": [value] })
}
