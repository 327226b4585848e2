//! CloudFormation's stacks at work: the calls that they wait for are made, side by side, until none waits.
//!
//! They follow the published account, as everything does; a lab that was killed goes on where it was.

use crate::cloud::{Cloud, unix_time};
use crate::http::Api;
use aws::model::Pace;
use aws::model::cloudformation::at_work;
use cloudformation::Verdict;
use cloudformation::stack::{Due, Verb};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// How long after an answer that something is under way it is asked again.
const INTERVAL: Duration = Duration::from_millis(200);
/// How long something may be in the way, at the cloud's own pace, in seconds.
const PATIENCE: i64 = 600;
/// With nothing to ask, stacks are looked at this often: their time may be over.
const IDLE: Duration = Duration::from_secs(30);

/// What runs stacks.
pub(crate) struct Stacks {
    /// The account.
    pub(crate) cloud: Cloud,
    /// Its APIs.
    pub(crate) api: Arc<Api>,
    /// How fast the cloud's timers run.
    pub(crate) pace: Pace,
}

/// Which call of which resource of which stack.
type Key = (String, u32, Verb, usize);

/// A call that is made again and again.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    first: Instant,
    next: Instant,
}

/// A call that is due.
struct Job {
    key: Key,
    region: String,
    due: Due,
}

impl Stacks {
    /// Makes the calls that stacks wait for, until the lab ends.
    pub(crate) async fn follow(self) {
        let mut snapshots = self.cloud.snapshots();
        let mut attempts: HashMap<Key, Attempt> = HashMap::new();
        loop {
            let snapshot = snapshots.borrow_and_update().clone();
            let jobs = jobs(&snapshot.state);
            attempts.retain(|key, _| jobs.iter().any(|job| job.key == *key));
            self.end_late(&snapshot.state).await;
            drop(snapshot);
            let now = Instant::now();
            let (ready, waiting): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(|job| {
                attempts
                    .get(&job.key)
                    .is_none_or(|attempt| attempt.next <= now)
            });
            if !ready.is_empty() {
                self.make(ready, &mut attempts).await;
                continue;
            }
            let next = waiting
                .iter()
                .filter_map(|job| attempts.get(&job.key))
                .map(|of| of.next);
            let pause = next
                .min()
                .map_or(IDLE, |next| next.saturating_duration_since(now));
            let changed = tokio::select! {
                changed = snapshots.changed() => changed,
                () = tokio::time::sleep(pause) => Ok(()),
            };
            if changed.is_err() {
                return;
            }
        }
    }

    /// Makes calls side by side; those that have to be made again are remembered.
    async fn make(&self, jobs: Vec<Job>, attempts: &mut HashMap<Key, Attempt>) {
        let patience = Duration::from_secs(self.pace.timer(PATIENCE).unsigned_abs());
        let mut calls = JoinSet::new();
        for Job { key, region, due } in jobs {
            let begun = attempts.get(&key).map(|attempt| attempt.first);
            let late = begun.is_some_and(|first| first.elapsed() > patience);
            let api = self.api.clone();
            calls.spawn(async move {
                let verdict = api.on_behalf(&key.0, &region, due, late).await;
                (key, verdict)
            });
        }
        while let Some(done) = calls.join_next().await {
            // A call that panicked is made again.
            let Ok((key, verdict)) = done else {
                continue;
            };
            if let Verdict::Wait(why) | Verdict::Retry(why) = verdict {
                let now = Instant::now();
                let first = attempts.get(&key).map_or(now, |attempt| attempt.first);
                tracing::debug!(stack = key.0, why, "a stack waits");
                let next = now + INTERVAL;
                attempts.insert(key, Attempt { first, next });
            }
        }
    }

    async fn end_late(&self, state: &aws::model::State) {
        let now = unix_time();
        for stack in at_work(state) {
            let limit = stack.timeout_minutes.map(|minutes| i64::from(minutes) * 60);
            if limit.is_some_and(|limit| now - stack.begun > limit) {
                self.api.stack_time_out(&stack.id, &stack.region).await;
            }
        }
    }
}

fn jobs(state: &aws::model::State) -> Vec<Job> {
    at_work(state)
        .flat_map(|stack| {
            stack.due().into_iter().map(|due| Job {
                key: (stack.id.clone(), due.serial, due.verb, due.number),
                region: stack.region.clone(),
                due,
            })
        })
        .collect()
}
