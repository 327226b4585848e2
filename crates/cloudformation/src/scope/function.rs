//! Functions, one by one.

use super::{Answer, Scope, Unanswered, wrong};
use crate::TemplateError;
use crate::cidr;
use crate::parameter::plain;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

impl Scope<'_> {
    pub(super) fn function(&self, name: &str, arguments: &Value, depth: usize) -> Answer {
        match name {
            "Fn::GetAtt" => self.get_att(arguments, depth),
            "Fn::Sub" => self.sub(arguments, depth),
            "Fn::Join" => self.join(arguments, depth),
            "Fn::Select" => self.select(arguments, depth),
            "Fn::Split" => self.split(arguments, depth),
            "Fn::If" => self.choose(arguments, depth),
            "Fn::FindInMap" => self.find_in_map(arguments, depth),
            "Fn::ImportValue" => self.import(arguments, depth),
            "Fn::Base64" => {
                let text = self.one_text(name, arguments, depth)?;
                Ok(Some(Value::from(STANDARD.encode(text))))
            }
            "Fn::Cidr" => self.cidr(arguments, depth),
            "Fn::GetAZs" => {
                let region = self.one_text(name, arguments, depth)?;
                let region = if region.is_empty() {
                    self.place.region.clone()
                } else {
                    region
                };
                let zones = self.world.zones(&region);
                Ok(Some(zones.into_iter().map(Value::from).collect()))
            }
            "Fn::Transform" => Err(TemplateError::Unsupported("Fn::Transform".to_owned()).into()),
            other => Err(wrong(format!("Unrecognized function {other}"))),
        }
    }

    /// An argument that must be a text.
    fn one_text(
        &self,
        function: &str,
        argument: &Value,
        depth: usize,
    ) -> Result<String, Unanswered> {
        let value = self.eval(argument, depth)?;
        value.as_ref().and_then(plain).ok_or_else(|| {
            wrong(format!(
                "every {function} object must have a String-typed value."
            ))
        })
    }

    /// Arguments that must be a list of a length.
    fn list<'v>(
        function: &str,
        arguments: &'v Value,
        lengths: std::ops::RangeInclusive<usize>,
        of: &str,
    ) -> Result<&'v [Value], Unanswered> {
        let list = arguments.as_array().map(Vec::as_slice);
        list.filter(|list| lengths.contains(&list.len()))
            .ok_or_else(|| wrong(format!("every {function} object requires {of}.")))
    }

    /// An argument that must give a list.
    fn items(
        &self,
        function: &str,
        argument: &Value,
        depth: usize,
    ) -> Result<Vec<Value>, Unanswered> {
        match self.eval(argument, depth)? {
            Some(Value::Array(items)) => Ok(items),
            _ => Err(wrong(format!("{function} requires a list argument"))),
        }
    }

    fn get_att(&self, arguments: &Value, depth: usize) -> Answer {
        let of = "two non-empty parameters, the resource name and the resource attribute";
        if let Some((resource, attribute)) =
            arguments.as_str().and_then(|path| path.split_once('.'))
        {
            return self.attribute(resource, attribute);
        }
        let list = Self::list("Fn::GetAtt", arguments, 2..=2, of)?;
        let resource = list[0]
            .as_str()
            .ok_or_else(|| wrong(format!("every Fn::GetAtt object requires {of}.")))?;
        let attribute = self.one_text("Fn::GetAtt", &list[1], depth)?;
        self.attribute(resource, &attribute)
    }

    fn sub(&self, arguments: &Value, depth: usize) -> Answer {
        let nothing = Map::new();
        let (text, own) = match arguments {
            Value::String(text) => (text, &nothing),
            Value::Array(parts) => match parts.as_slice() {
                [Value::String(text), Value::Object(own)] => (text, own),
                _ => {
                    return Err(wrong(
                        "One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as first argument, and an optional second argument to specify a mapping of values to replace in the string",
                    ));
                }
            },
            _ => {
                return Err(wrong(
                    "every Fn::Sub object must have a String-typed value or a list.",
                ));
            }
        };
        self.substitute(text, Some(own), depth)
            .map(|text| Some(Value::from(text)))
    }

    fn join(&self, arguments: &Value, depth: usize) -> Answer {
        let of = "two parameters, (1) a string delimiter and (2) a list of strings to be joined or a function that returns a list of strings (such as Fn::GetAZs) to be joined";
        let list = Self::list("Fn::Join", arguments, 2..=2, of)?;
        let delimiter = list[0]
            .as_str()
            .ok_or_else(|| wrong(format!("every Fn::Join object requires {of}.")))?;
        let items = self.items("Fn::Join", &list[1], depth)?;
        let texts: Option<Vec<String>> = items.iter().map(plain).collect();
        let texts = texts.ok_or_else(|| wrong(format!("every Fn::Join object requires {of}.")))?;
        Ok(Some(Value::from(texts.join(delimiter))))
    }

    fn select(&self, arguments: &Value, depth: usize) -> Answer {
        let of = "a list argument with two elements: an integer index and a list";
        let list = Self::list("Fn::Select", arguments, 2..=2, of)?;
        let index = self.one_text("Fn::Select", &list[0], depth)?;
        let items = self.items("Fn::Select", &list[1], depth)?;
        let chosen = index
            .parse::<usize>()
            .ok()
            .and_then(|index| items.into_iter().nth(index));
        chosen.map(Some).ok_or_else(|| {
            wrong(format!(
                "Fn::Select cannot select nonexistent value at index {index}"
            ))
        })
    }

    fn split(&self, arguments: &Value, depth: usize) -> Answer {
        let of = "two parameters, (1) a string delimiter and (2) a string to be split or a function that returns a string to be split";
        let list = Self::list("Fn::Split", arguments, 2..=2, of)?;
        let delimiter = self.one_text("Fn::Split", &list[0], depth)?;
        let text = self.one_text("Fn::Split", &list[1], depth)?;
        if delimiter.is_empty() {
            return Err(wrong(format!("every Fn::Split object requires {of}.")));
        }
        Ok(Some(text.split(&delimiter).map(Value::from).collect()))
    }

    fn choose(&self, arguments: &Value, depth: usize) -> Answer {
        let of = "a list argument with three elements: a condition's name and two values";
        let list = Self::list("Fn::If", arguments, 3..=3, of)?;
        let name = list[0]
            .as_str()
            .ok_or_else(|| wrong(format!("every Fn::If object requires {of}.")))?;
        let chosen = if self.named_condition(name, depth)? {
            &list[1]
        } else {
            &list[2]
        };
        self.eval(chosen, depth)
    }

    fn find_in_map(&self, arguments: &Value, depth: usize) -> Answer {
        let of = "three parameters, the map name, map key and the attribute for return value";
        let list = Self::list("Fn::FindInMap", arguments, 3..=4, of)?;
        let mut keys = Vec::new();
        for key in &list[..3] {
            keys.push(self.one_text("Fn::FindInMap", key, depth)?);
        }
        let found = self
            .template
            .mappings
            .get(&keys[0])
            .and_then(|map| map.get(&keys[1])?.get(&keys[2]));
        let default = list.get(3).and_then(|last| last.get("DefaultValue"));
        match (found, default) {
            (Some(value), _) => Ok(Some(value.clone())),
            (None, Some(default)) => self.eval(default, depth),
            (None, None) => Err(wrong(format!(
                "Unable to get mapping for {}",
                keys.join("::")
            ))),
        }
    }

    fn import(&self, arguments: &Value, depth: usize) -> Answer {
        let name = self.one_text("Fn::ImportValue", arguments, depth)?;
        let value = self.world.export(&name).ok_or_else(|| {
            Unanswered::Wrong(TemplateError::Parameter(format!(
                "No export named {name} found."
            )))
        })?;
        self.imported.borrow_mut().insert(name);
        Ok(Some(Value::from(value)))
    }

    fn cidr(&self, arguments: &Value, depth: usize) -> Answer {
        let of = "a list of a block, a count and optionally the bits for hosts";
        let list = Self::list("Fn::Cidr", arguments, 2..=3, of)?;
        let block = match self.eval(&list[0], depth)? {
            Some(Value::Array(items)) => items.first().and_then(plain),
            Some(value) => plain(&value),
            None => None,
        };
        let block = block.ok_or_else(|| wrong(format!("every Fn::Cidr object requires {of}.")))?;
        let count = self.one_text("Fn::Cidr", &list[1], depth)?;
        let bits = match list.get(2) {
            Some(bits) => self.one_text("Fn::Cidr", bits, depth)?,
            None => if block.contains(':') { "64" } else { "8" }.to_owned(),
        };
        let blocks = match (count.parse(), bits.parse()) {
            (Ok(count), Ok(bits)) => cidr::cut(&block, count, bits),
            _ => None,
        };
        let blocks = blocks.ok_or_else(|| {
            wrong(format!(
                "Fn::Cidr can't cut {count} blocks with {bits} bits out of {block}"
            ))
        })?;
        Ok(Some(blocks.into_iter().map(Value::from).collect()))
    }
}
