//! A packet under way: what it met so far, and what was remembered of it.

use super::Walker;
use super::state::State;
use crate::{
    Direction, DropReason, Flow, Hop, HopAction, Host, HostId, Port, RuleId, Trace, Verdict,
};
use std::collections::HashSet;

/// How many hosts and gateways a packet may pass: Linux's time to live.
const TIME_TO_LIVE: usize = 64;

/// Where a packet ended well.
pub(super) enum End<'a> {
    /// At a host that took it.
    Host { host: &'a Host, packet: Flow },
    /// At one of the network's own services, asked from this port.
    Service { port: &'a Port, packet: Flow },
}

/// Why a packet went no further.
pub(super) enum Stop {
    Dropped(DropReason),
    Unknown(String),
}

impl Stop {
    pub(super) fn verdict(self, direction: Direction) -> Verdict {
        match self {
            Self::Dropped(reason) => Verdict::Dropped(direction, reason),
            Self::Unknown(why) => Verdict::Unknown(why),
        }
    }
}

impl From<DropReason> for Stop {
    fn from(reason: DropReason) -> Self {
        Self::Dropped(reason)
    }
}

/// Both ways of one flow.
pub(super) struct Journey<'w, 'a> {
    pub(super) walker: &'w Walker<'a>,
    pub(super) state: State,
    pub(super) direction: Direction,
    hops: Vec<Hop>,
    seen: HashSet<(String, Flow)>,
}

impl<'w, 'a> Journey<'w, 'a> {
    pub(super) fn new(walker: &'w Walker<'a>) -> Self {
        Self {
            walker,
            state: State::default(),
            direction: Direction::Out,
            hops: Vec::new(),
            seen: HashSet::new(),
        }
    }

    /// From here on the hops are the answer's.
    pub(super) fn turn(&mut self) {
        self.direction = Direction::Back;
        self.seen.clear();
    }

    /// Whether the packet opens a flow rather than answers one: connection tracking takes any UDP
    /// packet for the first of a flow, but never a TCP or ICMP answer.
    pub(super) fn opens(&self, packet: Flow) -> bool {
        use crate::Transport;
        self.direction == Direction::Out
            || matches!(
                packet.transport,
                Transport::Udp { .. } | Transport::Other(_)
            )
    }

    /// Notes a step.
    pub(super) fn hop(
        &mut self,
        at: impl ToString,
        resource: Option<&str>,
        rule: Option<&RuleId>,
        action: HopAction,
        detail: impl Into<String>,
    ) {
        self.hops.push(Hop {
            direction: self.direction,
            at: at.to_string(),
            resource: resource.map(str::to_owned),
            rule: rule.cloned(),
            action,
            detail: detail.into(),
        });
    }

    /// Fails when the same packet was at this place before, or has passed too many.
    pub(super) fn passes(&mut self, place: impl ToString, packet: Flow) -> Result<(), Stop> {
        let at = place.to_string();
        if self.seen.len() >= TIME_TO_LIVE || !self.seen.insert((at.clone(), packet)) {
            self.hop(
                &at,
                None,
                None,
                HopAction::Deny,
                "the packet goes round in a circle",
            );
            return Err(DropReason::Loop { at }.into());
        }
        Ok(())
    }

    /// Ends the telling.
    pub(super) fn told(
        self,
        flow: Flow,
        arrived: Option<(HostId, Flow)>,
        verdict: Verdict,
    ) -> Trace {
        Trace {
            flow,
            hops: self.hops,
            arrived,
            verdict,
        }
    }
}
