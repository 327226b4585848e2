//! How objects are patched.

mod apply;
mod compare;
mod fields;
mod managers;
mod strategic;

pub use apply::{Applier, ApplyError, Conflict, apply, track};

pub use strategic::{PatchError, strategic};

use serde_json::Value;

/// A type as merging sees it.
pub trait TypeView: Clone {
    /// What a value of it is.
    fn shape(&self) -> Shape<Self>;
    /// A structure's field.
    fn field(&self, name: &str) -> Option<Field<Self>>;
}

/// What a value is to merging.
#[derive(Clone, Debug)]
pub enum Shape<T> {
    /// A value without parts: text, a number, an amount, a moment.
    Scalar,
    /// A structure, its fields by [`TypeView::field`].
    Struct {
        /// Whether it is replaced as a whole.
        atomic: bool,
    },
    /// A map from text.
    Map {
        /// What its values are.
        value: T,
        /// Whether it is replaced as a whole.
        atomic: bool,
    },
    /// A list.
    List {
        /// What its items are.
        item: T,
        /// How it is kept.
        kind: ListKind,
    },
    /// Anything: maps merge, lists are replaced.
    Any,
}

impl<T> Shape<T> {
    /// The same with other types inside.
    pub fn map<U>(self, into: impl FnOnce(T) -> U) -> Shape<U> {
        match self {
            Self::Scalar => Shape::Scalar,
            Self::Any => Shape::Any,
            Self::Struct { atomic } => Shape::Struct { atomic },
            Self::Map { value, atomic } => Shape::Map {
                value: into(value),
                atomic,
            },
            Self::List { item, kind } => Shape::List {
                item: into(item),
                kind,
            },
        }
    }
}

/// How a list is kept.
#[derive(Clone, Debug, PartialEq)]
pub enum ListKind {
    /// It is replaced as a whole.
    Atomic,
    /// Each item is there once.
    Set,
    /// Items are told apart by these keys, each perhaps with a default.
    Map {
        /// The keys.
        keys: Vec<(String, Option<Value>)>,
    },
}

/// A structure's field.
#[derive(Clone, Debug)]
pub struct Field<T> {
    /// Its type.
    pub view: T,
    /// How strategic merge patches treat it.
    pub patch: PatchStrategy,
}

/// How strategic merge patches treat a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PatchStrategy {
    /// The key that a list merges by.
    pub merge_key: Option<String>,
    /// Whether a list merges at all.
    pub merge: bool,
    /// Whether keys that the patch doesn't retain go.
    pub retain_keys: bool,
}
