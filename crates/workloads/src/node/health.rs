//! When nodes gave their last sign of life.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{condition, object};

/// What is remembered of one node.
#[derive(Clone, Debug)]
pub(super) struct Probe {
    /// The lease's `renewTime` as it was seen last.
    lease: String,
    /// The `Ready` condition's `lastHeartbeatTime` as it was seen last.
    beat: String,
    /// When one of the two was seen to change.
    pub(super) at: i64,
    /// The `Ready` condition's status at the last look.
    pub(super) ready: String,
}

/// What the node controller remembers between calls. The driver keeps it; a new one gives every
/// node its full time again.
///
/// Signs of life count by when they are seen, not by the times they carry, as clocks may differ and
/// a control plane that was away saw nothing.
#[derive(Debug, Default)]
pub struct NodeHealth {
    nodes: BTreeMap<String, Probe>,
    /// When a node of a zone was tainted last.
    pub(super) tainted: BTreeMap<String, i64>,
}

/// The status of a node's `Ready` condition, empty where the kubelet never wrote it.
pub(super) fn ready(node: &Value) -> &str {
    let conditions = object::list(node, "/status/conditions");
    condition::find(conditions, "Ready").map_or("", |c| condition::field(c, "status"))
}

impl NodeHealth {
    /// Nothing seen yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets a node that is gone.
    pub(super) fn forget(&mut self, name: &str) {
        self.nodes.remove(name);
    }

    /// Looks at a node and its lease: what is remembered, and whether it is seen for the first time.
    pub(super) fn look(&mut self, node: &Value, lease: Option<&Value>, now: i64) -> (Probe, bool) {
        let renewed = lease.map_or("", |lease| object::text(lease, "/spec/renewTime"));
        let conditions = object::list(node, "/status/conditions");
        let beat = condition::find(conditions, "Ready")
            .map_or("", |c| condition::field(c, "lastHeartbeatTime"));
        let name = object::name(node).to_owned();
        let known = self.nodes.get(&name);
        let new = known.is_none();
        let at = match known {
            Some(probe) if probe.lease == renewed && probe.beat == beat => probe.at,
            _ => now,
        };
        let previous = known.map_or_else(String::new, |probe| probe.ready.clone());
        let probe = Probe {
            lease: renewed.to_owned(),
            beat: beat.to_owned(),
            at,
            ready: ready(node).to_owned(),
        };
        self.nodes.insert(name, probe.clone());
        let seen = Probe {
            ready: previous,
            ..probe
        };
        (seen, new)
    }
}
