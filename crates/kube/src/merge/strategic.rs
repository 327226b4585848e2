//! Strategic merge patches.
//!
//! <https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/>,
//! directives: <https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md>

use super::{Field, Shape, TypeView};
use serde_json::{Map, Value};

const PATCH: &str = "$patch";
const RETAIN: &str = "$retainKeys";
const ORDER: &str = "$setElementOrder/";
const DELETE: &str = "$deleteFromPrimitiveList/";

/// Why a patch can't be put on an object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// A list's item lacks the key that the list merges by.
    #[error("map: {item} does not contain declared merge key: {key}")]
    NoMergeKey {
        /// The item.
        item: String,
        /// The key.
        key: String,
    },
    /// A directive isn't one.
    #[error("Unknown value {value:?} for directive {directive}")]
    Directive {
        /// The directive.
        directive: String,
        /// Its value.
        value: String,
    },
}

/// An object with a patch on it.
///
/// # Errors
/// An item of a list that merges has no merge key, or a directive is unknown.
pub fn strategic<T: TypeView>(
    original: &Value,
    patch: &Value,
    root: &T,
) -> Result<Value, PatchError> {
    value(original, patch, Some(root))
}

/// A type's field, through maps too.
fn field<T: TypeView>(of: Option<&T>, name: &str) -> Option<Field<T>> {
    let of = of?;
    match of.shape() {
        Shape::Struct { .. } => of.field(name),
        Shape::Map { value, .. } => Some(Field {
            view: value,
            patch: super::PatchStrategy::default(),
        }),
        _ => None,
    }
}

fn value<T: TypeView>(
    original: &Value,
    patch: &Value,
    of: Option<&T>,
) -> Result<Value, PatchError> {
    match patch {
        Value::Object(patch) => {
            let empty = Map::new();
            let original = original.as_object().unwrap_or(&empty);
            Ok(Value::Object(map(original, patch, of)?))
        }
        _ => Ok(patch.clone()),
    }
}

fn map<T: TypeView>(
    original: &Map<String, Value>,
    patch: &Map<String, Value>,
    of: Option<&T>,
) -> Result<Map<String, Value>, PatchError> {
    match patch
        .get(PATCH)
        .map(|directive| directive.as_str().unwrap_or_default())
    {
        None | Some("merge") => {}
        Some("delete") => return Ok(Map::new()),
        Some("replace") => {
            let mut patch = patch.clone();
            patch.remove(PATCH);
            return Ok(patch);
        }
        Some(other) => {
            return Err(PatchError::Directive {
                directive: PATCH.to_owned(),
                value: other.to_owned(),
            });
        }
    }
    let mut merged = original.clone();
    if let Some(kept) = patch.get(RETAIN).and_then(Value::as_array) {
        merged.retain(|key, _| kept.iter().any(|name| name == key.as_str()));
    }
    for (key, change) in patch {
        if key.starts_with('$') {
            continue;
        }
        let field = field(of, key);
        let before = merged.get(key).cloned().unwrap_or(Value::Null);
        match change {
            Value::Null => drop(merged.remove(key)),
            Value::Array(items) => {
                let after = list(&before, items, field.as_ref())?;
                merged.insert(key.clone(), after);
            }
            Value::Object(change) => {
                let empty = Map::new();
                let before = before.as_object().unwrap_or(&empty);
                let view = field.as_ref().map(|field| &field.view);
                let after = map(before, change, view)?;
                let deleted = change
                    .get(PATCH)
                    .is_some_and(|directive| directive == "delete");
                if deleted {
                    merged.remove(key);
                } else {
                    merged.insert(key.clone(), Value::Object(without_nulls(after)));
                }
            }
            other => drop(merged.insert(key.clone(), other.clone())),
        }
    }
    for (key, gone) in patch {
        if let (Some(key), Some(gone)) = (key.strip_prefix(DELETE), gone.as_array())
            && let Some(Value::Array(items)) = merged.get_mut(key)
        {
            items.retain(|item| !gone.contains(item));
        }
    }
    reorder(&mut merged, patch, of);
    Ok(merged)
}

fn without_nulls(mut map: Map<String, Value>) -> Map<String, Value> {
    map.retain(|_, value| !value.is_null());
    map
}

/// A list with its items changed.
fn list<T: TypeView>(
    before: &Value,
    items: &[Value],
    field: Option<&Field<T>>,
) -> Result<Value, PatchError> {
    let Some(field) = field.filter(|field| field.patch.merge) else {
        return Ok(Value::Array(items.to_vec()));
    };
    let item_view = match field.view.shape() {
        Shape::List { item, .. } => Some(item),
        _ => None,
    };
    let mut merged = before.as_array().cloned().unwrap_or_default();
    let Some(key) = &field.patch.merge_key else {
        // A list of plain values: those that are new come after those there are.
        let new = items.iter().filter(|item| !merged.contains(item)).cloned();
        let new: Vec<Value> = new.collect();
        merged.extend(new);
        return Ok(Value::Array(merged));
    };
    if items.iter().any(|item| item[PATCH] == "replace") {
        let kept = items.iter().filter(|item| item[PATCH].is_null());
        return Ok(Value::Array(kept.cloned().collect()));
    }
    for item in items {
        let Some(wanted) = item.get(key) else {
            return Err(PatchError::NoMergeKey {
                item: item.to_string(),
                key: key.clone(),
            });
        };
        if item[PATCH] == "delete" {
            merged.retain(|other| other.get(key) != Some(wanted));
            continue;
        }
        match merged
            .iter_mut()
            .find(|other| other.get(key) == Some(wanted))
        {
            Some(other) => *other = value(other, item, item_view.as_ref())?,
            None => merged.push(value(&Value::Null, item, item_view.as_ref())?),
        }
    }
    Ok(Value::Array(merged))
}

/// Puts lists in the order that the patch gives. Items that it doesn't name stay where they were
/// among the others.
fn reorder<T: TypeView>(
    merged: &mut Map<String, Value>,
    patch: &Map<String, Value>,
    of: Option<&T>,
) {
    for (directive, order) in patch {
        let (Some(key), Some(order)) = (directive.strip_prefix(ORDER), order.as_array()) else {
            continue;
        };
        let merge_key = field(of, key).and_then(|field| field.patch.merge_key);
        let Some(Value::Array(items)) = merged.get_mut(key) else {
            continue;
        };
        let rank = |item: &Value| {
            order.iter().position(|named| match &merge_key {
                Some(key) => named.get(key).is_some() && named.get(key) == item.get(key),
                None => named == item,
            })
        };
        // Unnamed items keep the rank of the named one before them.
        let mut last = 0;
        let mut ranked: Vec<(usize, bool, Value)> = Vec::with_capacity(items.len());
        for item in items.drain(..) {
            match rank(&item) {
                Some(rank) => {
                    last = rank;
                    ranked.push((rank, false, item));
                }
                None => ranked.push((last, true, item)),
            }
        }
        ranked.sort_by_key(|(rank, unnamed, _)| (*rank, *unnamed));
        items.extend(ranked.into_iter().map(|(_, _, item)| item));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::resource::built_in;
    use crate::schema::View;
    use serde_json::json;

    fn patched(original: Value, patch: Value) -> Value {
        let deployment = built_in().iter().find(|r| r.kind == "Deployment").unwrap();
        strategic(&original, &patch, &View::of_resource(deployment)).unwrap()
    }

    fn containers(list: Value) -> Value {
        json!({"spec": {"template": {"spec": {"containers": list}}}})
    }

    /// K8S-API: containers merge by name, in the order that the patch gives.
    #[test]
    fn lists_merge_by_their_key() {
        let before =
            containers(json!([{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:1"}]));
        let patch = json!({"spec": {"template": {"spec": {
            "$setElementOrder/containers": [{"name": "c"}, {"name": "b"}, {"name": "a"}],
            "containers": [{"name": "b", "image": "b:2"}, {"name": "c", "image": "c:1"}],
        }}}});
        let after = containers(json!([
            {"name": "c", "image": "c:1"},
            {"name": "b", "image": "b:2"},
            {"name": "a", "image": "a:1"},
        ]));
        assert_eq!(patched(before, patch), after);
    }

    /// K8S-API: directives delete and replace.
    #[test]
    fn directives_are_obeyed() {
        let before = containers(json!([{"name": "a", "image": "a"}, {"name": "b", "image": "b"}]));
        let delete = containers(json!([{"name": "a", "$patch": "delete"}]));
        assert_eq!(
            patched(before.clone(), delete),
            containers(json!([{"name": "b", "image": "b"}]))
        );
        let replace = containers(json!([{"$patch": "replace"}, {"name": "c", "image": "c"}]));
        assert_eq!(
            patched(before, replace),
            containers(json!([{"name": "c", "image": "c"}]))
        );
    }

    /// K8S-API: a strategy keeps only the keys that the patch retains; null deletes.
    #[test]
    fn keys_are_retained_and_deleted() {
        let before = json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {}}, "paused": true}});
        let patch = json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}, "paused": null}});
        assert_eq!(
            patched(before, patch),
            json!({"spec": {"strategy": {"type": "Recreate"}}})
        );
    }

    /// K8S-API: finalizers are a list of plain values that merges.
    #[test]
    fn plain_lists_merge() {
        let before = json!({"metadata": {"finalizers": ["a", "b"]}});
        let patch = json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["c"]}});
        assert_eq!(
            patched(before, patch),
            json!({"metadata": {"finalizers": ["b", "c"]}})
        );
    }
}
