//! Connections that end at a balancer's node and go on in others.

use super::Walker;
use super::balancer::{Taken, carrier};
use super::journey::{Draws, Journey};
use crate::balancer::Service;
use crate::balancer::http::Request;
use crate::{Direction, DropReason, Flow, Host, HostId, PoolId, Trace, Transport, Verdict};
use std::net::Ipv4Addr;

/// The port that a node's own connections are told from: the first of those for such connections.
/// <https://www.rfc-editor.org/rfc/rfc6335#section-6>
const OWN_PORT: u16 = 49_152;
/// How many nodes one after the other may end a connection; more are taken for a circle.
const MOST_NODES: usize = 16;

/// Where a connection that ended at a node goes on.
pub(super) enum Onward<'a> {
    /// To a member of a pool.
    To(&'a PoolId),
    /// Nowhere: the node answers.
    Answered,
    /// It can't be told, because of this.
    Unknown(String),
}

impl<'a> Walker<'a> {
    /// A connection with those that it needs: where it ended at a balancer's node, the one to a member.
    pub(super) fn with_onward(
        &self,
        (mut trace, mut draws): (Trace, Draws),
        request: Option<&Request<'_>>,
        depth: usize,
    ) -> (Trace, Draws) {
        if trace.verdict != Verdict::Delivered {
            return (trace, draws);
        }
        let arrived = trace.arrived.clone();
        let ended = arrived.and_then(|(host, packet)| self.ended(&host, packet));
        let Some(taken) = ended else {
            return (trace, draws);
        };
        if depth == MOST_NODES {
            let at = taken.host.id.to_string();
            trace.verdict = Verdict::Dropped(Direction::Out, DropReason::Loop { at });
            return (trace, draws);
        }
        let onward = match &taken.listener.service {
            Service::Forward(_) => Onward::Answered,
            Service::Stream(stream) => Onward::To(&stream.pool),
            Service::Http(http) => self.by_rules(taken, http, request, &mut trace, &mut draws),
        };
        let pool = match onward {
            Onward::To(pool) => pool,
            Onward::Answered => return (trace, draws),
            Onward::Unknown(why) => {
                trace.verdict = Verdict::Unknown(why);
                return (trace, draws);
            }
        };
        let next = self.to_member(taken, pool, draws);
        let (next, draws) = self.with_onward(next, request, depth + 1);
        trace.verdict = next.verdict.clone();
        trace.onward = Some(Box::new(next));
        (trace, draws)
    }

    /// Where a balancer's node ended a connection.
    fn ended(&self, host: &HostId, packet: Flow) -> Option<Taken<'a>> {
        let balancer = self.index.balancer(host)?;
        let host: &'a Host = self.fabric.hosts.get(host)?;
        let (transport, port) = carrier(&packet)?;
        let listener = balancer.listener(transport, port)?;
        Some(Taken {
            host,
            balancer,
            listener,
        })
    }

    /// The connection from a node to a member.
    fn to_member(&self, taken: Taken<'a>, pool: &'a PoolId, draws: Draws) -> (Trace, Draws) {
        let mut journey = Journey::new(self, draws);
        let to = |destination: Ipv4Addr, destination_port: u16| Flow {
            source: Ipv4Addr::UNSPECIFIED,
            destination,
            transport: Transport::Tcp {
                source_port: OWN_PORT,
                destination_port,
            },
        };
        match journey.member(taken, pool) {
            Ok((_, member)) => {
                let flow = to(member.address, member.port);
                let flow = self.with_source(taken.host, flow);
                let outcome = journey.send(taken.host, flow);
                self.answer(journey, taken.host, flow, outcome)
            }
            Err(stop) => {
                let flow = to(Ipv4Addr::UNSPECIFIED, 0);
                journey.told(flow, None, stop.verdict(Direction::Out))
            }
        }
    }
}
