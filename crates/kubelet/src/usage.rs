//! What a node's containers use.

use crate::clock;
use crate::roster::Roster;
use crate::shared::Shared;
use cri::{ContainerId, ContainerState, Usage};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

/// What a container used up to a moment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Spent {
    pub(crate) namespace: String,
    pub(crate) pod: String,
    pub(crate) uid: String,
    pub(crate) container: String,
    pub(crate) started: SystemTime,
    pub(crate) at: SystemTime,
    pub(crate) usage: Usage,
    /// Billionths of a processor, since it was asked for the last time.
    pub(crate) rate: u64,
}

/// What a node and its containers used.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Spending {
    pub(crate) containers: Vec<Spent>,
    /// All that the node's containers used, those that are gone too.
    pub(crate) cpu_nanoseconds: u64,
}

/// Adds up what containers use, so that a node's time never goes back when one is gone.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    known: BTreeMap<ContainerId, (SystemTime, u64)>,
    gone: u64,
}

impl Meter {
    /// What was used up to now.
    pub(crate) async fn read(&self, shared: &Shared, roster: &Roster) -> Spending {
        let mut running = Vec::new();
        for resident in roster.all() {
            let metadata = &resident.wanted.pod.metadata;
            for instance in resident.seen.running() {
                let ContainerState::Running { started } = instance.state else {
                    continue;
                };
                running.push((
                    instance.id.clone(),
                    Spent {
                        namespace: metadata.namespace.clone(),
                        pod: metadata.name.clone(),
                        uid: metadata.uid.clone(),
                        container: instance.name.clone(),
                        started,
                        at: SystemTime::now(),
                        usage: Usage::default(),
                        rate: 0,
                    },
                ));
            }
        }
        let read = shared.blocking(move |means| {
            running.retain_mut(|(id, spent)| {
                spent.at = SystemTime::now();
                let usage = means.runtime.usage(id);
                spent.usage = usage.clone().unwrap_or_default();
                usage.is_some()
            });
            running
        });
        let read = read.await.unwrap_or_default();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.take(read)
    }
}

impl State {
    fn take(&mut self, read: Vec<(ContainerId, Spent)>) -> Spending {
        let mut now = BTreeMap::new();
        let mut containers = Vec::new();
        for (id, mut spent) in read {
            let cpu = spent.usage.cpu_nanoseconds;
            if let Some((at, before)) = self.known.remove(&id) {
                let passed = spent.at.duration_since(at).unwrap_or_default().as_nanos();
                let used = u128::from(cpu.saturating_sub(before)) * 1_000_000_000;
                let rate = used.checked_div(passed).unwrap_or(0);
                spent.rate = u64::try_from(rate).unwrap_or(u64::MAX);
            }
            now.insert(id, (spent.at, cpu));
            containers.push(spent);
        }
        // What isn't there any more has used what it had used.
        let gone: u64 = self.known.values().map(|(_, cpu)| cpu).sum();
        self.gone = self.gone.saturating_add(gone);
        self.known = now;
        let current: u64 = self.known.values().map(|(_, cpu)| cpu).sum();
        Spending {
            containers,
            cpu_nanoseconds: self.gone.saturating_add(current),
        }
    }
}

impl Spending {
    /// Bytes that all containers use.
    pub(crate) fn memory(&self) -> u64 {
        let bytes = self.containers.iter().map(|spent| spent.usage.memory_bytes);
        bytes.sum()
    }

    /// Containers by their pods: the namespace, the name and the uid.
    pub(crate) fn pods(&self) -> BTreeMap<(&str, &str, &str), Vec<&Spent>> {
        let mut pods: BTreeMap<_, Vec<&Spent>> = BTreeMap::new();
        for spent in &self.containers {
            let key = (
                spent.namespace.as_str(),
                spent.pod.as_str(),
                spent.uid.as_str(),
            );
            pods.entry(key).or_default().push(spent);
        }
        pods
    }
}

/// Milliseconds since 1970.
pub(crate) fn millis(moment: SystemTime) -> i64 {
    let since = moment.duration_since(SystemTime::UNIX_EPOCH);
    let fraction = since.map(|since| since.subsec_millis()).unwrap_or_default();
    clock::unix(moment) * 1000 + i64::from(fraction)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::clock::at;

    pub(crate) fn spent(container: &str, seconds: i64, cpu: u64) -> Spent {
        Spent {
            namespace: "shop".into(),
            pod: "web".into(),
            uid: "u".into(),
            container: container.into(),
            started: at(10),
            at: at(seconds),
            usage: Usage {
                cpu_nanoseconds: cpu,
                memory_bytes: 4096,
            },
            rate: 0,
        }
    }

    /// K8S-RUN: a node's time never goes back.
    #[test]
    fn what_is_gone_has_been_used() {
        let id = |name: &str| ContainerId(name.into());
        let mut state = State::default();
        let first = state.take(vec![
            (id("a"), spent("a", 100, 5)),
            (id("b"), spent("b", 100, 7)),
        ]);
        assert_eq!(first.cpu_nanoseconds, 12);
        let second = state.take(vec![(id("b"), spent("b", 102, 2_000_000_007))]);
        assert_eq!(second.cpu_nanoseconds, 2_000_000_012);
        assert_eq!(
            second.containers[0].rate, 1_000_000_000,
            "a processor's worth"
        );
        assert_eq!(state.take(Vec::new()).cpu_nanoseconds, 2_000_000_012);
    }
}
