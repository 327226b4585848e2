//! Nobody gives away what they don't have.
//!
//! <https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping>

use super::{Access, MASTERS, allows, permits, role_rules, rules};
use crate::api::Call;
use crate::api::status::Status;
use crate::object;
use crate::resource::Resource;
use crate::store::Key;
use serde_json::Value;

/// The group of roles and bindings.
const GROUP: &str = "rbac.authorization.k8s.io";

/// Refuses a role or binding that gives away what the user doesn't have.
pub(in crate::api) fn check(
    call: &Call<'_>,
    resource: &Resource,
    live: Option<&Value>,
    object: &Value,
) -> Result<(), Status> {
    let user = call.context.user;
    let masters = user.groups.iter().any(|group| group == MASTERS);
    if resource.group != GROUP || masters {
        return Ok(());
    }
    let same = |fields: &[&str]| {
        live.is_some_and(|live| fields.iter().all(|field| live[*field] == object[*field]))
    };
    if resource.kind.ends_with("Binding") {
        if same(&["roleRef", "subjects"]) {
            return Ok(());
        }
        return binding(call, resource, object);
    }
    if same(&["rules", "aggregationRule"]) {
        return Ok(());
    }
    role(call, resource, object)
}

fn may(call: &Call<'_>, verb: &str, resource: &str, namespace: &str, name: &str) -> bool {
    let access = Access {
        verb: verb.to_owned(),
        group: GROUP.to_owned(),
        resource: resource.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        ..Access::default()
    };
    allows(&call.store, call.context.user, &access)
}

fn role(call: &Call<'_>, resource: &Resource, role: &Value) -> Result<(), Status> {
    let (namespace, name) = (object::namespace(role), object::name(role));
    if may(call, "escalate", &resource.plural, namespace, name) {
        return Ok(());
    }
    let given = object::list(role, &["rules"]);
    if role["aggregationRule"].is_object() {
        let all = serde_json::json!({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]});
        if !missing(call, "", &[all]).is_empty() {
            let why = "must have cluster-admin privileges to use the aggregationRule";
            return Err(Status::forbidden(resource, name, why));
        }
    }
    covered(call, resource, (namespace, name), given)
}

fn binding(call: &Call<'_>, resource: &Resource, binding: &Value) -> Result<(), Status> {
    let (namespace, name) = (object::namespace(binding), object::name(binding));
    let role = object::text(binding, &["roleRef", "name"]);
    let (plural, home) = match object::text(binding, &["roleRef", "kind"]) {
        "Role" => ("roles", namespace),
        _ => ("clusterroles", ""),
    };
    if may(call, "bind", plural, namespace, role) {
        return Ok(());
    }
    let qualified = format!("{plural}.{GROUP}");
    let Some(found) = call.store.get(&Key::new(&qualified, home, role)) else {
        let kind = crate::client::resource(&qualified).ok_or_else(Status::no_such_path)?;
        return Err(Status::not_found(kind, role));
    };
    let given = role_rules(&call.store, found);
    covered(call, resource, (namespace, name), &given)
}

/// Refuses rules that the user doesn't have.
fn covered(
    call: &Call<'_>,
    resource: &Resource,
    (namespace, name): (&str, &str),
    given: &[Value],
) -> Result<(), Status> {
    let missing = missing(call, namespace, given);
    if missing.is_empty() {
        return Ok(());
    }
    let user = call.context.user;
    let why = format!(
        "user {:?} (groups={}) is attempting to grant RBAC permissions not currently held:\n{}",
        user.name,
        quoted(user.groups.iter().map(String::as_str)),
        missing.join("\n")
    );
    Err(Status::forbidden(resource, name, why))
}

/// What of some rules the user doesn't have in a namespace, in upstream's words.
fn missing(call: &Call<'_>, namespace: &str, given: &[Value]) -> Vec<String> {
    let own = rules(&call.store, call.context.user, namespace);
    let has = |access: &Access| own.iter().any(|rule| permits(rule, access));
    let mut told = Vec::new();
    for rule in given {
        let each = |field: &str| -> Vec<&str> {
            let list = object::list(rule, &[field]).iter();
            list.filter_map(Value::as_str).collect()
        };
        let verbs = each("verbs");
        let lacking = |access: &dyn Fn(&str) -> Access| -> Vec<&str> {
            let lacking = verbs.iter().filter(|verb| !has(&access(verb)));
            lacking.copied().collect()
        };
        for path in each("nonResourceURLs") {
            let verbs = lacking(&|verb| Access {
                verb: verb.to_owned(),
                path: path.to_owned(),
                ..Access::default()
            });
            if !verbs.is_empty() {
                let verbs = quoted(verbs.into_iter());
                told.push(format!("{{NonResourceURLs:[{path:?}], Verbs:{verbs}}}"));
            }
        }
        let names = each("resourceNames");
        let named = if names.is_empty() { vec![""] } else { names };
        for group in each("apiGroups") {
            for resource in each("resources") {
                for name in &named {
                    let verbs = lacking(&|verb| Access {
                        verb: verb.to_owned(),
                        group: group.to_owned(),
                        resource: resource.to_owned(),
                        name: (*name).to_owned(),
                        ..Access::default()
                    });
                    if verbs.is_empty() {
                        continue;
                    }
                    let verbs = quoted(verbs.into_iter());
                    let name = match *name {
                        "" => String::new(),
                        name => format!(" ResourceNames:[{name:?}],"),
                    };
                    told.push(format!(
                        "{{APIGroups:[{group:?}], Resources:[{resource:?}],{name} Verbs:{verbs}}}"
                    ));
                }
            }
        }
    }
    told
}

/// A list as Go writes it.
fn quoted<'t>(texts: impl Iterator<Item = &'t str>) -> String {
    let texts: Vec<String> = texts.map(|text| format!("{text:?}")).collect();
    format!("[{}]", texts.join(" "))
}
