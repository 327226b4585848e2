//! What a node's tasks share.

use crate::config::{KubeletConfig, Means};
use crate::events::Recorder;
use crate::eviction::{Orders, Pressure};
use crate::library::Library;
use crate::reports::Reporter;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use tokio::sync::{Semaphore, oneshot, watch};

/// So many images are pulled at once.
const PULLS: usize = 4;

/// What a thread's stack holds at most.
const STACK: usize = 1 << 20;

/// What a node's tasks share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: KubeletConfig,
    pub(crate) means: Means,
    pub(crate) recorder: Recorder,
    pub(crate) reporter: Reporter,
    pub(crate) library: Library,
    /// Why sandboxes can't have a network, if they can't.
    pub(crate) network: watch::Sender<Option<String>>,
    /// The node's object, as the API had it last.
    pub(crate) node: watch::Sender<Option<Arc<Value>>>,
    /// How many seconds pods have for their end, once the node is shutting down.
    pub(crate) closing: watch::Sender<Option<u64>>,
    /// What the node is short of.
    pub(crate) pressure: watch::Sender<Pressure>,
    /// The pods that must go.
    pub(crate) orders: watch::Sender<Orders>,
    /// Where the node's server listens, once it does.
    pub(crate) served: watch::Sender<Option<SocketAddr>>,
    /// Counts what happened by itself in the runtime.
    pub(crate) happenings: watch::Sender<u64>,
    pub(crate) pulls: Semaphore,
}

impl Shared {
    pub(crate) fn new(
        config: KubeletConfig,
        means: Means,
        recorder: Recorder,
        reporter: Reporter,
    ) -> Self {
        let library = Library::new(means.client.clone());
        Self {
            config,
            means,
            recorder,
            reporter,
            library,
            network: watch::Sender::new(None),
            node: watch::Sender::new(None),
            closing: watch::Sender::new(None),
            pressure: watch::Sender::new(Pressure::default()),
            orders: watch::Sender::new(Orders::new()),
            served: watch::Sender::new(None),
            happenings: watch::Sender::new(0),
            pulls: Semaphore::new(PULLS),
        }
    }

    /// Does what blocks for long on a thread of its own, so that what blocks for a moment doesn't wait
    /// behind it.
    pub(crate) async fn lasting<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Means) -> T + Send + 'static,
    ) -> Option<T> {
        let means = self.means.clone();
        let (done, result) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("kubelet-work".to_owned())
            .stack_size(STACK)
            .spawn(move || {
                // Who asked may have gone away.
                let _ = done.send(work(&means));
            });
        thread
            .inspect_err(|error| tracing::error!(%error, "no thread"))
            .ok()?;
        result.await.ok()
    }

    /// Does what blocks on a thread for that, with what the node works with.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Means) -> T + Send + 'static,
    ) -> Option<T> {
        let means = self.means.clone();
        let done = tokio::task::spawn_blocking(move || work(&means)).await;
        done.inspect_err(|error| tracing::error!(%error, "a task failed"))
            .ok()
    }
}
