//! The engine: makes the kernel forward as a fabric says.

pub use crate::apply::{ApplyError, HostNamespaces};
use crate::apply::{Kernel, Mode};
use crate::balancing::Touched;
use crate::lint;
use crate::namespace::{NetNs, allow_many_descriptors};
pub use crate::plan::Place;
use crate::plan::{Plan, Realised};
use fabric::{Fabric, HostId, NetworkId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Owns the lab's namespaces and keeps them as the last applied fabric says. Dropping it lets all of
/// them go; with them their links, routes and filters vanish.
pub struct Engine {
    kernel: Kernel,
    realised: Realised,
    /// Whether the last apply failed midway: nobody knows what the kernel has.
    broken: bool,
    /// Hosts whose own root keeps them from being as they should.
    unsound: BTreeSet<HostId>,
    /// Balancers' nodes whose UDP flows have to be looked at.
    touched: Touched,
}

/// What an apply did.
#[derive(Debug)]
pub struct Applied {
    /// How many things in the kernel it made, changed or removed.
    pub changes: usize,
    /// Hosts that could not be made as they should be, with what was refused: their own root must
    /// have seen to that. All else obeys; the next apply tries them again.
    pub unsound: BTreeMap<HostId, ApplyError>,
    /// How many UDP flows of balancers it cut, whose members are gone.
    pub flows_cut: usize,
}

impl Engine {
    /// An engine with nothing applied. Namespaces of hosts come from the factory, so that they
    /// belong to the user namespace that guests are root in. Raises the process's limit of open
    /// descriptors as far as it may.
    pub fn new(hosts: impl HostNamespaces + 'static) -> Self {
        allow_many_descriptors();
        Self {
            kernel: Kernel::new(Box::new(hosts)),
            realised: Realised::default(),
            broken: false,
            unsound: BTreeSet::new(),
            touched: Touched::default(),
        }
    }

    /// Makes the kernel forward as a fabric says; when this returns, packets obey it. The cost
    /// follows what differs from the fabric that was applied last.
    ///
    /// What refers to something that isn't there is as good as absent: a port without its network
    /// has no link, a route to a port that is attached nowhere drops. What hosts do as nodes of
    /// clusters is left out: programs inside them see to that ([`crate::node`]).
    ///
    /// # Errors
    /// The kernel refused something. Then it may have done a part; the next apply takes all of it
    /// down, except for the namespaces of hosts, and builds it anew.
    pub fn apply(&mut self, desired: &Fabric) -> Result<Applied, ApplyError> {
        if self.broken {
            let ruins = self.realised.plan(&Fabric::default());
            self.kernel.execute(&ruins, &self.realised, Mode::Salvage)?;
            self.realised = Realised::default();
            self.broken = false;
        }
        let desired = Fabric {
            nodes: imbl::OrdMap::new(),
            ..desired.clone()
        };
        self.touched.between(self.realised.fabric(), &desired);
        let plan = self.realised.plan(&desired);
        debug_assert_eq!(lint::faults(&plan, &self.realised), Vec::<String>::new());
        let executed = self.kernel.execute(&plan, &self.realised, Mode::Strict);
        let refused = self.unbroken(executed)?;
        self.unsound.extend(refused.into_keys());
        Ok(Applied {
            changes: plan.changes.len(),
            unsound: self.mend()?,
            flows_cut: self.cut_flows(),
        })
    }

    /// Cuts balancers' UDP flows to members that are gone. Where that fails the next apply tries again.
    fn cut_flows(&mut self) -> usize {
        let mut count = 0;
        for host in self.touched.hosts() {
            let place = Place::Host(host.clone());
            if self.kernel.place(&place).is_none() {
                self.touched.done(&host);
                continue;
            }
            let socket = self.kernel.netfilter(&place);
            let cut = socket.and_then(|socket| {
                let failed = |cause| ApplyError {
                    place: place.clone(),
                    what: "cut UDP flows to members that are gone".to_owned(),
                    cause,
                };
                self.touched.cut(&host, socket).map_err(failed)
            });
            match cut {
                Ok(cut) => {
                    count += cut;
                    self.touched.done(&host);
                }
                Err(error) => tracing::warn!(%error, "balancing"),
            }
        }
        count
    }

    /// Makes the links of unsound hosts anew; gives those that stay unsound.
    fn mend(&mut self) -> Result<BTreeMap<HostId, ApplyError>, ApplyError> {
        let mut unsound = BTreeMap::new();
        for host in std::mem::take(&mut self.unsound) {
            let things = self.realised.of_host(&host);
            if things.is_empty() {
                continue;
            }
            tracing::info!(%host, "setting its links up anew: its root has changed them");
            let mended = self.kernel.mend(&host, &things, &self.realised);
            unsound.extend(self.unbroken(mended)?);
        }
        self.unsound.extend(unsound.keys().cloned());
        Ok(unsound)
    }

    /// Gives a running host a new namespace, as a boot gives a machine a fresh network stack. What
    /// ran in the old one has to be gone.
    ///
    /// # Errors
    /// The kernel refused something; as for [`Self::apply`].
    pub fn renew(&mut self, host: &HostId) -> Result<(), ApplyError> {
        let things = self.realised.of_host(host);
        if self.broken || things.is_empty() {
            return Ok(());
        }
        self.unsound.remove(host);
        for plan in [Plan::of_removals(&things), Plan::of_additions(&things)] {
            let executed = self.kernel.execute(&plan, &self.realised, Mode::Strict);
            let refused = self.unbroken(executed)?;
            self.unsound.extend(refused.into_keys());
        }
        self.mend().map(drop)
    }

    /// Remembers a failure.
    fn unbroken<T>(&mut self, result: Result<T, ApplyError>) -> Result<T, ApplyError> {
        self.broken |= result.is_err();
        result
    }

    /// The fabric that was applied last, or that an apply has just failed at.
    pub fn applied(&self) -> &Fabric {
        self.realised.fabric()
    }

    /// A running host's namespace.
    pub fn host(&self, id: &HostId) -> Option<Arc<NetNs>> {
        self.place(&Place::Host(id.clone()))
    }

    /// A network's namespace, which its services listen in.
    pub fn network(&self, id: &NetworkId) -> Option<Arc<NetNs>> {
        self.place(&Place::Network(id.clone()))
    }

    /// Any place's namespace.
    pub fn place(&self, place: &Place) -> Option<Arc<NetNs>> {
        self.kernel.place(place)
    }
}

#[cfg(test)]
mod tests {
    use super::Engine;

    /// The lab's task owns the engine, and tasks move between threads.
    #[test]
    fn an_engine_can_move_to_another_thread() {
        fn movable<T: Send>() {}
        movable::<Engine>();
    }
}
