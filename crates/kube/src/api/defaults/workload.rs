//! Workloads.

use super::{below, each, spec, template};
use crate::object::default;
use serde_json::{Map, Value, json};

pub(super) fn apply(kind: &str, map: &mut Map<String, Value>) {
    match kind {
        "Deployment" => deployment(map),
        "ReplicaSet" => {
            default(spec(map), "replicas", 1);
            template(spec(map));
        }
        "ReplicationController" => replication_controller(map),
        "StatefulSet" => stateful_set(map),
        "DaemonSet" => daemon_set(map),
        "Job" => job(spec(map)),
        "CronJob" => cron_job(spec(map)),
        "HorizontalPodAutoscaler" => autoscaler(spec(map)),
        _ => {}
    }
}

fn deployment(map: &mut Map<String, Value>) {
    let spec = spec(map);
    default(spec, "replicas", 1);
    default(spec, "revisionHistoryLimit", 10);
    default(spec, "progressDeadlineSeconds", 600);
    let strategy = below(spec, "strategy");
    default(strategy, "type", "RollingUpdate");
    if strategy
        .get("type")
        .is_some_and(|kind| kind == "RollingUpdate")
    {
        let rolling = below(strategy, "rollingUpdate");
        default(rolling, "maxUnavailable", "25%");
        default(rolling, "maxSurge", "25%");
    }
    template(spec);
}

/// What is selected and what the controller is called follow from its template.
fn replication_controller(map: &mut Map<String, Value>) {
    default(spec(map), "replicas", 1);
    template(spec(map));
    let labels = below(below(spec(map), "template"), "metadata")
        .get("labels")
        .cloned();
    if let Some(labels) = labels.filter(Value::is_object) {
        default(spec(map), "selector", labels.clone());
        default(below(map, "metadata"), "labels", labels);
    }
}

fn stateful_set(map: &mut Map<String, Value>) {
    let spec = spec(map);
    default(spec, "replicas", 1);
    default(spec, "revisionHistoryLimit", 10);
    default(spec, "podManagementPolicy", "OrderedReady");
    default(
        spec,
        "persistentVolumeClaimRetentionPolicy",
        json!({"whenDeleted": "Retain", "whenScaled": "Retain"}),
    );
    let strategy = below(spec, "updateStrategy");
    default(strategy, "type", "RollingUpdate");
    if strategy
        .get("type")
        .is_some_and(|kind| kind == "RollingUpdate")
    {
        default(below(strategy, "rollingUpdate"), "partition", 0);
    }
    for claim in each(spec, "volumeClaimTemplates") {
        default(claim, "apiVersion", "v1");
        default(claim, "kind", "PersistentVolumeClaim");
        default(below(claim, "spec"), "volumeMode", "Filesystem");
        default(claim, "status", json!({"phase": "Pending"}));
    }
    template(spec);
}

fn daemon_set(map: &mut Map<String, Value>) {
    let spec = spec(map);
    default(spec, "revisionHistoryLimit", 10);
    let strategy = below(spec, "updateStrategy");
    default(strategy, "type", "RollingUpdate");
    if strategy
        .get("type")
        .is_some_and(|kind| kind == "RollingUpdate")
    {
        let rolling = below(strategy, "rollingUpdate");
        default(rolling, "maxUnavailable", 1);
        default(rolling, "maxSurge", 0);
    }
    template(spec);
}

fn job(spec: &mut Map<String, Value>) {
    let work_queue = spec.get("parallelism").is_some() && spec.get("completions").is_none();
    if !work_queue {
        default(spec, "completions", 1);
    }
    default(spec, "parallelism", 1);
    default(spec, "backoffLimit", 6);
    default(spec, "completionMode", "NonIndexed");
    default(spec, "suspend", false);
    default(spec, "manualSelector", false);
    let policy = if spec.get("podFailurePolicy").is_some() {
        "Failed"
    } else {
        "TerminatingOrFailed"
    };
    default(spec, "podReplacementPolicy", policy);
    template(spec);
}

fn cron_job(spec: &mut Map<String, Value>) {
    default(spec, "concurrencyPolicy", "Allow");
    default(spec, "suspend", false);
    default(spec, "successfulJobsHistoryLimit", 3);
    default(spec, "failedJobsHistoryLimit", 1);
    let job_spec = below(below(spec, "jobTemplate"), "spec");
    template(job_spec);
}

fn autoscaler(spec: &mut Map<String, Value>) {
    default(spec, "minReplicas", 1);
    let cpu = json!([{
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
    }]);
    default(spec, "metrics", cpu);
}
