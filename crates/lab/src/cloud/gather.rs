//! How long a group of changes waits for others to share its commit.
//!
//! A commit costs the same for one change as for many. Callers that work at the same time each send their next change
//! when they have the last one's answer, so a group that is committed as soon as it can be leaves out those whose
//! answers have just gone out, and there are twice as many commits as need be. So a group waits a moment for as many as
//! are known to be at work. A caller that works alone is never waited for.

use std::time::{Duration, Instant};

/// A group waits no longer than this.
const PATIENCE: Duration = Duration::from_micros(200);
/// What comes so soon after a commit was sent while it went on.
const AT_ONCE: Duration = Duration::from_micros(30);

/// How many callers are at work, as far as their changes tell.
#[derive(Debug)]
pub(super) struct Gathering {
    /// As many changes are expected in a group.
    expected: usize,
    /// How many were in the group before, and when it was answered.
    before: Option<(usize, Instant)>,
    /// When this group began.
    begun: Instant,
    /// How many came without waiting.
    at_once: usize,
}

impl Gathering {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            expected: 1,
            before: None,
            begun: now,
            at_once: 0,
        }
    }

    /// A group begins with its first change.
    pub(super) fn begin(&mut self, now: Instant) {
        self.begun = now;
        self.at_once = 0;
    }

    /// How long a group of so many waits for another change, none of which is there now; `None` when it is complete.
    pub(super) fn patience(&mut self, len: usize, now: Instant) -> Option<Duration> {
        if self.at_once == 0 {
            self.at_once = len;
            self.learn();
        }
        if len == 0 || len >= self.expected {
            return None;
        }
        let waited = now.saturating_duration_since(self.begun);
        let left = PATIENCE.checked_sub(waited).filter(|left| !left.is_zero());
        if left.is_none() {
            self.nobody_came(len);
        }
        left
    }

    /// Time was up with so many in the group: fewer are at work by now.
    pub(super) fn nobody_came(&mut self, len: usize) {
        self.expected = len.max(1);
    }

    /// Whoever sent a change while the last group was committed is none of those whose answers were waited for.
    fn learn(&mut self) {
        if let Some((len, answered)) = self.before
            && self.begun.saturating_duration_since(answered) < AT_ONCE
        {
            self.expected = self.expected.max(len + self.at_once);
        }
    }

    /// A group of so many was answered.
    pub(super) fn answered(&mut self, len: usize, now: Instant) {
        self.before = Some((len, now));
        if len > self.expected {
            self.expected = len;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A_WHILE: Duration = Duration::from_millis(1);

    /// A caller that works alone is answered without waiting for others.
    #[test]
    fn who_works_alone_waits_for_nobody() {
        let mut now = Instant::now();
        let mut gathering = Gathering::new(now);
        for _ in 0..3 {
            now += A_WHILE;
            gathering.begin(now);
            assert_eq!(gathering.patience(1, now), None);
            gathering.answered(1, now);
        }
    }

    /// Callers that were seen to work at the same time share a commit, until they are fewer.
    #[test]
    fn who_works_together_shares_a_commit() {
        let mut now = Instant::now();
        let mut gathering = Gathering::new(now);
        gathering.begin(now);
        assert_eq!(gathering.patience(1, now), None);
        now += A_WHILE;
        gathering.answered(1, now);
        // Three more came while the first one's change was committed.
        gathering.begin(now);
        assert!(gathering.patience(3, now).is_some());
        assert_eq!(gathering.patience(4, now), None);
        now += A_WHILE;
        gathering.answered(4, now);
        now += A_WHILE;
        gathering.begin(now);
        assert!(gathering.patience(1, now).is_some());
        now += A_WHILE;
        assert_eq!(gathering.patience(2, now), None);
        gathering.answered(2, now);
        gathering.begin(now + A_WHILE);
        assert_eq!(gathering.patience(2, now + A_WHILE), None);
    }
}
