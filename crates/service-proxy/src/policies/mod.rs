//! Network policies: which pods are isolated, and what is let through.
//!
//! A policy becomes an any-allow filter with the policy's rules; the peers that it names by labels
//! become sets of addresses, one for every distinct selector, which change member by member as pods
//! come and go; the blocks of a rule that has many are a set too. Named ports become numbers, with the pods that have them at that number.
//!
//! What is modelled: pod and namespace selectors, blocks with exceptions, numeric, ranged and named
//! ports of TCP, UDP and SCTP, policy types and their defaults. Pods in their node's network are
//! neither isolated nor peers, as most engines have it: their traffic is the node's. Pods that have
//! finished, or have no address yet, don't count. A named port of a block of addresses matches
//! nothing, since no pod says which number it is.
//! <https://kubernetes.io/docs/concepts/services-networking/network-policies/>

mod block;
mod member;
mod named;
mod peer;
mod rule;
#[cfg(test)]
mod tests;

use crate::object::{Name, text};
use fabric::{AddressSet, AddressSetId, FilterId, Isolation, Policies};
use imbl::{OrdMap, OrdSet};
use ipnet::Ipv4Net;
use member::{Cluster, Pod};
use named::NamedPorts;
use peer::{PeerSet, SetKey};
use rule::{Policy, Used};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

/// A node's pods.
type Isolations = OrdMap<Ipv4Addr, Arc<Isolation>>;

/// Keeps a cluster's policies as the objects say that it is told of, for each of its nodes.
#[derive(Clone, Debug, Default)]
pub struct Compiler {
    cluster: Cluster,
    policies: BTreeMap<Name, Policy>,
    sets: BTreeMap<AddressSetId, PeerSet>,
    ports: NamedPorts,
    /// Which sets of pods each filter names.
    uses: BTreeMap<FilterId, BTreeSet<AddressSetId>>,
    /// Which sets of blocks each filter has, its own ones.
    blocks: BTreeMap<FilterId, BTreeSet<AddressSetId>>,
    by_node: BTreeMap<String, Isolations>,
    /// Filters and sets; its pods stay empty.
    compiled: Policies,
}

impl Compiler {
    /// A compiler that knows nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The policies as one node enforces them. The cost is a few counters: filters and sets are
    /// shared by all nodes.
    pub fn on(&self, node: &str) -> Policies {
        Policies {
            pods: self.by_node.get(node).cloned().unwrap_or_default(),
            ..self.compiled.clone()
        }
    }

    /// A policy is there, new or changed.
    pub fn policy(&mut self, object: &Value) {
        let name = Name::of(object);
        let policy = Policy::read(object);
        let old = self.policies.insert(name.clone(), policy.clone());
        self.compile(&name);
        if old.as_ref().is_none_or(|old| !old.isolates_as(&policy)) {
            self.isolate_selected(&name.namespace, old.as_ref().into_iter().chain([&policy]));
        }
    }

    /// A policy is gone.
    pub fn policy_gone(&mut self, namespace: &str, name: &str) {
        let name = Name::new(namespace, name);
        if let Some(old) = self.policies.remove(&name) {
            self.compile(&name);
            self.isolate_selected(namespace, [&old]);
        }
    }

    /// A namespace is there, new or changed.
    pub fn namespace(&mut self, object: &Value) {
        let name = text(object, "/metadata/name").to_owned();
        if self.cluster.set_namespace(&name, object) {
            self.relabelled(&name);
        }
    }

    /// A namespace is gone.
    pub fn namespace_gone(&mut self, name: &str) {
        if self.cluster.remove_namespace(name) {
            self.relabelled(name);
        }
    }

    /// A pod is there, new or changed.
    pub fn pod(&mut self, object: &Value) {
        self.set_pod(&Name::of(object), Pod::read(object));
    }

    /// A pod is gone.
    pub fn pod_gone(&mut self, namespace: &str, name: &str) {
        self.set_pod(&Name::new(namespace, name), None);
    }

    fn set_pod(&mut self, name: &Name, pod: Option<Pod>) {
        if self.cluster.pods.get(name) == pod.as_ref() {
            return;
        }
        let old = self.cluster.set_pod(name, pod.clone());
        for (id, set) in &mut self.sets {
            set.pod_changed(&self.cluster, name, old.as_ref(), pod.as_ref());
            publish(id, set, &mut self.compiled);
        }
        let states = (old.as_ref(), pod.as_ref());
        let concerned = self.ports.pod_changed(&self.cluster, name, states);
        self.compile_all(&concerned);
        if let Some(old) = &old {
            self.release(old);
        }
        if let Some(pod) = &pod {
            self.isolate(name, pod);
        }
    }

    /// A pod no longer has its address; another one may have it already.
    fn release(&mut self, old: &Pod) {
        if let Some(pods) = self.by_node.get_mut(&old.node) {
            pods.remove(&old.address);
        }
        let others: Vec<(Name, Pod)> = self
            .cluster
            .at(old.address)
            .map(|(name, pod)| (name.clone(), pod.clone()))
            .collect();
        for (name, pod) in others {
            self.isolate(&name, &pod);
        }
    }

    /// A namespace's labels changed: sets that select namespaces may have other members.
    fn relabelled(&mut self, namespace: &str) {
        for (id, set) in &mut self.sets {
            set.namespace_changed(&self.cluster, namespace);
            publish(id, set, &mut self.compiled);
        }
        let concerned = self.ports.namespace_changed(&self.cluster);
        self.compile_all(&concerned);
    }

    fn compile_all(&mut self, policies: &BTreeSet<Name>) {
        for name in policies {
            self.compile(name);
        }
    }

    /// Writes a policy's filter and sees to its sets.
    fn compile(&mut self, name: &Name) {
        let id = FilterId::from(name.to_string());
        let used = match self.policies.get(name) {
            Some(policy) => {
                let (filter, used) = policy.filter(name, &self.cluster, &mut self.ports);
                let known = self.compiled.filters.get(&id);
                if known.is_none_or(|known| **known != filter) {
                    self.compiled.filters.insert(id.clone(), Arc::new(filter));
                }
                used
            }
            None => {
                self.compiled.filters.remove(&id);
                Used::default()
            }
        };
        self.ports.keep(name, used.ports);
        self.keep_blocks(&id, used.blocks);
        self.keep_sets(&id, used.sets);
    }

    /// A filter has these sets of blocks now, and no others. What stays in a set is shared with what was in it, so
    /// that whoever compares them sees the difference alone.
    fn keep_blocks(&mut self, filter: &FilterId, used: BTreeMap<AddressSetId, Vec<Ipv4Net>>) {
        let sets = &mut self.compiled.address_sets;
        for id in self.blocks.remove(filter).unwrap_or_default() {
            if !used.contains_key(&id) {
                sets.remove(&id);
            }
        }
        let ids: BTreeSet<AddressSetId> = used.keys().cloned().collect();
        for (id, blocks) in used {
            let known = sets.get(&id);
            let mut members = known.map_or_else(OrdSet::new, |known| known.members.clone());
            let wanted: BTreeSet<Ipv4Net> = blocks.into_iter().collect();
            let gone: Vec<Ipv4Net> = members
                .iter()
                .filter(|member| !wanted.contains(member))
                .copied()
                .collect();
            let new: Vec<Ipv4Net> = wanted
                .into_iter()
                .filter(|block| !members.contains(block))
                .collect();
            if known.is_some() && gone.is_empty() && new.is_empty() {
                continue;
            }
            for member in &gone {
                members.remove(member);
            }
            members.extend(new);
            let set = AddressSet {
                id: id.clone(),
                members,
            };
            sets.insert(id, Arc::new(set));
        }
        if !ids.is_empty() {
            self.blocks.insert(filter.clone(), ids);
        }
    }

    /// A filter names these sets now, and no others.
    fn keep_sets(&mut self, filter: &FilterId, used: BTreeMap<AddressSetId, SetKey>) {
        let ids: BTreeSet<AddressSetId> = used.keys().cloned().collect();
        for (id, key) in used {
            let set = self
                .sets
                .entry(id.clone())
                .or_insert_with(|| PeerSet::new(key, &self.cluster));
            set.users.insert(filter.clone());
            publish(&id, set, &mut self.compiled);
        }
        for id in self.uses.remove(filter).unwrap_or_default() {
            if !ids.contains(&id)
                && let Some(set) = self.sets.get_mut(&id)
            {
                set.users.remove(filter);
                if set.users.is_empty() {
                    self.sets.remove(&id);
                    self.compiled.address_sets.remove(&id);
                }
            }
        }
        if !ids.is_empty() {
            self.uses.insert(filter.clone(), ids);
        }
    }

    /// Policies of a namespace came, changed or went: the pods that they select may be isolated otherwise.
    fn isolate_selected<'a>(
        &mut self,
        namespace: &str,
        policies: impl IntoIterator<Item = &'a Policy>,
    ) {
        let policies: Vec<&Policy> = policies.into_iter().collect();
        let pods: Vec<(Name, Pod)> = self
            .cluster
            .of_namespace(namespace)
            .filter(|(_, pod)| policies.iter().any(|policy| policy.selects(pod)))
            .map(|(name, pod)| (name.clone(), pod.clone()))
            .collect();
        for (name, pod) in pods {
            self.isolate(&name, &pod);
        }
    }

    /// Writes down which policies select a pod.
    fn isolate(&mut self, name: &Name, pod: &Pod) {
        if pod.host_network {
            return;
        }
        let selecting: Vec<(&Name, &Policy)> = self
            .policies
            .range(Name::new(&name.namespace, "")..)
            .take_while(|(policy, _)| policy.namespace == name.namespace)
            .filter(|(_, policy)| policy.selects(pod))
            .collect();
        let by = |isolates: &dyn Fn(&Policy) -> bool| {
            let ids: BTreeSet<FilterId> = selecting
                .iter()
                .filter(|(_, policy)| isolates(policy))
                .map(|(name, _)| FilterId::from(name.to_string()))
                .collect();
            (!ids.is_empty()).then(|| ids.into_iter().collect())
        };
        let isolation = Isolation {
            pod: name.to_string(),
            ingress: by(&|policy| policy.isolates_ingress),
            egress: by(&|policy| policy.isolates_egress),
        };
        let pods = self.by_node.entry(pod.node.clone()).or_default();
        let known = pods.get(&pod.address);
        if known.is_none_or(|known| **known != isolation) {
            pods.insert(pod.address, Arc::new(isolation));
        }
    }
}

/// Makes the set that others see the one that is kept.
fn publish(id: &AddressSetId, set: &mut PeerSet, compiled: &mut Policies) {
    if std::mem::take(&mut set.changed) {
        let published = Arc::new(set.published(id));
        compiled.address_sets.insert(id.clone(), published);
    }
}
