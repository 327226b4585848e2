//! Machines that the lab itself puts into its networks: nodes of plain clusters, and what a cloud runs pods on.

use super::{GuestError, Guests, Machine, files, lock};
use fabric::HostId;
use kernel::guest::{Guest, GuestFile};
use std::net::Ipv4Addr;
use std::sync::Arc;

/// What such a machine is.
#[derive(Clone, Debug)]
pub struct Appointment {
    /// Its host name.
    pub hostname: String,
    /// Its address.
    pub address: Ipv4Addr,
    /// The name servers that it asks.
    pub servers: Vec<Ipv4Addr>,
    /// Files of its own.
    pub files: Vec<GuestFile>,
}

impl Guests {
    /// Appoints a machine to a host. It is booted when it is first needed.
    pub fn appoint(&self, host: HostId, appointment: Appointment) {
        lock(&self.inner.appointed).insert(host, Arc::new(appointment));
    }

    /// Ends an appointed machine at once, as when its power fails; its disk stays. When it is next needed
    /// it is booted again.
    pub fn halt(&self, host: &HostId) {
        let machine = lock(&self.inner.machines).get(host).cloned();
        if let Some(machine) = machine {
            let guest = lock(&machine).guest.take();
            if let Some(guest) = guest {
                // Others may hold it for a moment more.
                guest.shut_down();
            }
        }
    }

    /// Ends an appointed machine and forgets it with its disk.
    pub fn dismiss(&self, host: &HostId) {
        lock(&self.inner.appointed).remove(host);
        let machine = lock(&self.inner.machines).remove(host);
        if let Some(machine) = machine {
            *lock(&machine) = Machine::default();
        }
    }

    pub(super) fn is_appointed(&self, host: &HostId) -> bool {
        lock(&self.inner.appointed).contains_key(host)
    }

    pub(super) fn bring_up_appointed(
        &self,
        machine: &mut Machine,
        host: &HostId,
    ) -> Result<Arc<Guest>, GuestError> {
        let found = lock(&self.inner.appointed).get(host).cloned();
        let appointment = found.ok_or_else(|| GuestError::Managed(host.clone()))?;
        if let Some(guest) = &machine.guest {
            return Ok(guest.clone());
        }
        let identity = files::of_appointed(&appointment, &self.inner.bundle);
        self.boot(machine, host, identity)
    }
}
