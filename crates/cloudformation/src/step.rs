//! A resource's life as calls: what each asks, what is learned from its answer, and when it is over.

use crate::kind::ask::Ask;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use wire::call::{Call, Service};
use wire::error::ApiError;

/// The name under which a resource's physical id is learned.
pub const ID: &str = "Id";

/// The member that marks a parameter as something that an earlier step learned.
const LEARNED: &str = "Fn::Learned";

/// A call and what comes of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    service: Service,
    operation: &'static str,
    parameters: Value,
    learns: Vec<(&'static str, String)>,
    perhaps: Vec<(&'static str, String)>,
    knows: Vec<(&'static str, Value)>,
    until: Option<Until>,
    tolerates: &'static [&'static str],
    retries: &'static [&'static str],
    /// The type that the resource's tags are of, where EC2 keeps them.
    pub tagged: Option<(&'static str, &'static str)>,
}

/// What an answer must say before the step is over.
#[derive(Clone, Debug, PartialEq)]
struct Until {
    /// Where the state stands.
    pointer: String,
    /// The states that end it.
    done: &'static [&'static str],
    /// The states from which nothing good comes.
    failed: &'static [&'static str],
    /// Where the reason stands.
    reason: &'static str,
}

/// What a step's answer means.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It is over; this is what was learned.
    Done(BTreeMap<String, Value>),
    /// It is under way and has to be asked again.
    Wait(String),
    /// Something else is in the way that may go: it has to be tried again.
    Retry(String),
    /// It failed.
    Failed(String),
}

/// What an earlier step learned, as a parameter.
pub(crate) fn learned(name: &str) -> Value {
    Value::Object(
        [(LEARNED.to_owned(), Value::from(name))]
            .into_iter()
            .collect(),
    )
}

/// The resource's physical id, as a parameter.
pub(crate) fn id() -> Value {
    learned(ID)
}

impl Step {
    pub(crate) fn new(service: Service, operation: &'static str, parameters: Value) -> Self {
        Self {
            service,
            operation,
            parameters,
            learns: Vec::new(),
            perhaps: Vec::new(),
            knows: Vec::new(),
            until: None,
            tolerates: &[],
            retries: &[],
            tagged: None,
        }
    }

    /// Something that the answer says at a place: a JSON pointer, in which `[name=value]` chooses the element of
    /// a list and `{Name}` stands for what was learned before.
    pub(crate) fn learns(mut self, name: &'static str, pointer: impl Into<String>) -> Self {
        self.learns.push((name, pointer.into()));
        self
    }

    /// Something that the answer may say at a place; otherwise it is empty.
    pub(crate) fn perhaps(mut self, name: &'static str, pointer: impl Into<String>) -> Self {
        self.perhaps.push((name, pointer.into()));
        self
    }

    /// Something that is known once the call succeeded.
    pub(crate) fn knows(mut self, name: &'static str, value: Value) -> Self {
        self.knows.push((name, value));
        self
    }

    /// The call is repeated until a place in the answer has one of these values.
    pub(crate) fn until(
        mut self,
        pointer: impl Into<String>,
        done: &'static [&'static str],
        failed: &'static [&'static str],
    ) -> Self {
        self.until = Some(Until {
            pointer: pointer.into(),
            done,
            failed,
            reason: "",
        });
        self
    }

    /// Where the answer says why it failed.
    pub(crate) fn because(mut self, pointer: &'static str) -> Self {
        if let Some(until) = &mut self.until {
            until.reason = pointer;
        }
        self
    }

    /// Errors that are as good as success: what was to go is gone.
    pub(crate) fn tolerates(mut self, codes: &'static [&'static str]) -> Self {
        self.tolerates = codes;
        self
    }

    /// Errors that pass: something else is still going.
    pub(crate) fn retries(mut self, codes: &'static [&'static str]) -> Self {
        self.retries = codes;
        self
    }

    /// EC2 tags what is made, which has its id under a name, as resources of a type.
    pub(crate) fn tagged(mut self, resource_type: &'static str, learned: &'static str) -> Self {
        self.tagged = Some((resource_type, learned));
        self
    }

    /// The call, with what was learned so far put in.
    pub fn call(&self, known: &BTreeMap<String, Value>) -> Call {
        Call::new(
            self.service,
            self.operation,
            filled(&self.parameters, known),
        )
    }

    /// The service that is called.
    pub fn service(&self) -> Service {
        self.service
    }

    /// What an answer means.
    pub fn judge(
        &self,
        answer: &Result<Value, ApiError>,
        known: &BTreeMap<String, Value>,
    ) -> Verdict {
        match answer {
            Ok(answer) => self.judge_answer(answer, known),
            Err(error) if self.tolerates.contains(&error.code.as_str()) => {
                Verdict::Done(self.known())
            }
            Err(error) if self.retries.contains(&error.code.as_str()) => {
                Verdict::Retry(self.words(error))
            }
            Err(error) => Verdict::Failed(self.words(error)),
        }
    }

    fn judge_answer(&self, answer: &Value, before: &BTreeMap<String, Value>) -> Verdict {
        if let Some(until) = &self.until {
            let state = answer.pointer(&until.pointer).and_then(Value::as_str);
            // Nothing to be seen is the end of what is awaited to go.
            let state = state.unwrap_or("gone");
            if until.failed.contains(&state) {
                let reason = answer.pointer(until.reason).and_then(Value::as_str);
                let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
                return Verdict::Failed(format!(
                    "{} is in the state {state}{reason}",
                    self.operation
                ));
            }
            if !until.done.contains(&state) {
                return Verdict::Wait(format!("{} is in the state {state}", self.operation));
            }
        }
        let mut known = self.known();
        for (name, pointer) in &self.perhaps {
            let value = at(answer, pointer, before).filter(|value| !value.is_null());
            let value = value.cloned().unwrap_or_else(|| Value::from(""));
            known.insert((*name).to_owned(), value);
        }
        for (name, pointer) in &self.learns {
            match at(answer, pointer, before) {
                Some(value) if !value.is_null() => {
                    known.insert((*name).to_owned(), value.clone());
                }
                _ => {
                    let operation = self.operation;
                    return Verdict::Failed(format!("the answer to {operation} has no {name}"));
                }
            }
        }
        Verdict::Done(known)
    }

    fn known(&self) -> BTreeMap<String, Value> {
        let known = self.knows.iter();
        known
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect()
    }

    /// An error as CloudFormation tells it.
    fn words(&self, error: &ApiError) -> String {
        format!(
            "{} (Service: {}, Status Code: {}, Error Code: {})",
            error.message,
            self.service.title(),
            error.status,
            error.code
        )
    }
}

/// What stands at a place in an answer.
fn at<'v>(answer: &'v Value, pointer: &str, known: &BTreeMap<String, Value>) -> Option<&'v Value> {
    let mut parts = pointer.split('/').skip(1);
    parts.try_fold(answer, |value, part| {
        let Some(chosen) = part
            .strip_prefix('[')
            .and_then(|part| part.strip_suffix(']'))
        else {
            return value.pointer(&format!("/{part}"));
        };
        let (name, wanted) = chosen.split_once('=')?;
        let learned = wanted
            .strip_prefix('{')
            .and_then(|name| name.strip_suffix('}'));
        let wanted = match learned {
            Some(name) => known.get(name)?.as_str()?,
            None => wanted,
        };
        let mut items = value.as_array()?.iter();
        items.find(|item| item.get(name).and_then(Value::as_str) == Some(wanted))
    })
}

/// A value with everything learned put in.
fn filled(value: &Value, known: &BTreeMap<String, Value>) -> Value {
    match value {
        Value::Object(members) => match members.get(LEARNED).and_then(Value::as_str) {
            Some(name) => known.get(name).cloned().unwrap_or(Value::Null),
            None => {
                let members = members.iter();
                let filled = members.map(|(name, value)| (name.clone(), filled(value, known)));
                Value::Object(filled.collect::<Map<_, _>>())
            }
        },
        Value::Array(items) => items.iter().map(|item| filled(item, known)).collect(),
        other => other.clone(),
    }
}

/// The steps of something that is to be done with a resource.
pub type Steps = Result<Vec<Step>, String>;

/// Makes the steps of one deed from what is asked.
pub(crate) type Deed = fn(&Ask<'_>) -> Steps;
