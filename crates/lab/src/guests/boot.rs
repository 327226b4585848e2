//! Booting: a disk, its files, the guest, its user data.

use super::{GuestError, Guests, Machine, files, site, user_data};
use crate::cloud::Snapshot;
use aws::model::image;
use aws::model::instance::Instance;
use fabric::HostId;
use kernel::guest::{Guest, GuestDisk, GuestFile, GuestSpec};
use std::sync::Arc;

/// What a guest is made of, besides its disk and place.
pub(super) struct Identity {
    pub(super) hostname: String,
    pub(super) files: Vec<GuestFile>,
    pub(super) environment: Vec<(String, String)>,
}

impl Guests {
    /// An instance's guest, on the disk and in the boot that its record counts.
    pub(super) fn bring_up(
        &self,
        machine: &mut Machine,
        snapshot: &Snapshot,
        instance: &Instance,
    ) -> Result<Arc<Guest>, GuestError> {
        let host = HostId::from(instance.id.as_str());
        if machine.boots != instance.boots {
            // The old boot's processes end before the new one's begin.
            machine.guest = None;
            if machine.boots != 0 {
                let renewing = self.inner.cloud.renew(host.clone());
                self.inner.runtime.block_on(renewing);
            }
        }
        if machine.disks != instance.disks {
            *machine = Machine::default();
        }
        if let Some(guest) = &machine.guest {
            return Ok(guest.clone());
        }
        let identity = files::of_instance(&snapshot.state, instance, &self.inner.bundle);
        self.await_services(snapshot, &host);
        let guest = self.boot(machine, &host, identity)?;
        machine.boots = instance.boots;
        machine.disks = instance.disks;
        if !machine.initialised {
            machine.initialised = true;
            let node = image::find(instance.image.as_str()).is_some_and(|of| of.kubernetes_node);
            if let Some(data) = &instance.user_data {
                user_data::run(&guest, &instance.id, (data, node), &self.inner.consoles);
            }
        }
        self.inner.cloud.health().good(host.as_str());
        Ok(guest)
    }

    /// The first thing that a guest does may be to look up a name or ask for its metadata.
    fn await_services(&self, snapshot: &Snapshot, host: &HostId) {
        let ports = snapshot.fabric.ports.values();
        let own = ports.filter(|port| port.host.as_ref().is_some_and(|(of, _)| of == host));
        let networks = own.map(|port| port.network.clone()).collect();
        let waiting = self.inner.served.wait(&networks);
        self.inner.runtime.block_on(waiting);
    }

    /// The guest of a place on the internet.
    pub(super) fn bring_up_site(
        &self,
        machine: &mut Machine,
        host: &HostId,
    ) -> Result<Arc<Guest>, GuestError> {
        if let Some(guest) = &machine.guest {
            return Ok(guest.clone());
        }
        let identity = files::of_site(site(host), &self.inner.bundle);
        self.boot(machine, host, identity)
    }

    pub(super) fn boot(
        &self,
        machine: &mut Machine,
        host: &HostId,
        identity: Identity,
    ) -> Result<Arc<Guest>, GuestError> {
        let place = self
            .inner
            .runtime
            .block_on(self.inner.cloud.host(host.clone()))
            .ok_or_else(|| GuestError::NoPlace(host.clone()))?;
        let disk = match &machine.disk {
            Some(disk) => disk.clone(),
            None => {
                let fresh = GuestDisk::fresh();
                Arc::new(fresh.map_err(|error| GuestError::Disk(host.clone(), error))?)
            }
        };
        let spec = GuestSpec {
            hostname: identity.hostname,
            net: place,
            disk: disk.clone(),
            files: identity.files,
            environment: identity.environment,
        };
        let booted = self.inner.factory.boot(&spec);
        let guest = Arc::new(booted.map_err(|error| GuestError::Boot(host.clone(), error))?);
        machine.disk = Some(disk);
        machine.guest = Some(guest.clone());
        tracing::info!(host = %host, "booted");
        Ok(guest)
    }
}
