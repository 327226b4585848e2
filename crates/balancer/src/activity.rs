//! When somebody last said something on a connection, and how much was said.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// What happens on a client's connection.
#[derive(Debug)]
pub(crate) struct Activity {
    /// Nanoseconds since the start of the program.
    last: AtomicU64,
    read: AtomicU64,
    written: AtomicU64,
    /// How many of its requests wait for a member's answer.
    waiting: AtomicUsize,
    /// How many of its requests aren't answered to the end.
    unanswered: AtomicUsize,
    /// Whether what was written last had to wait.
    blocked: AtomicBool,
}

impl Activity {
    /// A connection that was made just now.
    pub(crate) fn new() -> Self {
        Self {
            last: AtomicU64::new(now()),
            read: AtomicU64::new(0),
            written: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            unanswered: AtomicUsize::new(0),
            blocked: AtomicBool::new(false),
        }
    }

    /// Bytes came.
    pub(crate) fn has_read(&self, bytes: usize) {
        self.read.fetch_add(bytes as u64, Ordering::Relaxed);
        self.last.store(now(), Ordering::Relaxed);
    }

    /// Bytes went.
    pub(crate) fn has_written(&self, bytes: usize) {
        self.written.fetch_add(bytes as u64, Ordering::Relaxed);
        self.last.store(now(), Ordering::Relaxed);
    }

    /// How many bytes came.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// How many bytes went.
    pub(crate) fn bytes_written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// What is written has to wait, or no longer.
    pub(crate) fn set_blocked(&self, blocked: bool) {
        self.blocked.store(blocked, Ordering::Relaxed);
    }

    /// A request came.
    pub(crate) fn begin(&self) {
        self.unanswered.fetch_add(1, Ordering::Relaxed);
    }

    /// It is answered to the end, or given up.
    pub(crate) fn end(&self) {
        self.unanswered.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether all requests are answered and all answers written.
    pub(crate) fn is_quiet(&self) -> bool {
        self.unanswered.load(Ordering::Relaxed) == 0 && !self.blocked.load(Ordering::Relaxed)
    }

    /// For how long nothing was said.
    pub(crate) fn silent_for(&self) -> Duration {
        let last = self.last.load(Ordering::Relaxed);
        Duration::from_nanos(now().saturating_sub(last))
    }

    /// A request waits for a member's answer, for as long as the guard lives: then the member's silence
    /// counts, and not the client's.
    pub(crate) fn wait(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(self)
    }

    /// Whether a request waits for a member's answer.
    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }
}

/// A request that waits for a member's answer.
pub(crate) struct Waiting<'a>(&'a Activity);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
        self.0.last.store(now(), Ordering::Relaxed);
    }
}

fn now() -> u64 {
    // A program runs for less than 584 years.
    START.elapsed().as_nanos() as u64
}
