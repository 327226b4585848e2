//! Named ports: at which numbers the pods that a policy means have them.
//!
//! Whether a pod that comes or goes concerns a policy with a named port is asked for every pod, so the
//! numbers are counted and not looked for: a policy is compiled again only when a number is new or gone.

use super::member::{Cluster, Pod};
use super::peer::{Matcher, SetKey};
use crate::object::Name;
use fabric::{AddressSetId, Protocol};
use std::collections::{BTreeMap, BTreeSet};

/// Which pods, and which of their ports.
pub(super) type TallyKey = (AddressSetId, Protocol, String);

/// How many pods have a named port at which number.
#[derive(Clone, Debug)]
struct Tally {
    matcher: Matcher,
    protocol: Protocol,
    name: String,
    numbers: BTreeMap<u16, usize>,
    /// The policies that name it.
    users: BTreeSet<Name>,
}

/// The named ports of all policies.
#[derive(Clone, Debug, Default)]
pub(super) struct NamedPorts {
    tallies: BTreeMap<TallyKey, Tally>,
    /// What each policy names.
    uses: BTreeMap<Name, BTreeSet<TallyKey>>,
}

impl Tally {
    /// The number at which a pod counts.
    fn number(&self, cluster: &Cluster, name: &Name, pod: &Pod) -> Option<u16> {
        let number = pod.port(self.protocol, &self.name)?;
        self.matcher.has(cluster, name, pod).then_some(number)
    }

    /// Counts all pods; whether the numbers are others than before.
    fn count(&mut self, cluster: &Cluster) -> bool {
        let mut numbers: BTreeMap<u16, usize> = BTreeMap::new();
        for (name, pod) in &cluster.pods {
            if let Some(number) = self.number(cluster, name, pod) {
                *numbers.entry(number).or_default() += 1;
            }
        }
        let changed = !numbers.keys().eq(self.numbers.keys());
        self.numbers = numbers;
        changed
    }

    /// Counts a pod that was and is so; whether the numbers are others than before.
    fn recount(
        &mut self,
        cluster: &Cluster,
        name: &Name,
        (old, new): (Option<&Pod>, Option<&Pod>),
    ) -> bool {
        let number = |pod: Option<&Pod>| pod.and_then(|pod| self.number(cluster, name, pod));
        let (old, new) = (number(old), number(new));
        if old == new {
            return false;
        }
        let mut changed = false;
        if let Some(new) = new {
            let count = self.numbers.entry(new).or_default();
            *count += 1;
            changed |= *count == 1;
        }
        if let Some(old) = old
            && let Some(count) = self.numbers.get_mut(&old)
        {
            *count -= 1;
            if *count == 0 {
                self.numbers.remove(&old);
                changed = true;
            }
        }
        changed
    }
}

impl NamedPorts {
    /// The numbers at which selected pods have a named port.
    pub(super) fn numbers(
        &mut self,
        cluster: &Cluster,
        pods: &SetKey,
        protocol: Protocol,
        name: &str,
    ) -> (TallyKey, BTreeSet<u16>) {
        let key = (pods.id(), protocol, name.to_owned());
        let tally = self.tallies.entry(key.clone()).or_insert_with(|| {
            let mut tally = Tally {
                matcher: Matcher::new(pods.clone()),
                protocol,
                name: name.to_owned(),
                numbers: BTreeMap::new(),
                users: BTreeSet::new(),
            };
            tally.count(cluster);
            tally
        });
        (key, tally.numbers.keys().copied().collect())
    }

    /// A policy names these now, and no others.
    pub(super) fn keep(&mut self, policy: &Name, named: BTreeSet<TallyKey>) {
        let old = self.uses.remove(policy).unwrap_or_default();
        for key in old.difference(&named) {
            if let Some(tally) = self.tallies.get_mut(key) {
                tally.users.remove(policy);
                if tally.users.is_empty() {
                    self.tallies.remove(key);
                }
            }
        }
        for key in &named {
            if let Some(tally) = self.tallies.get_mut(key) {
                tally.users.insert(policy.clone());
            }
        }
        if !named.is_empty() {
            self.uses.insert(policy.clone(), named);
        }
    }

    /// A pod was and is so; the policies whose numbers are others now.
    pub(super) fn pod_changed(
        &mut self,
        cluster: &Cluster,
        name: &Name,
        pod: (Option<&Pod>, Option<&Pod>),
    ) -> BTreeSet<Name> {
        self.changed(|tally| tally.recount(cluster, name, pod))
    }

    /// A namespace has other labels; the policies whose numbers are others now.
    pub(super) fn namespace_changed(&mut self, cluster: &Cluster) -> BTreeSet<Name> {
        self.changed(|tally| tally.matcher.asks_namespaces() && tally.count(cluster))
    }

    fn changed(&mut self, mut other: impl FnMut(&mut Tally) -> bool) -> BTreeSet<Name> {
        let tallies = self.tallies.values_mut();
        tallies
            .filter_map(|tally| other(tally).then(|| tally.users.clone()))
            .flatten()
            .collect()
    }
}
