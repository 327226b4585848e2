//! The table as merging sees it.

use super::custom_view::CustomView;
use super::{Field, Form, Of, Schema};
use crate::merge::{self, ListKind, PatchStrategy, Shape, TypeView};
use crate::resource::Resource;
use serde_json::Value;

/// A value's type.
#[derive(Clone, Debug)]
pub enum View {
    /// One of the table.
    Table(TableView),
    /// One of a user's kind, by its schema.
    Custom(CustomView),
}

/// A value's type in the table.
#[derive(Clone, Debug)]
pub struct TableView {
    of: &'static Of,
    /// The field that the value is in, if it is a structure's: how it merges is said there.
    field: Option<&'static Field>,
}

impl View {
    /// A kind's type. Of kinds that are neither in the table nor a user's nothing is known but their
    /// metadata: maps merge, lists are replaced.
    pub fn of_resource(resource: &Resource) -> Self {
        if let Some(custom) = &resource.custom {
            return Self::Custom(CustomView::root(&custom.schema));
        }
        let unknown = || Self::Custom(CustomView::root(&Value::Null));
        TableView::of_resource(resource).map_or_else(unknown, Self::Table)
    }
}

impl TypeView for View {
    fn shape(&self) -> Shape<Self> {
        match self {
            Self::Table(view) => view.shape().map(Self::Table),
            Self::Custom(view) => view.shape(),
        }
    }

    fn field(&self, name: &str) -> Option<merge::Field<Self>> {
        match self {
            Self::Table(view) => view.field(name).map(|field| merge::Field {
                view: Self::Table(field.view),
                patch: field.patch,
            }),
            Self::Custom(view) => view.field(name),
        }
    }
}

impl TableView {
    /// A kind's type; `None` for kinds that are not in the table.
    fn of_resource(resource: &Resource) -> Option<Self> {
        let id = Schema::get().find(&resource.type_name())?;
        Some(Self::inside(Schema::get().named(id)))
    }

    /// The metadata that every object has.
    pub(super) fn of_metadata() -> Option<Self> {
        let schema = Schema::get();
        Some(Self::inside(
            schema.named(schema.find("meta/v1.ObjectMeta")?),
        ))
    }

    fn inside(of: &'static Of) -> Self {
        Self { of, field: None }
    }
}

/// A default as JSON; the table writes it as Go's markers do.
fn default_of(item: &'static Of, key: &str) -> Option<Value> {
    let Of::Named(id) = Schema::get().resolve(item) else {
        return None;
    };
    let text = Schema::get().field(*id, key)?.default?;
    serde_json::from_str(text).ok()
}

impl TypeView for TableView {
    fn shape(&self) -> Shape<Self> {
        let schema = Schema::get();
        let atomic = self.field.is_some_and(|field| field.atomic);
        match schema.resolve(self.of) {
            Of::Any => Shape::Any,
            Of::Map(value) => Shape::Map {
                value: Self::inside(value),
                atomic,
            },
            Of::List(item) => {
                let kind = match self.field.and_then(|field| field.list) {
                    Some("set") => ListKind::Set,
                    Some("map") => {
                        let keys = self
                            .field
                            .map(|field| field.keys.as_slice())
                            .unwrap_or_default();
                        let key = |key: &&str| ((*key).to_owned(), default_of(item, key));
                        ListKind::Map {
                            keys: keys.iter().map(key).collect(),
                        }
                    }
                    _ => ListKind::Atomic,
                };
                Shape::List {
                    item: Self::inside(item),
                    kind,
                }
            }
            Of::Named(id) if matches!(schema.of(*id).form, Form::Struct(_)) => {
                Shape::Struct { atomic }
            }
            _ => Shape::Scalar,
        }
    }

    fn field(&self, name: &str) -> Option<merge::Field<Self>> {
        let schema = Schema::get();
        let Of::Named(id) = schema.resolve(self.of) else {
            return None;
        };
        let field = schema.field(*id, name)?;
        let strategies = field.patch.unwrap_or_default();
        Some(merge::Field {
            view: Self {
                of: &field.of,
                field: Some(field),
            },
            patch: PatchStrategy {
                merge_key: field.patch_key.map(str::to_owned),
                merge: strategies.split(',').any(|strategy| strategy == "merge"),
                retain_keys: strategies.contains("retainKeys"),
            },
        })
    }
}
