//! What the schema requires: fields that have to be there and values that there are.

use super::super::status::Cause;
use crate::resource::Resource;
use crate::schema::{Form, Of, Schema, TypeId};
use serde_json::Value;

/// Types whose values are closed: any other is refused.
const CLOSED: [&str; 16] = [
    "core/v1.Protocol",
    "core/v1.RestartPolicy",
    "core/v1.DNSPolicy",
    "core/v1.PullPolicy",
    "core/v1.ServiceType",
    "core/v1.ServiceAffinity",
    "core/v1.TerminationMessagePolicy",
    "core/v1.TaintEffect",
    "core/v1.TolerationOperator",
    "core/v1.URIScheme",
    "core/v1.PersistentVolumeMode",
    "core/v1.ServiceExternalTrafficPolicy",
    "apps/v1.DeploymentStrategyType",
    "batch/v1.ConcurrencyPolicy",
    "networking/v1.PathType",
    "networking/v1.PolicyType",
];

/// What is missing or isn't one of the values there are.
pub(super) fn check(resource: &Resource, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    if let Some(id) = Schema::get().find(&resource.type_name()) {
        walk(id, object, "", &mut causes);
    }
    causes
}

fn walk(id: TypeId, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    for field in Schema::get().fields(id) {
        // What the system fills in is not asked of the user.
        if path.is_empty() && ["status", "metadata", "kind", "apiVersion"].contains(&field.name) {
            continue;
        }
        let at = if path.is_empty() {
            field.name.to_owned()
        } else {
            format!("{path}.{}", field.name)
        };
        match value.get(field.name) {
            None => {
                if field.required && needs(&field.of) {
                    causes.push(Cause::required(at, ""));
                }
            }
            Some(value) => below(&field.of, value, &at, field.required, causes),
        }
    }
}

/// Whether a required field of this type is refused when it is missing: Go's zero numbers and
/// booleans pass.
fn needs(of: &Of) -> bool {
    matches!(
        Schema::get().resolve(of),
        Of::Named(_) | Of::String | Of::List(_)
    ) && !matches!(of, Of::Named(id) if Schema::get().of(*id).name.ends_with("Status"))
}

fn below(of: &Of, value: &Value, path: &str, required: bool, causes: &mut Vec<Cause>) {
    let schema = Schema::get();
    if let Of::Named(id) = of
        && let Form::Alias(_, values) = &schema.of(*id).form
        && CLOSED.contains(&schema.of(*id).name)
        && let Some(text) = value.as_str()
        && !values.contains(&text)
    {
        let mut sorted = values.clone();
        sorted.sort_unstable();
        causes.push(Cause::unsupported(path, value, &sorted));
        return;
    }
    match (schema.resolve(of), value) {
        (Of::Named(id), Value::Object(_)) => walk(*id, value, path, causes),
        (Of::List(item), Value::Array(items)) => {
            if required && items.is_empty() && path.ends_with("containers") {
                causes.push(Cause::required(path, ""));
            }
            for (index, value) in items.iter().enumerate() {
                below(item, value, &format!("{path}[{index}]"), false, causes);
            }
        }
        (Of::Map(item), Value::Object(entries)) => {
            for (key, value) in entries {
                below(item, value, &format!("{path}[{key}]"), false, causes);
            }
        }
        (Of::Quantity, Value::String(text)) if crate::quantity::parse(text).is_none() => {
            let detail = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
            causes.push(Cause::invalid(path, value, detail));
        }
        (Of::String, Value::String(text))
            if required && text.is_empty() && path.ends_with(".name") =>
        {
            causes.push(Cause::required(path, ""));
        }
        _ => {}
    }
}
