//! When whom to try.

use super::Target;
use std::time::{Duration, Instant};

/// When whom to try: each target at once when it is new, and then at its interval.
#[derive(Debug, Default)]
pub struct Schedule {
    entries: Vec<(Instant, Target)>,
}

impl Schedule {
    /// These are the targets from now on. Those that stay keep their time, unless they are tried in
    /// another way now.
    pub fn set(&mut self, targets: &[Target], now: Instant) {
        let mut old = std::mem::take(&mut self.entries);
        let entry = |target: &Target| {
            let place = old.iter().position(|(_, known)| known == target);
            let due = place.map_or(now, |place| old.swap_remove(place).0);
            (due, target.clone())
        };
        self.entries = targets.iter().map(entry).collect();
    }

    /// Those whose time has come; their next one is an interval later.
    pub fn due(&mut self, now: Instant) -> Vec<Target> {
        let mut due = Vec::new();
        for (at, target) in &mut self.entries {
            if *at <= now {
                let interval = Duration::from_secs(target.check.interval.max(1).into());
                // What was missed while nobody looked isn't made up for.
                *at = (*at + interval).max(now);
                due.push(target.clone());
            }
        }
        due
    }

    /// When the next one's time comes.
    pub fn next(&self) -> Option<Instant> {
        self.entries.iter().map(|(at, _)| *at).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fabric::balancer::{HealthCheck, Probe};

    fn target(member: &str, interval: u32) -> Target {
        Target {
            pool: "pool".into(),
            member: member.into(),
            port: 80,
            at: ([127, 0, 0, 1], 80).into(),
            check: HealthCheck {
                probe: Probe::Tcp,
                interval,
                timeout: 5,
                healthy_after: 3,
                unhealthy_after: 3,
            },
        }
    }

    fn names(due: &[Target]) -> Vec<&str> {
        due.iter().map(|target| target.member.as_str()).collect()
    }

    /// AWS-ALB: new targets are tried at once, each at its own interval, and others aren't disturbed.
    #[test]
    fn intervals() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut schedule = Schedule::default();
        schedule.set(&[target("a", 10)], start);
        assert_eq!(names(&schedule.due(start)), ["a"]);
        assert!(schedule.due(after(9)).is_empty());
        schedule.set(&[target("a", 10), target("b", 30)], after(9));
        assert_eq!(names(&schedule.due(after(9))), ["b"]);
        assert_eq!(schedule.next(), Some(after(10)));
        assert_eq!(names(&schedule.due(after(10))), ["a"]);
        schedule.set(&[target("b", 30)], after(11));
        assert!(schedule.due(after(25)).is_empty());
        assert_eq!(names(&schedule.due(after(39))), ["b"]);
    }
}
