//! Pods that must go, and volumes in memory.

use crate::world::World;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

fn failed(status: &Value) -> bool {
    status["phase"] == "Failed" && status["reason"] == "Evicted"
}

fn runs(status: &Value) -> bool {
    status["phase"] == "Running"
}

/// Where the container of a name has a volume.
fn mounted(world: &World, container: &str, target: &str) -> PathBuf {
    let spec = world.runtime.spec(container).unwrap();
    let mut mounts = spec.mounts.iter();
    let mount = mounts.find(|mount| mount.target.to_str() == Some(target));
    match &mount.unwrap().source {
        cri::MountSource::Kubelet(path) => path.clone(),
        other => panic!("{other:?}"),
    }
}

fn disruption(pod: &Value) -> &Value {
    let mut conditions = pod["status"]["conditions"].as_array().unwrap().iter();
    conditions
        .find(|one| one["type"] == "DisruptionTarget")
        .unwrap()
}

/// K8S-RUN: a pod that puts more into an `emptyDir` than the limit is evicted, in upstream's words; one
/// that keeps to it stays.
#[tokio::test(flavor = "multi_thread")]
async fn who_fills_an_empty_dir_goes() {
    let world = World::new().await;
    let spec = |container: &str| {
        json!({
            "containers": [{"name": container, "image": "a:1",
                "volumeMounts": [{"name": "cache", "mountPath": "/cache"}]}],
            "volumes": [{"name": "cache", "emptyDir": {"sizeLimit": "1Mi"}}],
        })
    };
    world.pod("greedy", spec("g")).await;
    world.pod("modest", spec("m")).await;
    world.until_pod("greedy", runs).await;
    world.until_pod("modest", runs).await;
    let fill = |container: &str, bytes: usize| {
        let file = mounted(&world, container, "/cache").join("file");
        fs::write(file, vec![1; bytes]).unwrap();
    };
    fill("m", 64 << 10);
    fill("g", 2 << 20);
    let pod = world.until_pod("greedy", failed).await;
    let why = "Usage of EmptyDir volume \"cache\" exceeds the limit \"1Mi\". ";
    assert_eq!(pod["status"]["message"], why);
    assert_eq!(disruption(&pod)["reason"], "TerminationByKubelet");
    let told = ("Evicted".to_owned(), why.to_owned());
    world
        .until("the event", async || {
            world.events("greedy").await.contains(&told).then_some(())
        })
        .await;
    let modest = "/api/v1/namespaces/default/pods/modest";
    assert!(runs(&world.admin.get(modest).await.unwrap()["status"]));
}

/// K8S-RUN: a node that is short of memory says so, evicts the pod that is farthest above what it asked
/// for, and takes no more pods that ask for nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_short_of_memory_evicts() {
    let world = World::new().await;
    let spec = |container: &str, resources: Value| json!({"nodeName": "n1", "containers": [{"name": container, "image": "a:1", "resources": resources}]});
    let asks = json!({"requests": {"memory": "3Gi"}});
    world.pod("large", spec("l", asks.clone())).await;
    world.pod("greedy", spec("g", json!({}))).await;
    world.until_pod("large", runs).await;
    world.until_pod("greedy", runs).await;
    world.runtime.use_memory("l", 3 << 30);
    world.runtime.use_memory("g", (1 << 30) - (50 << 20));
    let pod = world.until_pod("greedy", failed).await;
    assert_eq!(
        pod["status"]["message"],
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. Container g was using 974Mi, request is 0, has larger consumption of memory. "
    );
    world
        .until("the node's pressure and its taint", async || {
            let node = world.admin.get("/api/v1/nodes/n1").await.ok()?;
            let mut conditions = node["status"]["conditions"].as_array()?.iter();
            let pressure = conditions.find(|one| one["type"] == "MemoryPressure")?;
            let mut taints = node["spec"]["taints"].as_array()?.iter();
            let taint = taints.any(|one| one["key"] == "node.kubernetes.io/memory-pressure");
            (pressure["reason"] == "KubeletHasInsufficientMemory" && taint).then_some(())
        })
        .await;
    world.pod("another", spec("a", json!({}))).await;
    let pod = world.until_pod("another", failed).await;
    assert_eq!(
        pod["status"]["message"],
        "Pod was rejected: The node had condition: [MemoryPressure]. "
    );
    let asking = json!({"requests": {"memory": "1Mi"}});
    world.pod("asking", spec("b", asking)).await;
    world.until_pod("asking", runs).await;
    let large = "/api/v1/namespaces/default/pods/large";
    assert!(runs(&world.admin.get(large).await.unwrap()["status"]));
}

/// K8S-RUN: a volume in memory holds what its limit says, or its containers' limits, or the node; it is
/// given back with its pod.
#[tokio::test(flavor = "multi_thread")]
async fn volumes_in_memory() {
    let world = World::new().await;
    let pod = |container: &str, empty: Value, resources: Value| {
        json!({
            "containers": [{"name": container, "image": "a:1", "resources": resources,
                "volumeMounts": [{"name": "fast", "mountPath": "/fast"}]}],
            "volumes": [{"name": "fast", "emptyDir": empty}],
        })
    };
    let limited = json!({"medium": "Memory", "sizeLimit": "2Mi"});
    let plain = json!({"medium": "Memory"});
    let limits = json!({"limits": {"memory": "64Mi"}});
    world.pod("a", pod("a", limited, limits.clone())).await;
    world.pod("b", pod("b", plain.clone(), limits)).await;
    world.pod("c", pod("c", plain, json!({}))).await;
    for (name, bytes) in [("a", 2 << 20), ("b", 64 << 20), ("c", 4 << 30)] {
        world.until_pod(name, runs).await;
        let at = mounted(&world, name, "/fast");
        let size = world.memory.0.lock().unwrap().get(&at).copied();
        assert_eq!(size, Some(bytes), "{name}");
        let path = format!("/api/v1/namespaces/default/pods/{name}");
        let options = json!({"gracePeriodSeconds": 1});
        world.admin.delete(&path, &options).await.unwrap();
    }
    for name in ["a", "b", "c"] {
        world.until_gone(name).await;
    }
    assert!(world.memory.0.lock().unwrap().is_empty());
}
