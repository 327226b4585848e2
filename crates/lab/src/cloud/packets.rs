//! The kernel's side of the owner: fabrics that packets are to obey.

use super::Health;
use super::owner::micros;
use crate::metrics::{Family, Labels, Metrics};
use fabric::{Fabric, HostId};
use kernel::Engine;
use kernel::engine::ApplyError;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How long after a failed application the next one is tried.
const RETRY: Duration = Duration::from_secs(1);

const APPLY: Family = Family {
    name: "skylab_apply_seconds",
    help: "How long it takes to make the kernel obey a fabric.",
};
const CHANGES: Family = Family {
    name: "skylab_apply_changes_total",
    help: "Things in the kernel that were made, changed or removed.",
};
const NOT_APPLIED: Family = Family {
    name: "skylab_apply_failures_total",
    help: "Fabrics that the kernel refused.",
};

/// What makes packets obey, and what is known of its failures.
pub(super) struct Packets {
    /// `None` in a lab that forwards none.
    engine: Option<Engine>,
    health: Health,
    metrics: Metrics,
    /// When the kernel has to be tried again, because the last application failed.
    retry: Option<Instant>,
    /// The hosts whose own root keeps them from working.
    unsound: BTreeSet<HostId>,
}

impl Packets {
    pub(super) fn new(engine: Option<Engine>, health: Health, metrics: Metrics) -> Self {
        Self {
            engine,
            health,
            metrics,
            retry: None,
            unsound: BTreeSet::new(),
        }
    }

    /// When the kernel has to be tried again, if it has to.
    pub(super) fn retry(&self) -> Option<Instant> {
        self.retry
    }

    /// Lets somebody see what the kernel has.
    pub(super) fn show(&self, look: impl FnOnce(&Engine)) {
        if let Some(engine) = &self.engine {
            look(engine);
        }
    }

    /// Makes the kernel obey a fabric. A failure is not the request's: it is stored, shown in
    /// `status` and tried again.
    pub(super) fn apply(&mut self, fabric: &Fabric, requests: &str) {
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

    /// Gives a host a fresh network stack.
    pub(super) fn renew(&mut self, host: &HostId) {
        let Some(engine) = &mut self.engine else {
            return;
        };
        if let Err(error) = engine.renew(host) {
            tracing::error!(%host, %error, "not renewed");
            self.health.bad("packets", &error);
            self.retry = Some(Instant::now() + RETRY);
        }
    }
}
