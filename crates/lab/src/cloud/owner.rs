//! The owner's loop: carry out, commit, compile, apply, publish, answer.

use super::committer::Committer;
use super::group::{Group, LIMIT};
use super::packets::Packets;
use super::{Backing, Failure, Health, Rules, Snapshot, Work};
use crate::internet::{self, PlaceError};
use crate::metrics::{Family, Labels, Metrics};
use aws::Moment;
use aws::compile::Outside;
use aws::model::State;
use fabric::Fabric;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::watch;

/// With nothing to wait for, the owner looks at the clock this often.
const IDLE: Duration = Duration::from_secs(3600);

const COMMIT: Family = Family {
    name: "skylab_commit_seconds",
    help: "How long it takes to write a group of changes to the disk.",
};
const RECORDS: Family = Family {
    name: "skylab_commit_records_total",
    help: "Records that were written to the disk.",
};
const NOT_STORED: Family = Family {
    name: "skylab_commit_failures_total",
    help: "Groups of changes that could not be written to the disk.",
};
const COMPILE: Family = Family {
    name: "skylab_compile_seconds",
    help: "How long it takes to compile a group of changes to the fabric.",
};

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
    committer: Committer,
    packets: Packets,
    health: Health,
    metrics: Metrics,
    /// How the clouds' own services act.
    rules: Rules,
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
            committer: Committer::new(backing.store),
            packets: Packets::new(
                backing.engine.map(|make| make()),
                health.clone(),
                metrics.clone(),
            ),
            health,
            metrics,
            rules,
            due: Some(0),
        }
    }

    pub(super) fn run(mut self, work: &Receiver<Work>, ready: impl FnOnce()) {
        let fabric = self.snapshot.fabric.clone();
        self.packets.apply(&fabric, "start");
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
            .packets
            .retry()
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
                self.packets.renew(&host);
                let _ = reply.send(());
            }
            Work::Look(look) => self.packets.show(look),
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
        let records = changes.len();
        let mut fabric = self.snapshot.fabric.clone();
        let Self {
            committer, packets, ..
        } = self;
        let (written, compiled) = committer.commit(changes, || {
            let begun = Instant::now();
            aws::compile::update(&mut fabric, group.before(), group.working(), &outside());
            let compiled = begun.elapsed();
            packets.apply(&fabric, &requests);
            compiled
        });
        if let Err(error) = written.outcome {
            tracing::error!(request = requests, %error, "not stored");
            self.health.bad("store", &error);
            self.metrics.count(NOT_STORED, Labels::new(), 1);
            // Packets obeyed it for a moment; nobody was told.
            self.packets.apply(&self.snapshot.fabric, "undo");
            return group.answer(&Err(Failure::Store(error.to_string())));
        }
        self.health.good("store");
        self.metrics.took(COMMIT, Labels::new(), written.took);
        self.metrics.took(COMPILE, Labels::new(), compiled);
        let count = u64::try_from(records).unwrap_or(u64::MAX);
        self.metrics.count(RECORDS, Labels::new(), count);
        tracing::debug!(
            request = requests,
            records,
            commit_us = micros(written.took),
            compile_us = micros(compiled),
            "stored and compiled"
        );
        self.publish(group.working().clone(), fabric);
        group.answer(&Ok(()));
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
            self.packets.apply(&fabric, "place");
            let state = self.snapshot.state.clone();
            self.publish(state, fabric);
        }
        Ok(())
    }

    /// Changes what no account's state tells of.
    fn arrange(&mut self, what: &str, arrangement: impl FnOnce(&mut Fabric)) {
        let mut fabric = self.snapshot.fabric.clone();
        arrangement(&mut fabric);
        self.packets.apply(&fabric, what);
        let state = self.snapshot.state.clone();
        self.publish(state, fabric);
    }

    /// What time brings: transitions of resources, and another try at the kernel.
    fn tick(&mut self) {
        if self.packets.retry().is_some_and(|at| at <= Instant::now()) {
            let fabric = self.snapshot.fabric.clone();
            self.packets.apply(&fabric, "retry");
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

pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
