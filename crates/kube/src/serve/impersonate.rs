//! Acting as somebody else, for those who may: `kubectl --as`.
//!
//! <https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation>

use crate::api::rbac::{Access, allows};
use crate::api::{Status, User};
use crate::store::Store;
use http::HeaderMap;

/// Who a request is to be carried out as: the caller, or whom its headers name.
pub(super) fn user(store: &Store, caller: User, headers: &HeaderMap) -> Result<User, Status> {
    let all = |name: &str| -> Vec<String> {
        let values = headers.get_all(name).iter();
        values
            .filter_map(|value| value.to_str().ok().map(str::to_owned))
            .collect()
    };
    let (names, mut groups) = (all("impersonate-user"), all("impersonate-group"));
    let Some(name) = names.into_iter().next() else {
        if groups.is_empty() {
            return Ok(caller);
        }
        let message = "requested groups without impersonating a user";
        return Err(Status::bad_request(message));
    };
    check(store, &caller, resource_of(&name))?;
    for group in &groups {
        check(store, &caller, ("groups", "", group))?;
    }
    if let Some(account) = name.strip_prefix("system:serviceaccount:")
        && groups.is_empty()
    {
        let namespace = account.split(':').next().unwrap_or_default();
        groups.push("system:serviceaccounts".to_owned());
        groups.push(format!("system:serviceaccounts:{namespace}"));
    }
    let authenticated = "system:authenticated".to_owned();
    if name != "system:anonymous" && !groups.contains(&authenticated) {
        groups.push(authenticated);
    }
    Ok(User {
        name,
        groups,
        ..User::default()
    })
}

/// What a name is to roles: the resource, its namespace and its name.
fn resource_of(name: &str) -> (&'static str, &str, &str) {
    let account = name.strip_prefix("system:serviceaccount:");
    match account.and_then(|account| account.split_once(':')) {
        Some((namespace, name)) => ("serviceaccounts", namespace, name),
        None => ("users", "", name),
    }
}

fn check(
    store: &Store,
    caller: &User,
    (resource, namespace, name): (&str, &str, &str),
) -> Result<(), Status> {
    let access = Access {
        verb: "impersonate".to_owned(),
        resource: resource.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        ..Access::default()
    };
    if allows(store, caller, &access) {
        return Ok(());
    }
    let message = format!(
        "{resource} {name:?} is forbidden: User {:?} cannot impersonate resource {resource:?} in API group \"\" at the cluster scope",
        caller.name
    );
    Err(Status::new(403, "Forbidden", message))
}
