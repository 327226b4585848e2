//! Who may do what: roles and their bindings.
//!
//! <https://kubernetes.io/docs/reference/access-authn-authz/rbac/>

use super::status::Status;
use super::{Grant, Method, Request, Rights, Target, User};
use crate::object;
use crate::resource::Resource;
use crate::store::{Key, Store};
use serde_json::Value;
use std::sync::Arc;

/// Members may do anything.
pub const MASTERS: &str = "system:masters";

/// What somebody wants to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// `get`, `list`, `create`, ….
    pub verb: String,
    /// The group.
    pub group: String,
    /// The resource, with a subresource as `pods/log`.
    pub resource: String,
    /// The namespace; empty for all.
    pub namespace: String,
    /// The object's name; empty for any.
    pub name: String,
    /// The selection by fields of a list or watch.
    pub fields: String,
    /// A path that is no resource's.
    pub path: String,
}

/// The verb of a request for a resource.
pub fn verb(request: &Request, target: &Target) -> &'static str {
    match (request.method, &target.name) {
        (Method::Get, _) if request.flag("watch") => "watch",
        (Method::Get, Some(_)) => "get",
        (Method::Get, None) => "list",
        (Method::Post, _) => "create",
        (Method::Put, _) => "update",
        (Method::Patch, _) => "patch",
        (Method::Delete, Some(_)) => "delete",
        (Method::Delete, None) => "deletecollection",
    }
}

/// Refuses what the user may not.
pub(super) fn check(
    store: &Store,
    user: &User,
    request: &Request,
    target: &Target,
    resource: &Resource,
) -> Result<(), Status> {
    let below = target.subresource.map(|sub| format!("/{}", sub.as_str()));
    let fields = match verb(request, target) {
        "list" | "watch" | "deletecollection" => request.parameter("fieldSelector"),
        _ => None,
    };
    let fields = fields.unwrap_or_default();
    let name = target.name.as_deref().or_else(|| selected_name(fields));
    let access = Access {
        verb: verb(request, target).to_owned(),
        group: target.group.clone(),
        resource: format!("{}{}", target.plural, below.unwrap_or_default()),
        namespace: target.namespace.clone().unwrap_or_default(),
        name: name.unwrap_or_default().to_owned(),
        fields: fields.to_owned(),
        path: String::new(),
    };
    if allows(store, user, &access) {
        return Ok(());
    }
    let place = if access.namespace.is_empty() {
        "at the cluster scope".to_owned()
    } else {
        format!("in the namespace {:?}", access.namespace)
    };
    let why = format!(
        "User {:?} cannot {} resource {:?} in API group {:?} {place}",
        user.name, access.verb, access.resource, access.group
    );
    Err(Status::forbidden(resource, &access.name, why))
}

/// The name of the only object that a selection by fields takes.
fn selected_name(fields: &str) -> Option<&str> {
    let mut parts = fields.split(',');
    parts.find_map(|part| {
        let name = part.trim().strip_prefix("metadata.name=")?;
        Some(name.trim_start_matches('='))
    })
}

/// Whether a user may do something.
pub fn allows(store: &Store, user: &User, access: &Access) -> bool {
    user.groups.iter().any(|group| group == MASTERS)
        || super::node::allows(store, user, access)
        || rules(store, user, &access.namespace)
            .iter()
            .any(|rule| permits(rule, access))
}

/// The rules that hold for a user in a namespace, or, for an empty one, in all of them.
pub fn rules(store: &Store, user: &User, namespace: &str) -> Vec<Value> {
    let mut rules = Vec::new();
    for (_, binding) in store.list("clusterrolebindings.rbac.authorization.k8s.io", None) {
        collect(store, user, binding, &mut rules);
    }
    if !namespace.is_empty() {
        let resource = "rolebindings.rbac.authorization.k8s.io";
        for (_, binding) in store.list(resource, Some(namespace)) {
            collect(store, user, binding, &mut rules);
        }
    }
    for grant in user.grants.iter().filter(|of| holds(of, namespace)) {
        match &grant.rights {
            Rights::Role(name) => {
                let role = Key::new("clusterroles.rbac.authorization.k8s.io", "", name.as_str());
                let role = store.get(&role);
                rules.extend(role.into_iter().flat_map(|role| role_rules(store, role)));
            }
            Rights::Rules(own) => rules.extend(own.iter().cloned()),
        }
    }
    rules
}

/// Whether a grant holds in a namespace; an empty one is the whole cluster.
fn holds(grant: &Grant, namespace: &str) -> bool {
    let Some(namespaces) = &grant.namespaces else {
        return true;
    };
    namespaces.iter().any(|of| match of.strip_suffix('*') {
        Some(prefix) => !namespace.is_empty() && namespace.starts_with(prefix),
        None => of == namespace,
    })
}

fn collect(store: &Store, user: &User, binding: &Arc<Value>, rules: &mut Vec<Value>) {
    let namespace = object::namespace(binding);
    let subjects = object::list(binding, &["subjects"]);
    if !subjects
        .iter()
        .any(|subject| is_subject(subject, user, namespace))
    {
        return;
    }
    let name = object::text(binding, &["roleRef", "name"]);
    let key = if object::text(binding, &["roleRef", "kind"]) == "Role" {
        Key::new("roles.rbac.authorization.k8s.io", namespace, name)
    } else {
        Key::new("clusterroles.rbac.authorization.k8s.io", "", name)
    };
    if let Some(role) = store.get(&key) {
        rules.extend(role_rules(store, role));
    }
}

/// A role's rules, with those of the roles that it aggregates.
fn role_rules(store: &Store, role: &Value) -> Vec<Value> {
    let mut rules = object::list(role, &["rules"]).to_vec();
    for selector in object::list(role, &["aggregationRule", "clusterRoleSelectors"]) {
        let Some(selector) = crate::selector::Selector::of_labels(selector) else {
            continue;
        };
        for (_, other) in store.list("clusterroles.rbac.authorization.k8s.io", None) {
            if selector.selects(other) && object::name(other) != object::name(role) {
                rules.extend(object::list(other, &["rules"]).iter().cloned());
            }
        }
    }
    rules
}

fn is_subject(subject: &Value, user: &User, namespace: &str) -> bool {
    let name = object::text(subject, &["name"]);
    match object::text(subject, &["kind"]) {
        "User" => user.name == name,
        "Group" => user.groups.iter().any(|group| group == name),
        "ServiceAccount" => {
            let own = object::text(subject, &["namespace"]);
            let namespace = if own.is_empty() { namespace } else { own };
            user.name == format!("system:serviceaccount:{namespace}:{name}")
        }
        _ => false,
    }
}

/// Whether a rule lets somebody do something.
pub(super) fn permits(rule: &Value, access: &Access) -> bool {
    let has = |field: &str, wanted: &str| {
        object::list(rule, &[field])
            .iter()
            .filter_map(Value::as_str)
            .any(|value| value == "*" || value == wanted)
    };
    if !has("verbs", &access.verb) {
        return false;
    }
    if !access.path.is_empty() {
        return object::list(rule, &["nonResourceURLs"])
            .iter()
            .filter_map(Value::as_str)
            .any(|pattern| match pattern.strip_suffix('*') {
                Some(prefix) => access.path.starts_with(prefix),
                None => access.path == pattern,
            });
    }
    let (_, below) = access.resource.split_once('/').unwrap_or(("", ""));
    let resource = has("resources", &access.resource)
        || (!below.is_empty() && has("resources", &format!("*/{below}")));
    let names = object::list(rule, &["resourceNames"]);
    let named = names.is_empty() || names.iter().any(|name| *name == access.name.as_str());
    has("apiGroups", &access.group) && resource && named
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// K8S-API: what a cloud grants holds beside bindings, where it says and nowhere else.
    #[test]
    fn a_clouds_grants_hold_where_they_say() {
        let mut store = Store::default();
        let rules =
            json!({"rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]});
        let role = Key::new("clusterroles.rbac.authorization.k8s.io", "", "view");
        store.put(role, rules);
        let may = |namespaces: Option<&[&str]>, verb: &str, namespace: &str| {
            let listed = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect();
            let user = User {
                grants: vec![Grant {
                    rights: Rights::Role("view".to_owned()),
                    namespaces: namespaces.map(listed),
                }],
                ..User::default()
            };
            let access = Access {
                verb: verb.to_owned(),
                resource: "pods".to_owned(),
                namespace: namespace.to_owned(),
                ..Access::default()
            };
            allows(&store, &user, &access)
        };
        assert!(may(None, "get", "") && may(None, "get", "shop"));
        assert!(!may(None, "delete", "shop"));
        assert!(may(Some(&["shop", "dev-*"]), "get", "dev-1"));
        assert!(may(Some(&["shop"]), "get", "shop"));
        assert!(!may(Some(&["shop"]), "get", "shopping"));
        assert!(!may(Some(&["shop", "*"]), "get", ""));
    }
}
