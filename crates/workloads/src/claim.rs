//! Which objects belong to a controller: `ownerReferences` and their adoption.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::selector::Selector;
use crate::{Action, Resource, View, object};

/// The owner reference of an object's controller.
pub(crate) fn controller(object: &Value) -> Option<&Value> {
    object::list(object, "/metadata/ownerReferences")
        .iter()
        .find(|owner| object::flag(owner, "/controller"))
}

/// Whether the object's controller has that uid.
pub(crate) fn controlled_by(object: &Value, uid: &str) -> bool {
    !uid.is_empty() && controller(object).is_some_and(|c| object::text(c, "/uid") == uid)
}

/// The owner reference that makes `owner` a controller (`metav1.NewControllerRef`).
pub(crate) fn reference(resource: Resource, owner: &Value) -> Value {
    json!({
        "apiVersion": resource.api_version(),
        "kind": resource.kind(),
        "name": object::name(owner),
        "uid": object::uid(owner),
        "controller": true,
        "blockOwnerDeletion": true,
    })
}

/// Objects in the owner's namespace that it controls.
pub(crate) fn owned(view: &dyn View, children: Resource, owner: &Value) -> Vec<Arc<Value>> {
    let mut found = view.list(children, Some(object::namespace(owner)));
    found.retain(|child| controlled_by(child, object::uid(owner)));
    found
}

/// The objects that a controller has, and the patches that make it so.
pub(crate) struct Claim {
    /// The objects, those just adopted among them.
    pub objects: Vec<Arc<Value>>,
    /// Adoptions and releases.
    pub patches: Vec<Action>,
}

/// Finds the children of `owner` among the objects that pass `eligible`: what it controls and
/// selects is kept, what it controls and does not select is released, and what it selects and
/// nobody controls is adopted (`PodControllerRefManager.ClaimPods`).
pub(crate) fn claim(
    view: &dyn View,
    owner_resource: Resource,
    owner: &Value,
    children: Resource,
    selector: &Selector,
    eligible: impl Fn(&Value) -> bool,
) -> Claim {
    let mut claim = Claim {
        objects: Vec::new(),
        patches: Vec::new(),
    };
    let leaving = object::terminating(owner);
    for child in view.list(children, Some(object::namespace(owner))) {
        if !eligible(&child) {
            continue;
        }
        let selected = selector.matches(&child);
        match controller(&child) {
            Some(_) if !controlled_by(&child, object::uid(owner)) => {}
            Some(_) if selected => claim.objects.push(child),
            Some(_) if !leaving => claim.patches.push(release(children, &child, owner)),
            None if selected && !leaving && !object::terminating(&child) => {
                claim
                    .patches
                    .push(adopt(children, &child, owner_resource, owner));
                claim.objects.push(child);
            }
            _ => {}
        }
    }
    claim
}

fn adopt(children: Resource, child: &Value, resource: Resource, owner: &Value) -> Action {
    let mut owners = object::list(child, "/metadata/ownerReferences").to_vec();
    owners.retain(|o| object::text(o, "/uid") != object::uid(owner));
    owners.push(reference(resource, owner));
    patch_owners(children, child, &owners)
}

fn release(children: Resource, child: &Value, owner: &Value) -> Action {
    let mut owners = object::list(child, "/metadata/ownerReferences").to_vec();
    owners.retain(|o| object::text(o, "/uid") != object::uid(owner));
    patch_owners(children, child, &owners)
}

/// A merge patch replaces lists as a whole; uid and version keep it from meeting another object
/// or other owners than those that were read.
fn patch_owners(children: Resource, child: &Value, owners: &[Value]) -> Action {
    Action::Patch {
        resource: children,
        namespace: object::namespace(child).to_owned(),
        name: object::name(child).to_owned(),
        patch: json!({"metadata": {
            "uid": object::uid(child),
            "resourceVersion": child.pointer("/metadata/resourceVersion"),
            "ownerReferences": owners,
        }}),
    }
}
