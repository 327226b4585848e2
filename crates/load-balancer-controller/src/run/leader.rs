//! Of several pods of the controller one works: the one that holds the lease.
//! <https://kubernetes.io/docs/concepts/architecture/leases/#leader-election>

use crate::events::said;
use crate::failure::Failure;
use kube_client::Client;
use serde_json::{Value, json};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use wire::Timestamp;

/// Where the lease is, as upstream names it.
const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases";
const NAME: &str = "aws-load-balancer-controller-leader";
/// A lease that nobody renews so long is anybody's.
const LIFE: Duration = Duration::from_secs(15);
/// Who couldn't renew it so long holds it no longer.
const DEADLINE: Duration = Duration::from_secs(10);
/// It is renewed, and looked at by others, so often.
const PERIOD: Duration = Duration::from_secs(2);

/// A pod's part in the election.
#[derive(Debug)]
pub(super) struct Election {
    client: Client,
    identity: String,
    /// The lease's revision that was seen last, and when.
    seen: Option<(String, Instant)>,
}

/// Now, as leases have it.
fn now() -> String {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    let text = Timestamp(seconds).iso();
    let whole = text.split('.').next().unwrap_or_default();
    format!(
        "{}.{:06}Z",
        whole.trim_end_matches('Z'),
        since.subsec_micros()
    )
}

impl Election {
    pub(super) fn new(client: Client, identity: String) -> Self {
        Self {
            client,
            identity,
            seen: None,
        }
    }

    fn path() -> String {
        format!("{LEASES}/{NAME}")
    }

    /// Waits until this pod holds the lease.
    pub(super) async fn win(&mut self) {
        tracing::info!("attempting to acquire leader lease kube-system/{NAME}...");
        loop {
            match self.take().await {
                Ok(true) => break,
                Ok(false) => {}
                Err(error) => tracing::debug!(%error, "no lease yet"),
            }
            tokio::time::sleep(PERIOD).await;
        }
        tracing::info!("successfully acquired lease kube-system/{NAME}");
    }

    /// Renews the lease; ends when it is lost.
    pub(super) async fn hold(&mut self) {
        let mut renewed = Instant::now();
        while renewed.elapsed() < DEADLINE {
            tokio::time::sleep(PERIOD).await;
            match self.take().await {
                Ok(true) => renewed = Instant::now(),
                Ok(false) => break,
                Err(error) => tracing::debug!(%error, "the lease is not renewed"),
            }
        }
        tracing::error!("leader election lost");
    }

    /// Lets go of the lease, so that another pod needn't wait.
    pub(super) async fn release(&self) {
        let Ok(mut lease) = self.client.get(&Self::path()).await else {
            return;
        };
        if said(&lease, &["spec", "holderIdentity"]) != self.identity {
            return;
        }
        lease["spec"]["holderIdentity"] = json!("");
        // Whoever it is that changes it now will have it.
        let _ = self.client.replace(&Self::path(), &lease).await;
    }

    /// Takes or renews the lease, if it is free or this pod's.
    async fn take(&mut self) -> Result<bool, Failure> {
        let lease = match self.client.get(&Self::path()).await {
            Err(error) if error.is_not_found() => {
                let object = json!({
                    "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                    "metadata": {"name": NAME, "namespace": "kube-system"},
                    "spec": self.spec(&Value::Null),
                });
                return match self.client.create(LEASES, &object).await {
                    Err(error) if error.is_conflict() => Ok(false),
                    other => Ok(other.map(|_| true)?),
                };
            }
            other => other?,
        };
        let holder = said(&lease, &["spec", "holderIdentity"]);
        if holder != self.identity && !holder.is_empty() && !self.is_over(&lease) {
            return Ok(false);
        }
        let mut wanted = lease.clone();
        wanted["spec"] = self.spec(&lease["spec"]);
        match self.client.replace(&Self::path(), &wanted).await {
            Err(error) if error.is_conflict() => Ok(false),
            other => Ok(other.map(|_| true)?),
        }
    }

    /// Whether nobody renews the lease: clocks of others aren't trusted, so what counts is that it didn't change here.
    fn is_over(&mut self, lease: &Value) -> bool {
        let revision = said(lease, &["metadata", "resourceVersion"]);
        match &self.seen {
            Some((seen, at)) if seen == revision => at.elapsed() > LIFE,
            _ => {
                self.seen = Some((revision.to_owned(), Instant::now()));
                false
            }
        }
    }

    fn spec(&self, before: &Value) -> Value {
        let mine = before["holderIdentity"] == self.identity.as_str();
        let changes = before["leaseTransitions"].as_u64().unwrap_or(0);
        let now = now();
        let acquired = if mine {
            before["acquireTime"].clone()
        } else {
            json!(now)
        };
        json!({
            "holderIdentity": self.identity, "leaseDurationSeconds": LIFE.as_secs(),
            "acquireTime": acquired, "renewTime": now,
            "leaseTransitions": if mine || before.is_null() { changes } else { changes + 1 },
        })
    }
}
