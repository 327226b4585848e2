//! Answers that are kept for a while: <https://coredns.io/plugins/cache/>.
//!
//! Not modelled: prefetching, and stale answers.

use super::{bad, duration, number, unknown, zones_of};
use crate::answer::Answer;
use crate::corefile::{CorefileError, Directive};
use crate::question::{Question, longest, within};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{RData, RecordType};
use std::collections::HashMap;
use std::time::{Duration, Instant};

const NAME: &str = "cache";
/// How many answers of either kind are kept.
const CAPACITY: usize = 9984;
/// How long an answer without records is good for, and every answer at least.
const SHORTEST: u32 = 5;
const LONGEST: u32 = 3600;

/// What is kept, and how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    zones: Vec<String>,
    success: Limits,
    denial: Limits,
    /// How long a failure is kept.
    failure: u32,
}

/// How much of a kind is kept, how long, and where not.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Limits {
    capacity: usize,
    longest: u32,
    shortest: u32,
    except: Vec<String>,
}

/// What kind of answer is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Records.
    Success,
    /// That there are none, or a failure.
    Denial,
}

impl Kind {
    /// Its name in metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Denial => "denial",
        }
    }
}

impl Settings {
    pub(crate) fn read(directive: &Directive, block: &[String]) -> Result<Self, CorefileError> {
        let limits = |longest| Limits {
            capacity: CAPACITY,
            longest,
            shortest: SHORTEST,
            except: Vec::new(),
        };
        let mut settings = Self {
            zones: Vec::new(),
            success: limits(LONGEST),
            denial: limits(LONGEST / 2),
            failure: SHORTEST,
        };
        let mut words = &directive.arguments[..];
        if let [first, rest @ ..] = words
            && first.starts_with(|c: char| c.is_ascii_digit())
            && !first.contains('/')
        {
            let ttl = seconds(directive, first)?;
            (settings.success.longest, settings.denial.longest) = (ttl, ttl);
            words = rest;
        }
        settings.zones = match zones_of(directive, words)? {
            none if none.is_empty() => block.to_vec(),
            zones => zones,
        };
        for line in &directive.lines {
            settings.read_line(line)?;
        }
        Ok(settings)
    }

    fn read_line(&mut self, line: &Directive) -> Result<(), CorefileError> {
        match line.name.as_str() {
            "success" => self.success.read(line),
            "denial" => self.denial.read(line),
            "servfail" => {
                self.failure = seconds(line, line.one()?)?;
                Ok(())
            }
            "disable" => {
                let [kind, zones @ ..] = &line.arguments[..] else {
                    return Err(line.count());
                };
                let limits = match kind.as_str() {
                    "success" => &mut self.success,
                    "denial" => &mut self.denial,
                    other => {
                        let reason = format!(
                            "cache type for disable must be \"success\" or \"denial\", not {other:?}"
                        );
                        return Err(bad(NAME, line, reason));
                    }
                };
                let zones = zones_of(line, zones)?;
                limits.except = if zones.is_empty() {
                    vec![".".to_owned()]
                } else {
                    zones
                };
                Ok(())
            }
            // DNSSEC's time to live is of no matter where there is no DNSSEC.
            "keepttl" | "prefetch" | "serve_stale" => {
                Err(unknown(NAME, line, &["keepttl", "prefetch", "serve_stale"]))
            }
            _ => Err(unknown(NAME, line, &[])),
        }
    }
}

impl Limits {
    fn read(&mut self, line: &Directive) -> Result<(), CorefileError> {
        let words = &line.arguments[..];
        if words.is_empty() || words.len() > 3 {
            return Err(line.count());
        }
        self.capacity = number(NAME, line, &words[0])?;
        if let Some(word) = words.get(1) {
            self.longest = seconds(line, word)?;
        }
        if let Some(word) = words.get(2) {
            self.shortest = seconds(line, word)?;
        }
        Ok(())
    }
}

fn seconds(line: &Directive, word: &str) -> Result<u32, CorefileError> {
    let seconds = duration(NAME, line, word)?.as_secs();
    u32::try_from(seconds).map_err(|_| bad(NAME, line, format!("invalid duration {word:?}")))
}

/// Answers by question, and by whether the client asked for signatures.
#[derive(Debug)]
pub(crate) struct Cache {
    settings: Settings,
    kept: HashMap<Key, Kept>,
    counts: HashMap<Kind, usize>,
}

type Key = (String, RecordType, bool);

#[derive(Debug)]
struct Kept {
    answer: Answer,
    kind: Kind,
    until: Instant,
}

impl Cache {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            kept: HashMap::new(),
            counts: HashMap::new(),
        }
    }

    /// Whether a name's answers are kept at all.
    pub(crate) fn takes(&self, name: &str) -> bool {
        longest(name, &self.settings.zones).is_some()
    }

    /// How many answers of a kind are kept.
    pub(crate) fn count(&self, kind: Kind) -> usize {
        self.counts.get(&kind).copied().unwrap_or_default()
    }

    /// An answer that is still good, with the time that is left to it, under the name as it is asked now.
    pub(crate) fn get(
        &mut self,
        question: &Question,
        signed: bool,
        now: Instant,
    ) -> Option<(Kind, Answer)> {
        let key = (question.text.clone(), question.kind, signed);
        let kept = self.kept.get(&key)?;
        if kept.until <= now {
            self.remove(&key);
            return None;
        }
        let mut answer = kept.answer.clone();
        // Rounded up: what is kept still holds.
        let left = kept.until - now + Duration::from_nanos(999_999_999);
        cap(
            &mut answer,
            u32::try_from(left.as_secs()).unwrap_or(LONGEST),
        );
        // Some stub resolvers throw away what isn't.
        answer.authoritative = true;
        for record in &mut answer.answers {
            if record.name == question.name {
                record.name = question.name.clone();
            }
        }
        Some((kept.kind, answer))
    }

    /// Keeps an answer, if it is to be kept, and limits how long the client may.
    pub(crate) fn put(
        &mut self,
        question: &Question,
        signed: bool,
        answer: &mut Answer,
        now: Instant,
    ) {
        let (kind, seconds) = match class(answer) {
            Class::Success => (Kind::Success, self.settings.success.hold(answer)),
            Class::Denial => (Kind::Denial, self.settings.denial.hold(answer)),
            Class::Failure => (Kind::Denial, self.settings.failure),
            Class::Other => return,
        };
        cap(answer, seconds);
        let limits = match kind {
            Kind::Success => &self.settings.success,
            Kind::Denial => &self.settings.denial,
        };
        let excepted = limits
            .except
            .iter()
            .any(|zone| within(&question.text, zone));
        if seconds == 0 || answer.truncated || excepted || limits.capacity == 0 {
            return;
        }
        let capacity = limits.capacity;
        let key = (question.text.clone(), question.kind, signed);
        self.remove(&key);
        if self.count(kind) >= capacity {
            self.make_room(kind, now);
        }
        let kept = Kept {
            answer: answer.clone(),
            kind,
            until: now + Duration::from_secs(u64::from(seconds)),
        };
        self.kept.insert(key, kept);
        *self.counts.entry(kind).or_default() += 1;
    }

    /// Drops what is no longer good, and some answer, if nothing is.
    fn make_room(&mut self, kind: Kind, now: Instant) {
        let old: Vec<_> = self
            .kept
            .iter()
            .filter(|(_, kept)| kept.kind == kind && kept.until <= now)
            .map(|(key, _)| key.clone())
            .collect();
        let any = || self.kept.iter().find(|(_, kept)| kept.kind == kind);
        let some = match old.is_empty() {
            true => any().map(|(key, _)| key.clone()),
            false => None,
        };
        for key in old.into_iter().chain(some) {
            self.remove(&key);
        }
    }

    fn remove(&mut self, key: &Key) {
        if let Some(kept) = self.kept.remove(key)
            && let Some(count) = self.counts.get_mut(&kept.kind)
        {
            *count = count.saturating_sub(1);
        }
    }
}

impl Limits {
    /// How long an answer is kept.
    fn hold(&self, answer: &Answer) -> u32 {
        let shortest = answer.records().map(|record| record.ttl).min();
        let ttl = shortest.unwrap_or(SHORTEST);
        ttl.min(LONGEST).max(self.shortest).min(self.longest)
    }
}

enum Class {
    Success,
    Denial,
    Failure,
    Other,
}

fn class(answer: &Answer) -> Class {
    let mut authorities = answer.authorities.iter();
    let told = authorities.any(|record| matches!(record.data, RData::SOA(_)));
    match answer.code {
        ResponseCode::NoError if !answer.answers.is_empty() => Class::Success,
        ResponseCode::NoError | ResponseCode::NXDomain if told => Class::Denial,
        ResponseCode::NoError => Class::Success,
        // That nobody answered isn't kept; that somebody failed is.
        ResponseCode::ServFail | ResponseCode::NotImp if !answer.plugin.is_empty() => {
            Class::Failure
        }
        _ => Class::Other,
    }
}

/// Gives all records the same time to live.
fn cap(answer: &mut Answer, seconds: u32) {
    for record in answer.records_mut() {
        record.ttl = seconds;
    }
}
