//! The owner's loop: carry out, commit, compile, apply, publish, answer.

use super::group::{Group, LIMIT};
use super::{Backing, Failure, Health, Rules, Snapshot, Work};
use crate::internet::{self, PlaceError};
use crate::metrics::{Family, Labels, Metrics};
use aws::Moment;
use aws::compile::Outside;
use aws::model::State;
use fabric::{Fabric, HostId};
use kernel::Engine;
use kernel::engine::ApplyError;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::watch;

/// How long after a failed application the next one is tried.
const RETRY: Duration = Duration::from_secs(1);
/// With nothing to wait for, the owner looks at the clock this often.
const IDLE: Duration = Duration::from_secs(3600);

const fn family(name: &'static str, help: &'static str) -> Family {
    Family { name, help }
}

const COMMIT: Family = family(
    "skylab_commit_seconds",
    "How long it takes to write a group of changes to the disk.",
);
const RECORDS: Family = family(
    "skylab_commit_records_total",
    "Records that were written to the disk.",
);
const NOT_STORED: Family = family(
    "skylab_commit_failures_total",
    "Groups of changes that could not be written to the disk.",
);
const COMPILE: Family = family(
    "skylab_compile_seconds",
    "How long it takes to compile a group of changes to the fabric.",
);
const APPLY: Family = family(
    "skylab_apply_seconds",
    "How long it takes to make the kernel obey a fabric.",
);
const CHANGES: Family = family(
    "skylab_apply_changes_total",
    "Things in the kernel that were made, changed or removed.",
);
const NOT_APPLIED: Family = family(
    "skylab_apply_failures_total",
    "Fabrics that the kernel refused.",
);

/// What the lab's clouds know of the world outside.
fn outside() -> Outside {
    Outside {
        internet: internet::NETWORK.into(),
    }
}

/// The whole fabric of a state, the internet with it.
pub(super) fn whole_fabric(state: &State) -> Fabric {
    let mut fabric = aws::compile::fabric(state, &outside());
    internet::add(&mut fabric);
    fabric
}

/// Seconds since 1970.
pub(crate) fn unix_time() -> i64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// What the owner's thread owns.
pub(super) struct Owned {
    snapshot: Arc<Snapshot>,
    publish: watch::Sender<Arc<Snapshot>>,
    store: Arc<crate::store::Store>,
    engine: Option<Engine>,
    health: Health,
    metrics: Metrics,
    /// How the clouds' own services act.
    rules: Rules,
    /// When the kernel has to be tried again, because the last application failed.
    retry: Option<Instant>,
    /// The hosts whose own root keeps them from working.
    unsound: BTreeSet<HostId>,
    /// When the next timed transition is due, in seconds since 1970.
    due: Option<i64>,
}

impl Owned {
    pub(super) fn new(
        publish: watch::Sender<Arc<Snapshot>>,
        backing: Backing,
        health: Health,
        metrics: Metrics,
        rules: Rules,
    ) -> Self {
        let snapshot = publish.borrow().clone();
        Self {
            snapshot,
            publish,
            store: backing.store,
            engine: backing.engine.map(|make| make()),
            health,
            metrics,
            rules,
            retry: None,
            unsound: BTreeSet::new(),
            due: Some(0),
        }
    }

    pub(super) fn run(mut self, work: &Receiver<Work>, ready: impl FnOnce()) {
        let fabric = self.snapshot.fabric.clone();
        self.apply(&fabric, "start");
        self.tick();
        ready();
        loop {
            let first = match work.recv_timeout(self.patience()) {
                Ok(Work::End) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(work) => Some(work),
                Err(RecvTimeoutError::Timeout) => None,
            };
            if let Some(first) = first
                && !self.turn(first, work)
            {
                return;
            }
            self.tick();
        }
    }

    /// How long to wait for work before looking at the clock.
    fn patience(&self) -> Duration {
        let retry = self
            .retry
            .map(|at| at.saturating_duration_since(Instant::now()));
        let due = self.due.map(|due| {
            let seconds = due.saturating_sub(unix_time());
            Duration::from_secs(u64::try_from(seconds).unwrap_or(0)).max(Duration::from_millis(20))
        });
        retry.into_iter().chain(due).min().unwrap_or(IDLE).min(IDLE)
    }

    /// Does the first piece of work and, with it, the requests that wait behind it. Whether to go
    /// on.
    fn turn(&mut self, first: Work, work: &Receiver<Work>) -> bool {
        let mut next = Some(first);
        let mut group = Group::begin(&self.snapshot.state);
        while let Some(piece) = next.take() {
            match piece {
                Work::Change { request, operation } => group.step(request, operation),
                other => {
                    // Everything else sees what came before it.
                    self.finish(group);
                    if !self.other(other) {
                        return false;
                    }
                    group = Group::begin(&self.snapshot.state);
                }
            }
            if group.len() < LIMIT {
                next = work.try_recv().ok();
            }
        }
        self.finish(group);
        true
    }

    fn other(&mut self, work: Work) -> bool {
        match work {
            // Changes go into groups.
            Work::Change { .. } => {}
            Work::Place { address, reply } => {
                let _ = reply.send(self.place(address));
            }
            Work::Arrange {
                what,
                arrangement,
                reply,
            } => {
                self.arrange(what, arrangement);
                let _ = reply.send(());
            }
            Work::Renew { host, reply } => {
                self.renew(&host);
                let _ = reply.send(());
            }
            Work::Look(look) => {
                if let Some(engine) = &self.engine {
                    look(engine);
                }
            }
            Work::End => return false,
        }
        true
    }

    /// Stores a group, makes the kernel obey it, publishes it, answers.
    fn finish(&mut self, group: Group) {
        let requests = group.requests();
        let changes = group.working().changes(group.before());
        if changes.is_empty() {
            return group.answer(&Ok(()));
        }
        let begun = Instant::now();
        if let Err(error) = self.store.commit(&changes) {
            tracing::error!(request = requests, %error, "not stored");
            self.health.bad("store", &error);
            self.metrics.count(NOT_STORED, Labels::new(), 1);
            return group.answer(&Err(Failure::Store(error.to_string())));
        }
        self.health.good("store");
        let committed = begun.elapsed();
        let mut fabric = self.snapshot.fabric.clone();
        aws::compile::update(&mut fabric, group.before(), group.working(), &outside());
        let compiled = begun.elapsed() - committed;
        self.metrics.took(COMMIT, Labels::new(), committed);
        self.metrics.took(COMPILE, Labels::new(), compiled);
        let written = u64::try_from(changes.len()).unwrap_or(u64::MAX);
        self.metrics.count(RECORDS, Labels::new(), written);
        tracing::debug!(
            request = requests,
            records = changes.len(),
            commit_us = micros(committed),
            compile_us = micros(compiled),
            "stored and compiled"
        );
        self.apply(&fabric, &requests);
        self.publish(group.working().clone(), fabric);
        group.answer(&Ok(()));
    }

    /// Makes the kernel obey a fabric. A failure is not the request's: it is stored, shown in
    /// `status` and tried again.
    fn apply(&mut self, fabric: &Fabric, requests: &str) {
        let Some(engine) = &mut self.engine else {
            return;
        };
        let begun = Instant::now();
        match engine.apply(fabric) {
            Ok(applied) => {
                let unsound = !applied.unsound.is_empty();
                self.retry = unsound.then(|| Instant::now() + RETRY);
                self.health.good("packets");
                self.tell_unsound(&applied.unsound);
                self.metrics.took(APPLY, Labels::new(), begun.elapsed());
                let changed = u64::try_from(applied.changes).unwrap_or(u64::MAX);
                self.metrics.count(CHANGES, Labels::new(), changed);
                tracing::debug!(
                    request = requests,
                    changes = applied.changes,
                    apply_us = micros(begun.elapsed()),
                    "applied"
                );
            }
            Err(error) => {
                tracing::error!(request = requests, %error, "not applied");
                self.metrics.count(NOT_APPLIED, Labels::new(), 1);
                self.health.bad(
                    "packets",
                    format!("the kernel does not obey the newest state: {error}"),
                );
                self.retry = Some(Instant::now() + RETRY);
            }
        }
    }

    /// A guest whose root keeps its own network from working is shown in `status`.
    fn tell_unsound(&mut self, unsound: &BTreeMap<HostId, ApplyError>) {
        let at = |host: &HostId| format!("{host} (network)");
        for host in self
            .unsound
            .iter()
            .filter(|host| !unsound.contains_key(host))
        {
            self.health.good(&at(host));
        }
        for (host, error) in unsound {
            let message = format!("its root's own settings are in the way: {error}");
            self.health.bad(&at(host), message);
        }
        self.unsound = unsound.keys().cloned().collect();
    }

    fn renew(&mut self, host: &HostId) {
        let Some(engine) = &mut self.engine else {
            return;
        };
        if let Err(error) = engine.renew(host) {
            tracing::error!(%host, %error, "not renewed");
            self.health.bad("packets", &error);
            self.retry = Some(Instant::now() + RETRY);
        }
    }

    fn publish(&mut self, state: State, fabric: Fabric) {
        // An operation may have begun something that ends by itself.
        self.due = Some(0);
        self.snapshot = Arc::new(Snapshot { state, fabric });
        self.publish.send_replace(self.snapshot.clone());
    }

    fn place(&mut self, address: Ipv4Addr) -> Result<(), PlaceError> {
        let mut fabric = self.snapshot.fabric.clone();
        if internet::add_place(&mut fabric, address)? {
            self.apply(&fabric, "place");
            let state = self.snapshot.state.clone();
            self.publish(state, fabric);
        }
        Ok(())
    }

    /// Changes what no account's state tells of.
    fn arrange(&mut self, what: &str, arrangement: impl FnOnce(&mut Fabric)) {
        let mut fabric = self.snapshot.fabric.clone();
        arrangement(&mut fabric);
        self.apply(&fabric, what);
        let state = self.snapshot.state.clone();
        self.publish(state, fabric);
    }

    /// What time brings: transitions of resources, and another try at the kernel.
    fn tick(&mut self) {
        if self.retry.is_some_and(|at| at <= Instant::now()) {
            let fabric = self.snapshot.fabric.clone();
            self.apply(&fabric, "retry");
        }
        let now = unix_time();
        if self.due.is_none_or(|due| due > now) {
            return;
        }
        let moment = Moment {
            now,
            pace: self.rules.pace,
            quotas: self.rules.quotas,
        };
        let mut group = Group::begin(&self.snapshot.state);
        let mut next = None;
        group.step("time".to_owned(), |state| {
            let mut state = state.clone();
            next = moment.advance(&mut state);
            (Some(state), Box::new(|_| {}))
        });
        self.finish(group);
        self.due = next;
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
