//! What others changed: interfaces and addresses that came or went without the agent, the VPC's ranges, the
//! first interface's security groups.

use super::{Agent, AgentError, after};
use crate::datastore::Moment;
use crate::host::Host;
use crate::imds::Attached;
use std::collections::BTreeSet;
use std::time::Duration;

/// Units that were given back so lately may still be in the metadata.
const SETTLED: Duration = Duration::from_secs(60);

impl<H: Host> Agent<H> {
    /// Makes the store agree with the metadata.
    ///
    /// # Errors
    /// Something that is asked doesn't answer.
    pub async fn reconcile(&self, now: Moment) -> Result<(), AgentError> {
        let attached = self.imds.attached().await?;
        self.known()
            .given_back
            .retain(|_, since| now < after(*since, SETTLED));
        self.lose_interfaces(&attached)?;
        let new: Vec<_> = attached.iter().filter(|one| self.is_new(one)).collect();
        if !new.is_empty() {
            let ids: Vec<String> = new.iter().map(|one| one.id.clone()).collect();
            for described in self.ec2.interfaces(&ids).await? {
                if self.is_unmanaged(&described) {
                    self.known().unmanaged.insert(described.id);
                }
            }
        }
        for one in new {
            if !self.known().unmanaged.contains(&one.id) {
                self.take_in(one, now).await?;
            }
        }
        attached.iter().for_each(|one| self.compare(one));
        Ok(())
    }

    fn is_new(&self, attached: &Attached) -> bool {
        let left_out = attached.id == self.primary.id && self.settings.custom_networking;
        let known = self.store().interfaces().any(|one| one.id == attached.id);
        !left_out && !known && !self.known().unmanaged.contains(&attached.id)
    }

    /// Forgets interfaces that are no longer attached.
    fn lose_interfaces(&self, attached: &[Attached]) -> Result<(), AgentError> {
        let there: BTreeSet<_> = attached.iter().map(|one| one.id.as_str()).collect();
        let gone: Vec<String> = {
            let store = self.store();
            let all = store.interfaces().map(|one| one.id.clone());
            all.filter(|id| !there.contains(id.as_str())).collect()
        };
        for interface in gone {
            tracing::warn!(interface, "an interface is gone");
            self.store().remove_interface(&interface);
            self.forget(&interface)?;
        }
        Ok(())
    }

    /// Units of an interface that came or went.
    fn compare(&self, attached: &Attached) {
        let there: BTreeSet<_> = self.units(attached).into_iter().collect();
        let known = self.known();
        let mut store = self.store();
        let had: BTreeSet<_> = store.units_of(&attached.id).into_iter().collect();
        for unit in there.difference(&had) {
            if !known.given_back.contains_key(unit) {
                store.add_unit(&attached.id, *unit);
            }
        }
        for unit in had.difference(&there) {
            tracing::warn!(interface = attached.id, %unit, "an address is gone");
            store.remove_unit(&attached.id, *unit);
        }
    }

    /// Follows the VPC's ranges and the first interface's security groups.
    ///
    /// # Errors
    /// Something that is asked doesn't answer.
    pub async fn refresh(&self) -> Result<(), AgentError> {
        let around = self.look_around().await?;
        if around.groups == self.known().groups {
            return Ok(());
        }
        self.known().groups.clone_from(&around.groups);
        if self.settings.custom_networking {
            return Ok(());
        }
        let interfaces: Vec<String> = self.known().links.keys().cloned().collect();
        for interface in interfaces {
            self.ec2.set_groups(&interface, &around.groups).await?;
        }
        Ok(())
    }
}
