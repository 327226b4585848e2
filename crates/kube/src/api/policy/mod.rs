//! ValidatingAdmissionPolicies: expressions that say which requests may pass.
//!
//! <https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/>
//!
//! Not modelled: the variable `authorizer` (a policy that uses it is refused where it is made), audit
//! annotations, type checking of expressions against the kinds that they are for.

mod conditions;
mod evaluate;

pub(super) use conditions::{VARIABLES, conditions};

use super::admission::Attributes;
use super::status::Status;
use super::{Call, webhook};
use crate::object::{self, list, text};
use crate::registry;
use crate::selector::Selector;
use crate::store::{Key, Store};
use evaluate::{Facts, Verdict};
use serde_json::Value;
use std::sync::Arc;

const POLICIES: &str = "validatingadmissionpolicies.admissionregistration.k8s.io";
const BINDINGS: &str = "validatingadmissionpolicybindings.admissionregistration.k8s.io";

/// Refuses what a policy that is bound doesn't let pass.
pub(super) fn check(call: &mut Call<'_>, of: &Attributes<'_>) -> Result<(), Status> {
    let bindings: Vec<Arc<Value>> = call
        .store
        .list(BINDINGS, None)
        .map(|(_, binding)| binding.clone())
        .collect();
    for binding in bindings {
        let name = text(&binding, &["spec", "policyName"]);
        let Some(policy) = call.store.get(&Key::new(POLICIES, "", name)).cloned() else {
            continue;
        };
        if !concerns(&call.store, &policy, &binding, of) {
            continue;
        }
        for told in broken(call, &policy, &binding, of) {
            act(call, &policy, &binding, of, told)?;
        }
    }
    Ok(())
}

/// Whether a request is one that a policy, and its binding, are about.
fn concerns(store: &Store, policy: &Value, binding: &Value, of: &Attributes<'_>) -> bool {
    let own = &policy["spec"]["matchConstraints"];
    let further = &binding["spec"]["matchResources"];
    webhook::concerns(store, own, "resourceRules", of)
        && (further.is_null() || {
            let any = list(further, &["resourceRules"]).is_empty();
            let rules = if any { "" } else { "resourceRules" };
            webhook::concerns(store, further, rules, of)
        })
}

/// What a policy has against a request: each reason with its message.
fn broken(
    call: &Call<'_>,
    policy: &Value,
    binding: &Value,
    of: &Attributes<'_>,
) -> Vec<(String, String)> {
    let open = policy["spec"]["failurePolicy"] == "Ignore";
    let failed = |why: String| {
        if open {
            Vec::new()
        } else {
            vec![("Invalid".to_owned(), why)]
        }
    };
    let parameters = match parameters(&call.store, policy, binding, of) {
        Ok(parameters) => parameters,
        Err(why) => return failed(why),
    };
    let mut all = Vec::new();
    for parameter in parameters {
        let facts = Facts::of(call, of, parameter.as_deref());
        match evaluate::policy(policy, facts) {
            Verdict::Passes => {}
            Verdict::Fails(why) => all.extend(failed(why)),
            Verdict::Broken(told) => all.extend(told),
        }
    }
    all
}

/// The objects that a binding gives a policy as parameters; one that is none where it takes none.
fn parameters(
    store: &Store,
    policy: &Value,
    binding: &Value,
    of: &Attributes<'_>,
) -> Result<Vec<Option<Arc<Value>>>, String> {
    let kind = &policy["spec"]["paramKind"];
    let reference = &binding["spec"]["paramRef"];
    if kind.is_null() || reference.is_null() {
        return Ok(vec![None]);
    }
    let known = registry::by_kind(store, text(kind, &["apiVersion"]), text(kind, &["kind"]));
    let unknown = || {
        format!(
            "failed to find resource referenced by paramKind: '{}, Kind={}'",
            text(kind, &["apiVersion"]),
            text(kind, &["kind"])
        )
    };
    let resource = known.ok_or_else(unknown)?;
    let namespace = match text(reference, &["namespace"]) {
        _ if !resource.namespaced => "",
        "" => of.what.namespace,
        namespace => namespace,
    };
    let name = text(reference, &["name"]);
    let selector = Selector::of_labels(&reference["selector"]);
    let qualified = resource.qualified();
    let found: Vec<Option<Arc<Value>>> = store
        .list(&qualified, Some(namespace))
        .map(|(_, object)| object)
        .filter(|object| match &selector {
            Some(selector) if name.is_empty() => selector.selects(object),
            _ => object::name(object) == name,
        })
        .map(|object| Some(object.clone()))
        .collect();
    if found.is_empty() && reference["parameterNotFoundAction"] != "Allow" {
        return Err(
            "no params found for policy binding with `Deny` parameterNotFoundAction".to_owned(),
        );
    }
    Ok(found)
}

/// Does what a binding says of what is broken.
fn act(
    call: &mut Call<'_>,
    policy: &Value,
    binding: &Value,
    of: &Attributes<'_>,
    (reason, told): (String, String),
) -> Result<(), Status> {
    let (policy, bound) = (object::name(policy), object::name(binding));
    let actions = list(binding, &["spec", "validationActions"]);
    let does = |action: &str| actions.iter().any(|other| other == action);
    if does("Warn") {
        call.warnings.push(format!(
            "Validation failed for ValidatingAdmissionPolicy '{policy}' with binding '{bound}': {told}"
        ));
    }
    if does("Audit") {
        let key = "validation.policy.admission.k8s.io/validation_failure".to_owned();
        call.annotations.push((key, told.clone()));
    }
    if !does("Deny") {
        return Ok(());
    }
    let why = format!(
        "ValidatingAdmissionPolicy '{policy}' with binding '{bound}' denied request: {told}"
    );
    let mut status = Status::forbidden(of.what.resource, of.what.name, why);
    let (code, reason) = match reason.as_str() {
        "Unauthorized" => (401, "Unauthorized"),
        "Forbidden" => (403, "Forbidden"),
        "RequestEntityTooLarge" => (413, "RequestEntityTooLarge"),
        _ => (422, "Invalid"),
    };
    (status.code, status.reason) = (code, reason.into());
    Err(status)
}

#[cfg(test)]
mod tests;
