//! How long nothing has been carried.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// A clock that whoever carries something sets back.
pub(super) struct Idle {
    start: Instant,
    /// Milliseconds from the start.
    last: AtomicU64,
    limit: Duration,
}

impl Idle {
    pub(super) fn new(limit: Duration) -> Self {
        Self {
            start: Instant::now(),
            last: AtomicU64::new(0),
            limit,
        }
    }

    /// Something was carried.
    pub(super) fn touch(&self) {
        let elapsed = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(elapsed, Ordering::Relaxed);
    }

    /// Waits until nothing has been carried for the limit.
    pub(super) async fn expired(&self) {
        loop {
            let last = Duration::from_millis(self.last.load(Ordering::Relaxed));
            let due = self.start + last + self.limit;
            if Instant::now() >= due {
                return;
            }
            sleep_until(due).await;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tokio::time::{advance, timeout};

    #[tokio::test(start_paused = true)]
    async fn what_is_used_is_not_idle() {
        let limit = Duration::from_secs(60);
        let idle = Idle::new(limit);
        for _ in 0..3 {
            advance(Duration::from_secs(50)).await;
            idle.touch();
            let early = timeout(Duration::from_secs(1), idle.expired()).await;
            assert!(early.is_err());
        }
        advance(limit).await;
        timeout(Duration::from_secs(1), idle.expired())
            .await
            .unwrap();
    }
}
