//! Questions under other names: <https://coredns.io/plugins/rewrite/>. Only names are rewritten; types, classes,
//! lifetimes and EDNS options are not modelled.

use super::bad;
use crate::answer::Answer;
use crate::corefile::{CorefileError, Directive, Problem};
use crate::question::{Question, normal};
use hickory_proto::rr::rdata::{CNAME, NS, PTR, SRV};
use hickory_proto::rr::{Name, RData};
use regex_lite::{Captures, Regex};

const NAME: &str = "rewrite";

/// A rule.
#[derive(Clone, Debug)]
pub(crate) struct Rewrite {
    from: Pattern,
    to: String,
    /// Whether the next rules are looked at when this one was followed.
    goes_on: bool,
    back: Back,
}

#[derive(Clone, Debug)]
enum Pattern {
    Exact(String),
    Prefix(String),
    Suffix(String),
    Substring(String),
    Regex(Regex),
}

/// How names in an answer become the client's again.
#[derive(Clone, Debug)]
enum Back {
    /// They don't.
    No,
    /// The name that was asked for instead becomes the one that the client asked for.
    Asked,
    /// By a pattern.
    Pattern(Regex, String),
}

/// What was rewritten, to rewrite the answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rewritten(Vec<(Back, Name, Name)>);

impl Rewrite {
    pub(crate) fn read(directive: &Directive) -> Result<Self, CorefileError> {
        let mut words: Vec<&str> = directive.arguments.iter().map(String::as_str).collect();
        let goes_on = words.first() == Some(&"continue");
        if matches!(words.first(), Some(&("continue" | "stop"))) {
            words.remove(0);
        }
        // In braces, each line is a part of the rule.
        for line in &directive.lines {
            words.push(&line.name);
            words.extend(line.arguments.iter().map(String::as_str));
        }
        match words.first() {
            Some(&"name") => Self::name(directive, &words[1..], goes_on),
            Some(field @ &("type" | "class" | "edns0" | "ttl" | "cname" | "rcode")) => {
                Err(directive.error(Problem::UnsupportedProperty {
                    plugin: NAME.to_owned(),
                    property: (*field).to_owned(),
                }))
            }
            Some(other) => Err(bad(NAME, directive, format!("invalid rule type {other:?}"))),
            None => Err(directive.count()),
        }
    }

    fn name(directive: &Directive, words: &[&str], goes_on: bool) -> Result<Self, CorefileError> {
        let (kind, from, to, rest) = match words {
            [from, to] => ("exact", from, to, &[][..]),
            [kind, from, to, rest @ ..] => (*kind, from, to, rest),
            _ => return Err(directive.count()),
        };
        let regex = |word: &str| {
            let reason = format!("invalid regex matching pattern: {word}");
            Regex::new(word).map_err(|_| bad(NAME, directive, reason))
        };
        let lower = |word: &str| word.to_ascii_lowercase();
        let (from, to) = match kind {
            "exact" => (Pattern::Exact(normal(from)), normal(to)),
            "prefix" => (Pattern::Prefix(lower(from)), lower(to)),
            "suffix" => (Pattern::Suffix(normal(from)), normal(to)),
            "substring" => (Pattern::Substring(lower(from)), lower(to)),
            "regex" => (Pattern::Regex(regex(from)?), lower(to)),
            other => {
                let reason = format!(
                    "name rule supports only exact, prefix, suffix, substring, and regex name matching, received: {other}"
                );
                return Err(bad(NAME, directive, reason));
            }
        };
        let back = match rest {
            [] if kind == "exact" => Back::Asked,
            [] => Back::No,
            ["answer", "auto"] => Back::Asked,
            ["answer", "name", from, to] => Back::Pattern(regex(from)?, normal(to)),
            _ => {
                let reason = "an answer is rewritten by 'answer auto' or 'answer name FROM TO'";
                return Err(bad(NAME, directive, reason));
            }
        };
        Ok(Self {
            from,
            to,
            goes_on,
            back,
        })
    }

    fn apply(&self, name: &str) -> Option<String> {
        let to = &self.to;
        match &self.from {
            Pattern::Exact(from) => (name == from).then(|| to.clone()),
            Pattern::Prefix(from) => Some(format!("{to}{}", name.strip_prefix(from)?)),
            Pattern::Suffix(from) => Some(format!("{}{to}", name.strip_suffix(from)?)),
            Pattern::Substring(from) => name.contains(from).then(|| name.replace(from, to)),
            Pattern::Regex(pattern) => Some(filled(to, &pattern.captures(name)?)),
        }
    }
}

/// Puts the groups of a match where `{1}`, `{2}` and so on stand.
fn filled(to: &str, groups: &Captures<'_>) -> String {
    let mut filled = to.to_owned();
    for (index, group) in groups.iter().enumerate() {
        let group = group.map_or("", |group| group.as_str());
        filled = filled.replace(&format!("{{{index}}}"), group);
    }
    normal(&filled)
}

/// Puts a question under the name that the rules say; what no longer is a name stays as it was.
pub(crate) fn rewrite(rules: &[Rewrite], question: &mut Question) -> Rewritten {
    let mut done = Rewritten::default();
    for rule in rules {
        let Some(name) = rule.apply(&question.text) else {
            continue;
        };
        let Ok(name) = Name::from_ascii(&name) else {
            continue;
        };
        let asked = std::mem::replace(question, Question::new(name.clone(), question.kind));
        done.0.push((rule.back.clone(), asked.name, name));
        if !rule.goes_on {
            break;
        }
    }
    done
}

impl Rewritten {
    /// Puts an answer's names back.
    pub(crate) fn revert(&self, answer: &mut Answer) {
        for (back, asked, instead) in self.0.iter().rev() {
            for record in answer.records_mut() {
                revert(back, asked, instead, &mut record.name);
                let target = match &mut record.data {
                    RData::CNAME(CNAME(name)) | RData::NS(NS(name)) | RData::PTR(PTR(name)) => name,
                    RData::SRV(SRV { target, .. }) => target,
                    _ => continue,
                };
                revert(back, asked, instead, target);
            }
        }
    }
}

fn revert(back: &Back, asked: &Name, instead: &Name, name: &mut Name) {
    match back {
        Back::No => {}
        Back::Asked if name == instead => *name = asked.clone(),
        Back::Asked => {}
        Back::Pattern(pattern, to) => {
            let text = name.to_ascii().to_ascii_lowercase();
            let Some(groups) = pattern.captures(&text) else {
                return;
            };
            if let Ok(found) = Name::from_ascii(filled(to, &groups)) {
                *name = found;
            }
        }
    }
}
