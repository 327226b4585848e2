//! Carries plans out.
//!
//! Order: namespaces are made; filters and translations change, each place's in one transaction;
//! what routes and links are no longer wanted goes; new links, addresses and routes come; namespaces
//! that aren't wanted any more are let go. So a link never carries a packet before its filters stand.

mod nftables;
mod route;
mod session;

pub(crate) use nftables::TABLE;

use crate::namespace::NetNs;
use crate::netlink::NetlinkError;
use crate::plan::{Change, Object, Place, Plan, Thing};
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

/// Changes of one place.
type Local<'a> = (&'a Place, &'a [Change]);

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

    /// Carries a plan out.
    pub(crate) fn execute(&mut self, plan: &Plan, mode: Mode) -> Result<(), ApplyError> {
        let local: Vec<Local<'_>> = plan
            .changes
            .chunk_by(|a, b| a.key.place == b.key.place)
            .filter_map(|changes| Some((&changes.first()?.key.place, changes)))
            .collect();
        let (gone, staying): (Vec<Local<'_>>, Vec<Local<'_>>) = local
            .into_iter()
            .partition(|(_, changes)| is_removed(changes));
        let result = self.in_order(&gone, &staying, mode);
        self.sessions
            .retain(|place, _| !matches!(place, Place::Host(_)));
        result?;
        for (place, _) in gone {
            self.sessions.remove(place);
            if mode == Mode::Strict || !matches!(place, Place::Host(_)) {
                self.places.remove(place);
            }
        }
        Ok(())
    }

    fn in_order(
        &mut self,
        gone: &[Local<'_>],
        staying: &[Local<'_>],
        mode: Mode,
    ) -> Result<(), ApplyError> {
        for (place, changes) in staying {
            self.make(place, changes)?;
        }
        for (place, changes) in staying {
            self.program(place, changes, mode)?;
        }
        self.clear(gone, staying, mode)?;
        for (place, changes) in staying {
            self.links(place, changes, mode)?;
        }
        // Addresses, neighbours, routes and rules.
        for (place, changes) in staying {
            let requests = route::additions(changes);
            if !requests.is_empty() {
                self.session(place)?.route(place, requests, mode)?;
            }
        }
        Ok(())
    }

    /// Makes the place's namespace if it is new.
    fn make(&mut self, place: &Place, changes: &[Change]) -> Result<(), ApplyError> {
        let new = changes
            .iter()
            .any(|change| change.key.thing == Thing::Namespace && change.before.is_none());
        if !new || self.places.contains_key(place) {
            return Ok(());
        }
        let made = match place {
            Place::Host(_) => self.hosts.create(),
            Place::Network(_) | Place::Gateway(_) | Place::Nic(_) => NetNs::create(),
        };
        let namespace = Arc::new(made.map_err(|error| ApplyError {
            place: place.clone(),
            what: "make its namespace".to_owned(),
            cause: error.into(),
        })?);
        self.places.insert(place.clone(), namespace);
        let requests = route::newborn(matches!(place, Place::Host(_)));
        self.session(place)?.route(place, requests, Mode::Strict)
    }

    /// nftables and settings.
    fn program(&mut self, place: &Place, changes: &[Change], mode: Mode) -> Result<(), ApplyError> {
        let transaction = nftables::Transaction::of(changes);
        let settings: Vec<(&'static str, &str)> = changes
            .iter()
            .filter_map(|change| match (&change.key.thing, &change.after) {
                (Thing::Setting(file), Some(Object::Setting(value))) => {
                    Some((*file, value.as_str()))
                }
                _ => None,
            })
            .collect();
        if transaction.is_empty() && settings.is_empty() {
            return Ok(());
        }
        let session = self.session(place)?;
        session.nftables(place, transaction, mode)?;
        session.settings(place, &settings)
    }

    /// Takes away routes, rules, neighbours, addresses and links.
    fn clear(
        &mut self,
        gone: &[Local<'_>],
        staying: &[Local<'_>],
        mode: Mode,
    ) -> Result<(), ApplyError> {
        // In a place that goes, only its links matter: their other ends may stay.
        let links = gone
            .iter()
            .map(|(place, changes)| (*place, route::link_removals(changes)));
        let keep_hosts = gone
            .iter()
            .filter(|(place, _)| mode == Mode::Salvage && matches!(place, Place::Host(_)));
        let others = keep_hosts
            .chain(staying)
            .map(|(place, changes)| (*place, route::removals(changes)));
        for (place, requests) in others.chain(links) {
            if !requests.is_empty() && self.places.contains_key(place) {
                self.session(place)?.route(place, requests, mode)?;
            }
        }
        Ok(())
    }

    fn links(&mut self, place: &Place, changes: &[Change], mode: Mode) -> Result<(), ApplyError> {
        let requests = route::links(changes, &self.places);
        if requests.is_empty() {
            return Ok(());
        }
        self.session(place)?.route(place, requests, mode)?;
        // The far ends can only be set up from inside.
        for (far, request) in changes.iter().filter_map(route::far_end) {
            self.session(far)?.route(far, vec![request], mode)?;
        }
        for (place, indexes) in route::new_ends(place, changes) {
            self.session(place)?.await_links(&indexes);
        }
        Ok(())
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

fn is_removed(changes: &[Change]) -> bool {
    changes
        .iter()
        .any(|change| change.key.thing == Thing::Namespace && change.after.is_none())
}
