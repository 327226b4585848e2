//! A packet under way: what it met so far, and what was remembered of it.

use super::Walker;
use super::state::State;
use crate::{
    Choice, Chosen, Direction, DropReason, Flow, Hop, HopAction, Host, HostId, Port, RuleId, Trace,
    Verdict,
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

/// Which of its choices each chooser takes, in order; the first where nothing is said.
pub(super) type Script = Vec<usize>;

/// The choices of one way, made as a script says.
#[derive(Debug, Default)]
pub(super) struct Draws {
    script: Script,
    pub(super) choices: Vec<Choice>,
    /// How many each choice was of.
    offered: Vec<usize>,
}

impl Draws {
    pub(super) fn by(script: Script) -> Self {
        Self {
            script,
            ..Self::default()
        }
    }

    /// Which of its offers the chooser of this turn takes.
    fn taken(&self, turn: usize) -> usize {
        self.script.get(turn).copied().unwrap_or_default()
    }

    /// Takes one of some offers: the one that the script says.
    pub(super) fn choose<T>(
        &mut self,
        node: &HostId,
        mut offers: impl ExactSizeIterator<Item = T>,
        chosen: impl FnOnce(&T) -> Chosen,
    ) -> Option<T> {
        let offered = offers.len();
        let taken = offers.nth(self.taken(self.choices.len()))?;
        self.choices.push(Choice {
            node: node.clone(),
            chosen: chosen(&taken),
        });
        self.offered.push(offered);
        Some(taken)
    }

    /// The script of the next way: the last choice that has another one after it is made otherwise.
    pub(super) fn next(&self) -> Option<Script> {
        let turn = (0..self.offered.len()).rev().find(|turn| {
            self.taken(*turn) + 1 < self.offered.get(*turn).copied().unwrap_or_default()
        })?;
        let mut script: Script = (0..turn).map(|turn| self.taken(turn)).collect();
        script.push(self.taken(turn) + 1);
        Some(script)
    }
}

/// Both ways of one flow.
pub(super) struct Journey<'w, 'a> {
    pub(super) walker: &'w Walker<'a>,
    pub(super) state: State,
    pub(super) direction: Direction,
    hops: Vec<Hop>,
    seen: HashSet<(String, Flow)>,
    draws: Draws,
}

impl<'w, 'a> Journey<'w, 'a> {
    pub(super) fn new(walker: &'w Walker<'a>, draws: Draws) -> Self {
        Self {
            walker,
            state: State::default(),
            direction: Direction::Out,
            hops: Vec::new(),
            seen: HashSet::new(),
            draws,
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

    /// Takes one of some offers: the one that the script says.
    pub(super) fn choose<T>(
        &mut self,
        node: &HostId,
        offers: impl ExactSizeIterator<Item = T>,
        chosen: impl FnOnce(&T) -> Chosen,
    ) -> Option<T> {
        self.draws.choose(node, offers, chosen)
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
    ) -> (Trace, Draws) {
        let trace = Trace {
            flow,
            hops: self.hops,
            arrived,
            onward: None,
            verdict,
        };
        (trace, self.draws)
    }
}
