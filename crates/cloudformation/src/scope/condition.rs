//! Conditions.

use super::{DEEPEST, Scope, Unanswered, single, wrong};
use serde_json::Value;

impl Scope<'_> {
    pub(super) fn named_condition(&self, name: &str, depth: usize) -> Result<bool, Unanswered> {
        let condition = self.template.conditions.get(name).ok_or_else(|| {
            wrong(format!(
                "unresolved condition dependency {name} in the Conditions block of the template"
            ))
        })?;
        self.holds(condition, depth + 1)
    }

    /// Whether a condition holds: `Fn::And`, `Fn::Or`, `Fn::Not`, `Fn::Equals` or another by name.
    fn holds(&self, condition: &Value, depth: usize) -> Result<bool, Unanswered> {
        // Conditions that name each other in a ring never end otherwise.
        if depth >= DEEPEST {
            return Err(wrong("conditions are nested too deeply"));
        }
        let no_condition = || {
            wrong("Conditions can only be boolean operations on parameters and other conditions")
        };
        let (function, arguments) = condition
            .as_object()
            .and_then(single)
            .ok_or_else(no_condition)?;
        let several = |least: usize| {
            let list = arguments
                .as_array()
                .filter(|list| (least..=10).contains(&list.len()));
            list.ok_or_else(|| {
                wrong(format!("every {function} object requires a list of at least {least} and at most 10 boolean parameters."))
            })
        };
        match function {
            "Condition" => {
                let name = arguments.as_str().ok_or_else(no_condition)?;
                self.named_condition(name, depth)
            }
            "Fn::Equals" => {
                let list = arguments.as_array().filter(|list| list.len() == 2);
                let list = list.ok_or_else(|| {
                    wrong("every Fn::Equals object requires a list of 2 string parameters.")
                })?;
                Ok(self.compared(&list[0])? == self.compared(&list[1])?)
            }
            "Fn::Not" => match arguments.as_array().map(Vec::as_slice) {
                Some([one]) => Ok(!self.holds(one, depth + 1)?),
                _ => Err(wrong(
                    "every Fn::Not object requires a list of 1 boolean parameters.",
                )),
            },
            "Fn::And" => {
                for one in several(2)? {
                    if !self.holds(one, depth + 1)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            "Fn::Or" => {
                for one in several(2)? {
                    if self.holds(one, depth + 1)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            _ => Err(no_condition()),
        }
    }

    /// What `Fn::Equals` compares: numbers and truths as texts.
    fn compared(&self, value: &Value) -> Result<Value, Unanswered> {
        let value = self.value(value)?.unwrap_or(Value::Null);
        Ok(crate::parameter::plain(&value).map_or(value, Value::from))
    }
}
