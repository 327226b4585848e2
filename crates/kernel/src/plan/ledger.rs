//! Who wants which thing in the kernel, and what of it changed.
//!
//! Several units may want the same thing (a base chain that many ports need; an address that two
//! ports claim): the first by order has its way, and when it goes the next one takes over.

use super::object::{Key, Object};
use super::unit::Unit;
use std::collections::{BTreeMap, BTreeSet};

/// A thing that becomes different: before and after, either of which may be nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) key: Key,
    pub(crate) before: Option<Object>,
    pub(crate) after: Option<Object>,
}

/// All things wanted, by whom.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    wanted: BTreeMap<Key, Wanted>,
}

/// Who wants a thing how; ordered by unit, never empty.
#[derive(Clone, Debug)]
enum Wanted {
    /// One unit, as is the rule.
    One(Unit, Object),
    /// Several.
    Several(BTreeMap<Unit, Object>),
}

impl Wanted {
    fn effective(&self) -> Option<&Object> {
        match self {
            Self::One(_, object) => Some(object),
            Self::Several(all) => all.values().next(),
        }
    }

    fn with(self, unit: &Unit, object: Object) -> Self {
        match self {
            Self::One(holder, _) if holder == *unit => Self::One(holder, object),
            Self::One(holder, held) => {
                Self::Several([(holder, held), (unit.clone(), object)].into())
            }
            Self::Several(mut all) => {
                all.insert(unit.clone(), object);
                Self::Several(all)
            }
        }
    }

    fn without(self, unit: &Unit) -> Option<Self> {
        match self {
            Self::One(holder, _) if holder == *unit => None,
            Self::One(..) => Some(self),
            Self::Several(mut all) => {
                all.remove(unit);
                (!all.is_empty()).then_some(Self::Several(all))
            }
        }
    }
}

/// What things were before the changes that are being collected, for those touched.
pub(crate) type Before = BTreeMap<Key, Option<Object>>;

impl Ledger {
    /// How a thing is.
    pub(crate) fn get(&self, key: &Key) -> Option<&Object> {
        self.wanted.get(key).and_then(Wanted::effective)
    }

    /// All things, in order.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&Key, &Object)> {
        let wanted = self.wanted.iter();
        wanted.filter_map(|(key, wanted)| Some((key, wanted.effective()?)))
    }

    /// A unit wants these things now, and no longer those of its old ones that aren't among them.
    pub(crate) fn replace(
        &mut self,
        unit: &Unit,
        old: &BTreeSet<Key>,
        new: Vec<(Key, Object)>,
        before: &mut Before,
    ) -> BTreeSet<Key> {
        let mut fresh: BTreeMap<Key, Object> = BTreeMap::new();
        for (key, object) in new {
            fresh.entry(key).or_insert(object);
        }
        for key in old.iter().filter(|key| !fresh.contains_key(key)) {
            self.put(unit, key, None, before);
        }
        let keys = fresh.keys().cloned().collect();
        for (key, object) in fresh {
            if matches!(self.wanted.get(&key), Some(Wanted::One(holder, held)) if holder == unit && *held == object)
            {
                continue;
            }
            self.put(unit, &key, Some(object), before);
        }
        keys
    }

    /// A unit wants a thing to be so now, or doesn't want it any more.
    pub(crate) fn put(
        &mut self,
        unit: &Unit,
        key: &Key,
        object: Option<Object>,
        before: &mut Before,
    ) {
        self.touch(key, before);
        let others = self.wanted.remove(key);
        let wanted = match (object, others) {
            (Some(object), None) => Some(Wanted::One(unit.clone(), object)),
            (Some(object), Some(wanted)) => Some(wanted.with(unit, object)),
            (None, wanted) => wanted.and_then(|wanted| wanted.without(unit)),
        };
        if let Some(wanted) = wanted {
            self.wanted.insert(key.clone(), wanted);
        }
    }

    fn touch(&self, key: &Key, before: &mut Before) {
        if !before.contains_key(key) {
            before.insert(key.clone(), self.get(key).cloned());
        }
    }

    /// What really changed of what was touched.
    pub(crate) fn changes(&self, before: Before) -> Vec<Change> {
        before
            .into_iter()
            .filter_map(|(key, before)| {
                let after = self.get(&key);
                (before.as_ref() != after).then(|| Change {
                    before,
                    after: after.cloned(),
                    key,
                })
            })
            .collect()
    }
}
