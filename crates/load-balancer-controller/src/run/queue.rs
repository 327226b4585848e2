//! When each thing is looked at: when it changed, when it failed some time ago, and now and then.

use super::Job;
use crate::failure::Failure;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long after a failure something is looked at again; it doubles with each.
const RETRY: Duration = Duration::from_secs(1);
/// It doubles no further.
const SLOWEST: Duration = Duration::from_secs(300);
/// What only takes time is looked at again so soon.
const SOON: Duration = Duration::from_millis(500);
/// Nothing is waited for longer.
const LONGEST: Duration = Duration::from_secs(3600);

/// When something that was done is looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// When it changes.
    Change,
    /// After some time.
    Time(Duration),
}

#[derive(Debug, Default)]
struct Slot {
    wanted: u64,
    /// What it was when it was looked at last.
    seen: Option<u64>,
    running: bool,
    failures: u32,
    again: Option<Instant>,
}

/// What is to be looked after.
#[derive(Debug)]
pub(super) struct Queue {
    slots: BTreeMap<Job, Slot>,
    /// So many of a kind at once.
    concurrent: usize,
    resync: Duration,
}

fn kind(job: &Job) -> std::mem::Discriminant<Job> {
    std::mem::discriminant(job)
}

impl Queue {
    pub(super) fn new(concurrent: usize, resync: Duration) -> Self {
        Self {
            slots: BTreeMap::new(),
            concurrent: concurrent.max(1),
            resync,
        }
    }

    /// Takes in what is to be looked after now.
    pub(super) fn want(&mut self, jobs: BTreeMap<Job, u64>) {
        self.slots
            .retain(|job, slot| slot.running || jobs.contains_key(job));
        for (job, wanted) in jobs {
            self.slots.entry(job).or_default().wanted = wanted;
        }
    }

    /// The next to be looked at now.
    pub(super) fn next(&mut self) -> Option<Job> {
        let now = Instant::now();
        let running = |of: &Job| {
            let slots = self.slots.iter();
            let same = slots.filter(|(job, slot)| slot.running && kind(job) == kind(of));
            same.count()
        };
        let due = |slot: &Slot| {
            // What failed waits, unless it changed.
            slot.seen != Some(slot.wanted) || slot.again.is_some_and(|at| at <= now)
        };
        let found = self
            .slots
            .iter()
            .find(|(job, slot)| !slot.running && due(slot) && running(job) < self.concurrent);
        let job = found.map(|(job, _)| job.clone())?;
        let slot = self.slots.entry(job.clone()).or_default();
        slot.running = true;
        slot.seen = Some(slot.wanted);
        slot.again = None;
        Some(job)
    }

    /// Takes in what came of one.
    pub(super) fn finished(&mut self, job: &Job, outcome: Result<After, Failure>) {
        let resync = self.resync;
        let Some(slot) = self.slots.get_mut(job) else {
            return;
        };
        slot.running = false;
        let pause = match outcome {
            Ok(after) => {
                slot.failures = 0;
                match after {
                    After::Change => resync,
                    After::Time(pause) => pause,
                }
            }
            Err(error) if error.is_conflict() => {
                tracing::debug!(?job, %error, "looked at again");
                SOON
            }
            Err(Failure::Waiting(why)) => {
                tracing::debug!(?job, why, "looked at again");
                SOON
            }
            Err(error) => {
                tracing::error!(?job, %error, "Reconciler error");
                let pause = RETRY * 2_u32.saturating_pow(slot.failures.min(9));
                slot.failures += 1;
                pause.min(SLOWEST)
            }
        };
        slot.again = Some(Instant::now() + pause);
    }

    /// How long nothing has to be looked at unless something changes.
    pub(super) fn pause(&self) -> Duration {
        let waiting = self.slots.values().filter(|slot| !slot.running);
        let next = waiting.filter_map(|slot| slot.again).min();
        next.map_or(LONGEST, |at| {
            at.saturating_duration_since(Instant::now()).min(LONGEST)
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// AWS-LBC: something is looked at when it changed, by one task at a time.
    #[test]
    fn changes_are_looked_at_once() {
        let job = || Job::Binding("a/b".to_owned());
        let mut queue = Queue::new(3, LONGEST);
        queue.want(BTreeMap::from([(job(), 1)]));
        assert_eq!(queue.next(), Some(job()));
        assert_eq!(queue.next(), None);
        queue.want(BTreeMap::from([(job(), 2)]));
        assert_eq!(queue.next(), None);
        queue.finished(&job(), Ok(After::Change));
        assert_eq!(queue.next(), Some(job()));
        queue.finished(&job(), Err(Failure::Other("no".to_owned())));
        assert_eq!(queue.next(), None);
        assert!(queue.pause() <= RETRY);
        queue.want(BTreeMap::new());
        assert_eq!(queue.pause(), LONGEST);
    }

    /// AWS-LBC: so many of a kind are looked at at once.
    #[test]
    fn a_kind_has_its_workers() {
        let mut queue = Queue::new(1, LONGEST);
        let jobs = ["a/a", "a/b"].map(|key| (Job::Binding(key.to_owned()), 0));
        queue.want(jobs.into_iter().chain([(Job::Backend, 0)]).collect());
        assert!(queue.next().is_some());
        assert!(queue.next().is_some());
        assert_eq!(queue.next(), None);
    }
}
