//! Waiting longer each time.

use std::time::{Duration, SystemTime};

/// The kubelet's times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// The first wait after a failure.
    pub(crate) first: Duration,
    /// The longest; after twice this time without one, failures are forgotten.
    pub(crate) longest: Duration,
    /// When something is tried again that has no back-off of its own.
    pub(crate) retry: Duration,
    /// How often volumes are brought up to date.
    pub(crate) refresh: Duration,
    /// By how much all of these are faster.
    pub(crate) pace: crate::Pace,
}

impl Limits {
    /// Upstream's: 10 s doubling to 5 min, 10 s, 1 min.
    pub(crate) const fn of(pace: crate::Pace) -> Self {
        Self {
            first: Duration::from_secs(10),
            longest: Duration::from_secs(300),
            retry: Duration::from_secs(10),
            refresh: Duration::from_secs(60),
            pace,
        }
    }

    /// When something that failed just now is tried again.
    pub(super) fn again(&self, now: SystemTime) -> SystemTime {
        now + self.pace.timer(self.retry)
    }
}

/// How long something stays down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Backoff {
    /// The wait, as it is told.
    pub(super) wait: Duration,
    /// When it was set.
    pub(super) set: SystemTime,
}

impl Backoff {
    /// The wait after one more failure at a time.
    pub(super) fn after(
        before: Option<Self>,
        failed: SystemTime,
        now: SystemTime,
        limits: &Limits,
    ) -> Self {
        let wait = match before.filter(|before| !before.expired(failed, limits)) {
            Some(before) => (before.wait * 2).min(limits.longest),
            None => limits.first,
        };
        Self { wait, set: now }
    }

    /// Until when it holds after a failure, if it does.
    pub(super) fn until(self, failed: SystemTime, limits: &Limits) -> Option<SystemTime> {
        if self.expired(failed, limits) {
            return None;
        }
        failed.checked_add(limits.pace.timer(self.wait))
    }

    /// Whether all was well for so long that a failure counts as the first.
    fn expired(self, failed: SystemTime, limits: &Limits) -> bool {
        let well = failed.duration_since(self.set).unwrap_or_default();
        well > limits.pace.timer(limits.longest * 2)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::Pace;
    use crate::clock::at;

    /// K8S-RUN: 10 s, doubled to 5 min, forgotten after 10 min without a crash.
    /// <https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy>
    #[test]
    fn waits_double_up_to_five_minutes() {
        let limits = Limits::of(Pace::REAL);
        let mut backoff = None;
        let mut now = at(0);
        let mut waits = Vec::new();
        for _ in 0..7 {
            let next = Backoff::after(backoff, now, now, &limits);
            waits.push(next.wait.as_secs());
            now = next.until(now, &limits).unwrap();
            backoff = Some(next);
        }
        assert_eq!(waits, [10, 20, 40, 80, 160, 300, 300]);
        let after = now + Duration::from_secs(601);
        assert_eq!(backoff.unwrap().until(after, &limits), None);
        let first = Backoff::after(backoff, after, after, &limits);
        assert_eq!(first.wait, limits.first);
    }

    #[test]
    fn a_fast_lab_waits_less_and_tells_the_same() {
        let limits = Limits::of(Pace {
            timers: 10,
            probes: 1,
        });
        let backoff = Backoff::after(None, at(0), at(0), &limits);
        assert_eq!(backoff.wait, Duration::from_secs(10));
        assert_eq!(backoff.until(at(0), &limits), Some(at(1)));
    }
}
