//! Events: told once, counted when they happen again, forgotten after an hour.
//!
//! <https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/>

use crate::api::Status;
use crate::client::{self, Client};
use crate::object;
use crate::resource::Resource;
use crate::schema::{parse_rfc3339, rfc3339};
use crate::store::Key;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// How long an event is kept, in seconds; upstream's `--event-ttl`.
const KEPT: i64 = 3600;

fn events() -> Result<&'static Resource, Status> {
    client::resource("events").ok_or_else(Status::no_such_path)
}

/// Records that something happened to an object.
///
/// # Errors
/// Kubernetes' own; none where the object's namespace goes.
pub async fn record(
    client: &Client,
    about: &Value,
    kind: &str,
    reason: &str,
    message: &str,
) -> Result<(), Status> {
    let namespace = match object::text(about, &["namespace"]) {
        "" => "default",
        namespace => namespace,
    };
    let mut hash = Sha256::new();
    for part in [
        object::text(about, &["uid"]),
        object::text(about, &["fieldPath"]),
        kind,
        reason,
        message,
    ] {
        hash.update(part);
        hash.update([0]);
    }
    let digest = hash.finalize();
    let suffix: String = digest[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let name = format!("{}.{suffix}", object::text(about, &["name"]));
    let cluster = client.cluster();
    let now = rfc3339(cluster.clock());
    let known = cluster
        .now()
        .store
        .get(&Key::new("events", namespace, &name))
        .cloned();
    if let Some(known) = known {
        let count = object::number(&known, &["count"]).unwrap_or(1) + 1;
        let patch = json!({"count": count, "lastTimestamp": now});
        client.patch(events()?, namespace, &name, &patch).await?;
        return Ok(());
    }
    let component = component(client, about, reason);
    let event = json!({
        "apiVersion": "v1", "kind": "Event",
        "metadata": {"name": name, "namespace": namespace},
        "involvedObject": about, "type": kind, "reason": reason, "message": message,
        "source": {"component": component}, "reportingComponent": component,
        "reportingInstance": "", "count": 1,
        "firstTimestamp": now, "lastTimestamp": now,
    });
    match client.create(events()?, &event).await {
        // In a namespace that goes, nobody is told any more.
        Err(status) if status.code != 403 && status.code != 404 => Err(status),
        _ => Ok(()),
    }
}

/// Which controller tells of an object of a kind, for some reason.
fn component(client: &Client, about: &Value, reason: &str) -> String {
    let kind = object::text(about, &["kind"]);
    let agent = client.agent();
    // Drivers, whose names are domains, and what attaches their volumes, tell in their own name.
    if agent.contains('.') || agent == "attachdetach-controller" {
        return agent.to_owned();
    }
    match kind {
        "PodDisruptionBudget" => "controllermanager".to_owned(),
        "CronJob" => "cronjob-controller".to_owned(),
        "Pod" => match reason {
            "TaintManagerEviction" => "taint-eviction-controller".to_owned(),
            "NodeNotReady" => "node-controller".to_owned(),
            // Other schedulers have their own names.
            _ if agent.ends_with("-scheduler") && agent != "kube-scheduler" => agent.to_owned(),
            _ => "default-scheduler".to_owned(),
        },
        "Node" => "node-controller".to_owned(),
        "PersistentVolumeClaim" if reason.starts_with("Provisioning") => {
            workloads::VOLUME_PROVISIONER.to_owned()
        }
        "PersistentVolumeClaim" | "PersistentVolume" => "persistentvolume-controller".to_owned(),
        "Service" if reason.ends_with("LoadBalancer") || reason.ends_with("LoadBalancerFailed") => {
            "service-controller".to_owned()
        }
        "Service" => "endpoint-slice-controller".to_owned(),
        "ReplicationController" => "replication-controller".to_owned(),
        _ => format!("{}-controller", kind.to_lowercase()),
    }
}

/// Forgets old events.
pub(super) async fn sweep(client: &Client) -> Result<(), Status> {
    let cluster = client.cluster();
    let oldest = cluster.clock() - KEPT;
    let published = cluster.now();
    let old = published.store.list("events", None).filter(|(_, event)| {
        let last = parse_rfc3339(object::text(event, &["lastTimestamp"]));
        let made = parse_rfc3339(object::text(event, &["metadata", "creationTimestamp"]));
        last.or(made).is_some_and(|at| at < oldest)
    });
    for (key, _) in old {
        client
            .delete(events()?, &key.namespace, &key.name, &json!({}))
            .await?;
    }
    Ok(())
}
