use serde_json::{Value, json};

use crate::testing::Cluster;
use crate::{Resource, condition, object};

const SCALERS: Resource = Resource::HorizontalPodAutoscalers;
const DEPLOYMENTS: Resource = Resource::Deployments;

/// Pods that request half a CPU, and an autoscaler from 2 to 20 of them.
fn settled(replicas: i64, cpu: i64, spec: &Value) -> Cluster {
    let mut cluster = Cluster::new();
    cluster.cpu = cpu;
    let container = json!({"name": "c", "resources": {"requests": {"cpu": "500m"}}});
    cluster.create(
        DEPLOYMENTS,
        json!({"metadata": {"name": "web", "namespace": "a"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [container]}}}}),
    );
    cluster.settle();
    cluster.now += 600;
    let mut scaler = json!({"metadata": {"name": "web", "namespace": "a"}, "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "minReplicas": 2, "maxReplicas": 20, "metrics": [utilization(50)]}});
    for (key, value) in spec.as_object().unwrap() {
        scaler["spec"][key] = value.clone();
    }
    cluster.create(SCALERS, scaler);
    cluster.sync();
    cluster
}

fn utilization(percent: i64) -> Value {
    let target = json!({"type": "Utilization", "averageUtilization": percent});
    json!({"type": "Resource", "resource": {"name": "cpu", "target": target}})
}

/// Runs the autoscaler once and lets the cluster follow.
fn look(cluster: &mut Cluster) -> i64 {
    cluster.sync();
    cluster.run(SCALERS, "web");
    cluster.sync();
    object::int(&cluster.object(DEPLOYMENTS, "web"), "/spec/replicas").unwrap()
}

fn reason(cluster: &Cluster, kind: &str) -> String {
    let stored = cluster.object(SCALERS, "web");
    let found = condition::find(object::list(&stored, "/status/conditions"), kind).cloned();
    condition::field(&found.unwrap_or_default(), "reason").to_owned()
}

#[test]
fn usage_above_the_target_adds_replicas_in_proportion() {
    let mut cluster = settled(4, 400, &json!({}));
    assert_eq!(look(&mut cluster), 7); // 4 * 80 % / 50 % = 6.4
    let event = "SuccessfulRescale New size: 7; reason: cpu resource utilization (percentage of request) above target";
    assert!(
        cluster.events().contains(&event.to_owned()),
        "{:?}",
        cluster.events()
    );
    let status = cluster.object(SCALERS, "web")["status"].clone();
    assert_eq!(
        (&status["currentReplicas"], &status["desiredReplicas"]),
        (&json!(4), &json!(7))
    );
    let current = &status["currentMetrics"][0]["resource"]["current"];
    assert_eq!(
        *current,
        json!({"averageUtilization": 80, "averageValue": "400m"})
    );
    assert_eq!(reason(&cluster, "AbleToScale"), "SucceededRescale");
    assert_eq!(reason(&cluster, "ScalingActive"), "ValidMetricFound");
    assert_eq!(reason(&cluster, "ScalingLimited"), "DesiredWithinRange");
}

#[test]
fn usage_within_a_tenth_of_the_target_changes_nothing() {
    for cpu in [226, 250, 275] {
        assert_eq!(look(&mut settled(4, cpu, &json!({}))), 4, "{cpu}");
    }
    assert_eq!(look(&mut settled(4, 276, &json!({}))), 5);
}

#[test]
fn growth_is_limited_to_double_or_four_pods() {
    let mut cluster = settled(2, 5000, &json!({}));
    assert_eq!(look(&mut cluster), 6);
    assert_eq!(reason(&cluster, "ScalingLimited"), "ScaleUpLimit");
    let mut cluster = settled(15, 5000, &json!({}));
    assert_eq!(look(&mut cluster), 20);
    assert_eq!(reason(&cluster, "ScalingLimited"), "TooManyReplicas");
}

#[test]
fn a_smaller_size_waits_for_the_window() {
    let mut cluster = settled(8, 250, &json!({}));
    assert_eq!(look(&mut cluster), 8);
    cluster.cpu = 50;
    assert_eq!(look(&mut cluster), 8);
    assert_eq!(reason(&cluster, "AbleToScale"), "ScaleDownStabilized");
    cluster.now += 301;
    assert_eq!(look(&mut cluster), 2);
    assert!(
        cluster.events().contains(
            &"SuccessfulRescale New size: 2; reason: All metrics below target".to_owned()
        )
    );
}

#[test]
fn behavior_policies_limit_the_rate() {
    let down = json!({"stabilizationWindowSeconds": 0,
        "policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}]});
    let mut cluster = settled(8, 10, &json!({"behavior": {"scaleDown": down}}));
    assert_eq!(look(&mut cluster), 7);
    assert_eq!(reason(&cluster, "ScalingLimited"), "ScaleDownLimit");
    assert_eq!(look(&mut cluster), 7);
    cluster.now += 61;
    assert_eq!(look(&mut cluster), 6);
    let disabled = json!({"scaleUp": {"selectPolicy": "Disabled"}});
    assert_eq!(
        look(&mut settled(4, 900, &json!({"behavior": disabled}))),
        4
    );
}

#[test]
fn an_average_value_needs_no_requests() {
    let target = json!({"type": "AverageValue", "averageValue": "100m"});
    let metric = json!({"type": "Resource", "resource": {"name": "cpu", "target": target}});
    assert_eq!(look(&mut settled(4, 200, &json!({"metrics": [metric]}))), 8);
}

#[test]
fn a_size_outside_of_the_limits_is_put_right() {
    assert_eq!(look(&mut settled(1, 250, &json!({}))), 2);
    assert_eq!(look(&mut settled(25, 250, &json!({}))), 20);
}

#[test]
fn what_cannot_be_measured_or_found_is_told() {
    let odd = json!([{"type": "External", "external": {}}]);
    let mut cluster = settled(4, 900, &json!({"metrics": odd}));
    assert_eq!(look(&mut cluster), 4);
    assert_eq!(reason(&cluster, "ScalingActive"), "InvalidMetricSourceType");
    let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "none"});
    let mut cluster = settled(4, 900, &json!({"scaleTargetRef": target}));
    look(&mut cluster);
    assert_eq!(reason(&cluster, "AbleToScale"), "FailedGetScale");
    assert!(
        cluster
            .events()
            .contains(&"FailedGetScale deployments.apps \"none\" not found".to_owned())
    );
}

#[test]
fn a_target_at_zero_is_left_alone() {
    let mut cluster = settled(0, 900, &json!({}));
    assert_eq!(look(&mut cluster), 0);
    assert_eq!(reason(&cluster, "ScalingActive"), "ScalingDisabled");
}
