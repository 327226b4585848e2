//! The node's lease: a sign of life that costs little.
//! <https://kubernetes.io/docs/concepts/architecture/leases/#node-heart-beats>

use super::path;
use crate::clock;
use crate::shared::Shared;
use kube_client::Error;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::sleep;

const COLLECTION: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";
/// How often it is renewed, and how long it holds.
const RENEWAL: Duration = Duration::from_secs(10);
const DURATION: u64 = 40;
/// After a failure the next try waits so long.
const PAUSE: Duration = Duration::from_millis(500);

/// Renews the lease for ever.
pub(crate) async fn renew(shared: Arc<Shared>) {
    let mut known = None;
    loop {
        let renewed = once(&shared, known.take()).await;
        let pause = match renewed {
            Ok(lease) => {
                known = Some(lease);
                shared.config.pace.timer(RENEWAL)
            }
            Err(error) => {
                let node = &shared.config.name;
                tracing::debug!(node, %error, "the lease isn't renewed for now");
                PAUSE
            }
        };
        sleep(pause).await;
    }
}

/// Renews it from what is known of it.
async fn once(shared: &Shared, known: Option<Value>) -> Result<Value, Error> {
    let client = &shared.means.client;
    let name = &shared.config.name;
    let place = format!("{COLLECTION}/{name}");
    let known = match known {
        Some(known) => known,
        None => match client.get(&place).await {
            Ok(found) => found,
            Err(error) if error.is_not_found() => {
                return client.create(COLLECTION, &fresh(shared).await?).await;
            }
            Err(error) => return Err(error),
        },
    };
    client.replace(&place, &renewed(known, name)).await
}

async fn fresh(shared: &Shared) -> Result<Value, Error> {
    let name = &shared.config.name;
    let node = shared.means.client.get(&path(name)).await?;
    let lease = json!({
        "kind": "Lease", "apiVersion": "coordination.k8s.io/v1",
        "metadata": {
            "name": name, "namespace": "kube-node-lease",
            "ownerReferences": [{
                "apiVersion": "v1", "kind": "Node", "name": name, "uid": node["metadata"]["uid"],
            }],
        },
    });
    Ok(renewed(lease, name))
}

fn renewed(mut lease: Value, name: &str) -> Value {
    lease["spec"]["holderIdentity"] = name.into();
    lease["spec"]["leaseDurationSeconds"] = DURATION.into();
    lease["spec"]["renewTime"] = clock::rfc3339_micro(SystemTime::now()).into();
    lease
}
