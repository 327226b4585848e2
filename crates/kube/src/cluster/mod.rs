//! A running cluster's state: one thread owns it, stores every change before it is answered, and
//! publishes what there is. Readers and watchers never wait for writers.

mod asking;
mod bootstrap;

use crate::api::conversion::Asked;
use crate::api::{self, Answer, Answers, Context, Outcome, Request, Settings, Status, User};
use crate::audit::{Audit, Record, Source};
use crate::metrics::Metrics;
use crate::outward::Outward;
use crate::registry;
use crate::resource::Resource;
use crate::store::{Change, Store};
use imbl::Vector;
use serde_json::Value;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use tokio::sync::{oneshot, watch};

/// So many changes are kept for watches that begin in the past.
const KEPT: usize = 20_000;
/// So many requests share a commit at most.
const TOGETHER: usize = 64;
/// What is nested as deep as it may be is walked by functions that call themselves, and expressions are
/// evaluated so: room for the deepest, a few times over.
pub(crate) const STACK: usize = 16 << 20;
/// So many answers of webhooks one request waits for at most.
const MOST_ASKED: usize = 256;

/// Where changes survive.
pub trait Journal: Send {
    /// Writes changes, all or none; they survive when this returns.
    ///
    /// # Errors
    /// They can't be written; nothing was.
    fn commit(&self, changes: &[Change]) -> io::Result<()>;
}

/// Where randomness comes from.
pub type Entropy = fn() -> io::Result<[u8; 32]>;

/// What there is at one moment.
#[derive(Clone, Debug)]
pub struct Published {
    /// The objects.
    pub store: Store,
    /// The newest changes, in their order.
    pub history: Vector<Arc<Change>>,
    /// Changes up to this revision are no longer in the history.
    pub forgotten: u64,
}

/// A piece of the owner's work.
struct Work {
    attempt: Attempt,
    reply: oneshot::Sender<Result<Outcome, Status>>,
}

/// A request and all that its outcome depends on besides the objects: carried out again, it comes to the
/// same.
#[derive(Clone)]
struct Attempt {
    user: User,
    request: Request,
    now: i64,
    entropy: [u8; 32],
    answers: Answers,
}

/// A handle on a cluster.
#[derive(Clone)]
pub struct Cluster {
    settings: Arc<Settings>,
    queue: mpsc::Sender<Work>,
    published: watch::Receiver<Arc<Published>>,
    entropy: Entropy,
    clock: fn() -> i64,
    outward: Arc<Outward>,
    audit: Arc<dyn Audit>,
    metrics: Metrics,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// A cluster's parts.
pub struct Parts {
    /// What it is set to.
    pub settings: Settings,
    /// The objects it had; an empty store gets what every cluster has.
    pub store: Store,
    /// Where changes survive.
    pub journal: Box<dyn Journal>,
    /// Where randomness comes from.
    pub entropy: Entropy,
    /// Seconds since 1970.
    pub clock: fn() -> i64,
    /// How the API server calls kubelets, pods and webhooks.
    pub outward: Arc<Outward>,
    /// Where it is noted who did what.
    pub audit: Arc<dyn Audit>,
}

impl Cluster {
    /// Starts a cluster. Its thread ends when the last handle is gone.
    ///
    /// # Errors
    /// No thread can be made, or what every cluster has can't be stored.
    pub fn start(parts: Parts) -> io::Result<(Self, JoinHandle<()>)> {
        let Parts {
            settings,
            mut store,
            journal,
            entropy,
            clock,
            outward,
            audit,
        } = parts;
        bootstrap::fill(&mut store, &settings, clock(), entropy()?)?;
        let changes = store.take_changes();
        if !changes.is_empty() {
            journal.commit(&changes)?;
        }
        let forgotten = store.revision();
        let published = Published {
            store,
            history: Vector::new(),
            forgotten,
        };
        let (publish, seen) = watch::channel(Arc::new(published));
        let (queue, work) = mpsc::channel();
        let settings = Arc::new(settings);
        let metrics = Metrics::default();
        let owner = Owner {
            settings: settings.clone(),
            journal,
            publish,
            metrics: metrics.clone(),
        };
        let thread = thread::Builder::new()
            .name("cluster".to_owned())
            .stack_size(STACK)
            .spawn(move || owner.run(&work))?;
        let cluster = Self {
            settings,
            queue,
            published: seen,
            entropy,
            clock,
            outward,
            audit,
            metrics,
        };
        Ok((cluster, thread))
    }

    /// The cluster's settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Begins the record of a request.
    pub(crate) fn begin(&self, user: &User, request: &Request, source: &Source) -> Record {
        // Without randomness the request is refused, and its record needs no id of its own.
        let id = crate::audit::id(&(self.entropy)().unwrap_or_default());
        Record::begin(id, self.clock(), user, request, source)
    }

    /// Notes how a request was answered.
    pub(crate) fn end(
        &self,
        record: Record,
        outcome: Result<u16, &Status>,
        annotations: &[(String, String)],
        goes_on: bool,
    ) {
        let event = record.end(self.clock(), outcome, annotations, goes_on);
        self.audit.record(&event);
    }

    /// How the API server calls others.
    pub fn outward(&self) -> &Outward {
        &self.outward
    }

    /// What there is now: everything that was acknowledged is in it.
    pub fn now(&self) -> Arc<Published> {
        self.published.borrow().clone()
    }

    /// What there is, as it changes.
    pub fn follow(&self) -> watch::Receiver<Arc<Published>> {
        self.published.clone()
    }

    /// What pods and nodes use.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Seconds since 1970.
    pub fn clock(&self) -> i64 {
        (self.clock)()
    }

    /// Carries out a request. When this returns, what it changed is stored.
    ///
    /// # Errors
    /// Kubernetes' own; nothing has changed then.
    pub async fn request(&self, user: &User, request: Request) -> Result<Outcome, Status> {
        let mut attempt = Attempt {
            user: user.clone(),
            request,
            now: self.clock(),
            entropy: (self.entropy)().map_err(Status::internal)?,
            answers: Answers::default(),
        };
        loop {
            let outcome = self.attempt(&attempt).await?;
            let Answer::Questions(questions) = outcome.answer else {
                return Ok(outcome);
            };
            if attempt.answers.len() >= MOST_ASKED {
                let message = "the object changes faster than webhooks answer";
                return Err(Status::internal(message));
            }
            for (question, answer) in asking::ask(&self.outward, questions).await {
                attempt.answers.note(question, answer);
            }
        }
    }

    /// Objects of a kind in the version that it has here: a webhook is asked if one converts it.
    ///
    /// # Errors
    /// The webhook can't be asked, or refuses.
    pub(crate) async fn in_version(
        &self,
        resource: &Resource,
        objects: Vec<Arc<Value>>,
    ) -> Result<Vec<Arc<Value>>, Status> {
        let store = &self.now().store;
        // A definition that changed says anew who converts; one that is gone leaves the last word standing.
        let now = registry::by_path(store, &resource.group, &resource.version, &resource.plural);
        let resource = now.as_deref().unwrap_or(resource);
        let entropy = (self.entropy)().map_err(Status::internal)?;
        let version = resource.api_version();
        let asked = Asked::new(store, resource, &version, objects, &entropy)?;
        let Some(question) = asked.question.clone() else {
            return Ok(asked.into_objects());
        };
        let mut answers = asking::ask(&self.outward, vec![question]).await;
        let answer = answers.pop().map(|(_, answer)| answer);
        let answer = answer.unwrap_or_else(|| Err("nobody answered".to_owned()));
        asked.understand(resource, &answer)
    }

    async fn attempt(&self, attempt: &Attempt) -> Result<Outcome, Status> {
        if attempt.request.method == api::Method::Get {
            return attempt.carry_out(&self.now().store, &self.settings, &self.metrics);
        }
        let (reply, answered) = oneshot::channel();
        let attempt = attempt.clone();
        let ending = || Status::internal("the cluster is ending");
        let work = Work { attempt, reply };
        self.queue.send(work).map_err(|_| ending())?;
        answered.await.map_err(|_| ending())?
    }
}

impl Attempt {
    fn carry_out(
        &self,
        store: &Store,
        settings: &Settings,
        metrics: &Metrics,
    ) -> Result<Outcome, Status> {
        let context = Context {
            user: &self.user,
            now: self.now,
            entropy: self.entropy,
            settings,
            metrics,
            answers: &self.answers,
        };
        handle(store, &context, &self.request)
    }
}

/// Carries out a request. Should one meet a mistake of ours, it is refused and the cluster goes on.
fn handle(store: &Store, context: &Context<'_>, request: &Request) -> Result<Outcome, Status> {
    let carried = std::panic::catch_unwind(|| api::handle(store, context, request));
    carried.unwrap_or_else(|_| Err(Status::internal("the request could not be carried out")))
}

/// What the cluster's thread owns.
struct Owner {
    settings: Arc<Settings>,
    journal: Box<dyn Journal>,
    publish: watch::Sender<Arc<Published>>,
    metrics: Metrics,
}

/// A request, carried out and not yet stored.
type Pending = (oneshot::Sender<Result<Outcome, Status>>, Outcome);

impl Owner {
    fn run(self, work: &mpsc::Receiver<Work>) {
        while let Ok(first) = work.recv() {
            let mut waiting = VecDeque::from([first]);
            waiting.extend(work.try_iter().take(TOGETHER - 1));
            self.together(waiting);
        }
    }

    /// Carries out requests in their order with one commit for all. Who is refused hears it at once.
    fn together(&self, waiting: VecDeque<Work>) {
        let before = self.publish.borrow().clone();
        let mut store = before.store.clone();
        let mut changes = Vec::new();
        let mut pending: Vec<Pending> = Vec::new();
        for work in waiting {
            match work
                .attempt
                .carry_out(&store, &self.settings, &self.metrics)
            {
                Ok(mut outcome) => {
                    if let Some((changed, made)) = outcome.changed.take() {
                        store = changed;
                        changes.extend(made);
                    }
                    pending.push((work.reply, outcome));
                }
                // A caller that went away needs no answer.
                Err(status) => drop(work.reply.send(Err(status))),
            }
        }
        if !changes.is_empty() {
            if let Err(error) = self.journal.commit(&changes) {
                for (reply, _) in pending {
                    let _ = reply.send(Err(Status::internal(&error)));
                }
                return;
            }
            self.publish(&before, store, changes);
        }
        for (reply, outcome) in pending {
            let _ = reply.send(Ok(outcome));
        }
    }

    fn publish(&self, before: &Published, store: Store, changes: Vec<Change>) {
        let mut history = before.history.clone();
        let mut forgotten = before.forgotten;
        history.extend(changes.into_iter().map(Arc::new));
        while history.len() > KEPT {
            if let Some(change) = history.pop_front() {
                forgotten = change.revision;
            }
        }
        self.publish.send_replace(Arc::new(Published {
            store,
            history,
            forgotten,
        }));
    }
}
