//! One packet, told: its way out and its answer's way back.
//!
//! This is the meaning of a fabric. Whatever the kernel back end does with a packet must equal what
//! `walk` says, and what `walk` can't tell it calls unknown.
//!
//! A packet that a host sends meets, in this order: the host's own routes, which choose the port; the
//! port's guard; the port's layers, first to last; the route table of the port's segment, which
//! chooses where it leaves the network; the boundary filter of the segment it leaves and of the one
//! it enters, if they differ; the receiving port's layers, last to first; its guard; and the
//! receiving host, which takes it, forwards it, or drops it. Gateways translate between networks.
//!
//! Where a service's backend or a balancer's member is chosen by chance, there is a
//! [way](Walker::ways) for each. `walk` tells the first if all end alike, and says *unknown* if it
//! depends on the choice.
//!
//! A balancer's node that passes packets on gives a flow to a member, whose answers come back to the
//! node. One that ends connections takes them, and opens another to a member: [`Trace::onward`].

mod balancer;
pub mod filter;
mod gateway;
mod host;
mod http;
mod index;
mod journey;
mod network;
mod onward;
mod policy;
mod service;
mod settle;
mod state;

use crate::balancer::http::Request;
use crate::{
    Direction, DropReason, Fabric, Flow, HopAction, Host, HostId, Origin, PortId, Trace, Verdict,
    Way,
};
use index::Index;
use journey::{Draws, End, Journey, Script, Stop};
use std::net::Ipv4Addr;

/// How many ways are told: enough for every backend of a large service.
pub const MOST_WAYS: usize = 10_000;

/// Follows a connection attempt through the fabric and back.
pub fn walk(fabric: &Fabric, from: &Origin, flow: Flow) -> Trace {
    Walker::new(fabric).walk(from, flow)
}

/// A fabric made ready for many walks: who owns which address is looked up once.
#[derive(Debug)]
pub struct Walker<'a> {
    fabric: &'a Fabric,
    index: Index<'a>,
}

impl<'a> Walker<'a> {
    /// Indexes a fabric; the cost is that of looking at every port once.
    pub fn new(fabric: &'a Fabric) -> Self {
        Self {
            fabric,
            index: Index::new(fabric),
        }
    }

    /// Follows a connection attempt and its answer. A source of `0.0.0.0` becomes the primary address
    /// of the port that the sender's routes choose.
    pub fn walk(&self, from: &Origin, flow: Flow) -> Trace {
        self.walk_with(from, flow, None)
    }

    /// The same, with the request that the connection carries: a balancer's rules decide by it. Without
    /// one, each rule is a way.
    pub fn walk_with(&self, from: &Origin, flow: Flow, request: Option<&Request<'_>>) -> Trace {
        let (first, draws) = self.way(from, flow, request, Script::new());
        if draws.next().is_none() {
            return first;
        }
        settle::settle(first, &self.ways_with(from, flow, request))
    }

    /// Every way that a connection attempt may take: one for each choice of backends, never none.
    /// Beyond [`MOST_WAYS`] the rest is left out.
    pub fn ways(&self, from: &Origin, flow: Flow) -> Vec<Way> {
        self.ways_with(from, flow, None)
    }

    /// The same, with the request that the connection carries.
    pub fn ways_with(&self, from: &Origin, flow: Flow, request: Option<&Request<'_>>) -> Vec<Way> {
        let mut ways = Vec::new();
        let mut script = Some(Script::new());
        while let Some(next) = script.take() {
            let (trace, draws) = self.way(from, flow, request, next);
            if ways.len() < MOST_WAYS {
                script = draws.next();
            }
            let choices = draws.choices;
            ways.push(Way { choices, trace });
        }
        ways
    }

    fn way(
        &self,
        from: &Origin,
        flow: Flow,
        request: Option<&Request<'_>>,
        script: Script,
    ) -> (Trace, Draws) {
        let mut journey = Journey::new(self, Draws::by(script));
        let first = match self.origin(from, flow) {
            Ok((host, flow)) => {
                let outcome = journey.send(host, flow);
                self.answer(journey, host, flow, outcome)
            }
            Err(reason) => journey.told(flow, None, Verdict::Dropped(Direction::Out, reason)),
        };
        self.with_onward(first, request, 0)
    }

    /// The sending host and the packet with its source.
    fn origin(&self, from: &Origin, mut flow: Flow) -> Result<(&'a Host, Flow), DropReason> {
        let nobody = |id: &str| DropReason::HostCannotSend {
            host: id.into(),
            why: "there is no such host".to_owned(),
        };
        let id = match from {
            Origin::Host(id) => id,
            Origin::Port(id) => self.host_of(id).ok_or_else(|| nobody(id.as_str()))?,
        };
        let host = self
            .fabric
            .hosts
            .get(id)
            .map(AsRef::as_ref)
            .ok_or_else(|| nobody(id.as_str()))?;
        if flow.source == Ipv4Addr::UNSPECIFIED
            && let Origin::Port(id) = from
        {
            let port = self.fabric.ports.get(id);
            if let Some(address) = port.and_then(|port| self.address_by(port, host)) {
                flow.source = address;
            }
        }
        Ok((host, self.with_source(host, flow)))
    }

    /// A packet without a source with that of the port that the host's routes choose.
    fn with_source(&self, host: &Host, flow: Flow) -> Flow {
        if flow.source != Ipv4Addr::UNSPECIFIED {
            return flow;
        }
        let port = self.exit(host, flow);
        let own = port.and_then(|port| self.address_by(port, host));
        Flow {
            source: own.unwrap_or(flow.source),
            ..flow
        }
    }

    fn host_of(&self, port: &PortId) -> Option<&'a HostId> {
        self.fabric
            .ports
            .get(port)?
            .host
            .as_ref()
            .map(|(host, _)| host)
    }

    /// The way back, after the way out ended.
    fn answer(
        &self,
        mut journey: Journey<'_, 'a>,
        caller: &Host,
        flow: Flow,
        outcome: Result<End<'a>, Stop>,
    ) -> (Trace, Draws) {
        let (arrived, outcome) = match outcome {
            Err(stop) => return journey.told(flow, None, stop.verdict(Direction::Out)),
            Ok(End::Service { port, packet }) => {
                journey.turn();
                (None, journey.service_answers(port, packet.reversed()))
            }
            Ok(End::Host { host, packet }) => {
                journey.turn();
                (
                    Some((host.id.clone(), packet)),
                    journey.send(host, packet.reversed()),
                )
            }
        };
        let expected = flow.reversed();
        let verdict = match outcome {
            Err(stop) => stop.verdict(Direction::Back),
            Ok(End::Host { host, packet }) if host.id == caller.id && packet == expected => {
                Verdict::Delivered
            }
            Ok(End::Host { packet, .. } | End::Service { packet, .. }) => {
                let detail = format!("waits for {expected} and takes no {packet}");
                let at = &caller.id;
                journey.hop(at, Some(at.as_str()), None, HopAction::Deny, detail);
                let got = packet;
                Verdict::Dropped(
                    Direction::Back,
                    DropReason::AnswerMismatch { expected, got },
                )
            }
        };
        journey.told(flow, arrived, verdict)
    }
}
