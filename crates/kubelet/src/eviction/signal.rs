//! What a node has left, and whether that is too little.

use crate::config::{Capacity, Eviction, Threshold};
use std::time::{Duration, SystemTime};

/// A condition stays so long after the last time that it held.
pub(super) const TRANSITION: Duration = Duration::from_secs(300);

/// What a node can be short of, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    /// Memory.
    Memory,
    /// Disk.
    Disk,
}

impl Resource {
    /// Its name among resources.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Disk => "ephemeral-storage",
        }
    }
}

/// What a node is short of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pressure {
    pub(crate) memory: bool,
    pub(crate) disk: bool,
}

/// Bytes that are available.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Signals {
    memory: u64,
    disk: u64,
}

/// A threshold that was crossed: bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Crossing {
    pub(super) resource: Resource,
    pub(super) threshold: u64,
    pub(super) available: u64,
}

impl Signals {
    /// Of a machine whose pods use so many bytes.
    pub(super) fn of(capacity: Capacity, memory: u64, disk: u64) -> Self {
        Self {
            memory: capacity.memory.saturating_sub(memory),
            disk: capacity.storage.saturating_sub(disk),
        }
    }

    /// The thresholds that are crossed.
    pub(super) fn crossed(&self, eviction: &Eviction, capacity: Capacity) -> Vec<Crossing> {
        let bytes = |threshold: Threshold, of: u64| match threshold {
            Threshold::Bytes(bytes) => bytes,
            Threshold::Percent(percent) => of / 100 * u64::from(percent),
        };
        let each = [
            Crossing {
                resource: Resource::Memory,
                threshold: bytes(eviction.memory_available, capacity.memory),
                available: self.memory,
            },
            Crossing {
                resource: Resource::Disk,
                threshold: bytes(eviction.nodefs_available, capacity.storage),
                available: self.disk,
            },
        ];
        let crossed = each.into_iter();
        crossed
            .filter(|one| one.available < one.threshold)
            .collect()
    }
}

/// Remembers when a node was short last.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Watch {
    memory: Option<SystemTime>,
    disk: Option<SystemTime>,
}

impl Watch {
    /// What the node is short of, or was a moment ago: conditions mustn't come and go.
    pub(super) fn update(
        &mut self,
        crossed: &[Crossing],
        now: SystemTime,
        transition: Duration,
    ) -> Pressure {
        for crossing in crossed {
            match crossing.resource {
                Resource::Memory => self.memory = Some(now),
                Resource::Disk => self.disk = Some(now),
            }
        }
        let lately = |last: Option<SystemTime>| {
            last.is_some_and(|last| now.duration_since(last).unwrap_or_default() < transition)
        };
        Pressure {
            memory: lately(self.memory),
            disk: lately(self.disk),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::at;
    use crate::testing::config;

    /// K8S-RUN: upstream's hard thresholds; a condition outlasts what caused it.
    #[test]
    fn thresholds_are_crossed_and_conditions_stay_a_while() {
        let (capacity, eviction) = (config().capacity, Eviction::default());
        let crossed = |memory: u64, disk: u64| {
            let signals = Signals::of(capacity, memory, disk);
            signals.crossed(&eviction, capacity)
        };
        assert_eq!(crossed(0, 0), []);
        assert_eq!(crossed(capacity.memory - (100 << 20), 0), []);
        let memory = crossed(capacity.memory - (99 << 20), 0);
        assert_eq!(
            memory,
            [Crossing {
                resource: Resource::Memory,
                threshold: 100 << 20,
                available: 99 << 20,
            }]
        );
        let disk = crossed(0, capacity.storage / 100 * 91);
        assert_eq!(disk.first().map(|one| one.resource), Some(Resource::Disk));
        let mut watch = Watch::default();
        let mut pressure = |crossed: &[Crossing], time| watch.update(crossed, at(time), TRANSITION);
        let (both, neither) = (
            Pressure {
                memory: true,
                disk: false,
            },
            Pressure::default(),
        );
        assert_eq!(pressure(&[], 0), neither);
        assert_eq!(pressure(&memory, 10), both);
        assert_eq!(pressure(&[], 309), both);
        assert_eq!(pressure(&[], 310), neither);
    }
}
