//! `walk` beside packets, with balancers.

use super::build::Balanced;
pub use super::probe::Outcome;
use super::probe::{Probe, probe};
use super::scenario::{Attempt, Scenario, Step, To};
use crate::build::internet_host;
use crate::compare::{CompareError, private};
use crate::scenario::{INTERNET, Place, Protocol};
use fabric::walk::Walker;
use fabric::{DropReason, Flow, HostId, Origin, Transport, Verdict, Way};
use kernel::engine::Engine;
use std::fmt;

/// A flow on which the two disagree.
#[derive(Clone, Debug)]
pub struct Mismatch {
    /// The phase.
    pub phase: usize,
    /// The flow.
    pub attempt: Attempt,
    /// What `walk` holds possible.
    pub ways: Vec<Way>,
    /// What packets did.
    pub seen: Outcome,
}

/// How a comparison went.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    /// Flows that packets and `walk` were asked about.
    pub compared: usize,
    /// Of these, those answered.
    pub answered: usize,
    /// Of these, those that a balancer passed on.
    pub passed_on: usize,
    /// Of the answered, those that a balancer ended and opened anew.
    pub opened_anew: usize,
    /// Those refused.
    pub refused: usize,
    /// Disagreements.
    pub mismatches: Vec<Mismatch>,
}

struct Asked {
    attempt: Attempt,
    host: HostId,
    flow: Flow,
    ways: Vec<Way>,
}

/// Builds a scenario in an engine, phase by phase, and compares every flow in each.
///
/// # Errors
/// The engine or the sockets fail; disagreements are no error.
pub fn compare(engine: &mut Engine, scenario: &Scenario) -> Result<Comparison, CompareError> {
    let mut balanced = Balanced::new(scenario);
    let mut comparison = Comparison::default();
    for (phase, steps) in scenario.steps.split(|step| *step == Step::Then).enumerate() {
        for step in steps {
            // One whose referent is missing is no step.
            let _ = balanced.step(step);
        }
        engine.apply(&balanced.fabric)?;
        compare_phase(engine, &balanced, scenario, phase, &mut comparison)?;
    }
    Ok(comparison)
}

fn compare_phase(
    engine: &Engine,
    balanced: &Balanced,
    scenario: &Scenario,
    phase: usize,
    comparison: &mut Comparison,
) -> Result<(), CompareError> {
    let walker = Walker::new(&balanced.fabric);
    let resolved = (0usize..)
        .zip(&scenario.flows)
        .filter_map(|(index, attempt)| {
            // Source ports of their own, so that no flow is taken for an earlier one.
            let source_port = 20_000 + (phase * 1_000 + index) as u16;
            let (host, flow) = resolve(balanced, *attempt, source_port)?;
            let ways = walker.ways(&Origin::Host(host.clone()), flow);
            Some(Asked {
                attempt: *attempt,
                host,
                flow,
                ways,
            })
        });
    let asked: Vec<Asked> = resolved.collect();
    let seen = send(engine, balanced, &asked)?;
    for (one, mut outcome) in asked.iter().zip(seen) {
        if !agrees(one, &outcome) {
            // A machine under load may be late; what disagrees is asked once more, alone.
            if let Some(again) = send(engine, balanced, std::slice::from_ref(one))?.pop() {
                outcome = again;
            }
        }
        comparison.count(one, &outcome);
        if !agrees(one, &outcome) {
            comparison.mismatches.push(Mismatch {
                phase,
                attempt: one.attempt,
                ways: one.ways.clone(),
                seen: outcome,
            });
        }
    }
    Ok(())
}

impl Comparison {
    fn count(&mut self, asked: &Asked, outcome: &Outcome) {
        self.compared += 1;
        match outcome {
            Outcome::Answered(..) => {
                let anew = |way: &Way| way.trace.onward.is_some();
                self.answered += 1;
                if asked.ways.iter().any(anew) {
                    self.opened_anew += 1;
                } else if asked.ways.iter().any(|way| !way.choices.is_empty()) {
                    self.passed_on += 1;
                }
            }
            Outcome::Echoed => self.answered += 1,
            Outcome::Refused => self.refused += 1,
            Outcome::Silent => {}
        }
    }
}

fn send(engine: &Engine, balanced: &Balanced, asked: &[Asked]) -> std::io::Result<Vec<Outcome>> {
    let probes: Vec<Probe> = asked
        .iter()
        .map(|one| Probe {
            host: one.host.clone(),
            flow: one.flow,
            expected: one
                .ways
                .iter()
                .all(|way| way.trace.verdict == Verdict::Delivered),
        })
        .collect();
    probe(engine, &balanced.fabric, &probes)
}

/// Whether packets did one of the things that `walk` thinks possible.
fn agrees(asked: &Asked, seen: &Outcome) -> bool {
    let mut ways = asked.ways.iter();
    ways.any(|way| possible(&asked.flow, way, seen))
}

/// Whether packets may show this of a way.
fn possible(flow: &Flow, way: &Way, seen: &Outcome) -> bool {
    let echo = matches!(flow.transport, Transport::Echo { .. });
    match (&way.trace.verdict, &way.trace.last().arrived) {
        (Verdict::Delivered, Some(_)) if echo => *seen == Outcome::Echoed,
        (Verdict::Delivered, Some((host, packet))) => {
            *seen == Outcome::Answered(host.clone(), packet.source)
        }
        // A refusal is a packet of its own, which may be lost on its way.
        (Verdict::Dropped(_, DropReason::Balancer { why, .. }), _) if why.refuses() => {
            matches!(seen, Outcome::Refused | Outcome::Silent)
        }
        (Verdict::Dropped(..), _) => *seen == Outcome::Silent,
        _ => false,
    }
}

/// A flow in terms of the fabric; none where an end of it isn't there.
fn resolve(balanced: &Balanced, attempt: Attempt, source_port: u16) -> Option<(HostId, Flow)> {
    let account = &balanced.account;
    let (host, source) = match attempt.from {
        Place::Internet(place) => (internet_host(place), INTERNET[place]),
        place => {
            let (port, address) = private(account, place)?;
            let host = balanced.fabric.ports.get(&port)?.host.as_ref()?.0.clone();
            (host, address)
        }
    };
    balanced
        .fabric
        .hosts
        .get(&host)
        .filter(|host| host.running)?;
    let destination = match attempt.to {
        To::Node(balancer, node) => balanced.address(balancer, node)?,
        To::PublicOf(balancer, node) => balanced.public(balancer, node)?,
        To::Place(Place::Internet(place)) => INTERNET[place],
        To::Place(place) => private(account, place)?.1,
    };
    // A host that calls itself never leaves its stack.
    let owns = |port: &fabric::Port| {
        let own = port.host.as_ref().is_some_and(|(of, _)| *of == host);
        own && port.owns(destination)
    };
    if balanced.fabric.ports.values().any(|port| owns(port)) {
        return None;
    }
    let flow = Flow {
        source,
        destination,
        transport: transport(attempt, source_port),
    };
    Some((host, flow))
}

fn transport(attempt: Attempt, source_port: u16) -> Transport {
    let destination_port = attempt.port;
    match attempt.protocol {
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
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "phase {}: {:?}", self.phase, self.attempt)?;
        writeln!(f, "  packets: {:?}", self.seen)?;
        for way in &self.ways {
            let mut trace = Some(&way.trace);
            while let Some(told) = trace {
                writeln!(f, "  walk: {} {:?}", told.flow, told.verdict)?;
                for hop in &told.hops {
                    let resource = hop.resource.as_deref().unwrap_or("");
                    writeln!(
                        f,
                        "    {:?} {} {resource} {:?} {}",
                        hop.direction, hop.at, hop.action, hop.detail
                    )?;
                }
                trace = told.onward.as_deref();
            }
        }
        Ok(())
    }
}
