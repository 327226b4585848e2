//! A packet under way: what it met so far, and what was remembered of it.

use super::Walker;
use super::state::State;
use crate::{
    Backend, Choice, Direction, DropReason, Flow, Hop, HopAction, Host, HostId, Port, RuleId,
    ServiceId, Trace, Verdict, Way,
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

/// Both ways of one flow.
pub(super) struct Journey<'w, 'a> {
    pub(super) walker: &'w Walker<'a>,
    pub(super) state: State,
    pub(super) direction: Direction,
    hops: Vec<Hop>,
    seen: HashSet<(String, Flow)>,
    script: Script,
    choices: Vec<Choice>,
    /// How many each choice was of.
    offered: Vec<usize>,
}

impl<'w, 'a> Journey<'w, 'a> {
    pub(super) fn new(walker: &'w Walker<'a>, script: Script) -> Self {
        Self {
            walker,
            state: State::default(),
            direction: Direction::Out,
            hops: Vec::new(),
            seen: HashSet::new(),
            script,
            choices: Vec::new(),
            offered: Vec::new(),
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

    /// Takes one of some backends: the one that the script says.
    pub(super) fn choose(
        &mut self,
        node: &HostId,
        service: &ServiceId,
        backends: &'a [Backend],
    ) -> Option<&'a Backend> {
        let turn = self.choices.len();
        let backend = backends.get(self.script.get(turn).copied().unwrap_or_default())?;
        self.choices.push(Choice {
            node: node.clone(),
            service: service.clone(),
            backend: backend.clone(),
        });
        self.offered.push(backends.len());
        Some(backend)
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
    ) -> Told {
        let trace = Trace {
            flow,
            hops: self.hops,
            arrived,
            verdict,
        };
        Told {
            way: Way {
                choices: self.choices,
                trace,
            },
            script: self.script,
            offered: self.offered,
        }
    }
}

/// A way told to its end.
pub(super) struct Told {
    pub(super) way: Way,
    script: Script,
    offered: Vec<usize>,
}

impl Told {
    /// The script of the next way: the last choice that has another one after it is made otherwise.
    pub(super) fn next(&self) -> Option<Script> {
        let taken = |turn: usize| self.script.get(turn).copied().unwrap_or_default();
        let turn = (0..self.offered.len())
            .rev()
            .find(|turn| taken(*turn) + 1 < self.offered.get(*turn).copied().unwrap_or_default())?;
        let mut script: Script = (0..turn).map(taken).collect();
        script.push(taken(turn) + 1);
        Some(script)
    }
}
