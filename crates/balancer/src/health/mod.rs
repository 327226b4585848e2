//! Health checks: members are tried by real traffic from the node's place, and what was found is told.
//!
//! Who is healthy is not decided here: thresholds and states are the cloud's. [`Schedule`] says when whom to
//! try and knows no clock; [`probe()`] tries once; [`check`] puts the two together.

mod grpc;
mod http;
mod probe;
mod schedule;

pub use probe::probe;
pub use schedule::Schedule;

use crate::means::Network;
use fabric::balancer::{Balancer, HealthCheck, MemberState};
use fabric::id::PoolId;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::sleep_until;

/// A member to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Whose member it is.
    pub pool: PoolId,
    /// Who it is, by the cloud's id.
    pub member: String,
    /// Its port for traffic; with the name it says which member this is.
    pub port: u16,
    /// Where it is tried.
    pub at: SocketAddr,
    /// How.
    pub check: HealthCheck,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Whose member it is.
    pub pool: PoolId,
    /// Who was tried.
    pub member: String,
    /// Its port for traffic.
    pub port: u16,
    /// How it went.
    pub outcome: Result<(), Cause>,
}

/// Why a member was found unhealthy. The cloud has its own words for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// It didn't answer in time.
    #[error("no answer in time")]
    Timeout,
    /// There is no connection to it.
    #[error("no connection: {0}")]
    ConnectionFailed(String),
    /// It closed the connection, or what it said isn't understood.
    #[error("no answer: {0}")]
    NoAnswer(String),
    /// It answered with another status than those that count.
    #[error("it answered {0}")]
    StatusMismatch(u16),
}

impl Target {
    /// All that a balancer tries: its pools' members, except those that get no traffic.
    pub fn of(balancer: &Balancer) -> Vec<Self> {
        let mut targets = Vec::new();
        for (id, pool) in &balancer.pools {
            let Some(check) = &pool.health_check else {
                continue;
            };
            let in_use = |state| !matches!(state, MemberState::Unused | MemberState::Draining);
            for member in pool.members.iter().filter(|member| in_use(member.state)) {
                targets.push(Self {
                    pool: id.clone(),
                    member: member.name.clone(),
                    port: member.port,
                    at: SocketAddr::from((member.address, member.check_port)),
                    check: check.clone(),
                });
            }
        }
        targets
    }
}

/// Tries members as long as somebody says which, and tells what it found. `agent` is what HTTP checks call
/// themselves. Ends when the sender of targets or the receiver of reports is gone.
pub async fn check(
    network: Arc<dyn Network>,
    agent: &'static str,
    mut targets: watch::Receiver<Arc<Vec<Target>>>,
    reports: mpsc::Sender<Report>,
) {
    let mut schedule = Schedule::default();
    // Dropped at the end, it ends the probes under way.
    let mut probes = JoinSet::new();
    let known = targets.borrow_and_update().clone();
    schedule.set(&known, Instant::now());
    loop {
        for target in schedule.due(Instant::now()) {
            probes.spawn(try_once(network.clone(), agent, target, reports.clone()));
        }
        let next = schedule
            .next()
            .unwrap_or(Instant::now() + Duration::from_secs(3600));
        tokio::select! {
            changed = targets.changed() => {
                if changed.is_err() {
                    return;
                }
                let known = targets.borrow_and_update().clone();
                schedule.set(&known, Instant::now());
            }
            () = sleep_until(next.into()) => {}
            Some(_) = probes.join_next() => {}
            () = reports.closed() => return,
        }
    }
}

async fn try_once(
    network: Arc<dyn Network>,
    agent: &'static str,
    target: Target,
    reports: mpsc::Sender<Report>,
) {
    let outcome = probe(network.as_ref(), agent, target.at, &target.check).await;
    let report = Report {
        pool: target.pool,
        member: target.member,
        port: target.port,
        outcome,
    };
    // Nobody wants to know any more: the loop ends as well.
    let _ = reports.send(report).await;
}
