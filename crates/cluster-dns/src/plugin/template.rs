//! Answers by a pattern of names: <https://coredns.io/plugins/template/>. Records made of templates are not
//! modelled; a response code is.

use super::{Fallthrough, bad, unknown, zones_of};
use crate::answer::Answer;
use crate::corefile::{CorefileError, Directive};
use crate::question::{Question, longest};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use regex_lite::Regex;

const NAME: &str = "template";

/// An answer by a pattern.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    /// The type that is asked for; any, if none.
    kind: Option<RecordType>,
    zones: Vec<String>,
    /// One has to match; all names do, if there are none.
    patterns: Vec<Regex>,
    code: ResponseCode,
    fallthrough: Fallthrough,
}

impl Template {
    pub(crate) fn read(directive: &Directive, block: &[String]) -> Result<Self, CorefileError> {
        let [class, kind, zones @ ..] = &directive.arguments[..] else {
            return Err(directive.count());
        };
        if !matches!(class.as_str(), "IN" | "ANY") {
            let reason = format!("invalid RR class {class}");
            return Err(bad(NAME, directive, reason));
        }
        let reason = || format!("invalid RR type {kind}");
        let kind = match kind.as_str() {
            "ANY" => None,
            word => Some(word.parse().map_err(|_| bad(NAME, directive, reason()))?),
        };
        let mut template = Self {
            kind,
            zones: match zones_of(directive, zones)? {
                none if none.is_empty() => block.to_vec(),
                zones => zones,
            },
            patterns: Vec::new(),
            code: ResponseCode::NoError,
            fallthrough: Fallthrough::No,
        };
        for line in &directive.lines {
            match line.name.as_str() {
                "match" => {
                    for word in &line.arguments {
                        let pattern = Regex::new(word);
                        let reason = || format!("could not parse regex: {word}");
                        template
                            .patterns
                            .push(pattern.map_err(|_| bad(NAME, line, reason()))?);
                    }
                }
                "rcode" => {
                    let word = line.one()?;
                    let reason = || format!("unknown rcode {word}");
                    template.code = code(word).ok_or_else(|| bad(NAME, line, reason()))?;
                }
                "fallthrough" => template.fallthrough = Fallthrough::read(line)?,
                _ => {
                    let coredns = ["answer", "additional", "authority", "ederror", "upstream"];
                    return Err(unknown(NAME, line, &coredns));
                }
            }
        }
        Ok(template)
    }

    /// Answers a question; nothing, if the next plugin is to.
    pub(crate) fn answer(&self, question: &Question) -> Option<Answer> {
        longest(&question.text, &self.zones)?;
        if self.kind.is_some_and(|kind| kind != question.kind) {
            return None;
        }
        let mut patterns = self.patterns.iter();
        if patterns.len() > 0 && !patterns.any(|pattern| pattern.is_match(&question.text)) {
            let lets = self.fallthrough.lets(&question.text);
            return (!lets).then(|| Answer::empty(ResponseCode::ServFail, ""));
        }
        Some(Answer {
            authoritative: true,
            recursive: true,
            ..Answer::empty(self.code, NAME)
        })
    }
}

/// A response code by its name.
pub(super) fn code(word: &str) -> Option<ResponseCode> {
    Some(match word {
        "NOERROR" => ResponseCode::NoError,
        "FORMERR" => ResponseCode::FormErr,
        "SERVFAIL" => ResponseCode::ServFail,
        "NXDOMAIN" => ResponseCode::NXDomain,
        "NOTIMP" => ResponseCode::NotImp,
        "REFUSED" => ResponseCode::Refused,
        _ => return None,
    })
}

/// A response code's name.
pub(crate) fn code_name(code: ResponseCode) -> String {
    match code {
        ResponseCode::NoError => "NOERROR".to_owned(),
        ResponseCode::FormErr => "FORMERR".to_owned(),
        ResponseCode::ServFail => "SERVFAIL".to_owned(),
        ResponseCode::NXDomain => "NXDOMAIN".to_owned(),
        ResponseCode::NotImp => "NOTIMP".to_owned(),
        ResponseCode::Refused => "REFUSED".to_owned(),
        ResponseCode::BADVERS => "BADVERS".to_owned(),
        other => u16::from(other).to_string(),
    }
}
