//! What functions, references and conditions give.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html>

mod condition;
mod function;
mod substitute;

use crate::parameter::Given;
use crate::{Template, TemplateError};
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// The deepest nesting of functions.
const DEEPEST: usize = 100;

/// Where a stack is and what it is called: what pseudo parameters give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The account.
    pub account: String,
    /// The region.
    pub region: String,
    /// The stack's name.
    pub stack: String,
    /// Its ARN.
    pub id: String,
}

/// What a resource is known by, once it is made.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// What `Ref` gives.
    pub physical: &'a str,
    /// What `Fn::GetAtt` gives.
    pub attributes: &'a BTreeMap<String, Value>,
}

/// What lies outside the stack.
pub trait World {
    /// A region's zones, in order.
    fn zones(&self, region: &str) -> Vec<String>;
    /// What another stack of the region exports under a name.
    fn export(&self, name: &str) -> Option<String>;
    /// A stack that uses the export of a name, if there is one.
    fn importer(&self, _name: &str) -> Option<String> {
        None
    }
}

/// Why an expression gives nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// It asks for a resource that isn't made yet.
    #[error("resource {0} is not there yet")]
    Later(String),
    /// It can't be.
    #[error(transparent)]
    Wrong(#[from] TemplateError),
}

/// Everything that expressions may refer to.
pub struct Scope<'a> {
    /// The template.
    pub template: &'a Template,
    /// The parameters' values.
    pub parameters: &'a BTreeMap<String, Given>,
    /// Where.
    pub place: &'a Place,
    /// What lies outside.
    pub world: &'a dyn World,
    /// A resource, if it is made.
    pub resources: &'a dyn Fn(&str) -> Option<Known<'a>>,
    /// The names of exports that were asked for.
    pub imported: RefCell<BTreeSet<String>>,
}

/// An expression's value; `None` is `AWS::NoValue`, which takes a property away.
type Answer = Result<Option<Value>, Unanswered>;

pub(crate) fn wrong(message: impl Into<String>) -> Unanswered {
    TemplateError::function(message).into()
}

impl Scope<'_> {
    /// A resource's properties.
    ///
    /// # Errors
    /// See [`Unanswered`].
    pub fn properties(&self, of: &Map<String, Value>) -> Result<Map<String, Value>, Unanswered> {
        self.members(of, 0)
    }

    /// An expression's value; nothing for `AWS::NoValue`.
    ///
    /// # Errors
    /// See [`Unanswered`].
    pub fn value(&self, expression: &Value) -> Answer {
        self.eval(expression, 0)
    }

    /// An expression that must give a text.
    ///
    /// # Errors
    /// See [`Unanswered`].
    pub fn text(&self, expression: &Value) -> Result<String, Unanswered> {
        let value = self.value(expression)?;
        value
            .as_ref()
            .and_then(crate::parameter::plain)
            .ok_or_else(|| wrong("a value is not a string"))
    }

    /// Whether a condition holds.
    ///
    /// # Errors
    /// There is no such condition, or it is none.
    pub fn condition(&self, name: &str) -> Result<bool, Unanswered> {
        self.named_condition(name, 0)
    }

    fn members(
        &self,
        of: &Map<String, Value>,
        depth: usize,
    ) -> Result<Map<String, Value>, Unanswered> {
        let mut found = Map::new();
        for (name, value) in of {
            if let Some(value) = self.eval(value, depth)? {
                found.insert(name.clone(), value);
            }
        }
        Ok(found)
    }

    fn eval(&self, expression: &Value, depth: usize) -> Answer {
        if depth == DEEPEST {
            return Err(wrong("functions are nested too deeply"));
        }
        match expression {
            Value::Object(members) => match single(members) {
                Some(("Ref", name)) => self.reference(name),
                Some((name, arguments)) if name.starts_with("Fn::") => {
                    self.function(name, arguments, depth + 1)
                }
                _ => Ok(Some(Value::Object(self.members(members, depth + 1)?))),
            },
            Value::Array(items) => {
                let mut found = Vec::with_capacity(items.len());
                for item in items {
                    found.extend(self.eval(item, depth + 1)?);
                }
                Ok(Some(Value::Array(found)))
            }
            Value::String(text) if text.contains("{{resolve:") => {
                Err(TemplateError::Unsupported(format!("The dynamic reference {text}")).into())
            }
            other => Ok(Some(other.clone())),
        }
    }

    fn reference(&self, name: &Value) -> Answer {
        let name = name
            .as_str()
            .ok_or_else(|| wrong("every Ref object must have a single String value."))?;
        if let Some(value) = self.pseudo(name) {
            return Ok(value);
        }
        if let Some(declared) = self.template.parameters.get(name) {
            let given = self.parameters.get(name);
            let given = given.ok_or_else(|| wrong(format!("Parameter {name} has no value")))?;
            return Ok(Some(declared.value(given)));
        }
        let known = (self.resources)(name).ok_or_else(|| self.unknown(name))?;
        Ok(Some(Value::from(known.physical)))
    }

    /// A resource that isn't there: not yet, not under the stack's conditions, or never.
    fn unknown(&self, name: &str) -> Unanswered {
        if self.template.resources.contains_key(name) {
            Unanswered::Later(name.to_owned())
        } else {
            TemplateError::format(format!(
                "Unresolved resource dependencies [{name}] in the Resources block of the template"
            ))
            .into()
        }
    }

    fn attribute(&self, resource: &str, attribute: &str) -> Answer {
        let known = (self.resources)(resource).ok_or_else(|| self.unknown(resource))?;
        let value = known.attributes.get(attribute).cloned();
        value.map(Some).ok_or_else(|| {
            wrong(format!(
                "resource {resource} does not support attribute type {attribute} in Fn::GetAtt"
            ))
        })
    }

    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/pseudo-parameter-reference.html>
    fn pseudo(&self, name: &str) -> Option<Option<Value>> {
        let place = self.place;
        let text = |text: &str| Some(Some(Value::from(text)));
        match name {
            "AWS::AccountId" => text(&place.account),
            "AWS::Region" => text(&place.region),
            "AWS::StackName" => text(&place.stack),
            "AWS::StackId" => text(&place.id),
            "AWS::Partition" => text("aws"),
            "AWS::URLSuffix" => text("amazonaws.com"),
            "AWS::NotificationARNs" => Some(Some(Value::Array(Vec::new()))),
            "AWS::NoValue" => Some(None),
            _ => None,
        }
    }
}

/// The only member of an object.
fn single(members: &Map<String, Value>) -> Option<(&str, &Value)> {
    let mut each = members.iter();
    let (name, value) = each.next()?;
    each.next().is_none().then_some((name.as_str(), value))
}

#[cfg(test)]
mod tests;
