//! What differs between two looks at a collection.

use imbl::ordmap::DiffItem;
use kube_client::Objects;
use serde_json::Value;

/// Something that differs.
#[derive(Debug, PartialEq)]
pub(crate) enum Difference<'a> {
    /// It is there, new or changed.
    Is(&'a Value),
    /// It is gone: its namespace, empty without one, and its name.
    Gone(&'a str, &'a str),
}

/// What differs, in the order of the objects' keys. What two looks share costs nothing.
pub(crate) fn differences<'a>(before: &'a Objects, after: &'a Objects) -> Vec<Difference<'a>> {
    before
        .diff(after)
        .map(|item| match item {
            DiffItem::Add(_, object)
            | DiffItem::Update {
                new: (_, object), ..
            } => Difference::Is(object),
            DiffItem::Remove(key, _) => {
                let (namespace, name) = key.split_once('/').unwrap_or(("", key));
                Difference::Gone(namespace, name)
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::sync::Arc;

    #[test]
    fn only_what_differs_is_told() {
        let object = |name: &str, version: u32| {
            Arc::new(json!({"metadata": {"namespace": "a", "name": name}, "v": version}))
        };
        let mut before = Objects::new();
        for name in ["kept", "changed", "gone"] {
            before.insert(format!("a/{name}"), object(name, 1));
        }
        let mut after = before.clone();
        after.insert("a/changed".to_owned(), object("changed", 2));
        after.insert("a/new".to_owned(), object("new", 1));
        after.remove("a/gone");
        let told = differences(&before, &after);
        assert_eq!(
            told,
            [
                Difference::Is(&object("changed", 2)),
                Difference::Gone("a", "gone"),
                Difference::Is(&object("new", 1)),
            ]
        );
        assert!(differences(&after, &after.clone()).is_empty());
    }
}
