//! The short hashes in names: `web-5d4f8c7b9`.

use serde_json::Value;

/// The letters of a safe name: no vowels, so that no words arise (`rand.SafeEncodeString`).
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// The hash of a template and of how often it collided before (`controller.ComputeHash`).
pub(crate) fn template(template: &Value, collisions: Option<i64>) -> String {
    let mut hash = Fnv::new();
    dump(template, &mut hash);
    if let Some(count) = collisions {
        hash.write(&count.to_le_bytes());
    }
    encode(hash.0)
}

/// A number as letters that are safe in a name.
fn encode(number: u32) -> String {
    number
        .to_string()
        .bytes()
        .filter_map(|b| ALPHABET.get(usize::from(b) % ALPHABET.len()))
        .map(|b| char::from(*b))
        .collect()
}

/// FNV-1a of 32 bits. <https://datatracker.ietf.org/doc/html/rfc9923>
struct Fnv(u32);

impl Fnv {
    const fn new() -> Self {
        Self(0x811c_9dc5)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        }
    }
}

/// Feeds a value with its maps' keys in order, so that equal values have equal hashes; fields
/// that are null say nothing and count as missing.
fn dump(value: &Value, hash: &mut Fnv) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().filter(|(_, v)| !v.is_null()).collect();
            entries.sort_by_key(|(key, _)| key.as_str());
            hash.write(b"{");
            for (key, item) in entries {
                hash.write(key.as_bytes());
                hash.write(b"\0");
                dump(item, hash);
            }
            hash.write(b"}");
        }
        Value::Array(items) => {
            hash.write(b"[");
            for item in items {
                dump(item, hash);
            }
            hash.write(b"]");
        }
        other => {
            hash.write(other.to_string().as_bytes());
            hash.write(b"\0");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fnv_is_the_published_one() {
        let mut hash = Fnv::new();
        hash.write(b"foobar");
        assert_eq!(hash.0, 0xbf9c_f968);
    }

    #[test]
    fn hashes_tell_templates_and_collisions_apart() {
        let a = template(&json!({"spec": {"a": 1}}), None);
        assert_eq!(a, template(&json!({"spec": {"a": 1, "b": null}}), None));
        assert_ne!(a, template(&json!({"spec": {"a": 2}}), None));
        assert_ne!(a, template(&json!({"spec": {"a": 1}}), Some(1)));
        assert!(a.bytes().all(|b| ALPHABET.contains(&b)) && a.len() <= 10);
    }
}
