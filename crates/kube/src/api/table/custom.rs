//! Kinds that users define: their own columns, or their age.

use super::{Wanted, age, document, row};
use crate::custom::{Custom, path};
use crate::object;
use serde_json::{Value, json};

pub(super) fn table(
    custom: &Custom,
    objects: &[&Value],
    meta: &Value,
    wanted: Wanted,
    now: i64,
) -> Value {
    let column = |name: &str, kind: &str, format: &str, priority: i64| {
        json!({
            "name": name, "type": kind, "format": format, "priority": priority,
            "description": name,
        })
    };
    let mut columns = vec![column("Name", "string", "name", 0)];
    if custom.columns.is_empty() {
        columns.push(column("Age", "date", "", 0));
    }
    let own = custom.columns.iter();
    columns.extend(own.map(|of| column(&of.name, &of.kind, "", of.priority)));
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            let mut cells = vec![json!(object::name(object))];
            if custom.columns.is_empty() {
                cells.push(age::of(object, now));
            }
            cells.extend(custom.columns.iter().map(|of| {
                let value = path::find(object, &of.path);
                match (of.kind.as_str(), value) {
                    ("date", Some(value)) => {
                        json!(age::since(value.as_str().unwrap_or_default(), now))
                    }
                    ("string", Some(value)) if !value.is_string() => json!(value.to_string()),
                    (_, Some(value)) => value.clone(),
                    (_, None) => Value::Null,
                }
            }));
            row(cells, object, wanted)
        })
        .collect();
    document(meta, &columns, &rows)
}
