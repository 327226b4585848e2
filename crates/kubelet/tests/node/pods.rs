//! Pods on a node.

use crate::world::World;
use serde_json::{Value, json};
use std::fs;
use std::time::Duration;

fn running(status: &Value) -> bool {
    let ready = status["conditions"].as_array().into_iter().flatten();
    let ready = ready.filter(|c| c["type"] == "Ready" && c["status"] == "True");
    status["phase"] == "Running" && ready.count() == 1
}

/// K8S-RUN: a pod is scheduled on the node, runs with its account's token and its services' names, and
/// is gone when it was deleted.
#[tokio::test(flavor = "multi_thread")]
async fn a_pod_comes_and_goes() {
    let world = World::new().await;
    let map = json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "settings"},
        "data": {"color": "blue"}});
    world
        .create("/api/v1/namespaces/default/configmaps", map)
        .await;
    let spec = json!({
        "containers": [{
            "name": "c", "image": "nginx:1", "command": ["serve", "--host=$(HOST)"],
            "env": [
                {"name": "HOST", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
                {"name": "COLOR", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "color"}}},
            ],
            "volumeMounts": [
                {"name": "settings", "mountPath": "/etc/settings"},
                {"name": "settings", "mountPath": "/etc/color", "subPath": "color"},
                {"name": "scratch", "mountPath": "/scratch", "subPath": "a/b"},
            ],
        }],
        "volumes": [
            {"name": "settings", "configMap": {"name": "settings"}},
            {"name": "scratch", "emptyDir": {}},
        ],
    });
    world.pod("web", spec).await;
    let pod = world.until_pod("web", running).await;
    assert_eq!(pod["spec"]["nodeName"], "n1");
    assert_eq!(pod["status"]["podIP"], "127.0.0.1");
    assert_eq!(pod["status"]["podIPs"], json!([{"ip": "127.0.0.1"}]));
    let container = world.runtime.spec("c").unwrap();
    assert_eq!(container.command, ["serve", "--host=127.0.0.1"]);
    let env = |name: &str| {
        let found = container.env.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    assert_eq!(env("COLOR"), "blue");
    assert_eq!(env("KUBERNETES_SERVICE_HOST"), "10.96.0.1");
    let mounted = |target: &str| {
        let mount = container
            .mounts
            .iter()
            .find(|m| m.target.to_str() == Some(target));
        match &mount.unwrap().source {
            cri::MountSource::Kubelet(path) => path.clone(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        fs::read_to_string(mounted("/etc/settings").join("color")).unwrap(),
        "blue"
    );
    let color = mounted("/etc/color");
    assert_eq!(fs::read_to_string(&color).unwrap(), "blue");
    assert!(!color.is_symlink());
    assert!(mounted("/scratch").ends_with("scratch/a/b"));
    let account = mounted("/var/run/secrets/kubernetes.io/serviceaccount");
    let token = fs::read_to_string(account.join("token")).unwrap();
    assert_eq!(token.split('.').count(), 3, "a JSON web token: {token}");
    assert!(account.join("ca.crt").exists());
    let hosts = fs::read_to_string(mounted("/etc/hosts")).unwrap();
    assert!(hosts.contains("127.0.0.1\tweb\n"), "{hosts}");
    let options = json!({"gracePeriodSeconds": 1});
    world
        .admin
        .delete("/api/v1/namespaces/default/pods/web", &options)
        .await
        .unwrap();
    world.until_gone("web").await;
    world
        .until("nothing", async || {
            let runtime: &dyn cri::Runtime = &*world.runtime;
            let left = fs::read_dir(world.folder.join("kubelet/pods"))
                .unwrap()
                .count();
            (runtime.sandboxes().is_empty() && left == 0).then_some(())
        })
        .await;
    let told = world.events("web").await;
    let reasons: Vec<&str> = told.iter().map(|(reason, _)| reason.as_str()).collect();
    for reason in [
        "Scheduled",
        "Pulling",
        "Pulled",
        "Created",
        "Started",
        "Killing",
    ] {
        assert!(reasons.contains(&reason), "{reason}: {told:?}");
    }
}

/// K8S-RUN: the node is what its kubelet says it is, ready once it has a network.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_registered() {
    let mut world = World::empty().await;
    world
        .runtime
        .set_network(Some("cni plugin not initialized"));
    world.start();
    let condition = world
        .until("the node", async || world.condition().await)
        .await;
    assert_eq!(condition["status"], "False");
    assert_eq!(condition["reason"], "KubeletNotReady");
    let node = world.admin.get("/api/v1/nodes/n1").await.unwrap();
    assert_eq!(node["spec"]["providerID"], "skylab:///n1");
    assert_eq!(node["metadata"]["labels"]["disk"], "ssd");
    assert_eq!(node["status"]["nodeInfo"]["kubeletVersion"], "v1.32.0");
    world.runtime.set_network(None);
    let ready = async || world.condition().await.filter(|c| c["status"] == "True");
    let condition = world.until("its readiness", ready).await;
    assert_eq!(condition["message"], "kubelet is posting ready status");
    let lease = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n1";
    let lease = world.admin.get(lease).await.unwrap();
    assert_eq!(lease["spec"]["holderIdentity"], "n1");
    world
        .until("its events", async || {
            let told = world.events("n1").await;
            let mut told = told.iter();
            told.any(|(reason, _)| reason == "NodeReady").then_some(())
        })
        .await;
    world
        .until("its taints' end", async || {
            let node = world.admin.get("/api/v1/nodes/n1").await.unwrap();
            let taints = node["spec"]["taints"].as_array();
            taints.is_none_or(Vec::is_empty).then_some(())
        })
        .await;
}

/// K8S-RUN: containers that end are started again or not, as their pod says, and images that can't
/// be had are told.
#[tokio::test(flavor = "multi_thread")]
async fn ends_and_restarts() {
    let world = World::new().await;
    let once = |command: Value, image: &str| json!({"restartPolicy": "Never", "containers": [{"name": "c", "image": image, "command": command}]});
    world.pod("well", once(json!(["exit", "0"]), "a:1")).await;
    world.pod("badly", once(json!(["exit", "3"]), "a:1")).await;
    world
        .pod("nonsense", once(json!(["nonsense"]), "a:1"))
        .await;
    world.pod("missing", once(json!([]), "missing:1")).await;
    let crashing = json!({"containers": [{"name": "d", "image": "a:1", "command": ["exit", "1"]}]});
    world.pod("crashing", crashing).await;
    world
        .until_pod("well", |status| status["phase"] == "Succeeded")
        .await;
    let badly = world
        .until_pod("badly", |status| status["phase"] == "Failed")
        .await;
    let ended = &badly["status"]["containerStatuses"][0]["state"]["terminated"];
    assert_eq!(
        (&ended["exitCode"], &ended["reason"]),
        (&json!(3), &json!("Error"))
    );
    world
        .until_pod("nonsense", |status| status["phase"] == "Failed")
        .await;
    let waits = |reason: &'static str| {
        move |status: &Value| status["containerStatuses"][0]["state"]["waiting"]["reason"] == reason
    };
    world.until_pod("missing", waits("ErrImagePull")).await;
    world.until_pod("missing", waits("ImagePullBackOff")).await;
    let crashing = world.until_pod("crashing", waits("CrashLoopBackOff")).await;
    let status = &crashing["status"]["containerStatuses"][0];
    assert_eq!(status["lastState"]["terminated"]["exitCode"], 1);
    assert_eq!(status["restartCount"], 1);
    world
        .until_pod("crashing", |status| {
            status["containerStatuses"][0]["restartCount"] == 2
        })
        .await;
}

/// K8S-RUN: probes ask, and what they hear has its effect.
#[tokio::test(flavor = "multi_thread")]
async fn probes_have_effects() {
    let world = World::new().await;
    let flag = world.folder.join("ready");
    let probe = json!({"exec": {"command": ["test", "-e", flag]}, "periodSeconds": 1});
    let spec = json!({"containers": [{"name": "c", "image": "a:1", "readinessProbe": probe}]});
    world.pod("web", spec).await;
    let unready = |status: &Value| status["phase"] == "Running" && !running(status);
    world.until_pod("web", unready).await;
    fs::write(&flag, "").unwrap();
    world.until_pod("web", running).await;
    fs::remove_file(&flag).unwrap();
    world.until_pod("web", unready).await;
    world
        .until("the event", async || {
            let told = world.events("web").await;
            let mut told = told.iter();
            told.any(|(reason, message)| {
                reason == "Unhealthy" && message.starts_with("Readiness probe failed: ")
            })
            .then_some(())
        })
        .await;
    let dead = json!({"tcpSocket": {"port": 1}, "periodSeconds": 1, "failureThreshold": 1});
    let spec = json!({"containers": [{"name": "d", "image": "a:1", "livenessProbe": dead}]});
    world.pod("dead", spec).await;
    world
        .until_pod("dead", |status| {
            status["containerStatuses"][0]["restartCount"] == 1
        })
        .await;
    let killed = "Container d failed liveness probe, will be restarted";
    world
        .until("the event", async || {
            let told = world.events("dead").await;
            told.contains(&("Killing".into(), killed.into()))
                .then_some(())
        })
        .await;
}

/// K8S-RUN: a config map's change reaches the files of pods that run.
#[tokio::test(flavor = "multi_thread")]
async fn files_follow_their_config_map() {
    let world = World::new().await;
    let map = |color: &str| {
        json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "settings"},
            "data": {"color": color}})
    };
    let spec = json!({
        "containers": [{"name": "c", "image": "a:1",
            "volumeMounts": [{"name": "settings", "mountPath": "/s"}]}],
        "volumes": [{"name": "settings", "configMap": {"name": "settings"}}],
    });
    world.pod("web", spec).await;
    let why =
        "MountVolume.SetUp failed for volume \"settings\" : configmaps \"settings\" not found";
    world
        .until("the event", async || {
            let told = world.events("web").await;
            told.contains(&("FailedMount".into(), why.into()))
                .then_some(())
        })
        .await;
    world
        .create("/api/v1/namespaces/default/configmaps", map("blue"))
        .await;
    world.until_pod("web", running).await;
    let container = world.runtime.spec("c").unwrap();
    let mount = container
        .mounts
        .iter()
        .find(|m| m.target.to_str() == Some("/s"))
        .unwrap();
    let cri::MountSource::Kubelet(path) = &mount.source else {
        panic!("{mount:?}")
    };
    assert_eq!(fs::read_to_string(path.join("color")).unwrap(), "blue");
    let place = "/api/v1/namespaces/default/configmaps/settings";
    world.admin.replace(place, &map("red")).await.unwrap();
    world
        .until("the change", async || {
            let color = fs::read_to_string(path.join("color")).unwrap();
            (color == "red").then_some(())
        })
        .await;
}

/// K8S-RUN: a node that comes back without its containers runs its pods again.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_comes_back() {
    let mut world = World::new().await;
    let spec = json!({"containers": [{"name": "c", "image": "a:1"}]});
    world.pod("web", spec).await;
    world.until_pod("web", running).await;
    world.kubelet = None;
    world.runtime = Default::default();
    world.start();
    let pod = world
        .until_pod("web", |status| {
            running(status) && status["containerStatuses"][0]["restartCount"] == 1
        })
        .await;
    let last = &pod["status"]["containerStatuses"][0]["lastState"]["terminated"];
    assert_eq!(last["reason"], "ContainerStatusUnknown");
}

/// K8S-RUN: a node that is shut down ends its pods first, and says why.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_shut_down() {
    let mut world = World::new().await;
    let spec = json!({"containers": [{"name": "c", "image": "a:1"}]});
    world.pod("web", spec).await;
    world.until_pod("web", running).await;
    let kubelet = world.kubelet.take().unwrap();
    kubelet.stop(Duration::from_secs(30)).await;
    let pod = world
        .until_pod("web", |status| status["phase"] == "Failed")
        .await;
    assert_eq!(pod["status"]["reason"], "Terminated");
    let message = "Pod was terminated in response to imminent node shutdown.";
    assert_eq!(pod["status"]["message"], message);
    let condition = world.condition().await.unwrap();
    assert_eq!(condition["status"], "False");
    assert_eq!(condition["message"], "node is shutting down");
}

/// K8S-RUN: a pod that was put on a full node is refused there.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_node_refuses() {
    let world = World::new().await;
    let spec = json!({"nodeName": "n1", "containers": [
        {"name": "c", "image": "a:1", "resources": {"requests": {"cpu": "3"}}}]});
    world.pod("large", spec).await;
    let pod = world
        .until_pod("large", |status| status["phase"] == "Failed")
        .await;
    assert_eq!(pod["status"]["reason"], "OutOfcpu");
    let message = "Pod was rejected: Node didn't have enough resource: cpu, requested: 3000, used: 0, capacity: 2000";
    assert_eq!(pod["status"]["message"], message);
}
