//! The threads that carry connections.
//!
//! Each has a runtime of its own and keeps the connections that it took: nothing moves between
//! threads, and a member's idle connections wait on the thread that will use them.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;

thread_local! {
    static NUMBER: Cell<usize> = const { Cell::new(0) };
}

/// Threads that carry connections; they end when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Workers {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    handles: Vec<Handle>,
    threads: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
}

impl Workers {
    /// Starts threads, at least one.
    ///
    /// # Errors
    /// The system has no more threads, or no more descriptors.
    pub fn start(count: usize) -> io::Result<Self> {
        let (stop, _) = watch::channel(false);
        let mut inner = Inner {
            handles: Vec::new(),
            threads: Vec::new(),
            stop,
        };
        for number in 0..count.max(1) {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            inner.handles.push(runtime.handle().clone());
            let mut stopped = inner.stop.subscribe();
            let work = move || {
                NUMBER.set(number);
                // It fails if the sender is gone, which ends the thread as well.
                let _ = runtime.block_on(stopped.wait_for(|stopped| *stopped));
                runtime.shutdown_background();
            };
            let name = format!("balancer-{number}");
            let thread = std::thread::Builder::new().name(name).spawn(work)?;
            inner.threads.push(thread);
        }
        let inner = Arc::new(inner);
        Ok(Self { inner })
    }

    /// How many they are.
    pub fn count(&self) -> usize {
        self.inner.handles.len()
    }

    /// Has one of them carry something out.
    pub(crate) fn spawn(&self, worker: usize, task: impl Future<Output = ()> + Send + 'static) {
        self.inner.handles[worker % self.count()].spawn(task);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        let own = std::thread::current().id();
        for thread in self.threads.drain(..) {
            // A worker that drops the last clone itself can't wait for its own end.
            if thread.thread().id() != own {
                drop(thread.join());
            }
        }
    }
}

/// The number of the worker that asks; 0 on other threads.
pub(crate) fn current() -> usize {
    NUMBER.get()
}
