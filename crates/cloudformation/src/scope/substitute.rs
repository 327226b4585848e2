//! `Fn::Sub`.

use super::{Scope, Unanswered, wrong};
use crate::parameter::plain;
use serde_json::{Map, Value};

impl Scope<'_> {
    /// A text with its `${…}` replaced; `${!x}` stands for `${x}` itself.
    pub(super) fn substitute(
        &self,
        text: &str,
        own: Option<&Map<String, Value>>,
        depth: usize,
    ) -> Result<String, Unanswered> {
        let mut parts = text.split("${");
        let mut whole = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let Some((name, rest)) = part.split_once('}') else {
                whole.push_str("${");
                whole.push_str(part);
                continue;
            };
            match name.strip_prefix('!') {
                Some(literal) => whole.push_str(&format!("${{{literal}}}")),
                None => whole.push_str(&self.named(name.trim(), own, depth)?),
            }
            whole.push_str(rest);
        }
        Ok(whole)
    }

    fn named(
        &self,
        name: &str,
        own: Option<&Map<String, Value>>,
        depth: usize,
    ) -> Result<String, Unanswered> {
        let value = match own.and_then(|own| own.get(name)) {
            Some(value) => self.eval(value, depth)?,
            None => match name.split_once('.') {
                Some((resource, attribute)) => self.attribute(resource, attribute)?,
                None => self.reference(&Value::from(name))?,
            },
        };
        let text = match &value {
            Some(Value::Array(items)) => {
                let texts: Option<Vec<String>> = items.iter().map(plain).collect();
                texts.map(|texts| texts.join(","))
            }
            Some(value) => plain(value),
            None => None,
        };
        text.ok_or_else(|| {
            wrong(format!(
                "variable {name} in Fn::Sub expression does not resolve to a string"
            ))
        })
    }
}
