//! Kubernetes' protobuf: four bytes, an envelope that names the kind, and the object.
//!
//! Only reading is here: clients that send protobuf take JSON back.
//! <https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding>

use super::json_time::{go_duration, rfc3339, rfc3339_micro};
use super::{Field, Form, Of, Schema, TypeId};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

/// What such a body begins with.
const MAGIC: &[u8] = b"k8s\0";
/// Messages lie in each other no deeper.
const DEEPEST: usize = 64;

/// Why a body is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtobufError {
    /// It doesn't begin as one.
    #[error(
        "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]"
    )]
    Prefix,
    /// It ends early or has a field of a form that isn't one.
    #[error("proto: illegal wireType or unexpected EOF")]
    Malformed,
    /// The kind has no protobuf form.
    #[error("no kind {kind:?} is registered for version {api_version:?}")]
    Unknown {
        /// The version.
        api_version: String,
        /// The kind.
        kind: String,
    },
}

/// Reads a body into the JSON of the same object.
///
/// # Errors
/// It isn't protobuf, or of a kind that the table doesn't have.
pub fn decode(body: &[u8]) -> Result<Value, ProtobufError> {
    let envelope = body.strip_prefix(MAGIC).ok_or(ProtobufError::Prefix)?;
    let (mut meta, mut raw) = (&[][..], &[][..]);
    for entry in Entries(envelope) {
        match entry? {
            (1, Wire::Bytes(bytes)) => meta = bytes,
            (2, Wire::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let (mut api_version, mut kind) = (String::new(), String::new());
    for entry in Entries(meta) {
        match entry? {
            (1, Wire::Bytes(bytes)) => api_version = text(bytes),
            (2, Wire::Bytes(bytes)) => kind = text(bytes),
            _ => {}
        }
    }
    let name = format!("{}.{kind}", package(&api_version));
    let Some(id) = Schema::get().find(&name) else {
        return Err(ProtobufError::Unknown { api_version, kind });
    };
    let mut object = structure(id, raw, 0)?;
    object.insert("apiVersion".to_owned(), api_version.into());
    object.insert("kind".to_owned(), kind.into());
    Ok(Value::Object(object))
}

/// The package of a version's types: `networking.k8s.io/v1` is `networking/v1`.
pub fn package(api_version: &str) -> String {
    match api_version.split_once('/') {
        None => format!("core/{api_version}"),
        Some((group, version)) => {
            let group = group.split('.').next().unwrap_or(group);
            format!("{group}/{version}")
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A field's content.
enum Wire<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message.
struct Entries<'a>(&'a [u8]);

impl<'a> Entries<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn fixed<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn entry(&mut self) -> Option<(u32, Wire<'a>)> {
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).ok()?;
        let content = match tag & 7 {
            0 => Wire::Number(self.varint()?),
            1 => Wire::Number(u64::from_le_bytes(self.fixed()?)),
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Wire::Bytes(self.take(length)?)
            }
            5 => Wire::Number(u64::from(u32::from_le_bytes(self.fixed()?))),
            _ => return None,
        };
        Some((number, content))
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<(u32, Wire<'a>), ProtobufError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let entry = self.entry();
        if entry.is_none() {
            self.0 = &[];
        }
        Some(entry.ok_or(ProtobufError::Malformed))
    }
}

fn structure(id: TypeId, bytes: &[u8], depth: usize) -> Result<Map<String, Value>, ProtobufError> {
    if depth > DEEPEST {
        return Err(ProtobufError::Malformed);
    }
    let Form::Struct(fields) = &Schema::get().of(id).form else {
        return Ok(Map::new());
    };
    let mut object = Map::new();
    for entry in Entries(bytes) {
        let (number, content) = entry?;
        let Some(field) = fields.iter().find(|field| field.number == Some(number)) else {
            continue;
        };
        put(&mut object, field, &content, depth)?;
    }
    object.retain(|name, value| {
        let field = fields.iter().find(|field| field.name == name);
        field.is_none_or(|field| field.required || field.pointer || !is_empty(value))
    });
    Ok(object)
}

/// What Go's JSON leaves out of a field that may be left out.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(value) => value.as_f64() == Some(0.0),
        Value::String(value) => value.is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Object(values) => values.is_empty(),
    }
}

fn put(
    object: &mut Map<String, Value>,
    field: &Field,
    content: &Wire<'_>,
    depth: usize,
) -> Result<(), ProtobufError> {
    let schema = Schema::get();
    // A structure that lies in this one in JSON is a message of its own here.
    if let (Of::Named(inner), true, Wire::Bytes(bytes)) =
        (&field.of, field.name.is_empty(), content)
    {
        object.extend(structure(*inner, bytes, depth + 1)?);
        return Ok(());
    }
    match (&field.of, content) {
        (Of::List(item), content) => {
            let value = value(item, content, depth)?;
            let list = object
                .entry(field.name)
                .or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(list) = list {
                list.push(value);
            }
        }
        (of, Wire::Bytes(bytes)) if matches!(schema.resolve(of), Of::Map(_)) => {
            let Of::Map(item) = schema.resolve(of) else {
                return Ok(());
            };
            let (mut key, mut held) = (String::new(), Wire::Bytes(&[]));
            for entry in Entries(bytes) {
                match entry? {
                    (1, Wire::Bytes(bytes)) => key = text(bytes),
                    (2, content) => held = content,
                    _ => {}
                }
            }
            let value = value(item, &held, depth)?;
            let map = object
                .entry(field.name)
                .or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(map) = map {
                map.insert(key, value);
            }
        }
        (of, content) => {
            object.insert(field.name.to_owned(), value(of, content, depth)?);
        }
    }
    Ok(())
}

fn value(of: &Of, content: &Wire<'_>, depth: usize) -> Result<Value, ProtobufError> {
    let schema = Schema::get();
    Ok(match (schema.resolve(of), content) {
        (Of::Bool, Wire::Number(number)) => Value::Bool(*number != 0),
        (Of::Float, Wire::Number(number)) => f64::from_bits(*number).into(),
        // Numbers of 32 bits travel as 64 with their sign.
        (Of::Int32 | Of::Int64, Wire::Number(number)) => number.cast_signed().into(),
        (Of::String, Wire::Bytes(bytes)) => text(bytes).into(),
        (Of::Bytes, Wire::Bytes(bytes)) => STANDARD.encode(bytes).into(),
        (Of::Quantity, Wire::Bytes(bytes)) => first_text(bytes)?.into(),
        (Of::IntOrString, Wire::Bytes(bytes)) => int_or_string(bytes)?,
        (Of::Time, Wire::Bytes(bytes)) => match moment(bytes)? {
            None => Value::Null,
            Some((seconds, _)) => rfc3339(seconds).into(),
        },
        (Of::MicroTime, Wire::Bytes(bytes)) => match moment(bytes)? {
            None => Value::Null,
            Some((seconds, nanos)) => rfc3339_micro(seconds, nanos).into(),
        },
        (Of::Duration, Wire::Bytes(bytes)) => go_duration(first_number(bytes)?).into(),
        (Of::Any, Wire::Bytes(bytes)) => {
            let raw = Entries(bytes).find_map(|entry| match entry {
                Ok((1, Wire::Bytes(json))) => Some(json),
                _ => None,
            });
            match raw {
                None => Value::Null,
                Some(json) => serde_json::from_slice(json).map_err(|_| ProtobufError::Malformed)?,
            }
        }
        (Of::Named(id), Wire::Bytes(bytes)) => Value::Object(structure(*id, bytes, depth + 1)?),
        // A list with a name of its own is a message with the list as its only field.
        (Of::List(item), Wire::Bytes(bytes)) => {
            let mut items = Vec::new();
            for entry in Entries(bytes) {
                items.push(value(item, &entry?.1, depth + 1)?);
            }
            Value::Array(items)
        }
        _ => return Err(ProtobufError::Malformed),
    })
}

fn first_text(bytes: &[u8]) -> Result<String, ProtobufError> {
    for entry in Entries(bytes) {
        if let (1, Wire::Bytes(bytes)) = entry? {
            return Ok(text(bytes));
        }
    }
    Ok(String::new())
}

fn first_number(bytes: &[u8]) -> Result<i64, ProtobufError> {
    for entry in Entries(bytes) {
        if let (1, Wire::Number(number)) = entry? {
            return Ok(number.cast_signed());
        }
    }
    Ok(0)
}

fn int_or_string(bytes: &[u8]) -> Result<Value, ProtobufError> {
    let (mut is_text, mut number, mut words) = (false, 0, String::new());
    for entry in Entries(bytes) {
        match entry? {
            (1, Wire::Number(kind)) => is_text = kind == 1,
            (2, Wire::Number(value)) => number = value.cast_signed(),
            (3, Wire::Bytes(bytes)) => words = text(bytes),
            _ => {}
        }
    }
    Ok(if is_text { words.into() } else { number.into() })
}

fn moment(bytes: &[u8]) -> Result<Option<(i64, i64)>, ProtobufError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let (mut seconds, mut nanos) = (0, 0);
    for entry in Entries(bytes) {
        match entry? {
            (1, Wire::Number(number)) => seconds = number.cast_signed(),
            (2, Wire::Number(number)) => nanos = number.cast_signed(),
            _ => {}
        }
    }
    Ok(Some((seconds, nanos)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn bytes(number: u8, content: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2, u8::try_from(content.len()).unwrap()];
        out.extend(content);
        out
    }

    fn message(parts: &[Vec<u8>]) -> Vec<u8> {
        parts.concat()
    }

    fn envelope(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
        let meta = message(&[bytes(1, api_version.as_bytes()), bytes(2, kind.as_bytes())]);
        let mut out = MAGIC.to_vec();
        out.extend(bytes(1, &meta));
        out.extend(bytes(2, raw));
        out.extend(bytes(3, b""));
        out.extend(bytes(4, b""));
        out
    }

    /// K8S-API: what `kubectl create configmap` sends.
    #[test]
    fn a_config_map_is_read() {
        let meta = message(&[
            bytes(1, b"c"),
            bytes(2, b""),
            bytes(3, b"default"),
            bytes(8, b""),
        ]);
        let entry = message(&[bytes(1, b"key"), bytes(2, b"value")]);
        let body = envelope(
            "v1",
            "ConfigMap",
            &message(&[bytes(1, &meta), bytes(2, &entry)]),
        );
        let expected = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "c", "namespace": "default"},
            "data": {"key": "value"},
        });
        assert_eq!(decode(&body).unwrap(), expected);
    }

    /// K8S-API: rubbish is refused and never panics.
    #[test]
    fn rubbish_is_refused() {
        assert_eq!(decode(b"{}"), Err(ProtobufError::Prefix));
        let body = envelope("v1", "Pod", &[0x0a, 0x7f, 1]);
        assert_eq!(decode(&body), Err(ProtobufError::Malformed));
        let unknown = decode(&envelope("v1", "Pood", &[]));
        assert!(matches!(unknown, Err(ProtobufError::Unknown { .. })));
    }
}
