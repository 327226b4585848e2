//! Health checks: whom a node tries, and what becomes of what it finds.

use crate::cloud::{Cloud, unix_time};
use aws::compile::load_balancer::Checked;
use aws::model::Pace;
use aws::model::load_balancer::Probe;
use balancer::health::{Cause, Report, Target};
use fabric::HostId;
use fabric::balancer::Balancer;
use std::collections::BTreeSet;
use tokio::sync::mpsc;

/// Whom a node tries. Each member has one node that answers for its health: one of its own zone if
/// there is one, else the balancer's first; two that count to the same thresholds would reach them in
/// half the time.
pub(super) fn targets(balancer: &Balancer, host: &HostId, pace: Pace) -> Vec<Target> {
    let own = balancer.nodes.get(host).map(|node| node.zone.as_str());
    let first = balancer.nodes.keys().next() == Some(host);
    let mut targets = Target::of(balancer);
    targets.retain(|target| {
        let zone = zone(balancer, target);
        let has_node = balancer
            .nodes
            .values()
            .any(|node| Some(&*node.zone) == zone);
        if has_node { zone == own } else { first }
    });
    let mut seen = BTreeSet::new();
    targets.retain(|target| seen.insert(Checked::of(&target.pool, &target.member, target.port)));
    for target in &mut targets {
        let paced = |seconds: u32| {
            let seconds = pace.timer(i64::from(seconds));
            u32::try_from(seconds).unwrap_or(u32::MAX)
        };
        target.check.interval = paced(target.check.interval);
        target.check.timeout = paced(target.check.timeout);
    }
    targets
}

fn zone<'a>(balancer: &'a Balancer, target: &Target) -> Option<&'a str> {
    let pool = balancer.pools.get(&target.pool)?;
    let member = pool
        .members
        .iter()
        .find(|member| member.name == target.member && member.port == target.port)?;
    member.zone.as_deref()
}

/// Gives what checks find to the account. Runs until no node is left.
pub(super) async fn report(cloud: Cloud, mut found: mpsc::Receiver<Report>) {
    while let Some(report) = found.recv().await {
        let checked = Checked::of(&report.pool, &report.member, report.port);
        let probe = match &report.outcome {
            Ok(()) => Probe::Passed,
            Err(Cause::Timeout) => Probe::TimedOut,
            Err(Cause::StatusMismatch(code)) => Probe::Code(*code),
            Err(Cause::ConnectionFailed(_) | Cause::NoAnswer(_)) => Probe::Failed,
        };
        let mut now = cloud.snapshot().state.clone();
        if !checked.observe(&mut now, probe, unix_time()) {
            // What confirms a state is no change, and asks for no turn of the owner.
            continue;
        }
        let changed = cloud.change("health check", move |state| {
            let mut state = state.clone();
            let changed = checked.observe(&mut state, probe, unix_time());
            (changed.then_some(state), ())
        });
        if let Err(error) = changed.await {
            tracing::warn!(%error, "what a health check found is lost");
        }
    }
}
