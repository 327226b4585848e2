//! A plan, being carried out.

use super::session::Refused;
use super::{ApplyError, Kernel, Mode, Unsound, nftables, route};
use crate::lint::Wanted;
use crate::namespace::NetNs;
use crate::plan::{Change, Key, Object, Place, Plan, Thing};
use fabric::HostId;
use std::sync::Arc;

/// Changes of one place.
type Local<'a> = (&'a Place, &'a [Change]);

/// A plan, being carried out.
pub(super) struct Execution<'a> {
    kernel: &'a mut Kernel,
    wanted: &'a dyn Wanted,
    mode: Mode,
    pub(super) unsound: Unsound,
}

impl<'a> Execution<'a> {
    pub(super) fn new(kernel: &'a mut Kernel, wanted: &'a dyn Wanted, mode: Mode) -> Self {
        Self {
            kernel,
            wanted,
            mode,
            unsound: Unsound::new(),
        }
    }

    /// Carries a plan out.
    pub(super) fn all(&mut self, plan: &Plan) -> Result<(), ApplyError> {
        let local: Vec<Local<'_>> = plan
            .changes
            .chunk_by(|a, b| a.key.place == b.key.place)
            .filter_map(|changes| Some((&changes.first()?.key.place, changes)))
            .collect();
        let (gone, staying): (Vec<Local<'_>>, Vec<Local<'_>>) = local
            .into_iter()
            .partition(|(_, changes)| is_removed(changes));
        self.in_order(&gone, &staying)?;
        for (place, _) in gone {
            self.kernel.sessions.remove(place);
            if self.mode == Mode::Strict || !matches!(place, Place::Host(_)) {
                self.kernel.places.remove(place);
            }
        }
        Ok(())
    }

    fn in_order(&mut self, gone: &[Local<'_>], staying: &[Local<'_>]) -> Result<(), ApplyError> {
        for (place, changes) in staying {
            self.make(place, changes)?;
        }
        for (place, changes) in staying {
            self.program(place, changes)?;
        }
        self.clear(gone, staying)?;
        for (place, changes) in staying {
            self.links(place, changes)?;
        }
        // Addresses, neighbours, routes and rules.
        for (place, changes) in staying {
            self.route(place, route::additions(changes))?;
        }
        Ok(())
    }

    /// Makes the place's namespace if it is new.
    fn make(&mut self, place: &Place, changes: &[Change]) -> Result<(), ApplyError> {
        let new = changes
            .iter()
            .any(|change| change.key.thing == Thing::Namespace && change.before.is_none());
        if !new || self.kernel.places.contains_key(place) {
            return Ok(());
        }
        let made = match place {
            Place::Host(_) => self.kernel.hosts.create(),
            Place::Network(_) | Place::Gateway(_) | Place::Nic(_) => NetNs::create(),
            // There before any program works in it.
            Place::Node(_) => return Ok(()),
        };
        let namespace = Arc::new(made.map_err(|error| ApplyError {
            place: place.clone(),
            what: "make its namespace".to_owned(),
            cause: error.into(),
        })?);
        self.kernel.places.insert(place.clone(), namespace);
        self.route(place, route::newborn(matches!(place, Place::Host(_))))
    }

    /// nftables and settings.
    fn program(&mut self, place: &Place, changes: &[Change]) -> Result<(), ApplyError> {
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
        let mode = self.mode;
        let session = self.kernel.session(place)?;
        let done = session
            .nftables(place, transaction, mode)
            .and_then(|()| session.settings(place, &settings));
        match done {
            Err(error) => self.refused(place, Refused { link: None, error }),
            Ok(()) => Ok(()),
        }
    }

    /// Takes away routes, rules, neighbours, addresses and links.
    fn clear(&mut self, gone: &[Local<'_>], staying: &[Local<'_>]) -> Result<(), ApplyError> {
        let salvage = self.mode == Mode::Salvage;
        // In a place that goes, only its links matter: their other ends may stay.
        let links = gone
            .iter()
            .map(|(place, changes)| (*place, route::link_removals(changes)));
        let keep_hosts = gone
            .iter()
            .filter(|(place, _)| salvage && matches!(place, Place::Host(_)));
        let others = keep_hosts
            .chain(staying)
            .map(|(place, changes)| (*place, route::removals(changes)));
        for (place, requests) in others.chain(links) {
            if self.kernel.places.contains_key(place) {
                self.route(place, requests)?;
            }
        }
        Ok(())
    }

    fn links(&mut self, place: &Place, changes: &[Change]) -> Result<(), ApplyError> {
        let requests = route::links(changes, &self.kernel.places);
        if requests.is_empty() {
            return Ok(());
        }
        self.route(place, requests)?;
        // The far ends can only be set up from inside.
        for (far, request) in changes.iter().filter_map(route::far_end) {
            self.route(far, vec![request])?;
        }
        for (place, indexes) in route::new_ends(place, changes) {
            self.kernel.session(place)?.await_links(&indexes);
        }
        Ok(())
    }

    /// Takes away what a host's root put where our links are to be.
    pub(super) fn make_way(
        &mut self,
        host: &HostId,
        things: &[(Key, Object)],
    ) -> Result<(), ApplyError> {
        let place = Place::Host(host.clone());
        let links = things.iter().filter_map(|(_, object)| match object {
            Object::Link(link) if link.far == place => Some(link),
            _ => None,
        });
        self.route(&place, links.flat_map(route::obstacles).collect())?;
        let session = self.kernel.session(&place)?;
        session.nftables(&place, nftables::Transaction::of_nothing(), Mode::Salvage)
    }

    fn route(&mut self, place: &Place, requests: Vec<route::Request>) -> Result<(), ApplyError> {
        if requests.is_empty() {
            return Ok(());
        }
        let session = self.kernel.session(place)?;
        for refused in session.route(place, requests, self.mode)? {
            self.refused(place, refused)?;
        }
        Ok(())
    }

    /// A refusal is the business of the host whose root may be its cause; without one it ends the
    /// execution.
    fn refused(&mut self, place: &Place, refused: Refused) -> Result<(), ApplyError> {
        match self.host_behind(place, refused.link) {
            Some(host) => {
                tracing::debug!(%host, error = %refused.error, "refused");
                self.unsound.entry(host).or_insert(refused.error);
                Ok(())
            }
            None => Err(refused.error),
        }
    }

    /// The host that a place is, or that is at the other end of a link of it.
    fn host_behind(&self, place: &Place, link: Option<u32>) -> Option<HostId> {
        if let Place::Host(host) = place {
            return Some(host.clone());
        }
        let key = Key {
            place: place.clone(),
            thing: Thing::Link(link?),
        };
        match self.wanted.wanted(&key)? {
            Object::Link(link) => match &link.far {
                Place::Host(host) => Some(host.clone()),
                _ => None,
            },
            _ => None,
        }
    }
}

fn is_removed(changes: &[Change]) -> bool {
    changes
        .iter()
        .any(|change| change.key.thing == Thing::Namespace && change.after.is_none())
}
