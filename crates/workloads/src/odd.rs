//! Objects with something odd at every place: no controller may fall over any of them.

use serde_json::{Value, json};

use crate::testing::Cluster;
use crate::{Resource, object};

fn template() -> Value {
    json!({"metadata": {"labels": {"app": "x"}, "annotations": {"k": "v"}}, "spec": {
        "nodeSelector": {"a": "b"}, "restartPolicy": "OnFailure",
        "tolerations": [{"key": "k", "operator": "Exists", "effect": "NoSchedule"}],
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
            {"nodeSelectorTerms": [{"matchExpressions": [
                {"key": "n", "operator": "Gt", "values": ["1"]}]}]}}},
        "containers": [{"name": "c", "env": [{"name": "E", "value": "v"}],
            "ports": [{"name": "http", "containerPort": 80}],
            "resources": {"requests": {"cpu": "100m"}}}]}})
}

fn specs() -> Vec<(Resource, Value)> {
    let selector = json!({"matchLabels": {"app": "x"}, "matchExpressions": [
        {"key": "app", "operator": "In", "values": ["x"]}]});
    let rolling = json!({"type": "RollingUpdate", "rollingUpdate":
        {"maxSurge": "25%", "maxUnavailable": 1, "partition": 1}});
    let job = json!({"completions": 3, "parallelism": 2, "backoffLimit": 1, "template": template(),
        "completionMode": "Indexed", "activeDeadlineSeconds": 10, "ttlSecondsAfterFinished": 10});
    vec![
        (
            Resource::Deployments,
            json!({"replicas": 3, "selector": selector, "strategy": rolling,
            "template": template(), "minReadySeconds": 1, "revisionHistoryLimit": 1,
            "progressDeadlineSeconds": 10}),
        ),
        (
            Resource::ReplicaSets,
            json!({"replicas": 3, "selector": selector,
            "template": template(), "minReadySeconds": 1}),
        ),
        (
            Resource::StatefulSets,
            json!({"replicas": 3, "selector": selector, "serviceName": "s",
            "template": template(), "updateStrategy": rolling, "ordinals": {"start": 1},
            "volumeClaimTemplates": [{"metadata": {"name": "d"}, "spec": {}}],
            "persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete"}}),
        ),
        (
            Resource::DaemonSets,
            json!({"selector": selector, "template": template(),
            "updateStrategy": rolling}),
        ),
        (Resource::Jobs, job.clone()),
        (
            Resource::CronJobs,
            json!({"schedule": "* * * * *", "startingDeadlineSeconds": 100,
            "timeZone": "Etc/GMT+1", "jobTemplate": {"spec": job}}),
        ),
        (
            Resource::PodDisruptionBudgets,
            json!({"selector": selector, "maxUnavailable": "10%"}),
        ),
        (
            Resource::Services,
            json!({"selector": {"app": "x"}, "ipFamilies": ["IPv4", "IPv6"],
            "ports": [{"name": "p", "port": 80, "targetPort": "http"}]}),
        ),
        (
            Resource::HorizontalPodAutoscalers,
            json!({"minReplicas": 1, "maxReplicas": 9,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "other"},
            "behavior": {"scaleUp": {"stabilizationWindowSeconds": 1, "policies":
                [{"type": "Percent", "value": 10, "periodSeconds": 10}]}},
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target":
                {"type": "Utilization", "averageUtilization": 50}}}]}),
        ),
    ]
}

/// The JSON pointers of everything in a value.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(map) => {
            for (key, item) in map {
                let key = key.replace('~', "~0").replace('/', "~1");
                places(item, &format!("{at}/{key}"), found);
            }
        }
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                places(item, &format!("{at}/{n}"), found);
            }
        }
        _ => {}
    }
}

fn oddities() -> Vec<Value> {
    vec![
        Value::Null,
        json!("\u{e9}%"),
        json!("9223372036854775807"),
        json!(-1),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(0.5),
        json!([]),
        json!([[]]),
        json!({}),
        json!(true),
    ]
}

/// A cluster that was at work on the object for a while.
fn worked(resource: Resource, object: &Value) -> Cluster {
    let mut cluster = Cluster::new();
    cluster.create(Resource::Nodes, json!({"metadata": {"name": "n1",
        "labels": {"a": "b", "n": "2"}}, "spec": {"taints": [{"key": "k", "effect": "NoSchedule"}]}}));
    cluster.create(
        Resource::ReplicaSets,
        json!({"metadata": {"name": "other", "namespace": "a"},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "y"}},
            "template": {"metadata": {"labels": {"app": "y"}}, "spec": {}}}}),
    );
    cluster.create(resource, object.clone());
    work(&mut cluster);
    cluster
}

fn work(cluster: &mut Cluster) {
    for _ in 0..4 {
        cluster.round();
        cluster.kubelet();
        cluster.now += 40;
    }
}

#[test]
fn nothing_odd_in_an_object_makes_a_controller_fall_over() {
    for (resource, spec) in specs() {
        let whole = json!({"metadata": {"name": "x", "namespace": "a"}, "spec": spec});
        let mut found = Vec::new();
        places(&whole["spec"], "/spec", &mut found);
        for place in &found {
            for odd in oddities() {
                let mut object = whole.clone();
                *object.pointer_mut(place).unwrap() = odd;
                worked(resource, &object);
            }
        }
    }
}

#[test]
fn nothing_odd_in_what_was_written_makes_a_controller_fall_over() {
    for (resource, spec) in specs() {
        let whole = json!({"metadata": {"name": "x", "namespace": "a"}, "spec": spec});
        let cluster = worked(resource, &whole);
        for of in Resource::ALL {
            let Some(first) = cluster.stored(of).first().cloned() else {
                continue;
            };
            let mut found = Vec::new();
            for part in [
                "status",
                "metadata/annotations",
                "metadata/labels",
                "metadata/ownerReferences",
            ] {
                let at = format!("/{part}");
                places(first.pointer(&at).unwrap_or(&Value::Null), &at, &mut found);
            }
            for place in found {
                for odd in oddities() {
                    let mut cluster = worked(resource, &whole);
                    let Some(mut object) = cluster.find(of, object::name(&first)) else {
                        continue;
                    };
                    let Some(part) = object.pointer_mut(&place) else {
                        continue;
                    };
                    *part = odd;
                    cluster.force(of, object);
                    work(&mut cluster);
                }
            }
        }
    }
}
