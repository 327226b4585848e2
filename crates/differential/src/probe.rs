//! Real packets: services on every host, and a client socket for each flow.

pub(crate) mod answers;
pub(crate) mod client;
mod service;

use fabric::{Fabric, Flow, HostId};
use kernel::engine::Engine;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// What real packets did with a flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// Whether the caller got its answer.
    pub answered: bool,
    /// The source address the called host saw, where it could tell (UDP).
    pub seen_from: Option<Ipv4Addr>,
}

/// A flow to send: from which host, and whether an answer is expected (only for how long to wait:
/// an unexpected answer is waited for too, a missing one much longer).
#[derive(Clone, Debug)]
pub struct Probe {
    /// The calling host.
    pub host: HostId,
    /// The packet as the caller writes it; its source is bound.
    pub flow: Flow,
    /// Whether `walk` says it is delivered.
    pub expected: bool,
}

/// How long unexpected answers are waited for after the last expected one.
const GRACE: Duration = Duration::from_millis(60);
/// How long expected answers are waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// Sends all the probes at once and reports what came of each.
///
/// # Errors
/// A socket can't be made in a host's namespace.
pub fn probe(
    engine: &Engine,
    fabric: &Fabric,
    ports: &[u16],
    probes: &[Probe],
) -> io::Result<Vec<Observed>> {
    let mut services = Vec::new();
    for (id, _) in fabric.hosts.iter().filter(|(_, host)| host.running) {
        if let Some(namespace) = engine.host(id) {
            services.extend(service::open(&namespace, ports.to_vec())?);
        }
    }
    let mut clients = Vec::new();
    for (index, probe) in probes.iter().enumerate() {
        clients.push(match engine.host(&probe.host) {
            Some(namespace) => client::open(&namespace, probe.flow, index as u32)?,
            None => client::Client::Unsendable,
        });
    }
    let mut observed = vec![Observed::default(); probes.len()];
    let mut seen = BTreeMap::new();
    for client in &clients {
        client.send();
    }
    let started = Instant::now();
    let mut quiet_since = Instant::now();
    loop {
        let missing = probes
            .iter()
            .zip(&observed)
            .any(|(probe, observed)| probe.expected && !observed.answered);
        let waited = if missing {
            started.elapsed() > PATIENCE
        } else {
            quiet_since.elapsed() > GRACE
        };
        if waited {
            break;
        }
        let ready = ready(&services, &clients, &observed)?;
        for index in &ready {
            if let Some(service) = services.get_mut(*index) {
                service.serve(&mut seen);
            }
        }
        let after = services.len();
        for index in ready
            .into_iter()
            .filter_map(|index| index.checked_sub(after))
        {
            if let Some(client) = clients.get(index)
                && !observed[index].answered
                && client.answered()
            {
                observed[index].answered = true;
                quiet_since = Instant::now();
            }
        }
    }
    for (index, source) in seen {
        if let Some(observed) = observed.get_mut(index as usize) {
            observed.seen_from = Some(source);
        }
    }
    Ok(observed)
}

/// The sockets with something to read (or, for a connecting one, to tell), services first.
fn ready(
    services: &[service::Service],
    clients: &[client::Client],
    observed: &[Observed],
) -> io::Result<Vec<usize>> {
    let mut polled: Vec<(usize, BorrowedFd<'_>, PollFlags)> = services
        .iter()
        .enumerate()
        .map(|(index, service)| (index, service.as_fd(), PollFlags::POLLIN))
        .collect();
    for (index, client) in clients
        .iter()
        .enumerate()
        .filter(|(index, _)| !observed[*index].answered)
    {
        if let Some((fd, events)) = client.poll() {
            polled.push((services.len() + index, fd, events));
        }
    }
    let mut fds: Vec<_> = polled
        .iter()
        .map(|(_, fd, events)| PollFd::new(*fd, *events))
        .collect();
    poll(&mut fds, PollTimeout::from(5u8))?;
    let happened = |fd: &PollFd<'_>| fd.revents().is_some_and(|events| !events.is_empty());
    Ok(polled
        .iter()
        .zip(&fds)
        .filter(|(_, fd)| happened(fd))
        .map(|((index, _, _), _)| *index)
        .collect())
}
