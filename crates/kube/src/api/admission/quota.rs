//! Nothing is let in that would exceed a quota.
//!
//! <https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#resourcequota>

use super::super::Call;
use super::super::status::Status;
use crate::object;
use crate::quantity::Amount;
use crate::quota::{self, Amounts};
use crate::resource::Resource;
use serde_json::Value;
use std::sync::Arc;

/// Refuses an object, new or changed, that its namespace has no room for.
pub(in crate::api) fn check(
    call: &Call<'_>,
    resource: &Resource,
    live: Option<&Value>,
    object: &Value,
) -> Result<(), Status> {
    if !resource.namespaced {
        return Ok(());
    }
    let name = resource.qualified();
    let before = live.map_or_else(Amounts::new, |live| quota::of(&name, live));
    let mut more = quota::of(&name, object);
    more.retain(|of, amount| {
        *amount = *amount - before.get(of).copied().unwrap_or_default();
        amount.exceeds(Amount::default())
    });
    if more.is_empty() {
        return Ok(());
    }
    let namespace = object::namespace(object);
    let quotas: Vec<Arc<Value>> = call
        .store
        .list(quota::QUOTAS, Some(namespace))
        .map(|(_, quota)| quota.clone())
        .filter(|quota| quota::counts(quota, &name, object))
        .collect();
    for limit in quotas {
        let refused = |why: String| Err(Status::forbidden(resource, object::name(object), why));
        let hard = quota::hard(&limit);
        if name == "pods" && live.is_none() {
            let lacking = quota::unspecified(object, &hard);
            if !lacking.is_empty() {
                return refused(format!(
                    "failed quota: {}: must specify {}",
                    object::name(&limit),
                    lacking.join("; ")
                ));
            }
        }
        let used = quota::used(&call.store, &limit);
        let of = |amounts: &Amounts, name: &str| amounts.get(name).copied().unwrap_or_default();
        let exceeded: Vec<&String> = hard
            .iter()
            .filter(|(name, most)| {
                more.get(*name)
                    .is_some_and(|amount| (of(&used, name) + *amount).exceeds(**most))
            })
            .map(|(name, _)| name)
            .collect();
        if !exceeded.is_empty() {
            let told = |amounts: &Amounts| {
                let each = exceeded
                    .iter()
                    .map(|name| format!("{name}={}", of(amounts, name)));
                each.collect::<Vec<_>>().join(",")
            };
            return refused(format!(
                "exceeded quota: {}, requested: {}, used: {}, limited: {}",
                object::name(&limit),
                told(&more),
                told(&used),
                told(&hard)
            ));
        }
    }
    Ok(())
}
