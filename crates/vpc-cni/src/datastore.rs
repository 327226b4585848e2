//! Which addresses a node's interfaces have and which pods have them. Values and rules; whoever owns it
//! writes [`Datastore::allocations`] to a file before anybody learns of a change.

use crate::limits::PREFIX_SIZE;
use crate::pool::{Stock, Targets};
use ipnet::Ipv4Net;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

/// Milliseconds since 1970.
pub type Moment = u64;

/// An interface is not given back before it is so old.
const YOUNG: Duration = Duration::from_secs(60);

/// What an address is assigned to: a link of a container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner {
    /// The network's name, `aws-cni`.
    pub network: String,
    /// The container's id.
    pub container: String,
    /// The link's name in the container.
    pub link: String,
}

/// An assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allocation {
    /// The address.
    pub address: Ipv4Addr,
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub pod: String,
    /// When it was made.
    pub made: Moment,
}

/// An interface whose addresses pods may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its id.
    pub id: String,
    /// Its device index on the instance.
    pub device: u32,
    /// Whether it is the instance's first.
    pub primary: bool,
    /// When the agent came to know it.
    pub since: Moment,
    /// Its addresses (/32) and prefixes (/28) that are the pods', with when an address of each was freed.
    units: BTreeMap<Ipv4Net, BTreeMap<Ipv4Addr, Moment>>,
}

impl Interface {
    /// How many addresses and prefixes it has for pods.
    pub fn units(&self) -> usize {
        self.units.len()
    }

    fn holds(&self, address: Ipv4Addr) -> Option<Ipv4Net> {
        self.units
            .keys()
            .find(|unit| unit.contains(&address))
            .copied()
    }
}

/// Why there is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssignError {
    /// All are assigned or rest.
    #[error("AssignPodIPv4Address: no available IP/Prefix addresses")]
    NoneAvailable,
}

/// The store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datastore {
    interfaces: BTreeMap<String, Interface>,
    allocations: BTreeMap<Owner, Allocation>,
    cooldown: Duration,
}

/// A unit's addresses: all sixteen of a prefix are pods'.
fn addresses(unit: Ipv4Net) -> impl Iterator<Item = Ipv4Addr> {
    let first = u32::from(unit.network());
    (first..=u32::from(unit.broadcast())).map(Ipv4Addr::from)
}

fn passed(since: Moment, now: Moment) -> Duration {
    Duration::from_millis(now.saturating_sub(since))
}

impl Datastore {
    /// An empty one, whose addresses rest for so long.
    pub fn new(cooldown: Duration) -> Self {
        Self {
            interfaces: BTreeMap::new(),
            allocations: BTreeMap::new(),
            cooldown,
        }
    }

    /// The interfaces by id.
    pub fn interfaces(&self) -> impl Iterator<Item = &Interface> {
        self.interfaces.values()
    }

    /// Who has what.
    pub fn allocations(&self) -> &BTreeMap<Owner, Allocation> {
        &self.allocations
    }

    /// Puts the assignments of an earlier run in; those whose address no interface has stay too, since the
    /// pods are there.
    pub fn restore(&mut self, allocations: BTreeMap<Owner, Allocation>) {
        self.allocations = allocations;
    }

    /// Comes to know an interface; one that is known stays as it is.
    pub fn add_interface(&mut self, id: &str, device: u32, primary: bool, now: Moment) {
        self.interfaces
            .entry(id.to_owned())
            .or_insert_with(|| Interface {
                id: id.to_owned(),
                device,
                primary,
                since: now,
                units: BTreeMap::new(),
            });
    }

    /// Forgets an interface and all its addresses.
    pub fn remove_interface(&mut self, id: &str) {
        self.interfaces.remove(id);
    }

    /// An interface has an address or prefix for pods.
    pub fn add_unit(&mut self, interface: &str, unit: Ipv4Net) {
        if let Some(interface) = self.interfaces.get_mut(interface) {
            interface.units.entry(unit).or_default();
        }
    }

    /// An interface has lost an address or prefix.
    pub fn remove_unit(&mut self, interface: &str, unit: Ipv4Net) {
        if let Some(interface) = self.interfaces.get_mut(interface) {
            interface.units.remove(&unit);
        }
    }

    /// The addresses and prefixes of an interface.
    pub fn units_of(&self, interface: &str) -> Vec<Ipv4Net> {
        let interface = self.interfaces.get(interface);
        interface.map_or_else(Vec::new, |found| found.units.keys().copied().collect())
    }

    /// The interface that an address belongs to.
    pub fn interface_of(&self, address: Ipv4Addr) -> Option<&Interface> {
        self.interfaces
            .values()
            .find(|interface| interface.holds(address).is_some())
    }

    /// Assigns an address; the same one to who has one already.
    ///
    /// # Errors
    /// There is none.
    pub fn assign(
        &mut self,
        owner: Owner,
        namespace: &str,
        pod: &str,
        now: Moment,
    ) -> Result<Ipv4Addr, AssignError> {
        if let Some(known) = self.allocations.get(&owner) {
            return Ok(known.address);
        }
        let address = self.free_address(now).ok_or(AssignError::NoneAvailable)?;
        let allocation = Allocation {
            address,
            namespace: namespace.to_owned(),
            pod: pod.to_owned(),
            made: now,
        };
        self.allocations.insert(owner, allocation);
        Ok(address)
    }

    /// The first address that nobody has and that doesn't rest: of the interface with the lowest device
    /// index, so that others become free to be given back.
    fn free_address(&self, now: Moment) -> Option<Ipv4Addr> {
        let taken = self.taken();
        let mut interfaces: Vec<_> = self.interfaces.values().collect();
        interfaces.sort_by_key(|interface| interface.device);
        let units = interfaces.iter().flat_map(|interface| &interface.units);
        units
            .flat_map(|(unit, freed)| addresses(*unit).map(move |address| (address, freed)))
            .find(|(address, freed)| {
                !taken.contains_key(address) && !self.rests(freed, *address, now)
            })
            .map(|(address, _)| address)
    }

    fn taken(&self) -> BTreeMap<Ipv4Addr, &Owner> {
        let all = self.allocations.iter();
        all.map(|(owner, allocation)| (allocation.address, owner))
            .collect()
    }

    fn rests(&self, freed: &BTreeMap<Ipv4Addr, Moment>, address: Ipv4Addr, now: Moment) -> bool {
        freed
            .get(&address)
            .is_some_and(|since| passed(*since, now) < self.cooldown)
    }

    /// Takes an address back, which rests from now on; nothing to take back is fine. The network's name may
    /// have changed since the address was given, so only the container and its link count.
    pub fn unassign(
        &mut self,
        container: &str,
        link: &str,
        now: Moment,
    ) -> Option<(Owner, Allocation)> {
        let owner = self
            .allocations
            .keys()
            .find(|owner| owner.container == container && owner.link == link)?
            .clone();
        let allocation = self.allocations.remove(&owner)?;
        for interface in self.interfaces.values_mut() {
            if let Some(unit) = interface.holds(allocation.address) {
                let freed = interface.units.entry(unit).or_default();
                freed.insert(allocation.address, now);
            }
        }
        Some((owner, allocation))
    }

    /// What there is.
    pub fn stock(&self) -> Stock {
        self.stock_without(None)
    }

    /// What there is on all interfaces but one.
    fn stock_without(&self, without: Option<&str>) -> Stock {
        let taken = self.taken();
        let mut stock = Stock::default();
        for interface in self.interfaces.values() {
            if Some(interface.id.as_str()) == without {
                continue;
            }
            stock.interfaces += 1;
            for unit in interface.units.keys() {
                let assigned = addresses(*unit)
                    .filter(|one| taken.contains_key(one))
                    .count();
                stock.total += addresses(*unit).count();
                stock.assigned += assigned;
                if unit.prefix_len() < 32 {
                    stock.prefixes += 1;
                    stock.free_prefixes += usize::from(assigned == 0);
                }
            }
        }
        stock
    }

    /// How many addresses rest.
    pub fn resting(&self, now: Moment) -> usize {
        let units = self.interfaces.values().flat_map(|one| one.units.values());
        units
            .flat_map(|freed| freed.keys().map(move |address| (freed, *address)))
            .filter(|(freed, address)| self.rests(freed, *address, now))
            .count()
    }

    /// The interface with room for more units: the one with the lowest device index. In custom networking
    /// the primary one isn't asked.
    pub fn with_room(&self, most: usize, but_primary: bool) -> Option<(&Interface, usize)> {
        self.interfaces
            .values()
            .filter(|interface| !(but_primary && interface.primary) && interface.units() < most)
            .min_by_key(|interface| interface.device)
            .map(|interface| (interface, most - interface.units()))
    }

    /// Units of an interface of which nobody has an address and none rests.
    pub fn freeable(&self, interface: &str, now: Moment) -> Vec<Ipv4Net> {
        let taken = self.taken();
        let Some(interface) = self.interfaces.get(interface) else {
            return Vec::new();
        };
        let unused = |unit: &Ipv4Net, freed: &BTreeMap<Ipv4Addr, Moment>| {
            addresses(*unit)
                .all(|address| !taken.contains_key(&address) && !self.rests(freed, address, now))
        };
        let units = interface.units.iter();
        units
            .filter(|(unit, freed)| unused(unit, freed))
            .map(|(unit, _)| *unit)
            .collect()
    }

    /// The interface that can be given back: not the primary one, not a young one, without pods and
    /// resting addresses, and not needed for the targets. The one with the highest device index.
    pub fn deletable(&self, targets: &Targets, now: Moment) -> Option<&Interface> {
        let idle = |interface: &&Interface| {
            !interface.primary
                && passed(interface.since, now) >= YOUNG
                && self.freeable(&interface.id, now).len() == interface.units()
                && targets.met_without(&self.stock_without(Some(&interface.id)))
        };
        self.interfaces
            .values()
            .filter(idle)
            .max_by_key(|interface| interface.device)
    }
}

/// A prefix of the size that EC2 delegates has [`PREFIX_SIZE`] addresses.
const _: () = assert!(PREFIX_SIZE == 1 << (32 - 28));

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SECOND: Moment = 1000;

    fn owner(container: &str) -> Owner {
        Owner {
            network: "aws-cni".to_owned(),
            container: container.to_owned(),
            link: "eth0".to_owned(),
        }
    }

    fn store(units: &[(&str, u32, &str)]) -> Datastore {
        let mut store = Datastore::new(Duration::from_secs(30));
        for (interface, device, unit) in units {
            store.add_interface(interface, *device, *device == 0, 0);
            store.add_unit(interface, unit.parse().unwrap());
        }
        store
    }

    impl Datastore {
        fn give(&mut self, container: &str, now: Moment) -> Option<String> {
            let given = self.assign(owner(container), "default", container, now);
            given.ok().map(|address| address.to_string())
        }
    }

    /// AWS-CNI: the same container gets the same address; one that is given back rests for 30 seconds,
    /// and counts as available all the while.
    #[test]
    fn addresses_rest() {
        let mut store = store(&[("eni-1", 0, "10.0.0.5/32"), ("eni-1", 0, "10.0.0.6/32")]);
        assert_eq!(store.give("a", 0).as_deref(), Some("10.0.0.5"));
        assert_eq!(store.give("a", 0).as_deref(), Some("10.0.0.5"));
        assert_eq!(store.give("b", 0).as_deref(), Some("10.0.0.6"));
        assert_eq!(store.give("c", 0), None);
        assert!(store.unassign("a", "eth0", SECOND).is_some());
        assert_eq!(store.unassign("a", "eth0", SECOND), None);
        assert_eq!(store.stock().available(), 1);
        assert_eq!(store.resting(30 * SECOND), 1);
        assert_eq!(store.give("c", 30 * SECOND), None);
        assert!(store.freeable("eni-1", 30 * SECOND).is_empty());
        assert_eq!(store.give("c", 31 * SECOND).as_deref(), Some("10.0.0.5"));
    }

    /// AWS-CNI: a prefix has sixteen addresses, and is free when nobody has one of them.
    #[test]
    fn prefixes_are_sixteen_addresses() {
        let mut store = store(&[("eni-1", 0, "10.0.0.16/28"), ("eni-1", 0, "10.0.0.48/28")]);
        let stock = store.stock();
        assert_eq!(
            (stock.total, stock.prefixes, stock.free_prefixes),
            (32, 2, 2)
        );
        assert_eq!(store.give("a", 0).as_deref(), Some("10.0.0.16"));
        let stock = store.stock();
        assert_eq!((stock.assigned, stock.free_prefixes), (1, 1));
        assert_eq!(
            store.freeable("eni-1", 0),
            ["10.0.0.48/28".parse().unwrap()]
        );
    }

    /// AWS-CNI: only an idle interface that is a minute old is given back, never the primary one.
    #[test]
    fn idle_interfaces_can_go() {
        let targets = Targets {
            warm_enis: 1,
            warm_ips: None,
            minimum_ips: None,
            warm_prefixes: 0,
            prefixes: false,
        };
        let mut store = store(&[("eni-1", 0, "10.0.0.5/32"), ("eni-2", 1, "10.0.0.9/32")]);
        assert_eq!(store.deletable(&targets, 59 * SECOND), None);
        assert_eq!(store.deletable(&targets, 60 * SECOND).unwrap().id, "eni-2");
        store.give("a", 0);
        store.give("b", 0);
        assert_eq!(
            store.interface_of([10, 0, 0, 9].into()).unwrap().id,
            "eni-2"
        );
        assert_eq!(store.deletable(&targets, 60 * SECOND), None);
        store.unassign("b", "eth0", 60 * SECOND);
        assert_eq!(store.deletable(&targets, 89 * SECOND), None);
        assert_eq!(store.deletable(&targets, 90 * SECOND).unwrap().id, "eni-2");
    }
}
