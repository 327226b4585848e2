//! The agent's start: what is there, from the metadata, EC2 and the file of an earlier run.

use super::{Agent, AgentError, Counts, Known, Surround, now};
use crate::checkpoint;
use crate::datastore::{Datastore, Moment};
use crate::ec2::{CLUSTER_TAG, Described, INSTANCE_TAG, OWNER_TAG, UNMANAGED_TAG};
use crate::host::Host;
use crate::imds::Attached;
use crate::limits::Limits;
use crate::plugin::names::node_end;
use crate::settings::Settings;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

impl<H: Host> Agent<H> {
    /// Finds everything out and sets the node's network up; when it is there, it serves.
    ///
    /// # Errors
    /// Something that the agent needs doesn't answer.
    pub async fn start(settings: Settings, around: Surround<H>) -> Result<Self, AgentError> {
        let identity = around.imds.identity().await?;
        let attached = around.imds.attached().await?;
        let primary = attached.iter().find(|one| one.mac == identity.mac);
        let primary = primary.ok_or(AgentError::NoPrimary)?.clone();
        let limits = match Limits::of(&identity.instance_type) {
            Some(limits) => limits,
            None => {
                let asked = around.ec2.limits(&identity.instance_type).await?;
                asked.ok_or_else(|| AgentError::InstanceType(identity.instance_type.clone()))?
            }
        };
        let agent = Self {
            store: Mutex::new(Datastore::new(settings.cooldown)),
            settings,
            imds: around.imds,
            ec2: around.ec2,
            host: around.host,
            identity,
            primary,
            limits,
            known: Mutex::new(Known::default()),
            words: around.words,
            notices: around.notices,
            serving: AtomicBool::new(false),
            counts: Counts::default(),
        };
        agent.prepare(&attached, now()).await?;
        agent
            .serving
            .store(true, std::sync::atomic::Ordering::Release);
        Ok(agent)
    }

    async fn prepare(&self, attached: &[Attached], now: Moment) -> Result<(), AgentError> {
        self.host.set_up(&self.primary.mac, &self.settings)?;
        let around = self.look_around().await?;
        self.known().groups = around.groups;
        let ids: Vec<String> = attached.iter().map(|one| one.id.clone()).collect();
        let described = self.ec2.interfaces(&ids).await?;
        for described in &described {
            if self.is_unmanaged(described) {
                self.known().unmanaged.insert(described.id.clone());
            } else if self.settings.provision {
                self.tag(described).await;
            }
        }
        for attached in attached {
            if !self.known().unmanaged.contains(&attached.id) {
                self.take_in(attached, now).await?;
            }
        }
        self.restore(now)?;
        if self.settings.provision {
            // A new node's first addresses, whether or not the pool is low.
            if let Err(error) = self.fill(now).await {
                self.complain(&error);
            }
        }
        Ok(())
    }

    /// Whether an interface is to be left alone.
    pub(super) fn is_unmanaged(&self, described: &Described) -> bool {
        if described.id == self.primary.id {
            return false;
        }
        let tag = |name: &str| described.tags.get(name).map(String::as_str);
        tag(UNMANAGED_TAG) == Some("true")
            || (!self.settings.manage_untagged
                && tag(INSTANCE_TAG) != Some(self.identity.instance.as_str()))
    }

    /// The tags of the agent's interfaces.
    pub(super) fn tags(&self) -> BTreeMap<String, String> {
        let mut tags = self.settings.tags.clone();
        tags.insert(INSTANCE_TAG.to_owned(), self.identity.instance.clone());
        if let Some(cluster) = &self.settings.cluster_name {
            tags.insert(CLUSTER_TAG.to_owned(), cluster.clone());
            tags.insert(OWNER_TAG.to_owned(), "amazon-vpc-cni".to_owned());
        }
        tags
    }

    /// Gives an interface the tags that it lacks. Without the right to tag all else goes on.
    async fn tag(&self, described: &Described) {
        let mut missing = self.tags();
        missing.retain(|key, value| described.tags.get(key) != Some(value));
        if missing.is_empty() {
            return;
        }
        if let Err(error) = self.ec2.tag(&described.id, &missing).await {
            self.complain(&error.into());
        }
    }

    /// Takes up what an earlier run assigned, but for pods that are gone.
    fn restore(&self, now: Moment) -> Result<(), AgentError> {
        let kept = checkpoint::read(&self.settings.checkpoint)?;
        let links = self.host.links()?;
        let mut store = self.store();
        store.restore(kept);
        let gone: Vec<_> = store
            .allocations()
            .iter()
            .filter(|(_, of)| {
                let link = node_end(&self.settings.veth_prefix, &of.namespace, &of.pod);
                !links.contains(&link)
            })
            .map(|(owner, of)| (owner.clone(), of.address))
            .collect();
        for (owner, address) in gone {
            tracing::info!(container = owner.container, %address, "its pod is gone");
            store.unassign(&owner.container, &owner.link, now);
            self.host.forget_pod(address)?;
        }
        Ok(self.keep(&store)?)
    }
}
