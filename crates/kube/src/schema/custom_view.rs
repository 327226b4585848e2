//! A user's schema as merging sees it.
//!
//! <https://kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy>

use super::view::{TableView, View};
use crate::merge::{Field, ListKind, PatchStrategy, Shape};
use serde_json::Value;
use std::sync::Arc;

/// A value's type, by the schema of a user's kind.
#[derive(Clone, Debug)]
pub struct CustomView {
    schema: Arc<Value>,
    /// Whether it is the object itself, whose metadata is everybody's.
    whole: bool,
}

impl CustomView {
    pub(super) fn root(schema: &Value) -> Self {
        Self {
            schema: Arc::new(schema.clone()),
            whole: true,
        }
    }

    fn below(schema: &Value) -> View {
        View::Custom(Self {
            schema: Arc::new(schema.clone()),
            whole: false,
        })
    }

    pub(super) fn shape(&self) -> Shape<View> {
        let schema = &*self.schema;
        let atomic = schema["x-kubernetes-map-type"] == "atomic";
        match schema["type"].as_str() {
            Some("object") if schema["additionalProperties"].is_object() => Shape::Map {
                value: Self::below(&schema["additionalProperties"]),
                atomic,
            },
            _ if self.whole => Shape::Struct { atomic },
            Some("object") if schema["properties"].is_object() => Shape::Struct { atomic },
            Some("array") => Shape::List {
                item: Self::below(&schema["items"]),
                kind: list_kind(schema),
            },
            Some("object") | None => Shape::Any,
            Some(_) => Shape::Scalar,
        }
    }

    pub(super) fn field(&self, name: &str) -> Option<Field<View>> {
        let plain = |view| Field {
            view,
            patch: PatchStrategy::default(),
        };
        if self.whole && name == "metadata" {
            return TableView::of_metadata().map(|view| plain(View::Table(view)));
        }
        let schema = self.schema["properties"].get(name)?;
        Some(plain(Self::below(schema)))
    }
}

fn list_kind(schema: &Value) -> ListKind {
    match schema["x-kubernetes-list-type"].as_str() {
        Some("set") => ListKind::Set,
        Some("map") => {
            let keys = schema["x-kubernetes-list-map-keys"]
                .as_array()
                .into_iter()
                .flatten();
            let key = |key: &Value| {
                let name = key.as_str()?.to_owned();
                let default = schema["items"]["properties"][&name].get("default").cloned();
                Some((name, default))
            };
            ListKind::Map {
                keys: keys.filter_map(key).collect(),
            }
        }
        _ => ListKind::Atomic,
    }
}
