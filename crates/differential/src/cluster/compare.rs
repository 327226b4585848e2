//! `walk` beside packets, in clusters.

use super::build::{BuildError, Cluster};
use super::probe::{Outcome, Probe, hears_refusals, probe};
use super::scenario::*;
use crate::scenario::Protocol;
use fabric::walk::Walker;
use fabric::{DropReason, Flow, HostId, Origin, Transport, Verdict, Way};
use kernel::engine::Engine;
use kernel::factory::GuestFactory;
use std::fmt;
use std::net::Ipv4Addr;

/// A flow on which the two disagree.
#[derive(Clone, Debug)]
pub struct Mismatch {
    /// After how many [`Step::Then`]s.
    pub phase: usize,
    /// The flow.
    pub attempt: Attempt,
    /// What `walk` says, for each choice of backends.
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
    /// Of these, those refused.
    pub refused: usize,
    /// Disagreements.
    pub mismatches: Vec<Mismatch>,
}

/// A flow that was asked about.
struct Asked {
    attempt: Attempt,
    host: HostId,
    flow: Flow,
    ways: Vec<Way>,
}

/// Builds a scenario and compares every flow in each of its phases.
///
/// # Errors
/// The cluster can't be built; disagreements are no error.
pub fn compare(
    engine: &mut Engine,
    factory: &GuestFactory,
    scenario: &Scenario,
) -> Result<Comparison, BuildError> {
    let mut cluster = Cluster::new(engine, scenario.seed, &scenario.steps)?;
    let mut comparison = Comparison::default();
    for (phase, steps) in scenario.steps.split(|step| *step == Step::Then).enumerate() {
        cluster.carry_out(factory, steps)?;
        compare_phase(&cluster, scenario, phase, &mut comparison)?;
    }
    Ok(comparison)
}

fn compare_phase(
    cluster: &Cluster,
    scenario: &Scenario,
    phase: usize,
    comparison: &mut Comparison,
) -> Result<(), BuildError> {
    let walker = Walker::new(cluster.fabric());
    let resolved = scenario
        .flows
        .iter()
        .enumerate()
        .filter_map(|(index, attempt)| {
            // Source ports of their own, so that no flow is taken for an earlier one.
            let port = 20_000 + (phase * 1_000 + index) as u16;
            let (host, flow) = resolve(cluster, *attempt, port)?;
            let ways = walker.ways(&Origin::Host(host.clone()), flow);
            Some(Asked {
                attempt: *attempt,
                host,
                flow,
                ways,
            })
        });
    let asked: Vec<Asked> = resolved.collect();
    let seen = send(cluster, &asked)?;
    for (one, mut outcome) in asked.iter().zip(seen) {
        if !agrees(one, &outcome) {
            // A machine under load may be late; what disagrees is asked once more, alone.
            if let Some(again) = send(cluster, std::slice::from_ref(one))?.pop() {
                outcome = again;
            }
        }
        comparison.compared += 1;
        match outcome {
            Outcome::Answered(..) | Outcome::Echoed => comparison.answered += 1,
            Outcome::Refused => comparison.refused += 1,
            Outcome::Silent => {}
        }
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

fn send(cluster: &Cluster, asked: &[Asked]) -> std::io::Result<Vec<Outcome>> {
    let probes: Vec<Probe> = asked
        .iter()
        .map(|one| Probe {
            host: one.host.clone(),
            flow: one.flow,
            expected: one
                .ways
                .iter()
                .all(|way| outcome(&one.flow, way) != Some(Outcome::Silent)),
        })
        .collect();
    probe(cluster.places(), &probes)
}

/// Whether packets did one of the things that `walk` thinks possible.
fn agrees(asked: &Asked, seen: &Outcome) -> bool {
    let mut ways = asked.ways.iter();
    ways.any(|way| outcome(&asked.flow, way).as_ref() == Some(seen))
}

/// What packets would show of a way; none where `walk` doesn't know.
fn outcome(flow: &Flow, way: &Way) -> Option<Outcome> {
    let echo = matches!(flow.transport, Transport::Echo { .. });
    match (&way.trace.verdict, &way.trace.arrived) {
        (Verdict::Delivered, Some(_)) if echo => Some(Outcome::Echoed),
        (Verdict::Delivered, Some((host, packet))) => {
            Some(Outcome::Answered(host.clone(), packet.source))
        }
        (Verdict::Dropped(_, DropReason::Node { why, .. }), _)
            if why.refuses() && hears_refusals(flow) =>
        {
            Some(Outcome::Refused)
        }
        (Verdict::Dropped(..), _) => Some(Outcome::Silent),
        _ => None,
    }
}

/// A flow in terms of the fabric; none where an end of it isn't there.
fn resolve(cluster: &Cluster, attempt: Attempt, source_port: u16) -> Option<(HostId, Flow)> {
    let (host, source) = match attempt.from {
        From::Pod(number) => {
            let pod = cluster.pod(number)?;
            (cluster.pod_id(pod), pod_address(pod))
        }
        From::Node(number) => {
            let there = cluster.has_node(number);
            there.then(|| (cluster.node_id(number), node_address(number)))?
        }
        From::Outside => (cluster.outside_id(), OUTSIDE),
    };
    let (destination, destination_port) = match attempt.to {
        To::Cluster { service, port } => (cluster_address(service), port),
        To::NodePort { service, node } => (node_address(node), node_port(service)),
        To::Balancer(service) => (balancer_address(service), 80),
        To::External(service) => (external_address(service), 80),
        To::Pod { number, port } => (pod_address(cluster.pod(number)?), port),
        To::Node { number, port } => (node_address(number), port),
        To::Outside => (OUTSIDE, 80),
        To::Unallocated => (Ipv4Addr::new(10, 96, 200, 200), 80),
    };
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
    let flow = Flow {
        source,
        destination,
        transport,
    };
    Some((host, flow))
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "phase {}: {:?}", self.phase, self.attempt)?;
        writeln!(f, "  packets: {:?}", self.seen)?;
        for way in &self.ways {
            writeln!(f, "  walk: {} {:?}", way.trace.flow, way.trace.verdict)?;
            for hop in &way.trace.hops {
                let resource = hop.resource.as_deref().unwrap_or("");
                writeln!(
                    f,
                    "    {:?} {} {resource} {:?} {}",
                    hop.direction, hop.at, hop.action, hop.detail
                )?;
            }
        }
        Ok(())
    }
}
