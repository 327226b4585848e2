//! Probes: when a container is asked, and what its answers mean. A state machine without I/O.
//! <https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/>

pub(crate) mod grpc;

use crate::config::Pace;
use crate::lifecycle::{Health, Verdict};
use crate::pod::{Container, Probe};
use std::time::{Duration, SystemTime};

/// What a probe is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// Whether the container has started; until then the others don't ask.
    Startup,
    /// Whether it must be killed.
    Liveness,
    /// Whether it may be sent requests.
    Readiness,
}

impl Kind {
    /// Its name in events.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Startup => "Startup",
            Self::Liveness => "Liveness",
            Self::Readiness => "Readiness",
        }
    }

    /// A container's probe of this kind.
    pub(crate) fn of(self, container: &Container) -> Option<&Probe> {
        match self {
            Self::Startup => container.startup_probe.as_ref(),
            Self::Liveness => container.liveness_probe.as_ref(),
            Self::Readiness => container.readiness_probe.as_ref(),
        }
    }

    /// Puts what it says with what the others say.
    pub(crate) fn set(self, health: &mut Health, verdict: Verdict) {
        match self {
            Self::Startup => health.startup = verdict,
            Self::Liveness => health.liveness = verdict,
            Self::Readiness => health.readiness = verdict,
        }
    }
}

/// What a container answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// All is well.
    Success,
    /// All is well, but.
    Warning(String),
    /// It isn't.
    Failure(String),
    /// It couldn't be asked; that says nothing.
    Error(String),
}

/// One probe of one container.
#[derive(Clone, Debug)]
pub(crate) struct Tracker {
    kind: Kind,
    period: Duration,
    successes: u32,
    failures: u32,
    due: Option<SystemTime>,
    /// The last answer, and how often it came in a row.
    run: Option<(bool, u32)>,
}

impl Tracker {
    /// The probe of a container that runs since a time.
    pub(crate) fn new(kind: Kind, probe: &Probe, started: SystemTime, pace: Pace) -> Self {
        let seconds = |n: u64| Duration::from_secs(n);
        Self {
            kind,
            period: pace.probe(seconds(probe.period_seconds.max(1))),
            successes: probe.success_threshold.max(1),
            failures: probe.failure_threshold.max(1),
            due: Some(started + pace.probe(seconds(probe.initial_delay_seconds))),
            run: None,
        }
    }

    /// When the container is asked next; never, once the probe has had its last word.
    pub(crate) fn due(&self) -> Option<SystemTime> {
        self.due
    }

    /// Takes in an answer; gives what it says, if that is something.
    pub(crate) fn take(&mut self, answer: &Answer, now: SystemTime) -> Option<Verdict> {
        self.due = self.due.map(|due| (due + self.period).max(now));
        let well = match answer {
            Answer::Success | Answer::Warning(_) => true,
            Answer::Failure(_) => false,
            Answer::Error(_) => return None,
        };
        let times = match self.run {
            Some((before, times)) if before == well => times + 1,
            _ => 1,
        };
        self.run = Some((well, times));
        let needed = if well { self.successes } else { self.failures };
        if times < needed {
            return None;
        }
        let last_word = match self.kind {
            Kind::Startup => true,
            Kind::Liveness => !well,
            Kind::Readiness => false,
        };
        if last_word {
            self.due = None;
        }
        Some(if well {
            Verdict::Success
        } else {
            Verdict::Failure
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::clock::at;
    use serde_json::{Value, json};

    fn tracker(kind: Kind, probe: Value) -> Tracker {
        let probe: Probe = serde_json::from_value(probe).unwrap();
        Tracker::new(kind, &probe, at(100), Pace::REAL)
    }

    /// Answers of a probe, `+` and `-` (and `?` for none), and what it says to each: `S`, `F`, nothing.
    fn play(kind: Kind, probe: Value, answers: &str) -> String {
        let mut tracker = tracker(kind, probe);
        let mut said = String::new();
        for answer in answers.chars() {
            let Some(now) = tracker.due() else {
                said.push('.');
                continue;
            };
            let answer = match answer {
                '+' => Answer::Success,
                '-' => Answer::Failure(String::new()),
                _ => Answer::Error(String::new()),
            };
            said.push(match tracker.take(&answer, now) {
                None => ' ',
                Some(Verdict::Failure) => 'F',
                Some(_) => 'S',
            });
        }
        said
    }

    /// K8S-RUN: thresholds, and who has a last word.
    #[test]
    fn thresholds() {
        for (kind, probe, answers, said) in [
            (Kind::Readiness, json!({}), "+--+---+", "S  S  FS"),
            (
                Kind::Readiness,
                json!({"successThreshold": 2}),
                "+-++",
                "   S",
            ),
            (Kind::Liveness, json!({}), "+--+---+", "S  S  F."),
            (Kind::Liveness, json!({"failureThreshold": 1}), "-", "F"),
            (
                Kind::Startup,
                json!({"failureThreshold": 5}),
                "----+-",
                "    S.",
            ),
            (Kind::Startup, json!({"failureThreshold": 2}), "--+", " F."),
            (
                Kind::Readiness,
                json!({"failureThreshold": 2}),
                "-?-",
                "  F",
            ),
        ] {
            assert_eq!(
                play(kind, probe.clone(), answers),
                said,
                "{kind:?} {probe} {answers}"
            );
        }
    }

    /// K8S-RUN: the delay counts from the container's start, the period from one question to the
    /// next.
    #[test]
    fn questions_are_asked_in_time() {
        let mut tracker = tracker(
            Kind::Liveness,
            json!({"initialDelaySeconds": 5, "periodSeconds": 3}),
        );
        assert_eq!(tracker.due(), Some(at(105)));
        tracker.take(&Answer::Success, at(105));
        assert_eq!(tracker.due(), Some(at(108)));
        tracker.take(&Answer::Success, at(120));
        assert_eq!(tracker.due(), Some(at(120)), "it took long");
    }
}
