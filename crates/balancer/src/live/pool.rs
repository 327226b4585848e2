//! A pool as a node knows it, and who of it gets the next request.

use super::Member;
use crate::chance;
use fabric::balancer::{Algorithm, MemberState, Pool as Words};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A pool as a node knows it.
pub(crate) struct Pool {
    /// What is said of it.
    pub(crate) words: Arc<Words>,
    /// The members that get new requests.
    seats: Vec<Arc<Member>>,
    /// All that it has.
    members: HashMap<SocketAddr, Arc<Member>>,
    /// Whose turn it is.
    turn: Arc<AtomicUsize>,
}

impl Pool {
    /// The pool by new words. What was known of members that stay is kept; those that go are told.
    pub(crate) fn new(
        words: Arc<Words>,
        zone: Option<&str>,
        old: Option<&Self>,
        workers: usize,
    ) -> Self {
        let known = |address: SocketAddr| old.and_then(|old| old.members.get(&address)).cloned();
        let members: HashMap<SocketAddr, Arc<Member>> = words
            .members
            .iter()
            .map(address)
            .map(|at| {
                (
                    at,
                    known(at).unwrap_or_else(|| Arc::new(Member::new(at, workers))),
                )
            })
            .collect();
        let selection = words.selection(zone);
        let seat = |member: &&fabric::balancer::Member| members[&address(member)].clone();
        let seats: Vec<_> = selection.members().iter().map(seat).collect();
        if let Some(old) = old {
            begin_slowly(&words, old, &members);
            for (at, member) in &old.members {
                if !members.contains_key(at) {
                    member.leave();
                } else if !seats.iter().any(|seat| seat.address == *at) {
                    member.close_idle();
                }
            }
        }
        let turn = old.map_or_else(|| Arc::new(AtomicUsize::new(0)), |old| old.turn.clone());
        Self {
            words,
            seats,
            members,
            turn,
        }
    }

    /// The pool is gone, and with it its members.
    pub(crate) fn leave(&self) {
        for member in self.members.values() {
            member.leave();
        }
    }

    /// All its members.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Arc<Member>> {
        self.members.values()
    }

    /// The member at an address, if it gets new requests.
    pub(crate) fn seat(&self, at: SocketAddr) -> Option<&Arc<Member>> {
        self.seats.iter().find(|member| member.address == at)
    }

    /// Who gets the next request; nobody, if the pool has none that may.
    pub(crate) fn next(&self) -> Option<&Arc<Member>> {
        let count = self.seats.len();
        if count <= 1 {
            return self.seats.first();
        }
        let start = match self.words.conduct.algorithm {
            Algorithm::RoundRobin | Algorithm::LeastOutstanding => {
                self.turn.fetch_add(1, Ordering::Relaxed)
            }
            // A pool's size fits.
            Algorithm::Random => chance::below(u32::try_from(count).unwrap_or(u32::MAX)) as usize,
        };
        let order = (0..count).map(|step| &self.seats[(start.wrapping_add(step)) % count]);
        if self.words.conduct.algorithm == Algorithm::LeastOutstanding {
            return order.min_by_key(|member| member.outstanding());
        }
        let slow_start = Duration::from_secs(self.words.conduct.slow_start.into());
        if slow_start.is_zero() {
            return Some(&self.seats[start % count]);
        }
        let now = Instant::now();
        let mut order = order;
        order
            .find(|member| takes_turn(member.share_of_full(slow_start, now)))
            .or(Some(&self.seats[start % count]))
    }
}

/// Whether a member with a part of a full share takes its turn this time.
fn takes_turn(share: f64) -> bool {
    const FULL: u32 = 1 << 20;
    f64::from(chance::below(FULL)) < share * f64::from(FULL)
}

/// Members that weren't healthy and now are begin slowly, unless the pool had no healthy one.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html#slow-start-mode>
fn begin_slowly(words: &Words, old: &Pool, members: &HashMap<SocketAddr, Arc<Member>>) {
    let healthy = |words: &Words, at: SocketAddr| {
        let is = |m: &&fabric::balancer::Member| address(m) == at;
        let member = words.members.iter().find(is);
        member.is_some_and(|member| member.state == MemberState::Healthy)
    };
    let is_healthy = |m: &fabric::balancer::Member| m.state == MemberState::Healthy;
    if words.conduct.slow_start == 0 || !old.words.members.iter().any(is_healthy) {
        return;
    }
    let now = Instant::now();
    for (at, member) in members {
        if healthy(words, *at) && !healthy(&old.words, *at) {
            member.begin_slowly(now);
        }
    }
}

fn address(member: &fabric::balancer::Member) -> SocketAddr {
    SocketAddr::from((member.address, member.port))
}
