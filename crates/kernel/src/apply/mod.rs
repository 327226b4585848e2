//! Carries plans out.
//!
//! Order: namespaces are made; filters and translations change, each place's in one transaction;
//! what routes and links are no longer wanted goes; new links, addresses and routes come; namespaces
//! that aren't wanted any more are let go. So a link never carries a packet before its filters stand.
//!
//! A guest's root may do what it likes to its own stack: remove or rename a link, take a name or an
//! index that one of ours is to have. What the kernel then refuses concerns that host only: the rest
//! of the plan is carried out, and the host's links and all on them are made anew.

mod execution;
mod nftables;
mod route;
mod session;

pub(crate) use nftables::{TABLE, Transaction};

use crate::lint::Wanted;
use crate::namespace::NetNs;
use crate::netlink::NetlinkError;
use crate::netlink::socket::Socket;
use crate::plan::{Key, Object, Place, Plan};
use execution::Execution;
use fabric::HostId;
use session::Session;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;

/// Who makes the namespaces of hosts (they may belong to another user namespace than the networks').
pub trait HostNamespaces: Send {
    /// Makes one.
    ///
    /// # Errors
    /// It can't be made.
    fn create(&self) -> io::Result<NetNs>;
}

/// A plan that couldn't be carried out. What is in the kernel is now neither the old nor the new;
/// the next apply builds everything anew.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {what}: {cause}")]
pub struct ApplyError {
    /// Where.
    pub place: Place,
    /// What was to be done.
    pub what: String,
    /// Why it failed.
    #[source]
    pub cause: NetlinkError,
}

/// What to do about refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Stop at the first.
    Strict,
    /// Take down what can be taken down, but keep the namespaces of hosts.
    Salvage,
}

/// The places there are, and how new ones are made.
pub(crate) struct Kernel {
    places: BTreeMap<Place, Arc<NetNs>>,
    /// Sockets in places. Those of networks stay open: closing one that spoke nftables waits for
    /// the kernel to clean up, over ten milliseconds.
    sessions: HashMap<Place, Session>,
    hosts: Box<dyn HostNamespaces>,
}

/// Hosts in which something was refused, and the first thing that was.
pub(crate) type Unsound = BTreeMap<HostId, ApplyError>;

impl Kernel {
    pub(crate) fn new(hosts: Box<dyn HostNamespaces>) -> Self {
        Self {
            places: BTreeMap::new(),
            sessions: HashMap::new(),
            hosts,
        }
    }

    /// A place's namespace.
    pub(crate) fn place(&self, place: &Place) -> Option<Arc<NetNs>> {
        self.places.get(place).cloned()
    }

    /// Carries a plan out; `wanted` is what there will be then. Gives the hosts that are not as they
    /// should be.
    pub(crate) fn execute(
        &mut self,
        plan: &Plan,
        wanted: &dyn Wanted,
        mode: Mode,
    ) -> Result<Unsound, ApplyError> {
        let mut execution = Execution::new(self, wanted, mode);
        let result = execution.all(plan);
        let unsound = execution.unsound;
        self.close_hosts();
        result.map(|()| unsound)
    }

    /// Makes a host's links and all on them anew; `things` is everything that hangs on them or lies
    /// in the host. The host's processes stay where they are.
    pub(crate) fn mend(
        &mut self,
        host: &HostId,
        things: &[(Key, Object)],
        wanted: &dyn Wanted,
    ) -> Result<Unsound, ApplyError> {
        let result = self.mend_in_order(host, things, wanted);
        self.close_hosts();
        result
    }

    fn mend_in_order(
        &mut self,
        host: &HostId,
        things: &[(Key, Object)],
        wanted: &dyn Wanted,
    ) -> Result<Unsound, ApplyError> {
        Execution::new(self, wanted, Mode::Salvage).all(&Plan::of_removals(things))?;
        Execution::new(self, wanted, Mode::Salvage).make_way(host, things)?;
        let mut again = Execution::new(self, wanted, Mode::Strict);
        again.all(&Plan::of_additions(things))?;
        Ok(again.unsound)
    }

    /// Sockets in hosts are not kept: there may be very many. Those of balancers' nodes, which change
    /// often, are.
    fn close_hosts(&mut self) {
        self.sessions
            .retain(|place, session| !matches!(place, Place::Host(_)) || session.balances());
    }

    /// A place's socket for nftables and connection tracking.
    pub(crate) fn netfilter(&mut self, place: &Place) -> Result<&mut Socket, ApplyError> {
        self.session(place)?.netfilter(place)
    }

    fn session(&mut self, place: &Place) -> Result<&mut Session, ApplyError> {
        let failed = |cause| ApplyError {
            place: place.clone(),
            what: "enter its namespace".to_owned(),
            cause,
        };
        match self.sessions.entry(place.clone()) {
            Entry::Occupied(session) => Ok(session.into_mut()),
            Entry::Vacant(vacant) => {
                let namespace = self.places.get(place).cloned();
                let namespace = namespace
                    .ok_or_else(|| failed(io::Error::from(io::ErrorKind::NotFound).into()))?;
                Ok(vacant.insert(Session::open(namespace).map_err(failed)?))
            }
        }
    }
}
