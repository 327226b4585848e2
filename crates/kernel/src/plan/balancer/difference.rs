//! What differs between two states of balancers, and what that concerns.

use crate::plan;
use crate::plan::unit::Entity;
use fabric::balancer::{Balancer, Listener};
use fabric::delta::changes;
use fabric::{BalancerId, Change, HostId, ListenerId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Which hosts are nodes of balancers that pass packets on.
#[derive(Clone, Debug, Default)]
pub(in crate::plan) struct Balancing(BTreeMap<HostId, BTreeSet<BalancerId>>);

impl Balancing {
    /// Takes changes of balancers in.
    pub(in crate::plan) fn learn(&mut self, changes: &[Change<BalancerId, Balancer>]) {
        for change in changes {
            let (id, old, new) = sides(change);
            for host in old.iter().flat_map(|old| old.nodes.keys()) {
                if let Some(of) = self.0.get_mut(host) {
                    of.remove(id);
                    if of.is_empty() {
                        self.0.remove(host);
                    }
                }
            }
            for host in new
                .iter()
                .filter(|new| new.forwards())
                .flat_map(|new| new.nodes.keys())
            {
                self.0.entry(host.clone()).or_default().insert(id.clone());
            }
        }
    }

    /// Whether a host is such a node.
    pub(in crate::plan) fn has(&self, host: &HostId) -> bool {
        self.0.contains_key(host)
    }
}

type Sides<'c> = (&'c BalancerId, Option<&'c Balancer>, Option<&'c Balancer>);

fn sides(change: &Change<BalancerId, Balancer>) -> Sides<'_> {
    match change {
        Change::Added(id, new) => (id, None, Some(new)),
        Change::Changed(id, old, new) => (id, Some(old), Some(new)),
        Change::Removed(id, old) => (id, Some(old), None),
    }
}

/// What changed of a balancer, at each of its nodes.
pub(in crate::plan) fn changed(change: &Change<BalancerId, Balancer>, into: &mut Vec<Entity>) {
    let (id, old, new) = sides(change);
    let listeners = |of: Option<&Balancer>| -> BTreeMap<ListenerId, Arc<Listener>> {
        let all = of.iter().flat_map(|balancer| &balancer.listeners);
        all.map(|listener| (listener.id.clone(), listener.clone()))
            .collect()
    };
    let (before, after) = (listeners(old), listeners(new));
    let all: BTreeSet<&ListenerId> = before.keys().chain(after.keys()).collect();
    let differ: Vec<&ListenerId> = all
        .iter()
        .copied()
        .filter(|listener| before.get(*listener) != after.get(*listener))
        .collect();
    let nothing = imbl::OrdMap::new();
    let pools = changes(
        old.map_or(&nothing, |old| &old.pools),
        new.map_or(&nothing, |new| &new.pools),
    );
    let node = |of: Option<&Balancer>, host: &HostId| {
        of.filter(|balancer| balancer.forwards())
            .and_then(|balancer| balancer.nodes.get(host).cloned())
    };
    let hosts: BTreeSet<&HostId> = [old, new]
        .into_iter()
        .flatten()
        .flat_map(|balancer| balancer.nodes.keys())
        .collect();
    for host in hosts {
        let same = node(old, host) == node(new, host);
        if !same {
            into.push(Entity::BalancerNode(id.clone(), host.clone()));
            into.push(Entity::Balancing(host.clone()));
        }
        let touched = if same { differ.iter() } else { [].iter() };
        let every = all.iter().filter(|_| !same);
        for listener in touched.chain(every) {
            into.push(Entity::Listener(
                id.clone(),
                host.clone(),
                (*listener).clone(),
            ));
        }
        let of_pool = |pool| Entity::Members(id.clone(), host.clone(), pool);
        plan::changed(&pools, of_pool, into);
    }
}
