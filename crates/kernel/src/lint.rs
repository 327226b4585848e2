//! What must hold of every plan, whatever the fabric: checked in debug builds before a plan is
//! carried out, and by the planner's tests over all that is planned.

use crate::netlink::nftables::set::Keys;
use crate::netlink::nftables::{Data, DataKind, Expression, LookupTo, Name, Rule, Verdict};
use crate::plan::object::Chain;
use crate::plan::{Change, Key, Object, Place, Plan, Thing};

/// What there will be once a plan is carried out.
pub(crate) trait Wanted {
    /// How a thing will be, if it will be.
    fn wanted(&self, key: &Key) -> Option<&Object>;
}

/// The faults of a plan, in words; none in a sound one. The cost follows the plan.
pub(crate) fn faults(plan: &Plan, wanted: &impl Wanted) -> Vec<String> {
    let mut faults = Vec::new();
    for change in &plan.changes {
        transition(change, &mut faults);
        if let Some(after) = &change.after {
            object(&change.key, after, wanted, &mut faults);
        }
    }
    faults
}

fn transition(change: &Change, faults: &mut Vec<String>) {
    let Key { place, thing } = &change.key;
    if change.before == change.after {
        faults.push(format!("{place}: {thing:?} doesn't change"));
    }
    match (&change.before, &change.after) {
        (Some(Object::Set(before)), Some(Object::Set(after))) => {
            faults.push(format!(
                "{place}: {thing:?} can't change from {before:?} to {after:?}"
            ));
        }
        (Some(Object::Timeout(_)), Some(Object::Timeout(_))) => {
            faults.push(format!("{place}: {thing:?} can't change"));
        }
        (Some(Object::Chain(before)), Some(Object::Chain(after))) if before.base != after.base => {
            faults.push(format!("{place}: {thing:?} can't change its hook"));
        }
        (Some(Object::Link(before)), Some(Object::Link(after))) => {
            let mut same = before.clone();
            same.mtu = after.mtu;
            if same != *after {
                faults.push(format!("{place}: {thing:?} can only change its MTU"));
            }
        }
        _ => {}
    }
}

/// The faults of one thing that will be there.
pub(crate) fn object(key: &Key, object: &Object, wanted: &impl Wanted, faults: &mut Vec<String>) {
    let Key { place, thing } = key;
    let mut need = |thing: Thing| {
        let key = Key {
            place: place.clone(),
            thing,
        };
        let found = wanted.wanted(&key);
        if found.is_none() {
            faults.push(format!("{place}: {:?} is missing", key.thing));
        }
        found
    };
    if !matches!(place, Place::Node(_)) {
        need(Thing::Namespace);
    }
    match (thing, object) {
        (Thing::Element(set, keys), Object::Element(data)) => {
            if let Data::Verdict(verdict) = data
                && let Some(chain) = target(verdict)
            {
                need(Thing::Chain(chain.clone()));
            }
            if let Some(Object::Set(shape)) = need(Thing::Set(set.clone())) {
                let fits = match data {
                    Data::Nothing => shape.data == DataKind::Nothing,
                    Data::Value(bytes) => {
                        shape.data == DataKind::Value(bytes.len().try_into().unwrap_or(u8::MAX))
                    }
                    Data::Verdict(_) => shape.data == DataKind::Verdict,
                };
                if !fits || !keys_fit(keys, shape.key, shape.ranges) {
                    faults.push(format!(
                        "{place}: {thing:?} = {data:?} doesn't fit {shape:?}"
                    ));
                }
            }
        }
        (Thing::Chain(_), Object::Chain(Chain { rules, .. })) => {
            for (set, chain) in rules.iter().flatten().map(refers) {
                if let Some(set) = set {
                    need(Thing::Set(set.clone()));
                }
                if let Some(chain) = chain {
                    need(Thing::Chain(chain.clone()));
                }
            }
            for expression in rules.iter().flatten() {
                if let Expression::Forget(policy) = expression {
                    need(Thing::Timeout(policy.clone()));
                }
            }
            for rule in rules {
                lookups(place, rule, wanted, faults);
            }
        }
        _ => {}
    }
}

fn keys_fit(keys: &Keys, length: u8, ranges: bool) -> bool {
    let length = usize::from(length);
    match keys {
        Keys::One(key) => key.len() == length && !ranges,
        Keys::Range(low, high) => {
            low.len() == length && high.len() == length && low <= high && ranges
        }
        Keys::Rest => ranges,
    }
}

fn target(verdict: &Verdict) -> Option<&Name> {
    match verdict {
        Verdict::Jump(chain) | Verdict::Goto(chain) => Some(chain),
        Verdict::Accept | Verdict::Drop => None,
    }
}

/// The set and the chain that an expression names.
fn refers(expression: &Expression) -> (Option<&Name>, Option<&Name>) {
    match expression {
        Expression::Lookup { set, .. } | Expression::Learn { set, .. } => (Some(set), None),
        Expression::Verdict(verdict) => (None, target(verdict)),
        _ => (None, None),
    }
}

/// A lookup must ask of a set what it has.
fn lookups(place: &Place, rule: &Rule, wanted: &impl Wanted, faults: &mut Vec<String>) {
    for expression in rule {
        let Expression::Lookup { set, to, .. } = expression else {
            continue;
        };
        let key = Key {
            place: place.clone(),
            thing: Thing::Set(set.clone()),
        };
        let Some(Object::Set(shape)) = wanted.wanted(&key) else {
            continue;
        };
        let fits = match to {
            LookupTo::Found | LookupTo::Missing => shape.data == DataKind::Nothing,
            LookupTo::Register(_) => matches!(shape.data, DataKind::Value(_)),
            LookupTo::Verdict => shape.data == DataKind::Verdict,
        };
        if !fits {
            faults.push(format!("{place}: {to:?} can't be asked of set {set}"));
        }
    }
}
