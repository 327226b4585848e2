//! Tries a member once.

use super::{Cause, grpc, http};
use crate::live::{ConnectFailure, open};
use crate::means::Network;
use crate::wire::Wire;
use fabric::balancer::{HealthCheck, Probe, Speech};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::timeout;

/// Tries a member once. `agent` is what HTTP checks call themselves.
///
/// # Errors
/// It is found unhealthy, and why.
pub async fn probe(
    network: &dyn Network,
    agent: &'static str,
    at: SocketAddr,
    check: &HealthCheck,
) -> Result<(), Cause> {
    let limit = Duration::from_secs(check.timeout.into());
    let trying = attempt(network, agent, at, &check.probe);
    timeout(limit, trying).await.unwrap_or(Err(Cause::Timeout))
}

async fn attempt(
    network: &dyn Network,
    agent: &'static str,
    at: SocketAddr,
    probe: &Probe,
) -> Result<(), Cause> {
    match probe {
        Probe::Tcp => connect(network, at, Speech::Plain).await.map(drop),
        Probe::Tls => connect(network, at, Speech::Tls).await.map(drop),
        Probe::Http {
            speech,
            path,
            statuses,
        } => {
            let wire = connect(network, at, *speech).await?;
            let status = http::get(wire, *speech, at, path, agent).await?;
            accept(status, statuses)
        }
        Probe::Grpc {
            tls,
            path,
            statuses,
        } => {
            let speech = if *tls { Speech::Https2 } else { Speech::Http2 };
            let wire = connect(network, at, speech).await?;
            let status = grpc::call(wire, at, *tls, path, agent).await?;
            accept(status, statuses)
        }
    }
}

fn accept(status: u16, statuses: &[fabric::filter::NumberRange]) -> Result<(), Cause> {
    if statuses.iter().any(|range| range.contains(status)) {
        Ok(())
    } else {
        Err(Cause::StatusMismatch(status))
    }
}

async fn connect(network: &dyn Network, at: SocketAddr, speech: Speech) -> Result<Wire, Cause> {
    let opened = open(network, at, speech, None, &[]).await;
    opened.map_err(|failure| match failure {
        ConnectFailure::Timeout => Cause::Timeout,
        other => Cause::ConnectionFailed(other.to_string()),
    })
}
