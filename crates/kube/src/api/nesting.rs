//! Text into values that are bounded: neither so deep that whoever walks them runs out of stack, nor grown by
//! references within the text to far more than was sent.
//!
//! Kubernetes refuses JSON below 10,000 levels and YAML whose aliases grow it beyond measure
//! (<https://github.com/kubernetes/kubernetes/issues/83253>); here it is a hundred levels, because what is stored
//! must be read again with all that is put around it, and no kind that is in use comes near.

use super::status::Status;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::cell::Cell;
use std::fmt;

/// Values that are sent lie in each other no deeper.
const DEEPEST: usize = 100;
/// Objects that are kept are no deeper: who owns each field of an object is written a few levels below it.
const DEEPEST_KEPT: usize = DEEPEST + 10;
/// Brackets that stay open in YAML, in texts too: a reader that meets more is busy with them alone.
const MOST_OPEN: usize = 10_000;
/// What is sent has no more values and bytes of text; three times the longest body, so only references get there.
const LARGEST: usize = 9 << 20;

/// Reads JSON.
pub(super) fn json(text: &[u8]) -> Result<Value, String> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let left = Cell::new(LARGEST);
    let read = Bounded::new(&left).deserialize(&mut reader);
    let value = read.map_err(|error| error.to_string())?;
    reader.end().map_err(|error| error.to_string())?;
    Ok(value)
}

/// Reads YAML.
pub(super) fn yaml(text: &[u8]) -> Result<Value, String> {
    if open(text) > MOST_OPEN {
        return Err(too_deep());
    }
    let reader = serde_norway::Deserializer::from_slice(text);
    let left = Cell::new(LARGEST);
    let read = Bounded::new(&left).deserialize(reader);
    read.map_err(|error| error.to_string())
}

/// Refuses an object that changes have made too deep.
pub(super) fn check(value: &Value) -> Result<(), Status> {
    if fits(value, DEEPEST_KEPT) {
        Ok(())
    } else {
        Err(Status::bad_request(too_deep()))
    }
}

/// Whether a value's levels are no more than these.
pub(super) fn fits(value: &Value, levels: usize) -> bool {
    let below = |value: &Value| levels > 0 && fits(value, levels - 1);
    match value {
        Value::Array(items) => items.iter().all(below),
        Value::Object(map) => map.values().all(below),
        _ => true,
    }
}

/// Whether a value may stand so deep in an object.
pub(super) fn fits_below(value: &Value, depth: usize) -> bool {
    DEEPEST_KEPT
        .checked_sub(depth)
        .is_some_and(|levels| fits(value, levels))
}

fn too_deep() -> String {
    format!("exceeded max depth of {DEEPEST}")
}

/// How many brackets are open at most.
fn open(text: &[u8]) -> usize {
    let (mut open, mut most) = (0_usize, 0);
    for byte in text {
        match byte {
            b'[' | b'{' => open += 1,
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        most = most.max(open);
    }
    most
}

/// Makes a value as long as there is something left.
struct Bounded<'a> {
    left: &'a Cell<usize>,
    levels: usize,
}

impl<'a> Bounded<'a> {
    fn new(left: &'a Cell<usize>) -> Self {
        let levels = DEEPEST;
        Self { left, levels }
    }

    fn spend<E: Error>(&self, size: usize) -> Result<(), E> {
        let left = self.left.get().checked_sub(size + 1);
        self.left
            .set(left.ok_or_else(|| E::custom("document contains excessive aliasing"))?);
        Ok(())
    }

    fn below<E: Error>(&self) -> Result<Self, E> {
        let levels = self.levels.checked_sub(1);
        Ok(Self {
            left: self.left,
            levels: levels.ok_or_else(|| E::custom(too_deep()))?,
        })
    }

    fn leaf<E: Error>(&self, value: impl Into<Value>) -> Result<Value, E> {
        self.spend(0)?;
        Ok(value.into())
    }
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        self.leaf(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        self.leaf(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        self.leaf(value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        self.leaf(value)
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        self.leaf(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        self.leaf(Value::Null)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        self.spend(value.len())?;
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        self.spend(value.len())?;
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        self.spend(0)?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self.below()?)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        self.spend(0)?;
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            self.spend(key.len())?;
            let value = entries.next_value_seed(self.below()?)?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn nested(open: &str, middle: &str, close: &str, levels: usize) -> Vec<u8> {
        [&open.repeat(levels), middle, &close.repeat(levels)]
            .concat()
            .into_bytes()
    }

    /// K8S-API: what is deep is refused, however deep, and what is not is read.
    #[test]
    fn depth_is_bounded() {
        for levels in [101, 5_000, 1_000_000] {
            for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")] {
                for close in [close, ""] {
                    let text = nested(open, "1", close, levels);
                    json(&text).unwrap_err();
                    yaml(&text).unwrap_err();
                }
            }
            for open in ["- ", "? ", "[{", "!!map {", "&a [", "a: {"] {
                yaml(&nested(open, "1", "", levels)).unwrap_err();
            }
        }
        let fine = nested("[", "1", "]", 100);
        assert_eq!(json(&fine), yaml(&fine));
        assert!(fits(&json(&fine).unwrap(), 100) && !fits(&json(&fine).unwrap(), 99));
        // Brackets in a text are letters.
        let text = format!("a: '{}'", "[".repeat(200));
        assert_eq!(yaml(text.as_bytes()).unwrap()["a"], "[".repeat(200));
    }

    /// K8S-API: references within a document don't grow it beyond measure.
    #[test]
    fn references_are_bounded() {
        let fine = yaml(b"a: &a {b: [1, 2.5, -3, true, null, ~]}\nc: *a\n7: x").unwrap();
        let inner = json!({"b": [1, 2.5, -3, true, null, null]});
        assert_eq!(fine, json!({"a": inner, "c": inner, "7": "x"}));
        let wide = format!(
            "a: &a [{}]\nb: [{}]",
            "1,".repeat(50_000),
            "*a,".repeat(50_000)
        );
        let told = yaml(wide.as_bytes()).unwrap_err();
        assert!(told.contains("excessive aliasing"), "{told}");
        let mut laughs = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned();
        for level in 1..12 {
            let below = format!("*a{},", level - 1).repeat(9);
            laughs.push_str(&format!("a{level}: &a{level} [{below}]\n"));
        }
        yaml(laughs.as_bytes()).unwrap_err();
    }

    /// K8S-API: more than one value is no value.
    #[test]
    fn one_value_is_read() {
        json(b"{} {}").unwrap_err();
        json(b"").unwrap_err();
        yaml(b"a: 1\n---\nb: 2").unwrap_err();
    }
}
