//! What pods use, and how many there are for it.

use super::*;
use crate::metrics::{Metrics, parse};

/// Answers of a kubelet, 15 seconds apart, of pods that use so many thousandths of a processor.
fn measure(metrics: &Metrics, pods: &[String], milli: u32) {
    for (cpu, at) in [
        (0.0, 1_699_999_985_000_u64),
        (0.015 * f64::from(milli), 1_700_000_000_000),
    ] {
        let mut text = format!(
            "node_cpu_usage_seconds_total {cpu} {at}\nnode_memory_working_set_bytes 1048576 {at}\n"
        );
        for pod in pods {
            let labels = format!("{{container=\"c\",namespace=\"default\",pod=\"{pod}\"}}");
            text.push_str(&format!(
                "container_cpu_usage_seconds_total{labels} {cpu} {at}\ncontainer_memory_working_set_bytes{labels} 2097152 {at}\n"
            ));
        }
        metrics.record("n1", parse(&text, 0.0));
    }
}

fn deployment() -> Value {
    json!({"metadata": {"name": "web"}, "spec": {
        "replicas": 1, "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [
            {"name": "c", "image": "i", "resources": {"requests": {"cpu": "100m"}}}]}}}})
}

/// The names of the pods there are, each of them ready for long.
fn ready<const N: usize>(world: &World<N>, count: usize) -> Vec<String> {
    world.until("placed", |store| {
        let pods = store.list("pods", None);
        pods.filter(|(_, pod)| pod["spec"]["nodeName"] == "n1")
            .count()
            == count
    });
    let now = world.client.cluster().now();
    let names: Vec<String> = now
        .store
        .list("pods", None)
        .map(|(key, _)| key.name.to_string())
        .collect();
    for name in &names {
        let long_ago = "2023-01-01T00:00:00Z";
        let status = json!({"status": {"phase": "Running", "startTime": long_ago, "conditions": [
            {"type": "Ready", "status": "True", "lastTransitionTime": long_ago}]}});
        world.patch("pods", name, "status", &status);
    }
    names
}

/// K8S-API: `metrics.k8s.io` tells what pods and nodes use.
#[test]
fn what_is_used_can_be_asked() {
    let world = World::<7>::new();
    world.node("n1");
    world.create("deployments.apps", &deployment());
    let pods = ready(&world, 1);
    let empty = world.get("/apis/metrics.k8s.io/v1beta1/nodes").unwrap();
    assert_eq!(empty["items"], json!([]));
    measure(world.client.cluster().metrics(), &pods, 250);
    let nodes = world.get("/apis/metrics.k8s.io/v1beta1/nodes").unwrap();
    assert_eq!(nodes["kind"], "NodeMetricsList");
    assert_eq!(
        nodes["items"][0]["usage"],
        json!({"cpu": "250000000n", "memory": "1024Ki"})
    );
    assert_eq!(nodes["items"][0]["window"], "15s");
    assert_eq!(nodes["items"][0]["timestamp"], "2023-11-14T22:13:20Z");
    let path = "/apis/metrics.k8s.io/v1beta1/namespaces/default/pods";
    let found = world.get(path).unwrap();
    assert_eq!(found["items"][0]["containers"][0]["name"], "c");
    assert_eq!(found["items"][0]["metadata"]["labels"]["a"], "b");
    let one = world.get(&format!("{path}/{}", pods[0])).unwrap();
    assert_eq!(one["kind"], "PodMetrics");
    let none = world.get(&format!("{path}/other")).unwrap_err();
    assert_eq!(none.message, "pods.metrics.k8s.io \"other\" not found");
}

/// K8S-RUN: an autoscaler made in the older version sizes its target by what pods use.
#[test]
fn an_autoscaler_sizes_its_target() {
    let world = World::<8>::new();
    world.node("n1");
    world.create("deployments.apps", &deployment());
    let pods = ready(&world, 1);
    let older = crate::resource::built_in()
        .iter()
        .find(|kind| kind.kind == "HorizontalPodAutoscaler" && kind.version == "v1")
        .unwrap();
    let scaler = json!({
        "apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"maxReplicas": 5, "targetCPUUtilizationPercentage": 50,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}},
    });
    let made = world
        .runtime
        .block_on(world.client.create(older, &scaler))
        .unwrap();
    assert_eq!(made["apiVersion"], "autoscaling/v1");
    assert_eq!(made["spec"]["targetCPUUtilizationPercentage"], 50);
    let kept = world
        .find("horizontalpodautoscalers.autoscaling", "web")
        .unwrap();
    assert_eq!(kept["apiVersion"], "autoscaling/v2");
    assert_eq!(
        kept["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"],
        50
    );
    world.until("no metrics", |_| {
        world.told("FailedGetResourceMetric", "web")
    });
    // One pod at 150 percent of its request, where 50 are wanted.
    measure(world.client.cluster().metrics(), &pods, 150);
    world.pass(15);
    world.until("three", |_| {
        world.find("deployments.apps", "web").unwrap()["spec"]["replicas"] == 3
    });
    world.until("a word of it", |_| world.told("SuccessfulRescale", "web"));
    let path = "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers/web";
    world.until("a status", |_| {
        world.get(path).unwrap()["status"]["currentCPUUtilizationPercentage"] == 150
    });
    let older_patch = json!({"spec": {"maxReplicas": 2}});
    let sent = world.client.send(
        Method::Patch,
        path,
        "application/merge-patch+json",
        &older_patch,
    );
    let patched = world.runtime.block_on(sent).unwrap();
    assert_eq!(patched["spec"]["maxReplicas"], 2);
    assert_eq!(patched["spec"]["targetCPUUtilizationPercentage"], 50);
    world.until("at most two", |_| {
        world.find("deployments.apps", "web").unwrap()["spec"]["replicas"] == 2
    });
}
