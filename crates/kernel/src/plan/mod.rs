//! From a fabric to what Linux should have, and from there to what must change: pure, no I/O.
//!
//! The fabric's parts are planned as [units](unit), each into the [things](object) it wants in the
//! kernel; a [ledger] compares what is wanted now with what was. So a plan's cost follows the change,
//! and what is the same before and after is not touched.

mod balancer;
mod dispatch;
mod filter;
mod gateway;
mod host;
mod layer;
mod ledger;
mod member;
mod network;
mod nic;
mod node;
mod number;
pub(crate) mod object;
mod port;
mod route_table;
mod segment;
#[cfg(test)]
mod tests;
mod unit;

use crate::lint::Wanted;
use balancer::Balancing;
use fabric::{AddressSet, AddressSetId, Change as EntityChange, Delta, Fabric, HostId};
use imbl::ordset::DiffItem;
pub(crate) use ledger::Change;
use ledger::Ledger;
use member::Kept;
use number::Numbers;
pub use object::Place;
pub(crate) use object::{Key, Object, Thing};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use unit::{Entity, Unit};

/// What must change in the kernel, ordered by place and thing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) changes: Vec<Change>,
}

impl Plan {
    /// Takes things away.
    pub(crate) fn of_removals(things: &[(Key, Object)]) -> Self {
        let changes = things.iter().cloned().map(|(key, object)| Change {
            key,
            before: Some(object),
            after: None,
        });
        Self {
            changes: changes.collect(),
        }
    }

    /// Makes things.
    pub(crate) fn of_additions(things: &[(Key, Object)]) -> Self {
        let changes = things.iter().cloned().map(|(key, object)| Change {
            key,
            before: None,
            after: Some(object),
        });
        Self {
            changes: changes.collect(),
        }
    }
}

/// What a unit read, needs and wants.
#[derive(Clone, Debug, Default)]
struct Standing {
    read: BTreeSet<Entity>,
    needs: BTreeSet<Unit>,
    keys: BTreeSet<Key>,
    kept: Option<Kept>,
}

/// What the kernel has, and why.
#[derive(Clone, Debug, Default)]
pub(crate) struct Realised {
    fabric: Fabric,
    balancing: Balancing,
    numbers: Numbers,
    ledger: Ledger,
    units: BTreeMap<Unit, Standing>,
    readers: BTreeMap<Entity, BTreeSet<Unit>>,
    needed_by: BTreeMap<Unit, BTreeSet<Unit>>,
}

fn changed<K: Clone, V>(
    changes: &[EntityChange<K, V>],
    entity: impl Fn(K) -> Entity,
    into: &mut Vec<Entity>,
) {
    into.extend(changes.iter().map(|change| match change {
        EntityChange::Added(id, _)
        | EntityChange::Changed(id, _, _)
        | EntityChange::Removed(id, _) => entity(id.clone()),
    }));
}

fn changed_entities(delta: &Delta) -> Vec<Entity> {
    let mut entities = Vec::new();
    changed(&delta.networks, Entity::Network, &mut entities);
    changed(&delta.segments, Entity::Segment, &mut entities);
    changed(&delta.hosts, Entity::Host, &mut entities);
    changed(&delta.ports, Entity::Port, &mut entities);
    changed(&delta.route_tables, Entity::RouteTable, &mut entities);
    changed(&delta.filters, Entity::Filter, &mut entities);
    for change in &delta.filters {
        if let EntityChange::Changed(_, old, new) = change
            && filter::Openness::of(old) == filter::Openness::of(new)
        {
            continue;
        }
        changed(
            std::slice::from_ref(change),
            Entity::Openness,
            &mut entities,
        );
    }
    changed(&delta.gateways, Entity::Gateway, &mut entities);
    for change in &delta.nodes {
        node::changed(change, &mut entities);
    }
    for change in &delta.balancers {
        balancer::changed(change, &mut entities);
    }
    entities
}

/// The single addresses that joined or left a set; `None` if ranges did, or the set itself came or went.
fn moved(change: &EntityChange<AddressSetId, AddressSet>) -> Option<Vec<Ipv4Addr>> {
    let EntityChange::Changed(_, old, new) = change else {
        return None;
    };
    let differing = old.members.diff(&new.members);
    differing
        .map(|item| {
            let (DiffItem::Add(net) | DiffItem::Remove(net)) = item;
            (net.prefix_len() == 32).then(|| net.addr())
        })
        .collect()
}

impl Realised {
    /// The fabric that was planned last.
    pub(crate) fn fabric(&self) -> &Fabric {
        &self.fabric
    }

    /// Everything of a host: what lies in its namespace, the links to it and what hangs on them;
    /// ordered by place and thing. Nothing if there is no such host.
    pub(crate) fn of_host(&self, host: &HostId) -> Vec<(Key, Object)> {
        let inside = Place::Host(host.clone());
        let links: BTreeSet<(&Place, u32)> = self
            .ledger
            .all()
            .filter_map(|(key, object)| match (&key.thing, object) {
                (Thing::Link(index), Object::Link(link)) if link.far == inside => {
                    Some((&key.place, *index))
                }
                _ => None,
            })
            .collect();
        let hangs = |key: &Key, object: &Object| {
            let link = match (&key.thing, object) {
                (Thing::Link(link) | Thing::Neighbour(link, _), _) => Some(*link),
                (_, Object::Route(action)) => action.link(),
                _ => None,
            };
            link.is_some_and(|link| links.contains(&(&key.place, link)))
        };
        self.ledger
            .all()
            .filter(|(key, object)| key.place == inside || hangs(key, object))
            .map(|(key, object)| (key.clone(), object.clone()))
            .collect()
    }

    /// What must change for this fabric. From here on it counts as realised.
    pub(crate) fn plan(&mut self, desired: &Fabric) -> Plan {
        let delta = Delta::between(&self.fabric, desired);
        self.balancing.learn(&delta.balancers);
        let mut waiting: BTreeSet<Unit> = BTreeSet::new();
        for entity in changed_entities(&delta) {
            if let Some(readers) = self.readers.get(&entity) {
                waiting.extend(readers.iter().cloned());
            }
            waiting.insert(Unit::Of(entity));
        }
        let mut before = BTreeMap::new();
        self.follow_members(&delta, desired, &mut waiting, &mut before);
        while let Some(unit) = waiting.pop_first() {
            self.plan_unit(unit, desired, &mut waiting, &mut before);
        }
        self.fabric = desired.clone();
        Plan {
            changes: self.ledger.changes(before),
        }
    }

    /// Carries addresses that joined or left sets over to those who read the sets, element by element;
    /// who can't take it so waits to be planned.
    fn follow_members(
        &mut self,
        delta: &Delta,
        desired: &Fabric,
        waiting: &mut BTreeSet<Unit>,
        before: &mut ledger::Before,
    ) {
        let mut following: BTreeMap<Unit, BTreeSet<Ipv4Addr>> = BTreeMap::new();
        for change in &delta.address_sets {
            let (EntityChange::Added(id, _)
            | EntityChange::Changed(id, _, _)
            | EntityChange::Removed(id, _)) = change;
            let moved = moved(change);
            let readers = self.readers.get(&Entity::AddressSet(id.clone()));
            for unit in readers.into_iter().flatten() {
                match &moved {
                    Some(addresses) if !waiting.contains(unit) => {
                        following.entry(unit.clone()).or_default().extend(addresses);
                    }
                    _ => {
                        waiting.insert(unit.clone());
                    }
                }
            }
        }
        for (unit, addresses) in following {
            if waiting.contains(&unit) || self.follow(&unit, &addresses, desired, before).is_none()
            {
                waiting.insert(unit);
            }
        }
    }

    /// `None` if the unit must be planned.
    fn follow(
        &mut self,
        unit: &Unit,
        addresses: &BTreeSet<Ipv4Addr>,
        desired: &Fabric,
        before: &mut ledger::Before,
    ) -> Option<()> {
        let Unit::FilterIn(place, ..) = unit else {
            return None;
        };
        let standing = self.units.get_mut(unit)?;
        let was = |id: &AddressSetId| self.fabric.address_sets.get(id).map(|set| &set.members);
        let is = |id: &AddressSetId| desired.address_sets.get(id).map(|set| &set.members);
        let elements = standing.kept.as_mut()?.moved(addresses, (&was, &is))?;
        for (set, keys, data) in elements {
            let key = Key {
                place: place.clone(),
                thing: Thing::Element(set, keys),
            };
            let object = data.map(Object::Element);
            self.ledger.put(unit, &key, object.clone(), before);
            match object {
                Some(_) => standing.keys.insert(key),
                None => standing.keys.remove(&key),
            };
        }
        Some(())
    }

    fn plan_unit(
        &mut self,
        unit: Unit,
        desired: &Fabric,
        waiting: &mut BTreeSet<Unit>,
        before: &mut ledger::Before,
    ) {
        let wanted = unit.stands_alone(desired) || self.needed_by.contains_key(&unit);
        let planned = if wanted {
            unit.plan(desired, &self.balancing, &mut self.numbers)
        } else {
            unit::Planned::default()
        };
        let old = self.units.remove(&unit).unwrap_or_default();
        for entity in old.read.difference(&planned.read) {
            forget(&mut self.readers, entity, &unit);
        }
        for entity in planned.read.difference(&old.read) {
            self.readers
                .entry(entity.clone())
                .or_default()
                .insert(unit.clone());
        }
        for need in old.needs.difference(&planned.needs) {
            if forget(&mut self.needed_by, need, &unit) {
                waiting.insert(need.clone());
            }
        }
        for need in planned.needs.difference(&old.needs) {
            self.needed_by
                .entry(need.clone())
                .or_default()
                .insert(unit.clone());
            if !self.units.contains_key(need) {
                waiting.insert(need.clone());
            }
        }
        let keys = self
            .ledger
            .replace(&unit, &old.keys, planned.objects, before);
        if wanted {
            let standing = Standing {
                read: planned.read,
                needs: planned.needs,
                keys,
                kept: planned.kept,
            };
            self.units.insert(unit, standing);
        }
    }
}

impl Wanted for Realised {
    fn wanted(&self, key: &Key) -> Option<&Object> {
        self.ledger.get(key)
    }
}

/// Takes a unit out of an index; whether it was the last of its entry.
fn forget<K: Ord>(index: &mut BTreeMap<K, BTreeSet<Unit>>, key: &K, unit: &Unit) -> bool {
    let Some(units) = index.get_mut(key) else {
        return false;
    };
    units.remove(unit);
    let last = units.is_empty();
    if last {
        index.remove(key);
    }
    last
}
