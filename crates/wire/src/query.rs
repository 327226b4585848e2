//! Parameters of a form or a query string, and the tree that their dotted names make.

use std::collections::BTreeMap;

/// The most parameters in a request.
const MOST: usize = 10_000;
/// The deepest dotted name.
const DEEPEST: usize = 16;

/// Decodes `a=1&b=2`; a plus is a space, as in forms.
pub fn pairs(text: &str) -> Vec<(String, String)> {
    let pair = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (decode(name), decode(value))
    };
    text.split('&')
        .filter(|part| !part.is_empty())
        .take(MOST)
        .map(pair)
        .collect()
}

pub(crate) fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while let Some(byte) = bytes.get(index) {
        let hex = (*byte == b'%')
            .then(|| text.get(index + 1..index + 3))
            .flatten();
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(value) => {
                decoded.push(value);
                index += 3;
            }
            None => {
                decoded.push(if *byte == b'+' { b' ' } else { *byte });
                index += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// Encodes a name or value as SigV4 and forms want it (RFC 3986's unreserved characters stay).
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// A parameter's value and the parameters below its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// The value of this very name.
    pub value: Option<String>,
    /// What follows a dot.
    pub children: BTreeMap<String, Node>,
}

impl Node {
    /// The tree of some parameters; names deeper than any request's are left out.
    pub fn tree(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut root = Self::default();
        for (name, value) in pairs {
            let parts: Vec<&str> = name.split('.').collect();
            if parts.len() > DEEPEST {
                continue;
            }
            let node = parts.iter().fold(&mut root, |node, part| {
                node.children.entry((*part).to_owned()).or_default()
            });
            node.value = Some(value);
        }
        root
    }

    /// The children of a list, in the order of their numbers.
    pub fn items(&self) -> Vec<&Self> {
        let numbered = |(name, node)| Some((str::parse::<u32>(name).ok()?, node));
        let mut items: Vec<(u32, &Self)> = self
            .children
            .iter()
            .filter_map(|(name, node)| numbered((name.as_str(), node)))
            .collect();
        items.sort_by_key(|(number, _)| *number);
        items.into_iter().map(|(_, node)| node).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dotted_names_are_a_tree_and_lists_are_in_numeric_order() {
        let tree = Node::tree(pairs(
            "Filter.10.Name=b&Filter.2.Name=a&Filter.2.Value.1=x%20y+z%2F&Plain",
        ));
        let filters = tree.children["Filter"].items();
        assert_eq!(filters.len(), 2);
        assert_eq!(filters[0].children["Name"].value.as_deref(), Some("a"));
        assert_eq!(
            filters[0].children["Value"].items()[0].value.as_deref(),
            Some("x y z/")
        );
        assert_eq!(tree.children["Plain"].value.as_deref(), Some(""));
    }

    #[test]
    fn broken_escapes_and_bytes_stay_readable() {
        assert_eq!(
            pairs("a=%zz%4&b=%ff"),
            [
                ("a".into(), "%zz%4".into()),
                ("b".into(), "\u{fffd}".into())
            ]
        );
        assert_eq!(encode("a b/é~"), "a%20b%2F%C3%A9~");
    }
}
