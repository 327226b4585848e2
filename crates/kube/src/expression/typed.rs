//! Objects as values of expressions: numbers by their schema, fields by names that expressions can say.
//!
//! <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation-rules>

use cel::Value as Cel;
use serde_json::Value;
use std::collections::HashMap;

/// Words that expressions keep for themselves.
const KEPT: [&str; 21] = [
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// A value as its schema says; with `Null` as JSON says.
pub(crate) fn typed(value: &Value, schema: &Value) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(held) => Cel::Bool(*held),
        Value::String(text) => Cel::String(text.clone().into()),
        Value::Number(number) => {
            let whole = number.as_i64().filter(|_| schema["type"] != "number");
            match whole {
                Some(whole) => Cel::Int(whole),
                None => Cel::Float(number.as_f64().unwrap_or(f64::NAN)),
            }
        }
        Value::Array(items) => {
            let all = items.iter().map(|item| typed(item, &schema["items"]));
            Cel::List(all.collect::<Vec<_>>().into())
        }
        Value::Object(map) => {
            let mut held: HashMap<String, Cel> = HashMap::new();
            for (name, value) in map {
                let own = &schema["properties"][name];
                if own.is_object() || !schema["properties"].is_object() {
                    let more = &schema["additionalProperties"];
                    let of = if own.is_object() { own } else { more };
                    // Keys of maps are texts; names of fields have to be names.
                    let key = if own.is_object() {
                        escaped(name)
                    } else {
                        name.clone()
                    };
                    held.insert(key, typed(value, of));
                } else if ["apiVersion", "kind", "metadata"].contains(&name.as_str()) {
                    held.insert(name.clone(), typed(value, &Value::Null));
                }
            }
            Cel::from(held)
        }
    }
}

/// A field's name as expressions say it.
fn escaped(name: &str) -> String {
    if KEPT.contains(&name) {
        return format!("__{name}__");
    }
    name.replace("__", "__underscores__")
        .replace('.', "__dot__")
        .replace('-', "__dash__")
        .replace('/', "__slash__")
}

#[cfg(test)]
mod tests {
    use super::escaped;

    /// K8S-API: the examples of upstream's documentation.
    #[test]
    fn names_are_escaped() {
        for (name, said) in [
            ("namespace", "__namespace__"),
            ("x-prop", "x__dash__prop"),
            ("redact__d", "redact__underscores__d"),
            ("a.b/c", "a__dot__b__slash__c"),
            ("plain", "plain"),
        ] {
            assert_eq!(escaped(name), said);
        }
    }
}
