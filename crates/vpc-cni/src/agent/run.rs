//! The program: it starts when all that it needs answers, serves, and keeps the pool.

use super::{Agent, AgentError, Notice, Surround, inspect, install, kubernetes, now};
use crate::ec2::Ec2;
use crate::host::{Host, NodeNetwork};
use crate::http::Http;
use crate::imds::{self, Imds};
use crate::rpc::{SOCKET, server};
use crate::settings::Settings;
use kube_client::{Client, Config};
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

/// The pool is looked at so often.
const LOOK: Duration = Duration::from_secs(5);
/// And compared with the metadata so often.
const RECONCILE: Duration = Duration::from_secs(60);
/// The VPC's ranges and security groups so often.
const REFRESH: Duration = Duration::from_secs(30);
/// Interfaces left behind are looked for so often, the first time after at most five minutes.
const CLEAN: Duration = Duration::from_secs(3600);
const FIRST_CLEAN: u64 = 300;

/// Runs the agent of the node that the program runs on, until it ends.
///
/// # Errors
/// Something that it needs is not as it must be.
pub async fn run(variable: impl Fn(&str) -> Option<String>) -> Result<(), AgentError> {
    let (settings, complaints) = Settings::read(&variable)?;
    for complaint in complaints {
        tracing::warn!("{complaint}");
    }
    let client = Client::new(Config::in_cluster("amazon-vpc-cni")?)?;
    kubernetes::reachable(&client).await;
    install::put_plugin(&settings)?;
    let words = kubernetes::follow(
        client.clone(),
        &settings.node_name,
        settings.custom_networking,
        settings.eni_config.clone(),
    )
    .await;
    let (notices, told) = mpsc::unbounded_channel::<Notice>();
    tokio::spawn(kubernetes::tell(client, settings.node_name.clone(), told));
    let http = Http::new(&variable)?;
    let imds = Arc::new(Imds::new(http.clone(), imds::ADDRESS)?);
    let region = imds.identity().await?.region;
    let ec2 = Ec2::new(
        http,
        imds.clone(),
        &region,
        settings.ec2_endpoint.as_deref(),
    )?;
    let around = Surround {
        imds,
        ec2,
        host: Arc::new(NodeNetwork::here()?),
        words,
        notices,
    };
    let agent = Arc::new(Agent::start(settings, around).await?);
    let socket = Path::new(SOCKET);
    let listener = server::listen(socket).map_err(|source| AgentError::Files {
        what: socket.display().to_string(),
        source,
    })?;
    tokio::spawn(server::serve(listener, agent.clone()));
    install::put_configuration(&agent.settings)?;
    tracing::info!(instance = agent.identity.instance, "ipamd serves");
    if let Some(at) = agent.settings.introspection {
        tokio::spawn(inspect::serve(agent.clone(), at, Agent::introspection));
    }
    if agent.settings.metrics {
        tokio::spawn(inspect::serve(
            agent.clone(),
            inspect::METRICS,
            Agent::metrics,
        ));
    }
    keep(&agent).await;
    Ok(())
}

/// Something to do again and again.
struct Every {
    period: Duration,
    next: Instant,
}

impl Every {
    fn new(period: Duration, first: Duration) -> Self {
        Self {
            period,
            next: Instant::now() + first,
        }
    }

    fn due(&mut self) -> bool {
        let due = Instant::now() >= self.next;
        if due {
            self.next = Instant::now() + self.period;
        }
        due
    }
}

/// A number that differs from node to node.
fn chance(below: u64) -> u64 {
    RandomState::new().build_hasher().finish() % below
}

/// Keeps the pool and all else up to date. What fails is tried again in its time.
async fn keep<H: Host>(agent: &Agent<H>) {
    let mut reconcile = Every::new(RECONCILE, RECONCILE);
    let mut refresh = Every::new(REFRESH, REFRESH);
    let mut clean = Every::new(CLEAN, Duration::from_secs(chance(FIRST_CLEAN)));
    let tell = |outcome: Result<(), AgentError>| {
        if let Err(error) = outcome {
            agent.complain(&error);
        }
    };
    loop {
        sleep(LOOK).await;
        agent.adjust(now()).await;
        if reconcile.due() {
            tell(agent.reconcile(now()).await);
        }
        if refresh.due() {
            tell(agent.refresh().await);
        }
        if agent.settings.provision && agent.settings.clean_leaked && clean.due() {
            tell(agent.clean_up(now()).await);
        }
    }
}
