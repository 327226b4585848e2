//! Carries plans out.
//!
//! Order: namespaces are made; filters and translations change, each place's in one transaction;
//! what routes and links are no longer wanted goes; new links, addresses and routes come; namespaces
//! that aren't wanted any more are let go. So a link never carries a packet before its filters stand.

mod nftables;
mod route;
mod session;

use crate::namespace::NetNs;
use crate::netlink::NetlinkError;
use crate::plan::{Change, Object, Place, Plan, Thing};
use session::Session;
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
    hosts: Box<dyn HostNamespaces>,
}

/// Changes of one place.
type Local<'a> = (&'a Place, &'a [Change]);

impl Kernel {
    pub(crate) fn new(hosts: Box<dyn HostNamespaces>) -> Self {
        Self {
            places: BTreeMap::new(),
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
        let mut run = Run {
            sessions: HashMap::new(),
            mode,
        };
        for (place, changes) in &staying {
            self.make(place, changes, &mut run)?;
        }
        for (place, changes) in &staying {
            self.program(place, changes, &mut run)?;
        }
        self.clear(&gone, &staying, &mut run)?;
        for (place, changes) in &staying {
            self.links(place, changes, &mut run)?;
        }
        for (place, changes) in &staying {
            self.raise(place, changes, &mut run)?;
        }
        for (place, _) in gone {
            if mode == Mode::Strict || !matches!(place, Place::Host(_)) {
                self.places.remove(place);
            }
        }
        Ok(())
    }

    /// Makes the place's namespace if it is new.
    fn make(
        &mut self,
        place: &Place,
        changes: &[Change],
        run: &mut Run,
    ) -> Result<(), ApplyError> {
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
        let session = self.session(place, run)?;
        let requests = route::newborn(matches!(place, Place::Host(_)));
        session.route(place, requests, Mode::Strict)
    }

    /// nftables and settings.
    fn program(
        &self,
        place: &Place,
        changes: &[Change],
        run: &mut Run,
    ) -> Result<(), ApplyError> {
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
        let mode = run.mode;
        let session = self.session(place, run)?;
        session.nftables(place, transaction, mode)?;
        session.settings(place, &settings)
    }

    /// Takes away routes, rules, neighbours, addresses and links, in this order.
    fn clear(
        &self,
        gone: &[Local<'_>],
        staying: &[Local<'_>],
        run: &mut Run,
    ) -> Result<(), ApplyError> {
        let mode = run.mode;
        // In a place that goes, only its links matter: their other ends may stay.
        let links = gone
            .iter()
            .map(|(place, changes)| (*place, route::link_removals(changes)));
        let keep_hosts = gone.iter().filter(|(place, _)| {
            mode == Mode::Salvage && matches!(place, Place::Host(_))
        });
        let others = keep_hosts
            .chain(staying)
            .map(|(place, changes)| (*place, route::removals(changes)));
        for (place, requests) in others.chain(links) {
            if !requests.is_empty() && self.places.contains_key(place) {
                self.session(place, run)?.route(place, requests, mode)?;
            }
        }
        Ok(())
    }

    fn links(
        &self,
        place: &Place,
        changes: &[Change],
        run: &mut Run,
    ) -> Result<(), ApplyError> {
        let mode = run.mode;
        let requests = route::links(changes, &self.places);
        if requests.is_empty() {
            return Ok(());
        }
        self.session(place, run)?.route(place, requests, mode)?;
        // The far ends can only be set up from inside.
        for (far, request) in changes.iter().filter_map(route::far_end) {
            self.session(far, run)?.route(far, vec![request], mode)?;
        }
        for (place, indexes) in route::new_ends(place, changes) {
            self.session(place, run)?.await_links(&indexes);
        }
        Ok(())
    }

    /// Addresses, neighbours, routes and rules.
    fn raise(
        &self,
        place: &Place,
        changes: &[Change],
        run: &mut Run,
    ) -> Result<(), ApplyError> {
        let requests = route::additions(changes);
        if requests.is_empty() {
            return Ok(());
        }
        let mode = run.mode;
        self.session(place, run)?.route(place, requests, mode)
    }

    fn session<'r>(
        &self,
        place: &Place,
        run: &'r mut Run,
    ) -> Result<&'r mut Session, ApplyError> {
        let failed = |cause| ApplyError {
            place: place.clone(),
            what: "enter its namespace".to_owned(),
            cause,
        };
        if !run.sessions.contains_key(place) {
            let namespace = self
                .place(place)
                .ok_or_else(|| failed(io::Error::from(io::ErrorKind::NotFound).into()))?;
            let session = Session::open(namespace).map_err(failed)?;
            run.sessions.insert(place.clone(), session);
        }
        run.sessions
            .get_mut(place)
            .ok_or_else(|| failed(io::Error::from(io::ErrorKind::NotFound).into()))
    }
}

/// One plan being carried out: the sockets that are open meanwhile.
struct Run {
    sessions: HashMap<Place, Session>,
    mode: Mode,
}

fn is_removed(changes: &[Change]) -> bool {
    changes
        .iter()
        .any(|change| change.key.thing == Thing::Namespace && change.after.is_none())
}
