//! What is asked for, as admission looks at it.

use crate::api::User;
use crate::resource::Resource;
use serde_json::Value;

/// What is done to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) enum Operation {
    /// It is made.
    Create,
    /// It is changed.
    Update,
    /// It is deleted.
    Delete,
    /// Somebody connects to it.
    Connect,
}

impl Operation {
    pub(in crate::api) fn as_str(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Connect => "CONNECT",
        }
    }
}

/// What is done to what.
#[derive(Clone, Copy, Debug)]
pub(in crate::api) struct What<'a> {
    /// What is done.
    pub(in crate::api) operation: Operation,
    /// The resource.
    pub(in crate::api) resource: &'a Resource,
    /// What of it lies below the object; empty for the object itself.
    pub(in crate::api) subresource: &'a str,
    /// The namespace; empty for kinds without.
    pub(in crate::api) namespace: &'a str,
    /// The name; empty while none was generated.
    pub(in crate::api) name: &'a str,
}

/// All that admission knows.
#[derive(Clone, Copy, Debug)]
pub(in crate::api) struct Attributes<'a> {
    /// Who asks.
    pub(in crate::api) user: &'a User,
    /// What they ask for.
    pub(in crate::api) what: What<'a>,
    /// The object as it would be; of a deletion there is none.
    pub(in crate::api) object: Option<&'a Value>,
    /// The object as it is, if there is one.
    pub(in crate::api) old: Option<&'a Value>,
}
