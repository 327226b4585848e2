//! What kubelets measure.

use crate::relay::kubelet;
use crate::world::World;
use kube::metrics::{Kubelets, Scrape};

/// K8S-API: a kubelet is asked for what it measures by the API server's own identity, and what it answers
/// can be asked as `metrics.k8s.io`.
#[tokio::test(flavor = "multi_thread")]
async fn kubelets_are_asked_what_they_measure() {
    let world = World::new().await;
    let (port, mut callers) = kubelet(&world, |mut wire| async move {
        let asked = wire.message().await;
        assert_eq!(asked.first, "GET /metrics/resource HTTP/1.1");
        let text = "node_cpu_usage_seconds_total 3\nnode_memory_working_set_bytes 2048\n";
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}",
            text.len()
        );
        wire.send(answer.as_bytes()).await;
    })
    .await;
    world.node("n1", port).await;
    let kubelets = Kubelets(world.cluster.clone());
    let text = kubelets.scrape("n1").await.unwrap();
    assert!(callers.recv().await.unwrap().contains("kube-apiserver"));
    let metrics = world.cluster.metrics();
    metrics.record(
        "n1",
        kube::metrics::parse("node_cpu_usage_seconds_total 1\n", 10.0),
    );
    metrics.record("n1", kube::metrics::parse(&text, 20.0));
    let (code, found) = world
        .ask(
            "GET",
            "/apis/metrics.k8s.io/v1beta1/nodes/n1",
            &serde_json::Value::Null,
        )
        .await;
    assert_eq!(
        (code, found["usage"]["cpu"].as_str()),
        (200, Some("200000000n"))
    );
    assert!(kubelets.scrape("n2").await.is_err());
}
