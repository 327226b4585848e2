//! `walk` beside packets.

use crate::build::{Built, build, internet_host};
use crate::probe::{Observed, Probe, probe};
use crate::scenario::{Attempt, INTERNET, PORTS, Place, Protocol, Scenario};
use fabric::walk::Walker;
use fabric::{Flow, Origin, PortId, Trace, Transport, Verdict};
use kernel::engine::Engine;
use std::fmt;
use std::net::Ipv4Addr;

/// A flow on which the two disagree.
#[derive(Clone, Debug)]
pub struct Mismatch {
    /// The flow's place in the scenario.
    pub index: usize,
    /// What `walk` says.
    pub trace: Trace,
    /// What packets did.
    pub observed: Observed,
}

/// How a comparison went.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    /// Flows that packets and `walk` were asked about.
    pub compared: usize,
    /// Of these, those delivered.
    pub delivered: usize,
    /// Flows that can't be asked about (their ends don't exist in what is left of the scenario).
    pub skipped: usize,
    /// Disagreements.
    pub mismatches: Vec<Mismatch>,
}

/// What stops a comparison.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// The kernel back end refused the fabric.
    #[error("the fabric can't be realised: {0}")]
    Apply(#[from] kernel::engine::ApplyError),
    /// Sockets can't be made.
    #[error("probing: {0}")]
    Probe(#[from] std::io::Error),
}

/// Builds a scenario in an engine and compares every flow.
///
/// # Errors
/// The engine or the sockets fail; disagreements are no error.
pub fn compare(engine: &mut Engine, scenario: &Scenario) -> Result<Comparison, CompareError> {
    let built = build(scenario);
    engine.apply(&built.fabric)?;
    let walker = Walker::new(&built.fabric);
    let mut asked = Vec::new();
    for (index, attempt) in scenario.flows.iter().enumerate() {
        let Some((origin, flow)) = resolve(&built, attempt, index) else {
            continue;
        };
        let trace = walker.walk(&origin, flow);
        asked.push((index, origin, trace));
    }
    let observed = send(engine, &built, &asked)?;
    let mut doubtful: Vec<_> = asked
        .iter()
        .zip(observed)
        .filter(|((_, _, trace), seen)| !agree(trace, seen))
        .collect();
    // A machine under load may be late with an answer; what disagrees is asked once more, alone.
    for ((index, origin, trace), seen) in &mut doubtful {
        *seen = send(engine, &built, &[(*index, origin.clone(), trace.clone())])?[0];
    }
    let mismatches = doubtful
        .into_iter()
        .filter(|((_, _, trace), seen)| !agree(trace, seen))
        .map(|((index, _, trace), observed)| Mismatch {
            index: *index,
            trace: trace.clone(),
            observed,
        })
        .collect();
    let delivered = asked
        .iter()
        .filter(|(_, _, trace)| trace.verdict == Verdict::Delivered)
        .count();
    Ok(Comparison {
        compared: asked.len(),
        delivered,
        skipped: scenario.flows.len() - asked.len(),
        mismatches,
    })
}

fn send(
    engine: &Engine,
    built: &Built,
    asked: &[(usize, Origin, Trace)],
) -> std::io::Result<Vec<Observed>> {
    let probes: Vec<_> = asked
        .iter()
        .filter_map(|(_, origin, trace)| {
            let host = match origin {
                Origin::Host(host) => host.clone(),
                Origin::Port(port) => built.fabric.ports.get(port)?.host.as_ref()?.0.clone(),
            };
            Some(Probe {
                host,
                flow: trace.flow,
                expected: trace.verdict == Verdict::Delivered,
            })
        })
        .collect();
    probe(engine, &built.fabric, &PORTS, &probes)
}

/// Whether packets did what `walk` says: the answer, and, for UDP that arrived, the source that the
/// called host saw.
fn agree(trace: &Trace, observed: &Observed) -> bool {
    let answered = trace.verdict == Verdict::Delivered;
    if matches!(trace.verdict, Verdict::Unknown(_)) {
        return false;
    }
    let seen = match (trace.flow.transport, &trace.arrived) {
        (Transport::Udp { .. }, Some((_, arrived))) => observed.seen_from == Some(arrived.source),
        (Transport::Udp { .. }, None) => observed.seen_from.is_none(),
        _ => true,
    };
    answered == observed.answered && seen
}

/// An attempt in terms of the fabric; `None` when an end of it doesn't exist.
fn resolve(built: &Built, attempt: &Attempt, index: usize) -> Option<(Origin, Flow)> {
    let (origin, source) = match attempt.from {
        Place::Internet(place) => (Origin::Host(internet_host(place)), INTERNET[place]),
        place => {
            let (port, address) = private(built, place)?;
            let host = built.fabric.ports.get(&port)?.host.as_ref()?.0.clone();
            built.fabric.hosts.get(&host).filter(|host| host.running)?;
            (Origin::Host(host), address)
        }
    };
    let destination = match attempt.to {
        Place::Internet(place) => INTERNET[place],
        Place::Address(address) => address,
        Place::PublicOf(_) => public(built, attempt.to)?,
        place => private(built, place)?.1,
    };
    // A host that calls itself never leaves its stack.
    let own = |port: &fabric::Port| {
        port.host
            .as_ref()
            .is_some_and(|(host, _)| origin == Origin::Host(host.clone()))
    };
    let to_itself = built
        .fabric
        .ports
        .values()
        .filter(|port| own(port))
        .any(|port| port.owns(destination));
    if to_itself || source == destination {
        return None;
    }
    let (source_port, destination_port) = (20_000 + index as u16, attempt.port);
    let transport = match attempt.protocol {
        Protocol::Tcp => Transport::Tcp {
            source_port,
            destination_port,
        },
        Protocol::Udp => Transport::Udp {
            source_port,
            destination_port,
        },
        Protocol::Echo => Transport::Echo {
            id: source_port,
            reply: false,
        },
    };
    Some((
        origin,
        Flow {
            source,
            destination,
            transport,
        },
    ))
}

/// An instance's port and private address, by its index over all its interfaces.
pub(crate) fn private(built: &Built, place: Place) -> Option<(PortId, Ipv4Addr)> {
    let Place::Instance(number, index) = place else {
        return None;
    };
    let (_, interfaces) = built.numbers.instances.get(&number)?;
    let all: Vec<_> = interfaces
        .iter()
        .filter_map(|id| built.fabric.ports.get(&PortId::from(id.as_str())))
        .flat_map(|port| {
            port.addresses
                .iter()
                .map(|address| (port.id.clone(), *address))
        })
        .collect();
    all.get(index % all.len().max(1)).cloned()
}

fn public(built: &Built, place: Place) -> Option<Ipv4Addr> {
    let Place::PublicOf(number) = place else {
        return None;
    };
    let (_, interfaces) = built.numbers.instances.get(&number)?;
    let interface = built.state.network_interfaces.get(interfaces.first()?)?;
    interface
        .addresses
        .iter()
        .find_map(|address| match address.public.as_ref()? {
            aws::model::network_interface::PublicAddress::Automatic(ip) => Some(*ip),
            aws::model::network_interface::PublicAddress::Elastic(id) => built
                .state
                .elastic_ips
                .get(id)
                .map(|address| address.public_ip),
        })
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "flow {}: {}", self.index, self.trace.flow)?;
        writeln!(f, "  packets: {:?}", self.observed)?;
        writeln!(f, "  walk: {:?}", self.trace.verdict)?;
        for hop in &self.trace.hops {
            let resource = hop.resource.as_deref().unwrap_or("");
            writeln!(
                f,
                "    {:?} {} {resource} {:?} {}",
                hop.direction, hop.at, hop.action, hop.detail
            )?;
        }
        Ok(())
    }
}
