//! Which fields a value has, and which differ between two.

use super::fields::{self, Fields};
use super::{ListKind, Shape, TypeView};
use serde_json::{Map, Value};

/// The kind of list that an unknown list is.
fn shape_of<T: TypeView>(view: Option<&T>, value: &Value) -> Shape<T> {
    match view.map(TypeView::shape) {
        // What nothing is known of is told by what it is: maps merge, lists are one.
        None | Some(Shape::Any) if value.is_object() => Shape::Struct { atomic: false },
        None | Some(Shape::Any) => Shape::Scalar,
        Some(shape) => shape,
    }
}

/// The type below a field or key.
pub(super) fn below<T: TypeView>(view: Option<&T>, name: &str) -> Option<T> {
    let view = view?;
    match view.shape() {
        Shape::Struct { .. } => view.field(name).map(|field| field.view),
        Shape::Map { value, .. } => Some(value),
        _ => None,
    }
}

/// How a value is taken apart.
pub(super) enum Parts<'v, T> {
    /// Not at all.
    Whole,
    /// By its fields or keys.
    Map(&'v Map<String, Value>),
    /// By its items: each with its step.
    Items(Vec<(String, &'v Value)>, Option<T>),
}

/// Takes a value apart as its type says.
pub(super) fn parts<'v, T: TypeView>(view: Option<&T>, value: &'v Value) -> Parts<'v, T> {
    match (shape_of(view, value), value) {
        (
            Shape::Struct { atomic: false } | Shape::Map { atomic: false, .. },
            Value::Object(map),
        ) => Parts::Map(map),
        (Shape::List { item, kind }, Value::Array(items)) => match kind {
            ListKind::Atomic => Parts::Whole,
            ListKind::Set => {
                let items = items.iter().map(|item| (fields::value(item), item));
                Parts::Items(items.collect(), None)
            }
            ListKind::Map { keys } => {
                let items = items.iter().map(|item| (fields::item(item, &keys), item));
                Parts::Items(items.collect(), Some(item))
            }
        },
        _ => Parts::Whole,
    }
}

/// The fields that a value has.
pub(super) fn fields<T: TypeView>(view: Option<&T>, value: &Value) -> Fields {
    match parts(view, value) {
        Parts::Map(map) if !map.is_empty() => {
            let mut all = Fields::default();
            for (name, value) in map {
                let inner = below(view, name);
                all.put(fields::field(name), fields(inner.as_ref(), value));
            }
            all
        }
        Parts::Items(items, item) if !items.is_empty() => {
            let mut all = Fields::default();
            for (step, value) in items {
                let mut inner = match &item {
                    Some(item) => fields(Some(item), value),
                    None => Fields::leaf(),
                };
                inner.own = true;
                all.put(step, inner);
            }
            all
        }
        _ => Fields::leaf(),
    }
}

/// What differs between two values.
#[derive(Debug, Default)]
pub(super) struct Difference {
    /// Fields that are new or have another value.
    pub(super) changed: Fields,
    /// Fields that are gone.
    pub(super) removed: Fields,
}

/// What differs between two values of a type.
pub(super) fn compare<T: TypeView>(view: Option<&T>, old: &Value, new: &Value) -> Difference {
    let mut difference = Difference::default();
    if old == new {
        return difference;
    }
    match (parts(view, old), parts(view, new)) {
        (Parts::Map(old), Parts::Map(new)) => {
            for (name, value) in new {
                let inner = below(view, name);
                step(
                    &mut difference,
                    fields::field(name),
                    inner.as_ref(),
                    old.get(name),
                    Some(value),
                );
            }
            for (name, value) in old.iter().filter(|(name, _)| !new.contains_key(*name)) {
                let inner = below(view, name);
                step(
                    &mut difference,
                    fields::field(name),
                    inner.as_ref(),
                    Some(value),
                    None,
                );
            }
        }
        (Parts::Items(old, item), Parts::Items(new, _)) => {
            let find = |all: &[(String, &Value)], wanted: &str| {
                all.iter()
                    .find(|(step, _)| step == wanted)
                    .map(|(_, value)| (*value).clone())
            };
            for (place, value) in &new {
                let before = find(&old, place);
                items(
                    &mut difference,
                    place,
                    item.as_ref(),
                    before.as_ref(),
                    Some(value),
                );
            }
            for (place, value) in &old {
                if find(&new, place).is_none() {
                    items(&mut difference, place, item.as_ref(), Some(value), None);
                }
            }
        }
        _ => difference.changed = fields(view, new),
    }
    difference
}

fn step<T: TypeView>(
    difference: &mut Difference,
    place: String,
    view: Option<&T>,
    old: Option<&Value>,
    new: Option<&Value>,
) {
    match (old, new) {
        (Some(old), Some(new)) => {
            let inner = compare(view, old, new);
            difference.changed.put(place.clone(), inner.changed);
            difference.removed.put(place, inner.removed);
        }
        (None, Some(new)) => difference.changed.put(place, fields(view, new)),
        (Some(old), None) => difference.removed.put(place, fields(view, old)),
        (None, None) => {}
    }
}

/// As [`step`], for items of a list, which are fields themselves.
fn items<T: TypeView>(
    difference: &mut Difference,
    place: &str,
    view: Option<&T>,
    old: Option<&Value>,
    new: Option<&Value>,
) {
    let with_own = |value: &Value| {
        let mut all = match view {
            Some(view) => fields(Some(view), value),
            None => Fields::default(),
        };
        all.own = true;
        all
    };
    match (old, new) {
        (Some(old), Some(new)) => step(difference, place.to_owned(), view, Some(old), Some(new)),
        (None, Some(new)) => difference.changed.put(place.to_owned(), with_own(new)),
        (Some(old), None) => difference.removed.put(place.to_owned(), with_own(old)),
        (None, None) => {}
    }
}
