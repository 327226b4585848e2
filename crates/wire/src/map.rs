//! Maps of the query protocol: `Name.entry.1.key=…&Name.entry.1.value=…`, and so in XML.

use crate::error::ApiError;
use crate::query::Node;
use crate::shape::{FromQuery, ToXml, member};
use crate::xml::Writer;
use std::collections::BTreeMap;
use std::fmt;

impl FromQuery for BTreeMap<String, String> {
    fn from_query(node: &Node, name: &str) -> Result<Self, ApiError> {
        let Some(entries) = node.children.get("entry") else {
            return Ok(Self::new());
        };
        let entry = |(index, item): (usize, &Node)| {
            let name = format!("{name}.entry.{}", index + 1);
            Ok((member(item, &name, "key")?, member(item, &name, "value")?))
        };
        entries.items().into_iter().enumerate().map(entry).collect()
    }

    fn absent() -> Option<Self> {
        Some(Self::new())
    }
}

impl<K: fmt::Display, V: ToXml> ToXml for BTreeMap<K, V> {
    fn content(&self, writer: &mut Writer) {
        for (key, value) in self {
            writer.element("entry", |writer| {
                writer.element("key", |writer| writer.text(&key.to_string()));
                value.to_xml(writer, "value");
            });
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::query::pairs;

    #[test]
    fn maps_are_read_and_written() {
        let asked = "M.entry.1.key=a&M.entry.1.value=1&M.entry.2.key=b&M.entry.2.value=2";
        let tree = Node::tree(pairs(asked));
        let map: BTreeMap<String, String> = member(&tree, "", "M").unwrap();
        assert_eq!(map.get("b").map(String::as_str), Some("2"));
        let mut writer = Writer::new("member");
        map.to_xml(&mut writer, "M");
        assert!(writer.finish().ends_with(
            "<M><entry><key>a</key><value>1</value></entry><entry><key>b</key><value>2</value></entry></M>"
        ));
        let lacking = Node::tree(pairs("M.entry.1.value=1"));
        let error = member::<BTreeMap<String, String>>(&lacking, "", "M").unwrap_err();
        assert!(error.message.contains("M.entry.1.key"), "{error}");
    }
}
