//! The sockets by which one place is changed.

use super::nftables::Transaction;
use super::route::Request;
use super::{ApplyError, Mode};
use crate::namespace::NetNs;
use crate::netlink::NetlinkError;
use crate::netlink::route::link;
use crate::netlink::socket::{Family, Socket};
use crate::plan::Place;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// A place that is being changed.
pub(super) struct Session {
    namespace: Arc<NetNs>,
    route: Socket,
    netfilter: Option<Socket>,
    balances: bool,
}

/// A refused request.
pub(super) struct Refused {
    /// The link here that it was about, if it was about one.
    pub(super) link: Option<u32>,
    /// Why it was refused.
    pub(super) error: ApplyError,
}

impl Session {
    pub(super) fn open(namespace: Arc<NetNs>) -> Result<Self, NetlinkError> {
        Ok(Self {
            route: Socket::open(&namespace, Family::Route)?,
            namespace,
            netfilter: None,
            balances: false,
        })
    }

    /// Sends requests about links, addresses and routes. All are tried; gives what was refused.
    pub(super) fn route(
        &mut self,
        place: &Place,
        requests: Vec<Request>,
        mode: Mode,
    ) -> Result<Vec<Refused>, ApplyError> {
        // Those whose refusal only says that the work is done already go by themselves.
        let (lenient, strict): (Vec<_>, Vec<_>) = requests
            .into_iter()
            .partition(|request| request.removes || mode == Mode::Salvage);
        let mut refused = Vec::new();
        for Request {
            message,
            what,
            link,
            ..
        } in lenient
        {
            match self.route.request_all(vec![message]) {
                Ok(()) => {}
                Err(error) if mode == Mode::Salvage || is_gone(&error) => {}
                Err(cause) => refused.push(Refused {
                    link,
                    error: failure(place, what.to_owned(), cause),
                }),
            }
        }
        let abouts: Vec<_> = strict
            .iter()
            .map(|request| (request.what, request.link))
            .collect();
        let messages = strict.into_iter().map(|request| request.message).collect();
        let refusals = self
            .route
            .request_each(messages)
            .map_err(|cause| failure(place, "talk to rtnetlink".to_owned(), cause))?;
        refused.extend(refusals.into_iter().map(|cause| {
            let about = match &cause {
                NetlinkError::Refused { message, .. } => abouts.get(*message).copied(),
                NetlinkError::Io(_) => None,
            };
            let (what, link) = about.unwrap_or(("talk to rtnetlink", None));
            Refused {
                link,
                error: failure(place, what.to_owned(), cause),
            }
        }));
        Ok(refused)
    }

    /// Waits until new links carry packets: the kernel finishes setting them up by itself, a moment
    /// after both ends were set up, and throws away what is sent before. A link that doesn't come
    /// up (its guest may have set it down) is not waited for long.
    pub(super) fn await_links(&mut self, indexes: &[u32]) {
        const PATIENCE: Duration = Duration::from_millis(500);
        const PAUSE: Duration = Duration::from_millis(1);
        let begun = Instant::now();
        for index in indexes {
            while begun.elapsed() < PATIENCE {
                match self.route.ask(link::get(*index)) {
                    Ok(answer) if !link::carries(&answer) => thread::sleep(PAUSE),
                    Ok(_) | Err(_) => break,
                }
            }
        }
    }

    /// Carries a change of nftables out.
    pub(super) fn nftables(
        &mut self,
        place: &Place,
        transaction: Transaction<'_>,
        mode: Mode,
    ) -> Result<(), ApplyError> {
        if transaction.is_empty() {
            return Ok(());
        }
        self.balances |= transaction.is_by_piece();
        let socket = self.netfilter(place)?;
        match transaction.send(socket) {
            Err((what, cause)) if mode == Mode::Strict => Err(failure(place, what, cause)),
            _ => Ok(()),
        }
    }

    /// The socket for nftables and connection tracking.
    pub(super) fn netfilter(&mut self, place: &Place) -> Result<&mut Socket, ApplyError> {
        let socket = match self.netfilter.take() {
            Some(socket) => socket,
            None => Socket::open(&self.namespace, Family::Netfilter)
                .map_err(|cause| failure(place, "open nftables".to_owned(), cause))?,
        };
        Ok(self.netfilter.insert(socket))
    }

    /// Whether the place's nftables are changed piece by piece, as those of balancers' nodes are.
    pub(super) fn balances(&self) -> bool {
        self.balances
    }

    /// Writes settings under `/proc/sys/net`, which shows those of the reader's namespace.
    pub(super) fn settings(
        &self,
        place: &Place,
        settings: &[(&'static str, &str)],
    ) -> Result<(), ApplyError> {
        if settings.is_empty() {
            return Ok(());
        }
        let write = || {
            settings.iter().try_for_each(|(file, value)| {
                let path = Path::new("/proc/sys/net").join(file);
                match fs::write(path, value) {
                    // A kernel without IPv6 needs none switched off.
                    Err(error)
                        if error.kind() == io::ErrorKind::NotFound && file.starts_with("ipv6") =>
                    {
                        Ok(())
                    }
                    other => other.map_err(|error| (*file, error)),
                }
            })
        };
        match self.namespace.run(write) {
            Ok(Ok(())) => Ok(()),
            Ok(Err((file, error))) => Err(failure(place, format!("set net/{file}"), error.into())),
            Err(error) => Err(failure(
                place,
                "enter its namespace".to_owned(),
                error.into(),
            )),
        }
    }
}

fn failure(place: &Place, what: String, cause: NetlinkError) -> ApplyError {
    ApplyError {
        place: place.clone(),
        what,
        cause,
    }
}

/// Whether a removal was refused because there is nothing to remove: a guest's root may have been
/// faster, or the link went and took it along.
fn is_gone(error: &NetlinkError) -> bool {
    use nix::errno::Errno::{EADDRNOTAVAIL, ENODEV, ENOENT, ESRCH};
    matches!(
        error,
        NetlinkError::Refused {
            errno: ENODEV | ENOENT | ESRCH | EADDRNOTAVAIL,
            ..
        }
    )
}
