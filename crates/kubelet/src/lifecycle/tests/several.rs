//! Containers beside the main ones.

use super::*;

/// K8S-RUN: init containers run one after another, each to its end.
#[test]
fn init_containers_go_first() {
    let spec = json!({"initContainers": [container("a"), container("b")],
        "containers": [container("c")]});
    let mut world = World::new(spec);
    let done = world.settle();
    assert_eq!(done, ["mount", "sandbox 0", "pull a", "start a 0"]);
    assert_eq!(world.phase(), "Pending");
    assert_eq!(world.waiting("c").0, "PodInitializing");
    let (status, reason) = world.condition("Initialized");
    assert_eq!(
        (status.as_str(), reason.as_str()),
        ("False", "ContainersNotInitialized")
    );
    let told = world
        .life
        .status()
        .condition("Initialized")
        .unwrap()
        .message
        .clone();
    assert_eq!(told.unwrap(), "containers with incomplete status: [a b]");
    world.exit("a", 1);
    assert_eq!(world.settle(), ["start a 1"], "it failed");
    world.exit("a", 0);
    assert_eq!(world.settle(), ["start b 0"]);
    world.exit("b", 0);
    assert_eq!(world.settle(), ["start c 0"]);
    assert_eq!(world.condition("Initialized").0, "True");
    let told = &world.status()["initContainerStatuses"];
    assert_eq!(
        (&told[0]["ready"], &told[0]["restartCount"]),
        (&json!(true), &json!(1))
    );
    world.seen.containers.retain(|c| c.name != "a");
    assert!(world.settle().is_empty(), "the runtime may forget them");
}

/// K8S-RUN: a pod whose init container fails for good fails.
#[test]
fn an_init_container_that_fails_for_good() {
    let spec = json!({"initContainers": [container("a")], "containers": [container("c")],
        "restartPolicy": "Never"});
    let mut world = World::new(spec);
    world.settle();
    world.exit("a", 3);
    assert_eq!(world.settle(), ["stop s0", "unmount"]);
    assert_eq!(world.phase(), "Failed");
}

fn sidecar(name: &str, probe: &Value) -> Value {
    json!({"name": name, "image": "nginx:1", "restartPolicy": "Always", "startupProbe": probe})
}

/// K8S-RUN: sidecars begin in their order, once the one before has started, and run on.
/// <https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/>
#[test]
fn sidecars_run_beside() {
    let probe = json!({"exec": {"command": ["true"]}});
    let spec = json!({
        "initContainers": [sidecar("s", &probe), container("i"), sidecar("t", &Value::Null)],
        "containers": [container("c")],
    });
    let mut world = World::new(spec);
    assert_eq!(world.settle()[2..], ["pull s", "start s 0"]);
    world.health("s", STARTED);
    assert_eq!(world.settle(), ["start i 0"]);
    world.exit("s", 1);
    assert_eq!(world.settle(), ["start s 1"], "it is started again at once");
    world.health("s", STARTED);
    world.exit("i", 0);
    assert_eq!(world.settle(), ["start t 0", "start c 0"]);
    assert_eq!(world.phase(), "Running");
    assert_eq!(world.condition("Ready").0, "True");
    world.delete(30);
    let done = world.settle();
    let kills: Vec<_> = done
        .iter()
        .filter(|done| done.starts_with("kill"))
        .collect();
    assert_eq!(kills.len(), 3);
    for kill in ["kill c 30 []", "kill t 30 [c]", "kill s 30 [c+t]"] {
        assert!(kills.contains(&&kill.to_owned()), "{kills:?}");
    }
}

/// K8S-RUN: sidecars don't keep a pod from its end.
#[test]
fn sidecars_end_with_the_main_containers() {
    let spec = json!({"initContainers": [sidecar("s", &Value::Null)],
        "containers": [container("c")], "restartPolicy": "Never"});
    let mut world = World::new(spec);
    world.settle();
    world.exit("c", 0);
    assert_eq!(world.settle(), ["kill s 30 []", "stop s0", "unmount"]);
    assert_eq!(world.phase(), "Succeeded");
}

/// K8S-RUN: `kubectl debug` puts a container into a pod that runs; it is never started again.
#[test]
fn ephemeral_containers_join() {
    let mut world = World::new(always());
    world.settle();
    let mut debug = world.pod.spec.containers[0].clone();
    debug.name = "debug".into();
    world.pod.spec.ephemeral_containers.push(debug);
    assert_eq!(world.settle(), ["start debug 0"]);
    let told = &world.status()["ephemeralContainerStatuses"][0];
    assert!(told["state"]["running"].is_object());
    assert_eq!(told["ready"], false);
    world.exit("debug", 0);
    assert!(world.settle().is_empty());
    assert_eq!(world.phase(), "Running");
}
