//! What a user sent, against the types: unknown fields, wrong types, empty values.

use super::{Of, Schema, TypeId};
use serde_json::{Map, Value};

/// A value that isn't what its field is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("json: cannot unmarshal {found} into Go struct field {structure}.{path} of type {wanted}")]
pub struct Fault {
    /// What was found: `string`, `number`, `object`, ….
    pub found: &'static str,
    /// The kind that holds the field.
    pub structure: String,
    /// Where.
    pub path: String,
    /// What it should be, in Go's words.
    pub wanted: String,
}

/// An object whose fields are all known.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// The object, without unknown fields and without `null`s.
    pub value: Value,
    /// The unknown fields that were dropped, as paths such as `spec.replica`.
    pub unknown: Vec<String>,
}

/// Checks an object of a type.
///
/// # Errors
/// The first value that is not of its field's type.
pub fn check(value: &Value, id: TypeId) -> Result<Checked, Fault> {
    let name = Schema::get().of(id).name;
    let mut walk = Walk {
        unknown: Vec::new(),
        kind: name.rsplit('.').next().unwrap_or(name),
    };
    let value = walk.value(value, &Of::Named(id), "")?;
    Ok(Checked {
        value: value.unwrap_or(Value::Null),
        unknown: walk.unknown,
    })
}

struct Walk<'s> {
    unknown: Vec<String>,
    kind: &'s str,
}

impl Walk<'_> {
    fn fault<T>(&self, value: &Value, path: &str, wanted: &str) -> Result<T, Fault> {
        Err(Fault {
            found: match value {
                Value::Null => "null",
                Value::Bool(_) => "bool",
                Value::Number(_) => "number",
                Value::String(_) => "string",
                Value::Array(_) => "array",
                Value::Object(_) => "object",
            },
            structure: self.kind.to_owned(),
            path: path.to_owned(),
            wanted: wanted.to_owned(),
        })
    }

    /// The value as it is kept; `None` for a `null`, which is as good as absent.
    fn value(&mut self, value: &Value, of: &Of, path: &str) -> Result<Option<Value>, Fault> {
        if value.is_null() {
            return Ok(None);
        }
        let schema = Schema::get();
        let scalar = |fits: bool| fits.then(|| Some(value.clone()));
        let kept = match schema.resolve(of) {
            Of::Any => scalar(true),
            Of::Bool => scalar(value.is_boolean()),
            Of::String | Of::Bytes | Of::Time | Of::MicroTime | Of::Duration => {
                scalar(value.is_string())
            }
            Of::Quantity => match value {
                // A plain number is an amount too; it is kept as text.
                Value::Number(number) => Some(Some(number.to_string().into())),
                _ => scalar(value.is_string()),
            },
            Of::IntOrString => scalar(value.is_string() || value.is_i64()),
            Of::Int32 => scalar(value.as_i64().is_some_and(|v| i32::try_from(v).is_ok())),
            Of::Int64 => scalar(value.is_i64()),
            Of::Float => scalar(value.is_number()),
            Of::List(item) => match value {
                Value::Array(items) => Some(Some(self.list(items, item, path)?)),
                _ => None,
            },
            Of::Map(item) => match value {
                Value::Object(entries) => Some(Some(self.map(entries, item, path)?)),
                _ => None,
            },
            Of::Named(id) => match value {
                Value::Object(entries) => Some(Some(self.structure(entries, *id, path)?)),
                _ => None,
            },
        };
        match kept {
            Some(kept) => Ok(kept),
            None => self.fault(value, path, &go_name(of)),
        }
    }

    fn list(&mut self, items: &[Value], of: &Of, path: &str) -> Result<Value, Fault> {
        let mut kept = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            kept.extend(self.value(item, of, &format!("{path}[{index}]"))?);
        }
        Ok(Value::Array(kept))
    }

    fn map(&mut self, entries: &Map<String, Value>, of: &Of, path: &str) -> Result<Value, Fault> {
        let mut kept = Map::new();
        for (key, value) in entries {
            if let Some(value) = self.value(value, of, &below(path, key))? {
                kept.insert(key.clone(), value);
            }
        }
        Ok(Value::Object(kept))
    }

    fn structure(
        &mut self,
        entries: &Map<String, Value>,
        id: TypeId,
        path: &str,
    ) -> Result<Value, Fault> {
        let mut kept = Map::new();
        for (key, value) in entries {
            let path = below(path, key);
            match Schema::get().field(id, key) {
                None => self.unknown.push(path),
                Some(field) => {
                    if let Some(value) = self.value(value, &field.of, &path)? {
                        kept.insert(key.clone(), value);
                    }
                }
            }
        }
        Ok(Value::Object(kept))
    }
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// A type in Go's words.
fn go_name(of: &Of) -> String {
    match of {
        Of::String | Of::Duration => "string".to_owned(),
        Of::Int32 => "int32".to_owned(),
        Of::Int64 => "int64".to_owned(),
        Of::Float => "float64".to_owned(),
        Of::Bool => "bool".to_owned(),
        Of::Bytes => "[]uint8".to_owned(),
        Of::Quantity => "resource.Quantity".to_owned(),
        Of::IntOrString => "intstr.IntOrString".to_owned(),
        Of::Time => "v1.Time".to_owned(),
        Of::MicroTime => "v1.MicroTime".to_owned(),
        Of::Any => "interface {}".to_owned(),
        Of::List(item) => format!("[]{}", go_name(item)),
        Of::Map(item) => format!("map[string]{}", go_name(item)),
        Of::Named(id) => {
            let name = Schema::get().of(*id).name;
            // Go names a type by its package's last part: `v1.PodSpec`.
            name.rsplit('/').next().unwrap_or(name).to_owned()
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(spec: Value) -> Result<Checked, Fault> {
        let id = Schema::get().find("core/v1.Pod").unwrap();
        check(
            &json!({"kind": "Pod", "apiVersion": "v1", "spec": spec}),
            id,
        )
    }

    /// K8S-API: unknown fields are dropped and named.
    #[test]
    fn unknown_fields_are_named() {
        let checked = pod(json!({"containers": [{"name": "c", "imag": "x"}], "nodeNam": "n"}));
        let checked = checked.unwrap();
        assert_eq!(checked.unknown, ["spec.containers[0].imag", "spec.nodeNam"]);
        assert_eq!(
            checked.value["spec"],
            json!({"containers": [{"name": "c"}]})
        );
    }

    /// K8S-API: a value of another type is refused in the words of upstream.
    #[test]
    fn wrong_types_are_refused() {
        let fault = pod(json!({"priority": "high"})).unwrap_err();
        assert_eq!(
            fault.to_string(),
            "json: cannot unmarshal string into Go struct field Pod.spec.priority of type int32"
        );
        assert!(pod(json!({"containers": {}})).is_err());
    }
}
