//! Which questions are logged: <https://coredns.io/plugins/log/>. Formats of one's own are not modelled.

use super::{unknown, zones_of};
use crate::answer::Answer;
use crate::corefile::{CorefileError, Directive, Problem};
use crate::question::within;
use hickory_proto::op::ResponseCode;

const NAME: &str = "log";

/// Which questions are logged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Log {
    /// Those below these names; all, if none are named.
    names: Vec<String>,
    /// Those with such answers; all, if none are named.
    classes: Vec<Class>,
}

/// A kind of answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Success,
    Denial,
    Error,
}

impl Log {
    pub(crate) fn read(directive: &Directive) -> Result<Self, CorefileError> {
        let (formats, names): (Vec<_>, Vec<_>) = directive
            .arguments
            .iter()
            .cloned()
            .partition(|word| word.contains('{'));
        if formats.iter().any(|format| format != "{common}") {
            return Err(directive.error(Problem::UnsupportedProperty {
                plugin: NAME.to_owned(),
                property: "FORMAT".to_owned(),
            }));
        }
        let mut log = Self {
            names: zones_of(directive, &names)?,
            classes: Vec::new(),
        };
        let mut all = false;
        for line in &directive.lines {
            if line.name != "class" {
                return Err(unknown(NAME, line, &["minDuration"]));
            }
            for class in &line.arguments {
                match class.as_str() {
                    "success" => log.classes.push(Class::Success),
                    "denial" => log.classes.push(Class::Denial),
                    "error" => log.classes.push(Class::Error),
                    "all" => all = true,
                    _ => return Err(unknown(NAME, line, &[])),
                }
            }
        }
        if all {
            log.classes.clear();
        }
        Ok(log)
    }

    /// Whether an answer is logged.
    pub(crate) fn wants(&self, name: &str, answer: &Answer) -> bool {
        let named = self.names.is_empty() || self.names.iter().any(|zone| within(name, zone));
        named && (self.classes.is_empty() || self.classes.contains(&class(answer)))
    }
}

fn class(answer: &Answer) -> Class {
    match answer.code {
        ResponseCode::NoError if answer.answers.is_empty() => Class::Denial,
        ResponseCode::NoError => Class::Success,
        ResponseCode::NXDomain => Class::Denial,
        _ => Class::Error,
    }
}
