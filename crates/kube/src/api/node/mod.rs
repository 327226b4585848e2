//! What a node may do: what concerns itself and the pods placed on it.
//!
//! Nodes are users `system:node:NAME` in the group `system:nodes`. The node authorizer ([`allows`]) looks at
//! the path and verb, the admission plugin `NodeRestriction` ([`restrict`]) at the objects.
//! <https://kubernetes.io/docs/reference/access-authn-authz/node/>,
//! <https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#noderestriction>

mod authorizer;
mod references;
mod restriction;

pub(crate) use authorizer::{allows, rules};
pub(super) use restriction::restrict;

use super::User;

/// The node that a user is; empty for one that can't be told.
pub(crate) fn name(user: &User) -> Option<&str> {
    let node = user.groups.iter().any(|group| group == "system:nodes");
    let name = user.name.strip_prefix("system:node:");
    node.then(|| name.unwrap_or_default())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
