//! A thread that writes to the store, so that the disk and the kernel work at the same time.

use crate::store::{Store, StoreError};
use aws::model::RecordChange;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Changes on their way to the disk, and where to say how it went.
struct Order {
    changes: Arc<[RecordChange]>,
    done: mpsc::SyncSender<Written>,
}

/// How the writing of a group of changes went.
pub(super) struct Written {
    /// Whether all of them are on the disk; else none is.
    pub(super) outcome: Result<(), StoreError>,
    /// How long it took.
    pub(super) took: Duration,
}

/// Writes to a store by a thread that ends with it.
pub(super) struct Committer {
    /// Where orders go; without it the thread ends.
    orders: Option<mpsc::Sender<Order>>,
    thread: Option<JoinHandle<()>>,
    store: Arc<Store>,
}

impl Committer {
    pub(super) fn new(store: Arc<Store>) -> Self {
        let (orders, taken) = mpsc::channel::<Order>();
        let own = store.clone();
        let thread = thread::Builder::new().name("store".to_owned());
        let thread = thread.spawn(move || {
            for Order { changes, done } in taken {
                // Whoever ordered waits for it, unless it is ending.
                let _ = done.send(commit(&own, &changes));
            }
        });
        if let Err(error) = &thread {
            tracing::warn!(%error, "no thread for the store: commits take their turn");
        }
        Self {
            orders: Some(orders),
            thread: thread.ok(),
            store,
        }
    }

    /// Commits changes while `meanwhile` is done, and says how both went.
    pub(super) fn commit<T>(
        &self,
        changes: Vec<RecordChange>,
        meanwhile: impl FnOnce() -> T,
    ) -> (Written, T) {
        let changes: Arc<[RecordChange]> = changes.into();
        let (done, written) = mpsc::sync_channel(1);
        let order = Order {
            changes: changes.clone(),
            done,
        };
        if let Some(orders) = &self.orders {
            // An order that nobody takes is dropped, and its `done` with it.
            let _ = orders.send(order);
        }
        let value = meanwhile();
        // Without the thread it is written here. Were it written already, the same again is no harm.
        let written = written
            .recv()
            .unwrap_or_else(|_| commit(&self.store, &changes));
        (written, value)
    }
}

impl Drop for Committer {
    /// Nothing holds the store when this is over.
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // It can't have panicked with work undone: every order was waited for.
            let _ = thread.join();
        }
    }
}

fn commit(store: &Store, changes: &[RecordChange]) -> Written {
    let begun = Instant::now();
    let outcome = store.commit(changes);
    Written {
        outcome,
        took: begun.elapsed(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// OPS-STATE: when `commit` returns the records are in the file, and what was to be done meanwhile
    /// is done.
    #[test]
    fn what_is_committed_is_in_the_store() {
        let name = format!("skylab-committer-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let store = Arc::new(Store::open(&path).unwrap());
        let committer = Committer::new(store.clone());
        for number in 0..3 {
            let change = RecordChange {
                table: "vpcs".into(),
                key: format!("k{number}"),
                value: Some(vec![number]),
            };
            let (written, value) = committer.commit(vec![change], || number);
            written.outcome.unwrap();
            assert_eq!(value, number);
            assert_eq!(store.load().unwrap().len(), usize::from(number) + 1);
        }
        drop((committer, store));
        std::fs::remove_file(&path).unwrap();
    }
}
