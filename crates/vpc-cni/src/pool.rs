//! How many addresses a node keeps: decisions of Amazon's agent, without any I/O.
//! <https://github.com/aws/amazon-vpc-cni-k8s/blob/master/docs/eni-and-ip-target.md>
//! <https://github.com/aws/amazon-vpc-cni-k8s/blob/master/docs/prefix-and-ip-target.md>
//!
//! Addresses come in units: single ones, or prefixes of 16. By default the pool has a whole interface more
//! than it needs; with targets for addresses it has as many as they say, and gives the others back.

use crate::limits::PREFIX_SIZE;

/// How many addresses to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Targets {
    /// WARM_ENI_TARGET: whole interfaces to spare.
    pub warm_enis: usize,
    /// WARM_IP_TARGET: addresses to spare.
    pub warm_ips: Option<usize>,
    /// MINIMUM_IP_TARGET: addresses in all.
    pub minimum_ips: Option<usize>,
    /// WARM_PREFIX_TARGET: whole prefixes to spare.
    pub warm_prefixes: usize,
    /// Whether addresses come by prefixes.
    pub prefixes: bool,
}

/// What the node could have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Units on each interface.
    pub units_per_interface: usize,
    /// Interfaces whose addresses pods may have.
    pub interfaces: usize,
    /// Pods.
    pub pods: usize,
}

/// What the node has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stock {
    /// Addresses, used, resting and free.
    pub total: usize,
    /// Those that pods have.
    pub assigned: usize,
    /// Prefixes.
    pub prefixes: usize,
    /// Prefixes of which no pod has an address.
    pub free_prefixes: usize,
    /// Interfaces whose addresses pods may have.
    pub interfaces: usize,
}

impl Stock {
    /// Addresses that no pod has. Those that rest are among them.
    pub fn available(&self) -> usize {
        self.total - self.assigned.min(self.total)
    }
}

impl Targets {
    /// Whether addresses are counted, and not whole interfaces or prefixes.
    pub fn count_ips(&self) -> bool {
        self.warm_ips.is_some() || self.minimum_ips.is_some()
    }

    /// Addresses in a unit.
    pub fn unit(&self) -> usize {
        if self.prefixes { PREFIX_SIZE } else { 1 }
    }

    /// How many addresses there are too few, if they are counted.
    fn short(&self, stock: &Stock) -> Option<usize> {
        self.count_ips().then(|| {
            let warm = self.warm_ips.unwrap_or(0).saturating_sub(stock.available());
            let least = self.minimum_ips.unwrap_or(0).saturating_sub(stock.total);
            warm.max(least)
        })
    }

    /// How many units there are too many, if they are counted.
    pub fn over(&self, stock: &Stock) -> usize {
        let (warm, least) = (self.warm_ips.unwrap_or(0), self.minimum_ips.unwrap_or(0));
        if self.prefixes {
            let needed = |addresses: usize| addresses.div_ceil(PREFIX_SIZE);
            let beyond = |units: usize| stock.prefixes.saturating_sub(units);
            return match self.count_ips() {
                true => stock
                    .free_prefixes
                    .min(beyond(needed(stock.assigned + warm)))
                    .min(beyond(needed(least))),
                false => stock.free_prefixes.saturating_sub(self.warm_prefixes),
            };
        }
        if !self.count_ips() {
            return 0;
        }
        let beyond_warm = stock.available().saturating_sub(warm);
        beyond_warm.min(stock.total.saturating_sub(least))
    }

    /// Whether there are too few.
    pub fn is_low(&self, stock: &Stock, capacity: &Capacity) -> bool {
        if stock.total >= capacity.pods {
            return false;
        }
        if let Some(short) = self.short(stock) {
            return short > 0;
        }
        let (warm, size) = if self.prefixes {
            (self.warm_prefixes, PREFIX_SIZE)
        } else {
            (self.warm_enis, capacity.units_per_interface)
        };
        stock.available() < warm * size || (warm == 0 && stock.available() == 0)
    }

    /// How many units to ask for on an interface that has room for so many. Nothing where addresses are
    /// counted and there are enough.
    pub fn units_on(&self, stock: &Stock, room: usize) -> usize {
        let wanted = match self.short(stock) {
            Some(0) => return 0,
            Some(short) => short.div_ceil(self.unit()),
            None if self.prefixes => {
                let missing = self.warm_prefixes.saturating_sub(stock.free_prefixes);
                missing.max(1)
            }
            // A whole interface's.
            None => room,
        };
        wanted.min(room)
    }

    /// How many units a new interface is made with: at least one.
    pub fn units_on_new(&self, stock: &Stock, capacity: &Capacity) -> usize {
        self.units_on(stock, capacity.units_per_interface).max(1)
    }

    /// Whether it is worth looking for an interface to give back.
    pub fn may_free_interface(&self, stock: &Stock, capacity: &Capacity) -> bool {
        if self.count_ips() {
            // Each interface is asked whether it is needed for the targets.
            return true;
        }
        let (warm, size) = if self.prefixes {
            (self.warm_prefixes, PREFIX_SIZE)
        } else {
            (self.warm_enis, capacity.units_per_interface)
        };
        stock.available() >= (warm + 1) * size
    }

    /// Whether the targets could still be met by what is left without an interface that has no pods.
    pub fn met_without(&self, others: &Stock) -> bool {
        let warm_ips = self.warm_ips.is_none_or(|warm| others.available() >= warm);
        let minimum = self.minimum_ips.is_none_or(|least| others.total >= least);
        let prefixes =
            !self.prefixes || self.count_ips() || others.free_prefixes >= self.warm_prefixes;
        warm_ips && minimum && prefixes
    }
}

#[cfg(test)]
mod tests;
