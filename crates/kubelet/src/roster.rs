//! The pods of a node, as its server and its admission see them.

use crate::lifecycle::Seen;
use crate::pod::{PodStatus, Wanted};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A pod as it is.
#[derive(Clone, Debug)]
pub(crate) struct Resident {
    pub(crate) wanted: Wanted,
    pub(crate) status: PodStatus,
    pub(crate) seen: Seen,
}

/// A node's pods by their uids.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roster {
    pods: Arc<Mutex<BTreeMap<String, Resident>>>,
}

impl Roster {
    /// A pod as it is now.
    pub(crate) fn update(&self, wanted: &Wanted, status: &PodStatus, seen: &Seen) {
        let uid = wanted.pod.metadata.uid.clone();
        let resident = Resident {
            wanted: wanted.clone(),
            status: status.clone(),
            seen: seen.clone(),
        };
        self.pods().insert(uid, resident);
    }

    /// A pod is gone.
    pub(crate) fn remove(&self, uid: &str) {
        self.pods().remove(uid);
    }

    /// Those whose containers ended for good.
    pub(crate) fn finished(&self) -> BTreeSet<String> {
        let pods = self.pods();
        let finished = pods
            .iter()
            .filter(|(_, resident)| matches!(&*resident.status.phase, "Succeeded" | "Failed"));
        finished.map(|(uid, _)| uid.clone()).collect()
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Resident> {
        self.pods().values().cloned().collect()
    }

    /// The one of a name; of several, one after another, the newest.
    pub(crate) fn find(&self, namespace: &str, name: &str) -> Option<Resident> {
        let pods = self.pods();
        let named = pods.values().filter(|resident| {
            let metadata = &resident.wanted.pod.metadata;
            metadata.namespace == namespace && metadata.name == name
        });
        named
            .max_by_key(|resident| resident.status.start_time.clone())
            .cloned()
    }

    /// Whether anything runs or isn't told of its end yet.
    pub(crate) fn runs(&self) -> bool {
        let over = |status: &PodStatus| matches!(&*status.phase, "Succeeded" | "Failed");
        self.pods()
            .values()
            .any(|resident| resident.seen.running().next().is_some() || !over(&resident.status))
    }

    fn pods(&self) -> MutexGuard<'_, BTreeMap<String, Resident>> {
        self.pods.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
