//! Reading the table.

use super::{Field, Form, Of, Schema, Type, TypeId};
use std::collections::HashMap;

/// Reads the whole table. Its names are resolved at once: every type that is named is in it.
pub(super) fn table(text: &'static str) -> Schema {
    let lines = || text.lines().filter(|line| !line.starts_with('#'));
    let names: HashMap<&'static str, TypeId> = lines()
        .filter_map(|line| line.strip_prefix("type\t")?.split('\t').next())
        .enumerate()
        // The table has some hundred types.
        .map(|(index, name)| (name, TypeId(u16::try_from(index).unwrap_or(u16::MAX))))
        .collect();
    let mut types: Vec<Type> = Vec::with_capacity(names.len());
    for line in lines() {
        if let Some(rest) = line.strip_prefix("type\t") {
            types.push(head(rest, &names));
        } else if let Some(Type {
            form: Form::Struct(fields),
            ..
        }) = types.last_mut()
        {
            fields.push(field(line, &names));
        }
    }
    let named = (0..types.len())
        .map(|index| Of::Named(TypeId(u16::try_from(index).unwrap_or(u16::MAX))))
        .collect();
    Schema {
        types,
        named,
        names,
    }
}

fn head(line: &'static str, names: &HashMap<&'static str, TypeId>) -> Type {
    let mut parts = line.splitn(3, '\t');
    let mut next = || parts.next().unwrap_or_default();
    let (name, form, doc) = (next(), next(), next());
    let form = match form.split_once(' ') {
        None if form == "struct" => Form::Struct(Vec::new()),
        None => Form::Alias(of(form, names), Vec::new()),
        Some((form, values)) => Form::Alias(of(form, names), values.split('|').collect()),
    };
    Type { name, form, doc }
}

fn field(line: &'static str, names: &HashMap<&'static str, TypeId>) -> Field {
    let mut parts = line.trim_start_matches('\t').splitn(5, '\t');
    // A field that lies in the structure begins with an empty name.
    let mut parts_with_empty = line.splitn(6, '\t').skip(1);
    let parts: &mut dyn Iterator<Item = &'static str> = if line.starts_with("\t\t") {
        &mut parts_with_empty
    } else {
        &mut parts
    };
    let mut next = || parts.next().unwrap_or_default();
    let (name, number, kind, traits, doc) = (next(), next(), next(), next(), next());
    let mut field = Field {
        name,
        number: number.parse().ok(),
        of: of(kind, names),
        required: false,
        pointer: false,
        list: None,
        keys: Vec::new(),
        atomic: false,
        patch: None,
        patch_key: None,
        default: None,
        doc,
    };
    for word in traits.split(' ') {
        match word.split_once('=').unwrap_or((word, "")) {
            ("required", _) => field.required = true,
            ("pointer", _) => field.pointer = true,
            ("list", kind) => field.list = Some(kind),
            ("key", key) => field.keys.push(key),
            ("map" | "struct", kind) => field.atomic = kind == "atomic",
            ("patch", strategy) => field.patch = Some(strategy),
            ("patch-key", key) => field.patch_key = Some(key),
            ("default", value) => field.default = Some(value),
            _ => {}
        }
    }
    field
}

fn of(text: &str, names: &HashMap<&'static str, TypeId>) -> Of {
    if let Some(item) = text.strip_prefix("[]") {
        return Of::List(Box::new(of(item, names)));
    }
    if let Some(value) = text.strip_prefix("[string]") {
        return Of::Map(Box::new(of(value, names)));
    }
    match text {
        "string" => Of::String,
        "int32" | "int" | "uint16" => Of::Int32,
        "int64" => Of::Int64,
        "float64" => Of::Float,
        "bool" => Of::Bool,
        "bytes" => Of::Bytes,
        "quantity" => Of::Quantity,
        "int-or-string" => Of::IntOrString,
        "time" => Of::Time,
        "micro-time" => Of::MicroTime,
        "duration" => Of::Duration,
        name => names.get(name).map_or(Of::Any, |id| Of::Named(*id)),
    }
}
