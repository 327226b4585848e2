//! Fewer addresses: units that are over, interfaces that nobody needs, and those left behind by others.

use super::{Agent, AgentError, after};
use crate::datastore::Moment;
use crate::ec2::{CREATED_TAG, Described};
use crate::host::Host;
use std::time::Duration;
use wire::Timestamp;

/// Something is given back at most so often.
const DECREASE: Duration = Duration::from_secs(30);
/// How often a detached interface is tried to be deleted.
const DELETE_TRIES: u32 = 12;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Interfaces that are younger may be about to be attached, in seconds.
const LEFT_BEHIND: i64 = 300;
/// What the description of agents' interfaces begins with.
const DESCRIPTION: &str = "aws-K8S-";

impl<H: Host> Agent<H> {
    fn may_decrease(&self, now: Moment) -> bool {
        now >= after(self.known().last_decrease, DECREASE)
    }

    /// Gives units back that are over.
    pub(super) async fn shrink(&self, now: Moment) -> Result<(), AgentError> {
        if !self.may_decrease(now) {
            return Ok(());
        }
        let interfaces: Vec<String> = {
            let store = self.store();
            store.interfaces().map(|one| one.id.clone()).collect()
        };
        for interface in interfaces {
            let units = {
                let mut store = self.store();
                let over = self.settings.targets.over(&store.stock());
                let mut units = store.freeable(&interface, now);
                units.truncate(over);
                // Nobody may be given one of them meanwhile.
                for unit in &units {
                    store.remove_unit(&interface, *unit);
                }
                units
            };
            if units.is_empty() {
                continue;
            }
            self.known().last_decrease = now;
            self.note_given_back(&units);
            if let Err(error) = self.ec2.unassign(&interface, &units).await {
                let mut store = self.store();
                for unit in &units {
                    store.add_unit(&interface, *unit);
                }
                return Err(error.into());
            }
            tracing::info!(interface, units = units.len(), "addresses given back");
        }
        Ok(())
    }

    /// Gives an interface back that nobody needs.
    pub(super) async fn free_interface(&self, now: Moment) -> Result<(), AgentError> {
        if !self.may_decrease(now) {
            return Ok(());
        }
        let targets = self.settings.targets;
        let capacity = self.capacity();
        let interface = {
            let mut store = self.store();
            if !targets.may_free_interface(&store.stock(), &capacity) {
                return Ok(());
            }
            let found = store.deletable(&targets, now).map(|found| found.id.clone());
            let Some(interface) = found else {
                return Ok(());
            };
            store.remove_interface(&interface);
            interface
        };
        self.known().last_decrease = now;
        self.forget(&interface)?;
        tracing::info!(interface, "an interface is given back");
        self.delete(&interface).await
    }

    /// Forgets an interface in the node's network.
    pub(super) fn forget(&self, interface: &str) -> Result<(), AgentError> {
        let link = self.known().links.remove(interface);
        if let Some(link) = link {
            self.host.remove_link(&link)?;
        }
        Ok(())
    }

    /// Detaches an interface, if it is attached, and deletes it.
    pub(super) async fn delete(&self, interface: &str) -> Result<(), AgentError> {
        let described = self.ec2.interfaces(&[interface.to_owned()]).await?;
        let attachment = described.into_iter().find_map(|one| one.attachment);
        if let Some(attachment) = attachment {
            self.ec2.detach(&attachment).await?;
        }
        let mut pause = FIRST_PAUSE;
        let mut last = AgentError::StillAttached(interface.to_owned());
        for _ in 0..DELETE_TRIES {
            match self.ec2.delete_interface(interface).await {
                Ok(()) => return Ok(()),
                Err(error) if error.code() == Some("InvalidNetworkInterfaceID.NotFound") => {
                    return Ok(());
                }
                Err(error) => last = error.into(),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Err(last)
    }

    /// Deletes interfaces that agents made and that are attached to nothing for a while.
    pub(super) async fn clean_up(&self, now: Moment) -> Result<(), AgentError> {
        let vpc = self.known().vpc.clone();
        let cluster = self.settings.cluster_name.as_deref();
        for one in self.ec2.left_behind(&vpc, cluster).await? {
            if is_old(&one, now) {
                tracing::info!(interface = one.id, "an interface was left behind");
                self.ec2.delete_interface(&one.id).await?;
            }
        }
        Ok(())
    }
}

fn is_old(described: &Described, now: Moment) -> bool {
    let created = described.tags.get(CREATED_TAG);
    let created = created.and_then(|text| Timestamp::parse(text));
    let now = i64::try_from(now / 1000).unwrap_or_default();
    described.description.starts_with(DESCRIPTION)
        && created.is_some_and(|created| created.0 + LEFT_BEHIND < now)
}
