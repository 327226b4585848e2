//! Match conditions: expressions that say which requests a webhook or a policy is about.
//!
//! <https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#matching-requests-matchconditions>

use crate::expression::Expression;
use crate::object::{list, text};
use serde_json::Value;

/// The variables of conditions, and of policies beside.
pub(in crate::api) const VARIABLES: [&str; 6] = [
    "object",
    "oldObject",
    "request",
    "params",
    "namespaceObject",
    "variables",
];

/// Whether all conditions hold. One that doesn't counts for more than one that has no value.
///
/// # Errors
/// One has no value, in words.
pub(in crate::api) fn conditions(
    of: &Value,
    variables: &[(&str, cel::Value)],
) -> Result<bool, String> {
    let mut failed = None;
    for condition in list(of, &["matchConditions"]) {
        let expression = Expression::compile(text(condition, &["expression"]), &VARIABLES);
        match expression.and_then(|expression| expression.holds(variables)) {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(fault) => {
                let name = text(condition, &["name"]);
                failed = failed.or(Some(format!("match condition {name:?}: {fault}")));
            }
        }
    }
    failed.map_or(Ok(true), Err)
}
