//! A member as a node knows it.

use super::{Shared, Upstream};
use crate::workers;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How many idle connections to a member a worker keeps.
const KEPT: usize = 1024;

/// How long an idle connection is kept. The time is ours: AWS documents none.
const LASTS: Duration = Duration::from_secs(60);

/// A member as a node knows it. It outlives changes of the pool's words.
pub(crate) struct Member {
    /// Where it is.
    pub(crate) address: SocketAddr,
    /// Requests or connections that it has now.
    outstanding: AtomicUsize,
    /// When it became healthy, if its share grows slowly.
    since: Mutex<Option<Instant>>,
    /// What each worker has to it.
    lines: Box<[Lines]>,
    /// Whether it left the pool.
    gone: watch::Sender<bool>,
}

#[derive(Default)]
struct Lines {
    idle: Mutex<Vec<Upstream>>,
    shared: Mutex<Option<Shared>>,
}

impl Member {
    /// A member that is new to the node.
    pub(crate) fn new(address: SocketAddr, workers: usize) -> Self {
        let lines = || Lines::default();
        Self {
            address,
            outstanding: AtomicUsize::new(0),
            since: Mutex::new(None),
            lines: std::iter::repeat_with(lines).take(workers.max(1)).collect(),
            gone: watch::Sender::new(false),
        }
    }

    fn lines(&self) -> &Lines {
        &self.lines[workers::current() % self.lines.len()]
    }

    /// An idle connection of this worker's that still is open.
    pub(crate) fn idle(&self) -> Option<Upstream> {
        loop {
            let mut upstream = lock(&self.lines().idle).pop()?;
            if upstream.is_usable(&mut Context::from_waker(Waker::noop())) {
                return Some(upstream);
            }
        }
    }

    /// Keeps a connection for the next request.
    pub(crate) fn keep(&self, upstream: Upstream) {
        if *self.gone.borrow() {
            return;
        }
        let mut idle = lock(&self.lines().idle);
        if idle.len() < KEPT {
            idle.push(upstream);
        }
    }

    /// This worker's connection for many requests, if there is one.
    pub(crate) fn shared(&self) -> Option<Shared> {
        let mut shared = lock(&self.lines().shared);
        if shared.as_ref().is_some_and(|one| one.is_closed()) {
            *shared = None;
        }
        shared.clone()
    }

    /// Keeps a connection for many requests.
    pub(crate) fn share(&self, with: Shared) {
        *lock(&self.lines().shared) = Some(with);
    }

    /// Closes idle connections of this worker's that the member closed or nobody used for a time.
    pub(crate) fn sweep(&self, context: &mut Context<'_>) {
        let mut idle = std::mem::take(&mut *lock(&self.lines().idle));
        idle.retain_mut(|one| one.idle_for() < LASTS && one.is_usable(context));
        let mut now = lock(&self.lines().idle);
        // Those that came meanwhile were used last, so they stay on top.
        idle.append(&mut now);
        *now = idle;
    }

    /// Closes all idle connections: it gets no new requests.
    pub(crate) fn close_idle(&self) {
        for lines in &self.lines {
            let idle = std::mem::take(&mut *lock(&lines.idle));
            drop(idle);
            *lock(&lines.shared) = None;
        }
    }

    /// Says that it left its pool.
    pub(crate) fn leave(&self) {
        self.gone.send_replace(true);
        self.close_idle();
    }

    /// Waits until it leaves its pool.
    pub(crate) async fn left(&self) {
        let mut gone = self.gone.subscribe();
        // The sender lives as long as this does.
        let _ = gone.wait_for(|gone| *gone).await;
    }

    /// How many requests or connections it has.
    pub(crate) fn outstanding(&self) -> usize {
        self.outstanding.load(Ordering::Relaxed)
    }

    /// It has become healthy, and its share grows from now on.
    pub(crate) fn begin_slowly(&self, now: Instant) {
        *lock(&self.since) = Some(now);
    }

    /// Its part of a full share now: 1, or less while it starts slowly.
    pub(crate) fn share_of_full(&self, slow_start: Duration, now: Instant) -> f64 {
        let Some(since) = *lock(&self.since) else {
            return 1.0;
        };
        let passed = now.saturating_duration_since(since);
        if passed >= slow_start {
            1.0
        } else {
            passed.as_secs_f64() / slow_start.as_secs_f64()
        }
    }
}

/// A request or connection that a member has, for as long as this lives.
pub(crate) struct Outstanding(Arc<Member>);

impl Outstanding {
    /// One more.
    pub(crate) fn with(member: Arc<Member>) -> Self {
        member.outstanding.fetch_add(1, Ordering::Relaxed);
        Self(member)
    }

    /// Whose it is.
    pub(crate) fn member(&self) -> &Arc<Member> {
        &self.0
    }
}

impl Drop for Outstanding {
    fn drop(&mut self) {
        self.0.outstanding.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A lock that nobody can leave broken: what it holds is whole after every statement.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
