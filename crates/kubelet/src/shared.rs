//! What a node's tasks share.

use crate::config::{KubeletConfig, Means};
use crate::events::Recorder;
use crate::library::Library;
use crate::reports::Reporter;
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::{Semaphore, watch};

/// So many images are pulled at once.
const PULLS: usize = 4;

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
            happenings: watch::Sender::new(0),
            pulls: Semaphore::new(PULLS),
        }
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
