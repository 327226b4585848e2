//! Which balancers a change of the account concerns.

use super::super::touched::differing;
use crate::model::load_balancer::rule::balancers_of;
use crate::model::{InstanceId, State};
use std::collections::BTreeSet;

/// The balancers to compile anew: ARNs, and classic ones' keys.
#[derive(Default)]
pub(super) struct Touched {
    pub(super) balancers: BTreeSet<String>,
    pub(super) classic: BTreeSet<String>,
}

impl Touched {
    pub(super) fn between(old: &State, new: &State) -> Self {
        let mut touched = Self::default();
        differing(&old.load_balancers, &new.load_balancers, |arn, _| {
            touched.balancers.insert(arn.clone());
        });
        differing(
            &old.classic_load_balancers,
            &new.classic_load_balancers,
            |key, _| {
                touched.classic.insert(key.clone());
            },
        );
        differing(&old.listeners, &new.listeners, |_, versions| {
            let balancers = versions.iter().map(|of| of.balancer.clone());
            touched.balancers.extend(balancers);
        });
        differing(&old.listener_rules, &new.listener_rules, |_, versions| {
            for rule in versions {
                for state in [old, new] {
                    let balancer = rule.balancer(state).map(|of| of.arn.clone());
                    touched.balancers.extend(balancer);
                }
            }
        });
        let mut groups = BTreeSet::new();
        differing(&old.target_groups, &new.target_groups, |arn, _| {
            groups.insert(arn.clone());
        });
        differing(&old.targets, &new.targets, |key, _| {
            groups.insert(key.group.clone());
        });
        touched.note_instances(old, new, &mut groups);
        for group in groups {
            for state in [old, new] {
                touched.balancers.extend(balancers_of(state, &group));
            }
        }
        touched
    }

    /// An instance's state and addresses are its groups' and classic balancers' concern.
    fn note_instances(&mut self, old: &State, new: &State, groups: &mut BTreeSet<String>) {
        let mut instances: BTreeSet<InstanceId> = BTreeSet::new();
        differing(&old.instances, &new.instances, |id, _| {
            instances.insert(id.clone());
        });
        differing(
            &old.network_interfaces,
            &new.network_interfaces,
            |_, versions| {
                instances.extend(versions.iter().filter_map(|of| of.instance().cloned()));
            },
        );
        if instances.is_empty() {
            return;
        }
        let registered = new.targets.values();
        let registered = registered.filter(|of| instances.contains(of.key.id.as_str()));
        groups.extend(registered.map(|of| of.key.group.clone()));
        let classic = new.classic_load_balancers.iter();
        let having = classic.filter(|(_, of)| of.instances.keys().any(|id| instances.contains(id)));
        self.classic.extend(having.map(|(key, _)| key.clone()));
    }
}
