//! What a request says, looked up in its parameters whatever its protocol.

use serde_json::Value;
use std::collections::BTreeMap;
use wire::query::Node;

/// A JSON body as parameters: members by name, items of lists by number from one.
pub fn of_json(value: &Value) -> Node {
    let mut node = Node::default();
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                node.children.insert(name.clone(), of_json(value));
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                node.children
                    .insert((index + 1).to_string(), of_json(value));
            }
        }
        Value::Null => {}
        Value::String(text) => node.value = Some(text.clone()),
        other => node.value = Some(other.to_string()),
    }
    node
}

/// A parameter's value.
pub(super) fn text<'n>(of: &'n Node, name: &str) -> Option<&'n str> {
    of.children.get(name)?.value.as_deref()
}

/// The items of a list, EC2's and the query protocol's.
pub(super) fn items<'n>(of: &'n Node, name: &str) -> Vec<&'n Node> {
    let Some(list) = of.children.get(name) else {
        return Vec::new();
    };
    list.children.get("member").unwrap_or(list).items()
}

/// A parameter's values: its own, or those of its items.
pub(super) fn texts<'n>(of: &'n Node, name: &str) -> Vec<&'n str> {
    let own = text(of, name).into_iter();
    let listed = items(of, name).into_iter();
    own.chain(listed.filter_map(|item| item.value.as_deref()))
        .collect()
}

/// Tags in a list of keys and values.
pub(super) fn tags(of: &Node, name: &str) -> BTreeMap<String, String> {
    let tag = |item: &&Node| {
        let value = text(item, "Value").unwrap_or_default();
        Some((text(item, "Key")?.to_owned(), value.to_owned()))
    };
    items(of, name).iter().filter_map(tag).collect()
}

/// Tags as members of an object.
pub(super) fn tag_map(of: &Node, name: &str) -> BTreeMap<String, String> {
    let members = of
        .children
        .get(name)
        .into_iter()
        .flat_map(|of| &of.children);
    members
        .filter_map(|(key, value)| Some((key.clone(), value.value.clone()?)))
        .collect()
}
