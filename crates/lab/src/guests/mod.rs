//! The machines behind hosts: which guest runs for which instance, on which disk.
//!
//! An instance runs from the moment its state says so, but its processes are only made at first
//! use, or when it has user data to run. A disk lasts as long as the instance keeps it: stop, start
//! and reboot keep it; a new lab process begins with fresh ones, as OPS-STATE has it.

mod appointed;
pub(crate) mod archive;
mod boot;
mod console;
mod files;
mod user_data;

pub use appointed::Appointment;
pub use console::Consoles;
pub(crate) use files::environment;

use crate::cloud::{Cloud, Snapshot};
use crate::internet;
use crate::presence::Served;
use aws::model::instance::{Instance, InstanceState};
use aws::model::{InstanceId, State};
use fabric::HostId;
use kernel::factory::{FactoryError, GuestFactory};
use kernel::guest::{Guest, GuestDisk};
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use tokio::runtime::Handle;

/// Why a guest can't be had.
#[derive(Debug, thiserror::Error)]
pub enum GuestError {
    /// Nothing runs packets or programs in this lab.
    #[error("this lab was started with --packets none: nothing can run in it")]
    NoPackets,
    /// The host is no machine of the user's.
    #[error("{0} is a managed service's: nothing can be run there")]
    Managed(HostId),
    /// It isn't running.
    #[error("{0} is not running (it is {1})")]
    NotRunning(HostId, /** Its state. */ &'static str),
    /// The kernel has no such place (yet); `skylab status` tells why.
    #[error("{0} has no network namespace now; see `skylab status`")]
    NoPlace(HostId),
    /// Its machine could not be made.
    #[error("{0} could not be booted: {1}")]
    Boot(HostId, /** What failed. */ FactoryError),
    /// Its disk could not be made.
    #[error("{0} has no disk: {1}")]
    Disk(HostId, /** What failed. */ io::Error),
}

/// All guests of a lab. Its functions block; call them from a thread of their own.
#[derive(Clone)]
pub struct Guests {
    inner: Arc<Inner>,
}

struct Inner {
    factory: GuestFactory,
    cloud: Cloud,
    runtime: Handle,
    /// The certificates that guests trust.
    bundle: Arc<str>,
    consoles: Consoles,
    served: Served,
    machines: Mutex<HashMap<HostId, Arc<Mutex<Machine>>>>,
    /// Machines of the lab's own.
    appointed: Mutex<HashMap<HostId, Arc<Appointment>>>,
}

/// One host's machine.
#[derive(Default)]
struct Machine {
    disk: Option<Arc<GuestDisk>>,
    guest: Option<Arc<Guest>>,
    /// The instance's count of boots that the guest stands for.
    boots: u64,
    /// The instance's count of disks that the disk stands for.
    disks: u64,
    /// Whether the disk's user data was started.
    initialised: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Guests {
    /// No guests yet.
    pub fn new(
        factory: GuestFactory,
        cloud: Cloud,
        runtime: Handle,
        bundle: String,
        consoles: Consoles,
        served: Served,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                factory,
                cloud,
                runtime,
                bundle: bundle.into(),
                consoles,
                served,
                machines: Mutex::default(),
                appointed: Mutex::default(),
            }),
        }
    }

    /// Follows the account: boots what has user data, ends what stopped. Runs until the lab ends.
    ///
    /// # Errors
    /// No thread can be made.
    pub fn follow(&self) -> io::Result<()> {
        let guests = self.clone();
        thread::Builder::new()
            .name("guests".to_owned())
            .spawn(move || guests.follow_snapshots())?;
        Ok(())
    }

    fn follow_snapshots(&self) {
        let mut snapshots = self.inner.cloud.snapshots();
        let mut seen = None;
        loop {
            let snapshot = snapshots.borrow_and_update().clone();
            let instances = &snapshot.state.instances;
            if seen.as_ref().is_none_or(|seen| !instances.ptr_eq(seen)) {
                self.reconcile(&snapshot);
                seen = Some(instances.clone());
            }
            if self.inner.runtime.block_on(snapshots.changed()).is_err() {
                return;
            }
        }
    }

    /// Puts a line on an instance's console.
    pub(crate) fn print(&self, instance: &InstanceId, line: &str) {
        self.inner
            .consoles
            .print(instance, format!("{line}\n").as_bytes());
    }

    /// How many guests run.
    pub fn running(&self) -> usize {
        let machines: Vec<_> = lock(&self.inner.machines).values().cloned().collect();
        machines
            .iter()
            .filter(|machine| {
                machine
                    .try_lock()
                    .is_ok_and(|machine| machine.guest.is_some())
            })
            .count()
    }

    /// The guest of a host, booted if it wasn't.
    ///
    /// # Errors
    /// The host runs nothing, or its machine can't be made.
    pub fn guest(&self, host: &HostId) -> Result<Arc<Guest>, GuestError> {
        if !self.inner.cloud.packets() {
            return Err(GuestError::NoPackets);
        }
        let snapshot = self.inner.cloud.snapshot();
        let machine = self.machine(host);
        let mut machine = lock(&machine);
        match snapshot.state.instances.get(host.as_str()) {
            Some(instance) => {
                running(instance)?;
                self.bring_up(&mut machine, &snapshot, instance)
            }
            None if host.as_str().starts_with("internet:") => {
                self.bring_up_site(&mut machine, host)
            }
            None => self.bring_up_appointed(&mut machine, host),
        }
    }

    fn machine(&self, host: &HostId) -> Arc<Mutex<Machine>> {
        lock(&self.inner.machines)
            .entry(host.clone())
            .or_default()
            .clone()
    }

    /// Makes the guests agree with the account.
    fn reconcile(&self, snapshot: &Snapshot) {
        self.end_the_gone(&snapshot.state);
        let waiting = snapshot.state.instances.values().filter(|instance| {
            instance.state == InstanceState::Running && self.wants_boot(instance)
        });
        for instance in waiting {
            let (guests, host) = (self.clone(), HostId::from(instance.id.as_str()));
            // Its own thread: a slow boot must not hold up the others.
            let booting = thread::Builder::new().spawn(move || {
                if let Err(error) = guests.guest(&host) {
                    tracing::error!(host = %host, %error, "not booted");
                    guests.inner.cloud.health().bad(host.as_str(), &error);
                }
            });
            if let Err(error) = booting {
                tracing::error!(%error, "no thread to boot a guest");
            }
        }
    }

    /// Whether a running instance has to be booted now rather than at first use: it has user data
    /// that its disk hasn't run, or it was running before a reboot.
    fn wants_boot(&self, instance: &Instance) -> bool {
        let host = HostId::from(instance.id.as_str());
        let Some(machine) = lock(&self.inner.machines).get(&host).cloned() else {
            return instance.user_data.is_some();
        };
        let machine = lock(&machine);
        let fresh = machine.disks != instance.disks || !machine.initialised;
        let rebooted = machine.boots != 0 && machine.boots != instance.boots;
        (fresh && instance.user_data.is_some()) || rebooted
    }

    /// Ends guests of instances that stopped or are gone, and forgets the disks of the gone.
    fn end_the_gone(&self, state: &State) {
        let known: Vec<_> = lock(&self.inner.machines)
            .iter()
            .map(|(host, machine)| (host.clone(), machine.clone()))
            .collect();
        for (host, machine) in known {
            if host.as_str().starts_with("internet:") || self.is_appointed(&host) {
                continue;
            }
            let now = state.instances.get(host.as_str()).map(|i| i.state);
            match now {
                Some(InstanceState::Pending | InstanceState::Running) => {}
                Some(InstanceState::Stopping | InstanceState::Stopped) => {
                    lock(&machine).guest = None;
                }
                Some(InstanceState::ShuttingDown | InstanceState::Terminated) | None => {
                    *lock(&machine) = Machine::default();
                    lock(&self.inner.machines).remove(&host);
                    self.inner.consoles.forget(&InstanceId::from(host.as_str()));
                }
            }
        }
    }
}

fn running(instance: &Instance) -> Result<(), GuestError> {
    let state = match instance.state {
        InstanceState::Pending | InstanceState::Running => return Ok(()),
        InstanceState::Stopping => "stopping",
        InstanceState::Stopped => "stopped",
        InstanceState::ShuttingDown => "shutting down",
        InstanceState::Terminated => "terminated",
    };
    Err(GuestError::NotRunning(instance.id.as_str().into(), state))
}

/// The address of a place on the internet, from its host's id.
fn site(host: &HostId) -> std::net::Ipv4Addr {
    host.as_str()
        .strip_prefix("internet:")
        .and_then(|address| address.parse().ok())
        .unwrap_or(internet::CLIENT)
}
