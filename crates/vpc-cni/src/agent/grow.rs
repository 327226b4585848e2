//! More addresses: on an interface that has room, else on a new one.

use super::{Agent, AgentError, after, now};
use crate::datastore::Moment;
use crate::ec2::{CREATED_TAG, Described, NewInterface, SUBNET_TAG};
use crate::host::Host;
use crate::imds::Attached;
use ipnet::Ipv4Net;
use std::time::Duration;
use wire::Timestamp;

/// A subnet that has no addresses left isn't asked again before this.
const EXHAUSTED: Duration = Duration::from_secs(120);
/// What EC2 says of a subnet without addresses, or without a free range of sixteen.
const NO_ADDRESSES: [&str; 2] = [
    "InsufficientFreeAddressesInSubnet",
    "InsufficientCidrBlocks",
];
/// How often the metadata is asked for an interface that was attached.
const METADATA_TRIES: u32 = 12;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Where an interface may be made.
struct Site {
    subnets: Vec<String>,
    groups: Vec<String>,
}

fn is_exhaustion(error: &AgentError) -> bool {
    matches!(error, AgentError::Ec2(error)
        if error.code().is_some_and(|code| NO_ADDRESSES.contains(&code)))
}

impl<H: Host> Agent<H> {
    /// Whether there are too few addresses.
    pub(super) fn is_low(&self) -> bool {
        let stock = self.store().stock();
        self.settings.targets.is_low(&stock, &self.capacity())
    }

    /// Gets more addresses, once.
    pub(super) async fn grow(&self, now: Moment) -> Result<(), AgentError> {
        if now < self.known().exhausted_until {
            return Ok(());
        }
        match self.fill(now).await {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            // Another interface may be made in another subnet.
            Err(error) => self.complain(&error),
        }
        if !self.has_room_for_interface() {
            return Ok(());
        }
        let made = self.allocate_interface(now).await;
        made.inspect_err(|error| self.note_exhaustion(error, now))
    }

    fn note_exhaustion(&self, error: &AgentError, now: Moment) {
        if is_exhaustion(error) {
            self.known().exhausted_until = after(now, EXHAUSTED);
        }
    }

    fn has_room_for_interface(&self) -> bool {
        self.store().stock().interfaces < self.capacity().interfaces
    }

    /// Asks for units on the first interface that has room; whether there are more now.
    pub(super) async fn fill(&self, now: Moment) -> Result<bool, AgentError> {
        let targets = self.settings.targets;
        let asked = {
            let store = self.store();
            let room = store.with_room(self.limits.per_interface(), false);
            room.map(|(interface, room)| {
                (interface.id.clone(), targets.units_on(&store.stock(), room))
            })
        };
        let Some((interface, units)) = asked.filter(|(_, units)| *units > 0) else {
            return Ok(false);
        };
        let mut given = self.ec2.assign(&interface, units, targets.prefixes).await;
        if given.is_err() && units > 1 {
            // A subnet that is nearly full may have one left.
            given = self.ec2.assign(&interface, 1, targets.prefixes).await;
        }
        let given = given
            .map_err(AgentError::from)
            .inspect_err(|error| self.note_exhaustion(error, now))?;
        let mut store = self.store();
        for unit in &given {
            store.add_unit(&interface, *unit);
        }
        tracing::info!(interface, units = given.len(), "more addresses");
        Ok(!given.is_empty())
    }

    /// Makes and attaches an interface, and takes it in.
    async fn allocate_interface(&self, now: Moment) -> Result<(), AgentError> {
        let site = self.site().await?;
        let stock = self.store().stock();
        let units = self.settings.targets.units_on_new(&stock, &self.capacity());
        let made = self.create(&site, units, now).await?;
        let attached = match self.attach(&made, units).await {
            Ok(attached) => attached,
            Err(error) => {
                self.undo(&made).await;
                return Err(error);
            }
        };
        tracing::info!(interface = attached.id, units, "another interface");
        self.take_in(&attached, now).await
    }

    async fn create(
        &self,
        site: &Site,
        units: usize,
        now: Moment,
    ) -> Result<Described, AgentError> {
        let mut tags = self.tags();
        let created = Timestamp(i64::try_from(now / 1000).unwrap_or_default()).iso();
        // RFC 3339, to the second.
        let created = format!("{}Z", created.trim_end_matches(".000Z"));
        tags.insert(CREATED_TAG.to_owned(), created);
        let description = format!("aws-K8S-{}", self.identity.instance);
        let mut last = AgentError::NoEniConfig;
        for subnet in &site.subnets {
            let new = NewInterface {
                description: &description,
                subnet,
                groups: &site.groups,
                units,
                prefixes: self.settings.targets.prefixes,
                tags: &tags,
            };
            match self.ec2.create_interface(&new).await {
                Ok(made) => return Ok(made),
                Err(error) => last = error.into(),
            }
            if !is_exhaustion(&last) {
                break;
            }
        }
        Err(last)
    }

    /// Attaches an interface at the lowest free index, and waits until the metadata has it.
    async fn attach(&self, made: &Described, units: usize) -> Result<Attached, AgentError> {
        let instance = &self.identity.instance;
        let used = self.ec2.devices(instance).await?;
        let device = (0..).find(|device| !used.contains(device)).unwrap_or(0);
        let attachment = self.ec2.attach(&made.id, instance, device).await?;
        self.ec2
            .delete_on_termination(&made.id, &attachment)
            .await?;
        let mut pause = FIRST_PAUSE;
        for _ in 0..METADATA_TRIES {
            if let Ok(attached) = self.imds.interface(&made.mac).await
                && self.units(&attached).len() >= units
            {
                return Ok(attached);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Err(AgentError::NotInMetadata(made.id.clone()))
    }

    /// Takes back an interface that couldn't be attached as it should.
    async fn undo(&self, made: &Described) {
        if let Err(error) = self.delete(&made.id).await {
            // It is found and removed later, as one that was left behind.
            tracing::warn!(interface = made.id, %error, "an interface is left behind");
        }
    }

    /// Where interfaces are made: as the node's ENIConfig says; else in the zone's subnets that are meant
    /// for it, those with most free addresses first; else in the first interface's subnet.
    async fn site(&self) -> Result<Site, AgentError> {
        let groups = self.known().groups.clone();
        if self.settings.custom_networking {
            let config = self.words.borrow().eni_config.clone();
            let config = config.ok_or(AgentError::NoEniConfig)?;
            let own = config.groups;
            return Ok(Site {
                subnets: vec![config.subnet],
                groups: if own.is_empty() { groups } else { own },
            });
        }
        let mut subnets = vec![self.primary.subnet.clone()];
        if self.settings.subnet_discovery {
            let vpc = self.known().vpc.clone();
            match self.ec2.subnets(&vpc, &self.identity.zone).await {
                Ok(mut found) => {
                    found.sort_by_key(|subnet| std::cmp::Reverse(subnet.free));
                    let meant = found.into_iter().filter(|subnet| {
                        let tag = subnet.tags.get(SUBNET_TAG).map(String::as_str);
                        match subnet.id == self.primary.subnet {
                            true => tag != Some("0"),
                            false => tag.is_some_and(|tag| tag != "0"),
                        }
                    });
                    subnets = meant.map(|subnet| subnet.id).collect();
                }
                Err(error) => self.complain(&error.into()),
            }
        }
        Ok(Site { subnets, groups })
    }

    /// Keeps the pool, once.
    pub async fn adjust(&self, now: Moment) {
        let schedulable = self.words.borrow().schedulable;
        if !self.settings.provision || !(schedulable || self.settings.manage_unschedulable) {
            return;
        }
        let grown = if self.is_low() {
            self.grow(now).await
        } else {
            self.shrink(now).await
        };
        if let Err(error) = grown {
            self.complain(&error);
        }
        if let Err(error) = self.free_interface(now).await {
            self.complain(&error);
        }
    }

    /// Notes units that were given back.
    pub(super) fn note_given_back(&self, units: &[Ipv4Net]) {
        let now = now();
        let mut known = self.known();
        known
            .given_back
            .extend(units.iter().map(|unit| (*unit, now)));
    }
}
