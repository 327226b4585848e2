//! Server-side apply: who owns which field, and what an apply changes.
//!
//! <https://kubernetes.io/docs/reference/using-api/server-side-apply/>

use super::compare::{Parts, below, compare, fields, parts};
use super::fields::{self as step, Fields};
use super::managers::{Managers, Operation, Owner, strip};
use super::{Shape, TypeView};
use serde_json::{Map, Value};
use std::fmt;

/// Who applies, and how.
#[derive(Clone, Copy, Debug)]
pub struct Applier<'a> {
    /// The field manager.
    pub manager: &'a str,
    /// The version that the object was applied in.
    pub api_version: &'a str,
    /// The subresource that was applied to.
    pub subresource: Option<&'a str>,
    /// Now, in RFC 3339.
    pub now: &'a str,
    /// Whether conflicts are won.
    pub force: bool,
}

/// A field that somebody else owns and that would change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Who owns it, in upstream's words.
    pub owner: String,
    /// The field, `.spec.replicas`.
    pub field: String,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "conflict with {}", self.owner)
    }
}

/// Why an apply is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApplyError {
    /// Others own what would change.
    Conflicts(Vec<Conflict>),
}

impl fmt::Display for ApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Conflicts(conflicts) = self;
        match conflicts.as_slice() {
            [only] => write!(
                f,
                "Apply failed with 1 conflict: conflict with {}: {}",
                only.owner, only.field
            ),
            several => {
                write!(f, "Apply failed with {} conflicts:", several.len())?;
                let mut last = "";
                for conflict in several {
                    if conflict.owner != last {
                        write!(f, " conflicts with {}:", conflict.owner)?;
                        last = &conflict.owner;
                    }
                    write!(f, "\n- {}", conflict.field)?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for ApplyError {}

/// An object with what was applied to it, and with its owners. Without a live one it is new.
///
/// # Errors
/// Others own what would change, and it is not forced.
pub fn apply<T: TypeView>(
    live: Option<&Value>,
    applied: &Value,
    root: &T,
    applier: &Applier<'_>,
) -> Result<Value, ApplyError> {
    let empty = Value::Object(Map::new());
    let live = live.unwrap_or(&empty);
    let owner = Owner {
        manager: applier.manager.to_owned(),
        operation: Operation::Apply,
        api_version: applier.api_version.to_owned(),
        subresource: applier.subresource.map(str::to_owned),
    };
    let mut applied = applied.clone();
    if let Some(metadata) = applied.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    let wanted = strip(fields(Some(root), &applied));
    let mut managers = Managers::read(live);
    let before = managers.of(&owner).cloned().unwrap_or_default();
    let others = managers.others(&owner);
    let mut merged = merge(Some(root), live, &applied);
    let given_up = before.without(&wanted).without(&others);
    prune(Some(root), &mut merged, &given_up);
    let difference = compare(Some(root), live, &merged);
    let contested = strip(difference.changed).both(&wanted);
    let conflicts = managers.conflicts(&owner, &contested);
    if !conflicts.is_empty() && !applier.force {
        return Err(ApplyError::Conflicts(conflicts));
    }
    managers.take_from_others(&owner, &contested);
    managers.forget(&given_up);
    managers.set(owner, wanted, applier.now);
    managers.write(&mut merged);
    Ok(merged)
}

/// A value with another laid over it.
fn merge<T: TypeView>(view: Option<&T>, live: &Value, applied: &Value) -> Value {
    match (parts(view, live), parts(view, applied)) {
        (Parts::Map(_), Parts::Map(new)) => {
            let mut merged = live.as_object().cloned().unwrap_or_default();
            for (name, value) in new {
                let inner = below(view, name);
                let after = match merged.get(name) {
                    Some(held) => merge(inner.as_ref(), held, value),
                    None => value.clone(),
                };
                merged.insert(name.clone(), after);
            }
            Value::Object(merged)
        }
        (Parts::Items(old, item), Parts::Items(new, _)) => {
            let mut merged: Vec<(String, Value)> = old
                .into_iter()
                .map(|(place, value)| (place, value.clone()))
                .collect();
            for (place, value) in new {
                match merged.iter_mut().find(|(held, _)| *held == place) {
                    Some((_, held)) => *held = merge(item.as_ref(), held, value),
                    None => merged.push((place, value.clone())),
                }
            }
            merged.into_iter().map(|(_, value)| value).collect()
        }
        _ => applied.clone(),
    }
}

/// Takes fields out of a value.
fn prune<T: TypeView>(view: Option<&T>, value: &mut Value, gone: &Fields) {
    if gone.is_empty() {
        return;
    }
    let steps: Option<Vec<String>> = match parts(view, value) {
        Parts::Items(items, _) => Some(items.into_iter().map(|(place, _)| place).collect()),
        Parts::Map(_) | Parts::Whole => None,
    };
    let item = match view.map(TypeView::shape) {
        Some(Shape::List { item, .. }) => Some(item),
        _ => None,
    };
    match value {
        Value::Object(map) => {
            map.retain(|name, value| {
                let Some(gone) = gone.below.get(&step::field(name)) else {
                    return true;
                };
                if gone.own {
                    return false;
                }
                let inner = below(view, name);
                prune(inner.as_ref(), value, gone);
                // A map that was only there for what is gone goes with it.
                !value.as_object().is_some_and(Map::is_empty)
                    && !value.as_array().is_some_and(Vec::is_empty)
            });
        }
        Value::Array(items) => {
            let Some(steps) = steps else { return };
            let mut steps = steps.into_iter();
            items.retain_mut(|value| {
                let gone = steps.next().and_then(|place| gone.below.get(&place));
                match gone {
                    None => true,
                    Some(gone) if gone.own => false,
                    Some(gone) => {
                        prune(item.as_ref(), value, gone);
                        true
                    }
                }
            });
        }
        _ => {}
    }
}

/// Notes who owns what after a change that was no apply.
pub fn track<T: TypeView>(live: Option<&Value>, updated: &mut Value, root: &T, by: &Applier<'_>) {
    let empty = Value::Object(Map::new());
    let before = live.unwrap_or(&empty);
    // A list of one empty entry resets all ownership.
    let reset = updated["metadata"]["managedFields"]
        .as_array()
        .is_some_and(|list| {
            list.is_empty() || list.iter().all(|entry| entry == &serde_json::json!({}))
        });
    let asked = !updated["metadata"]["managedFields"].is_null();
    let mut managers = if live.is_some() && !(asked && reset) {
        Managers::read(before)
    } else {
        Managers::default()
    };
    let difference = compare(Some(root), before, updated);
    let (changed, removed) = (strip(difference.changed), strip(difference.removed));
    let owner = Owner {
        manager: by.manager.to_owned(),
        operation: Operation::Update,
        api_version: by.api_version.to_owned(),
        subresource: by.subresource.map(str::to_owned),
    };
    managers.forget(&removed);
    if !changed.is_empty() {
        managers.take_from_others(&owner, &changed);
        let all = managers
            .of(&owner)
            .cloned()
            .unwrap_or_default()
            .union(&changed);
        managers.set(owner, all, by.now);
    }
    managers.write(updated);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
