//! The one task that owns the account's state: it applies changes in order, stores them, compiles
//! them and gives them to the kernel, and only then answers.
//!
//! Requests that wait together share one commit and one application. A refused request is answered
//! at once and changes nothing. Readers never come here: they take the published [`Snapshot`].

mod committer;
mod group;
mod health;
mod owner;
mod packets;

pub use health::{Health, Trouble};
pub(crate) use owner::unix_time;

use crate::internet::PlaceError;
use crate::metrics::Metrics;
use crate::store::{Store, StoreError};
use aws::model::{Pace, State};
use fabric::{Fabric, HostId, NetworkId};
use kernel::{Engine, NetNs};
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use tokio::sync::{oneshot, watch};

/// The account and the fabric it compiles to, the lab's internet with it, at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The account.
    pub state: State,
    /// The fabric, as it was given to the kernel.
    pub fabric: Fabric,
}

/// Where the owner's work goes.
pub struct Backing {
    /// What survives.
    pub store: Arc<Store>,
    /// What forwards; `None` with `--packets none`.
    pub engine: Option<Box<dyn FnOnce() -> Engine + Send>>,
}

/// What the lab's flags say of the clouds.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// How fast the clouds' own waiting passes.
    pub pace: Pace,
    /// Whether the clouds' default quotas hold.
    pub quotas: bool,
}

/// Why a change could not be carried out, though the cloud's rules allowed it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It could not be stored: nothing was changed.
    #[error("the change could not be stored: {0}")]
    Store(String),
    /// The lab is ending.
    #[error("the lab is ending")]
    Ending,
}

/// Gives the outcome of a change to whoever asked for it.
type Reply = Box<dyn FnOnce(Result<(), Failure>) + Send>;

/// From the state, a new one or none, and whom to tell.
type Operation = Box<dyn FnOnce(&State) -> (Option<State>, Reply) + Send>;

/// Work for the owner.
enum Work {
    /// A request.
    Change {
        request: String,
        operation: Operation,
    },
    /// A place on the internet is wanted.
    Place {
        address: Ipv4Addr,
        reply: oneshot::Sender<Result<(), PlaceError>>,
    },
    /// Something of the lab's own in the fabric, to be or to go.
    Arrange {
        what: &'static str,
        arrangement: Box<dyn FnOnce(&mut Fabric) + Send>,
        reply: oneshot::Sender<()>,
    },
    /// A host gets a fresh network stack.
    Renew {
        host: HostId,
        reply: oneshot::Sender<()>,
    },
    /// A look at what the kernel has.
    Look(Box<dyn FnOnce(&Engine) + Send>),
    /// Finish what waits, then end.
    End,
}

/// A handle on the owner.
#[derive(Clone)]
pub struct Cloud {
    queue: mpsc::Sender<Work>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    health: Health,
    metrics: Metrics,
    packets: bool,
}

/// The owner's thread.
pub struct Owner {
    thread: JoinHandle<()>,
    queue: mpsc::Sender<Work>,
}

impl Owner {
    /// Ends the thread after what waits is done.
    pub fn end(self) {
        // If the thread is gone already there is nothing to end.
        let _ = self.queue.send(Work::End);
        let _ = self.thread.join();
    }
}

/// Starts the owner of a state: gives the whole of it to the kernel, then takes changes.
///
/// # Errors
/// No thread can be made.
pub fn start(state: State, backing: Backing, rules: Rules) -> io::Result<(Cloud, Owner)> {
    let (queue, work) = mpsc::channel();
    let packets = backing.engine.is_some();
    let health = Health::default();
    let fabric = owner::whole_fabric(&state);
    let (publish, snapshots) = watch::channel(Arc::new(Snapshot { state, fabric }));
    let metrics = Metrics::default();
    let (seen, measured) = (health.clone(), metrics.clone());
    let (ready, started) = mpsc::channel();
    let thread = thread::Builder::new()
        .name("cloud".to_owned())
        .spawn(move || {
            owner::Owned::new(publish, backing, seen, measured, rules).run(&work, || {
                // Whoever started the thread may be gone; the work goes on.
                let _ = ready.send(());
            });
        })?;
    // Packets flow before the first request is taken.
    let _ = started.recv();
    let cloud = Cloud {
        queue: queue.clone(),
        snapshots,
        health,
        metrics,
        packets,
    };
    Ok((cloud, Owner { thread, queue }))
}

impl Cloud {
    /// The newest snapshot: everything that was acknowledged is in it.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshots.borrow().clone()
    }

    /// Snapshots as they come.
    pub fn snapshots(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshots.clone()
    }

    /// What goes wrong at present.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// What the lab counts and measures.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Whether the lab forwards packets.
    pub fn packets(&self) -> bool {
        self.packets
    }

    /// Carries out a request: `operation` sees the state and gives its answer, with the new state
    /// if it changed something. The answer is returned when the change is stored and packets obey
    /// it. `request` is the id that its log lines carry.
    ///
    /// # Errors
    /// The change could not be stored, or the lab is ending; then nothing was changed.
    pub async fn change<T: Send + 'static>(
        &self,
        request: &str,
        operation: impl FnOnce(&State) -> (Option<State>, T) + Send + 'static,
    ) -> Result<T, Failure> {
        let (answer, answered) = oneshot::channel();
        let operation = move |state: &State| -> (Option<State>, Reply) {
            let (changed, value) = operation(state);
            // A caller that went away needs no answer.
            let reply = move |outcome: Result<(), Failure>| {
                let _ = answer.send(outcome.map(|()| value));
            };
            (changed, Box::new(reply))
        };
        let work = Work::Change {
            request: request.to_owned(),
            operation: Box::new(operation),
        };
        self.queue.send(work).map_err(|_| Failure::Ending)?;
        answered.await.map_err(|_| Failure::Ending)?
    }

    /// Makes a place on the internet, unless it is there.
    ///
    /// # Errors
    /// The address can't be a place; or the lab is ending.
    pub async fn place(&self, address: Ipv4Addr) -> Result<Result<(), PlaceError>, Failure> {
        let (reply, answered) = oneshot::channel();
        self.queue
            .send(Work::Place { address, reply })
            .map_err(|_| Failure::Ending)?;
        answered.await.map_err(|_| Failure::Ending)
    }

    /// Changes what the lab itself has in the fabric, beside what accounts compile to: places on its
    /// internet, clusters' networks. It must be the same again when the lab comes back; no store keeps
    /// it. When this returns, packets obey it. `what` is for the log.
    ///
    /// # Errors
    /// The lab is ending.
    pub async fn arrange(
        &self,
        what: &'static str,
        arrangement: impl FnOnce(&mut Fabric) + Send + 'static,
    ) -> Result<(), Failure> {
        let (reply, answered) = oneshot::channel();
        let work = Work::Arrange {
            what,
            arrangement: Box::new(arrangement),
            reply,
        };
        self.queue.send(work).map_err(|_| Failure::Ending)?;
        answered.await.map_err(|_| Failure::Ending)
    }

    /// Gives a host a fresh network stack, as a reboot does. Nothing may run in the old one.
    pub async fn renew(&self, host: HostId) {
        let (reply, answered) = oneshot::channel();
        if self.queue.send(Work::Renew { host, reply }).is_ok() {
            // A lab that is ending renews nothing.
            let _ = answered.await;
        }
    }

    /// The namespace of a running host; `None` when there is none, or no packets.
    pub async fn host(&self, id: HostId) -> Option<Arc<NetNs>> {
        self.look(move |engine| engine.host(&id)).await
    }

    /// The namespace of a network; `None` when there is none, or no packets.
    pub async fn network(&self, id: NetworkId) -> Option<Arc<NetNs>> {
        self.look(move |engine| engine.network(&id)).await
    }

    /// Asks the engine something.
    pub async fn look<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Engine) -> Option<T> + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        let look = Work::Look(Box::new(move |engine| {
            let _ = answer.send(question(engine));
        }));
        self.queue.send(look).ok()?;
        answered.await.ok()?
    }
}

/// The state that a store holds; a new account, with its default VPCs, in an empty one.
///
/// # Errors
/// The store can't be read or written, or a record is not of this version.
pub fn restore(
    store: &Store,
    new: impl FnOnce() -> io::Result<State>,
) -> Result<State, RestoreError> {
    let mut records = store.load()?;
    // Clusters look after their own.
    records.retain(|record| !record.table.starts_with(crate::clusters::TABLES));
    if records.is_empty() {
        let state = new()?;
        store.commit(&state.changes(&State::empty(unset())))?;
        return Ok(state);
    }
    let mut state = State::empty(unset());
    for record in &records {
        state.load(&record.table, &record.key, &record.value)?;
    }
    Ok(state)
}

/// Settings that no account has, so that a new account's are always written.
fn unset() -> aws::model::Settings {
    aws::model::Settings {
        account: String::new(),
        seed: 0,
    }
}

/// Why a state can't be restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A record can't be read back.
    #[error("{0}; use the Skylab that wrote it, or `skylab reset`")]
    Record(#[from] aws::model::state::LoadError),
    /// A new account could not be made.
    #[error("a new account could not be made: {0}")]
    New(#[from] io::Error),
}
