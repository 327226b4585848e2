//! What can go wrong around a container.

use super::*;

/// K8S-RUN: what a container shall be can't be told, or its program can't be run.
#[test]
fn starts_that_fail() {
    let mut world = World::new(always());
    world
        .broken
        .insert("config", "configmap \"a\" not found".into());
    world.settle();
    let (reason, message) = world.waiting("c");
    assert_eq!(reason, "CreateContainerConfigError");
    assert_eq!(message, "configmap \"a\" not found");
    assert_eq!(world.news()[2], "Failed: Error: configmap \"a\" not found");
    world.broken.clear();
    world.sleep_until_woken();
    assert_eq!(world.settle(), ["start c 0"]);
    let mut world = World::new(always());
    world.broken.insert("run", "exec: \"x\": not found".into());
    world.settle();
    assert_eq!(world.waiting("c").0, "RunContainerError");
    let status = &world.status()["containerStatuses"][0];
    assert_eq!(status["lastState"]["terminated"]["reason"], "StartError");
    assert_eq!(status["lastState"]["terminated"]["exitCode"], 128);
    world.sleep_until_woken();
    assert_eq!(world.settle(), ["start c 1"]);
    world.sleep_until_woken();
    world.settle();
    assert_eq!(world.waiting("c").0, "CrashLoopBackOff");
    assert!(
        !world.status()["containerStatuses"][0]["ready"]
            .as_bool()
            .unwrap()
    );
}

/// K8S-RUN: volumes and networks that can't be had.
#[test]
fn volumes_and_sandboxes_that_fail() {
    let mut world = World::new(always());
    let why = "MountVolume.SetUp failed for volume \"v\" : configmap \"a\" not found";
    world.broken.insert("mount", why.into());
    assert_eq!(world.settle(), ["mount"]);
    assert_eq!(world.news(), [format!("FailedMount: {why}")]);
    assert_eq!(world.waiting("c").0, "ContainerCreating");
    world.broken.clear();
    let error = "rpc error: code = Unknown desc = failed to setup network";
    world.broken.insert("sandbox", error.into());
    world.sleep_until_woken();
    assert_eq!(world.settle(), ["mount", "sandbox 0"]);
    let told = format!("FailedCreatePodSandBox: Failed to create pod sandbox: {error}");
    assert_eq!(world.news(), [told]);
    world.broken.clear();
    world.sleep_until_woken();
    assert_eq!(world.settle(), ["sandbox 0", "pull c", "start c 0"]);
}

/// K8S-RUN: without a CNI plugin only pods on the node's own network begin.
#[test]
fn pods_wait_for_the_network() {
    let mut world = World::new(always());
    world.network = Some("cni plugin not initialized");
    assert!(world.settle().is_empty());
    assert_eq!(
        world.news(),
        [
            "NetworkNotReady: network is not ready: container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized"
        ]
    );
    let mut world = World::new(json!({"containers": [container("c")], "hostNetwork": true}));
    world.network = Some("cni plugin not initialized");
    assert_eq!(world.settle().len(), 4);
}

/// K8S-RUN: a sandbox that died is replaced, and its containers with it.
#[test]
fn a_dead_sandbox_is_replaced() {
    let spec = json!({"containers": [container("c")], "initContainers": [container("i")]});
    let mut world = World::new(spec);
    world.settle();
    world.exit("i", 0);
    world.settle();
    world.news();
    world.seen.sandboxes[0].ready = false;
    let done = world.settle();
    assert_eq!(
        done,
        [
            "kill c 30 []",
            "stop s0",
            "remove 1",
            "sandbox 1",
            "start i 1"
        ]
    );
    assert_eq!(
        world.news()[..2],
        [
            "SandboxChanged: Pod sandbox changed, it will be killed and re-created.",
            "Killing: Stopping container c",
        ]
    );
    world.exit("i", 0);
    assert_eq!(world.settle(), ["start c 1"]);
    let mut world = World::new(with_policy("Never"));
    world.settle();
    world.exit("c", 137);
    world.seen.sandboxes[0].ready = false;
    assert_eq!(world.settle(), ["stop s0", "unmount"]);
    assert_eq!(world.phase(), "Failed");
}
