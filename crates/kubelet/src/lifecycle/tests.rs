//! Lives of pods.

#![allow(clippy::unwrap_used)]

use super::testing::World;
use super::*;
use serde_json::{Value, json};

fn container(name: &str) -> Value {
    json!({"name": name, "image": "nginx:1"})
}

fn always() -> Value {
    json!({"containers": [container("c")]})
}

fn with_policy(policy: &str) -> Value {
    json!({"containers": [container("c")], "restartPolicy": policy})
}

/// K8S-RUN: the simplest pod, from its binding to its end, with what is done and told.
#[test]
fn a_pod_runs_and_is_deleted() {
    let mut world = World::new(always());
    assert_eq!(
        world.settle(),
        ["mount", "sandbox 0", "pull c", "start c 0"]
    );
    assert_eq!(
        world.news(),
        [
            "Pulling: Pulling image \"nginx:1\"",
            "Pulled: Successfully pulled image \"nginx:1\" in 1.5s (2s including waiting). Image size: 1000 bytes.",
            "Created: Created container: c",
            "Started: Started container c",
        ]
    );
    let status = world.status();
    assert_eq!(status["phase"], "Running");
    assert_eq!(status["podIP"], "10.244.0.5");
    assert_eq!(status["hostIP"], "10.0.0.1");
    assert_eq!(status["qosClass"], "BestEffort");
    let told = &status["containerStatuses"][0];
    assert_eq!(
        (&told["ready"], &told["started"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(told["containerID"], "skylab://c1");
    assert_eq!(told["image"], "docker.io/library/nginx:1");
    assert_eq!(told["imageID"], "docker.io/library/nginx@sha256:1");
    assert_eq!(
        told["state"]["running"]["startedAt"],
        "1970-01-01T00:16:40Z"
    );
    for kind in [
        "PodScheduled",
        "PodReadyToStartContainers",
        "Initialized",
        "ContainersReady",
        "Ready",
    ] {
        assert_eq!(world.condition(kind).0, "True", "{kind}");
    }
    world.delete(30);
    assert_eq!(
        world.settle(),
        ["kill c 30 []", "stop s0", "unmount", "delete"]
    );
    assert_eq!(world.news(), ["Killing: Stopping container c"]);
    assert_eq!(world.phase(), "Failed");
    assert_eq!(
        world.condition("Ready"),
        ("False".into(), "PodFailed".into())
    );
    world.known = false;
    assert_eq!(world.settle(), ["forget", "gone"]);
}

/// K8S-RUN: before anything is made, containers are being created.
#[test]
fn a_pod_begins_pending() {
    let mut world = World::new(always());
    world.step();
    assert_eq!(world.phase(), "Pending");
    assert_eq!(world.waiting("c").0, "ContainerCreating");
    assert_eq!(
        world.condition("Ready"),
        ("False".into(), "ContainersNotReady".into())
    );
    assert_eq!(world.condition("PodReadyToStartContainers").0, "False");
    assert_eq!(world.condition("Initialized").0, "True");
    let message = world
        .life
        .status()
        .condition("Ready")
        .unwrap()
        .message
        .clone();
    assert_eq!(message.unwrap(), "containers with unready status: [c]");
}

/// K8S-RUN: a container that crashes is started again, after 10 s, 20 s, 40 s, …
#[test]
fn crashes_back_off() {
    let mut world = World::new(always());
    world.settle();
    world.exit("c", 1);
    assert_eq!(world.settle(), ["start c 1"]);
    for (attempt, wait) in [(2, 10), (3, 20), (4, 40)] {
        world.exit("c", 1);
        world.news();
        assert!(world.settle().iter().all(|done| done.starts_with("remove")));
        let (reason, message) = world.waiting("c");
        assert_eq!(reason, "CrashLoopBackOff");
        let told = format!("back-off {wait}s restarting failed container=c pod=web_default(u1)");
        assert_eq!(message, told);
        assert_eq!(
            world.news(),
            ["BackOff: Back-off restarting failed container c in pod web_default(u1)"]
        );
        let status = &world.status()["containerStatuses"][0];
        assert_eq!(status["lastState"]["terminated"]["exitCode"], 1);
        assert_eq!(status["restartCount"], attempt - 1);
        assert_eq!(world.phase(), "Running");
        let before = world.now;
        world.sleep_until_woken();
        assert_eq!(world.now.duration_since(before).unwrap().as_secs(), wait);
        assert_eq!(world.settle()[0], format!("start c {attempt}"));
    }
    assert_eq!(world.seen.all("c").count(), 2, "older ones are forgotten");
    world.sleep(700);
    world.exit("c", 1);
    assert_eq!(
        world.settle(),
        ["start c 5", "remove 1"],
        "it ran for ten minutes"
    );
}

/// K8S-RUN: what restart policies make of exit codes.
/// <https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy>
#[test]
fn restart_policies() {
    for (policy, code, again, phase) in [
        ("Always", 0, true, "Running"),
        ("Always", 1, true, "Running"),
        ("OnFailure", 0, false, "Succeeded"),
        ("OnFailure", 1, true, "Running"),
        ("Never", 0, false, "Succeeded"),
        ("Never", 1, false, "Failed"),
    ] {
        let mut world = World::new(with_policy(policy));
        world.settle();
        world.exit("c", code);
        let done = world.settle();
        assert_eq!(
            done.contains(&"start c 1".to_owned()),
            again,
            "{policy} {code}"
        );
        assert_eq!(world.phase(), phase, "{policy} {code}");
        if !again {
            assert_eq!(
                done,
                ["stop s0", "unmount"],
                "its containers stay for their logs"
            );
            let ended = &world.status()["containerStatuses"][0]["state"]["terminated"];
            assert_eq!(ended["exitCode"], code);
            let reason = if code == 0 {
                "PodCompleted"
            } else {
                "PodFailed"
            };
            assert_eq!(world.condition("Ready"), ("False".into(), reason.into()));
            assert_eq!(
                world.status()["podIP"],
                "10.244.0.5",
                "its address stays told"
            );
        }
    }
}

#[test]
fn a_finished_pod_is_deleted_without_ado() {
    let mut world = World::new(with_policy("Never"));
    world.settle();
    world.exit("c", 0);
    world.settle();
    world.delete(0);
    assert_eq!(world.settle(), ["delete"]);
    assert_eq!(world.phase(), "Succeeded");
}

/// K8S-RUN: images that can't be had.
#[test]
fn pulls_that_fail_back_off() {
    let mut world = World::new(always());
    world.broken.insert("pull", String::new());
    world.settle();
    let why = "rpc error: code = NotFound desc = failed to pull and unpack image \"nginx:1\": failed to resolve reference \"nginx:1\": nginx:1: not found";
    assert_eq!(world.waiting("c"), ("ErrImagePull".into(), why.into()));
    assert_eq!(world.phase(), "Pending");
    let told = format!("Failed: Failed to pull image \"nginx:1\": {why}");
    assert_eq!(
        world.news()[1..],
        [told, "Failed: Error: ErrImagePull".into()]
    );
    world.sleep_until_woken();
    assert!(world.settle().is_empty());
    let message = format!("Back-off pulling image \"nginx:1\": ErrImagePull: {why}");
    assert_eq!(world.waiting("c"), ("ImagePullBackOff".into(), message));
    assert_eq!(
        world.news(),
        [
            "BackOff: Back-off pulling image \"nginx:1\"",
            "Failed: Error: ImagePullBackOff",
        ]
    );
    world.sleep_until_woken();
    assert_eq!(world.settle(), ["pull c"]);
    world.broken.clear();
    world.sleep(100);
    assert_eq!(world.settle(), ["pull c", "start c 0"]);
    assert_eq!(world.phase(), "Running");
}

/// K8S-RUN: pull policies and names that are none.
#[test]
fn pull_policies() {
    let never = json!({"containers": [{"name": "c", "image": "a:1", "imagePullPolicy": "Never"}]});
    let mut world = World::new(never);
    world.settle();
    assert_eq!(world.waiting("c").0, "ErrImageNeverPull");
    assert_eq!(
        world.news(),
        [
            "ErrImageNeverPull: Container image \"a:1\" is not present with pull policy of Never",
            "Failed: Error: ErrImageNeverPull",
        ]
    );
    let mut world = World::new(always());
    world.images.insert("nginx:1".into());
    assert_eq!(world.settle(), ["mount", "sandbox 0", "start c 0"]);
    assert_eq!(
        world.news()[0],
        "Pulled: Container image \"nginx:1\" already present on machine"
    );
    let mut world = World::new(json!({"containers": [{"name": "c", "image": "nginx"}]}));
    world.images.insert("nginx".into());
    assert!(
        world.settle().contains(&"pull c".to_owned()),
        "its tag moves"
    );
    let mut world = World::new(json!({"containers": [{"name": "c", "image": "Web:1"}]}));
    world.settle();
    let (reason, message) = world.waiting("c");
    assert_eq!(reason, "InvalidImageName");
    assert_eq!(
        message,
        "Failed to apply default image tag \"Web:1\": couldn't parse image name \"Web:1\": invalid reference format"
    );
}

/// K8S-RUN: one container's trouble is not another's.
#[test]
fn a_container_that_waits_holds_nobody_up() {
    let other = json!({"name": "d", "image": "a:1", "imagePullPolicy": "Never"});
    let mut world = World::new(json!({"containers": [other, container("c")]}));
    assert_eq!(
        world.settle(),
        ["mount", "sandbox 0", "pull c", "start c 0"]
    );
    assert_eq!(world.phase(), "Pending");
    let message = world
        .life
        .status()
        .condition("Ready")
        .unwrap()
        .message
        .clone();
    assert_eq!(message.unwrap(), "containers with unready status: [d]");
}

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

/// K8S-RUN: a node that runs longer than it may is ended.
#[test]
fn deadlines_are_kept() {
    let spec = json!({"containers": [container("c")], "activeDeadlineSeconds": 60});
    let mut world = World::new(spec);
    world.settle();
    world.sleep_until_woken();
    world.news();
    assert_eq!(world.settle(), ["kill c 30 []", "stop s0", "unmount"]);
    let status = world.status();
    assert_eq!(status["phase"], "Failed");
    assert_eq!(status["reason"], "DeadlineExceeded");
    let told = "Pod was active on the node longer than the specified deadline";
    assert_eq!(status["message"], told);
    assert_eq!(world.news()[0], format!("DeadlineExceeded: {told}"));
}

/// K8S-RUN: a pod that the node has no room for fails, and nothing of it runs.
#[test]
fn rejected_pods_fail() {
    let mut world = World::new(always());
    let why = "Node didn't have enough resource: cpu, requested: 2000, used: 0, capacity: 1000";
    world.life.reject("OutOfcpu", why);
    assert_eq!(world.settle(), ["unmount"]);
    let status = world.status();
    assert_eq!(
        (&status["phase"], &status["reason"]),
        (&json!("Failed"), &json!("OutOfcpu"))
    );
    assert_eq!(status["message"], format!("Pod was rejected: {why}"));
    assert_eq!(status["containerStatuses"], Value::Null);
}

/// K8S-RUN: a deletion that was asked for again with less time takes that.
#[test]
fn graces_only_get_shorter() {
    let mut world = World::new(always());
    world.settle();
    world.delete(30);
    assert_eq!(world.life.grace(), None);
    world.life.next(&Scene {
        pod: &world.pod,
        known: true,
        seen: &world.seen,
        health: &world.health,
        network: None,
        host: Ipv4Addr::LOCALHOST,
        now: world.now,
    });
    assert_eq!(world.life.grace(), Some(30));
    world.delete(5);
    assert_eq!(world.settle()[0], "kill c 5 []");
    let mut world = World::new(always());
    world.settle();
    world.known = false;
    assert_eq!(
        world.settle(),
        ["kill c 1 []", "stop s0", "unmount", "forget", "gone"]
    );
}

/// K8S-RUN: the lab comes back with no container left: pods run again, a restart later; those that had
/// finished don't.
#[test]
fn a_node_that_lost_everything_runs_its_pods_again() {
    let running = json!({
        "phase": "Running", "startTime": "1970-01-01T00:00:00Z", "podIP": "10.244.0.9",
        "containerStatuses": [{
            "name": "c", "restartCount": 3, "ready": true, "started": true, "image": "nginx:1",
            "containerID": "skylab://old", "state": {"running": {"startedAt": "1970-01-01T00:00:00Z"}},
        }],
    });
    let mut world = World::with(always(), running.clone());
    world.images.insert("nginx:1".into());
    assert_eq!(world.settle(), ["mount", "sandbox 0", "start c 4"]);
    let status = world.status();
    assert_eq!(status["phase"], "Running");
    let told = &status["containerStatuses"][0];
    assert_eq!(told["restartCount"], 4);
    assert_eq!(
        told["lastState"]["terminated"]["reason"],
        "ContainerStatusUnknown"
    );
    assert_eq!(status["startTime"], "1970-01-01T00:00:00Z");
    let mut never = World::with(with_policy("Never"), running);
    assert_eq!(never.settle(), ["unmount"]);
    assert_eq!(never.phase(), "Failed");
    for phase in ["Succeeded", "Failed"] {
        let status = json!({"phase": phase, "reason": "Why"});
        let mut world = World::with(always(), status);
        assert_eq!(world.settle(), ["unmount"]);
        assert_eq!(world.phase(), phase);
        assert_eq!(world.status()["reason"], "Why");
    }
}

/// K8S-RUN: a container's hook after its start holds up what comes after, and its failure ends it.
#[test]
fn hooks_after_the_start() {
    let hooked = json!({"name": "c", "image": "nginx:1",
        "lifecycle": {"postStart": {"exec": {"command": ["true"]}}}});
    let spec = json!({"containers": [hooked, container("d")]});
    let mut world = World::new(spec.clone());
    let done = world.settle();
    assert_eq!(done[2..], ["pull c", "start c 0", "hook c", "start d 0"]);
    assert_eq!(world.phase(), "Running");
    let mut world = World::new(spec);
    world.broken.insert("hook", "exit code 1".into());
    world.settle();
    let news = world.news();
    assert!(
        news.contains(&"FailedPostStartHook: PostStartHook failed".to_owned()),
        "{news:?}"
    );
    assert!(
        news.contains(&"Killing: FailedPostStartHook".to_owned()),
        "{news:?}"
    );
    let (reason, message) = world.waiting("c");
    assert_eq!(
        (reason.as_str(), message.as_str()),
        (
            "CrashLoopBackOff",
            "back-off 10s restarting failed container=c pod=web_default(u1)"
        )
    );
}

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

const STARTED: Health = Health {
    startup: Verdict::Success,
    liveness: Verdict::Unknown,
    readiness: Verdict::Unknown,
};

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

/// K8S-RUN: probes that fail end their container; the pod's policy says whether it comes back.
#[test]
fn unhealthy_containers_are_killed() {
    let failed = Health {
        startup: Verdict::Success,
        liveness: Verdict::Failure,
        readiness: Verdict::Success,
    };
    let probed = json!({"name": "c", "image": "nginx:1",
        "startupProbe": {"exec": {}},
        "livenessProbe": {"exec": {}, "terminationGracePeriodSeconds": 7},
        "readinessProbe": {"exec": {}}});
    for (policy, told, then) in [
        (
            "Always",
            "Container c failed liveness probe, will be restarted",
            "start c 1",
        ),
        ("Never", "Container c failed liveness probe", "stop s0"),
    ] {
        let mut world = World::new(json!({"containers": [probed], "restartPolicy": policy}));
        world.settle();
        let status = &world.status()["containerStatuses"][0];
        assert_eq!(
            (&status["started"], &status["ready"]),
            (&json!(false), &json!(false))
        );
        world.health("c", STARTED);
        world.settle();
        let status = &world.status()["containerStatuses"][0];
        assert_eq!(
            (&status["started"], &status["ready"]),
            (&json!(true), &json!(false))
        );
        let ready = Health {
            readiness: Verdict::Success,
            ..STARTED
        };
        world.health("c", ready);
        world.settle();
        assert_eq!(world.condition("Ready").0, "True");
        world.news();
        world.health("c", failed);
        let done = world.settle();
        assert_eq!(done[..2], ["kill c 7 []", then], "{policy}");
        assert_eq!(world.news()[0], format!("Killing: {told}"));
    }
    let startup = Health {
        startup: Verdict::Failure,
        ..Health::default()
    };
    let mut world = World::new(json!({"containers": [probed]}));
    world.settle();
    world.health("c", startup);
    world.news();
    assert_eq!(world.settle()[0], "kill c 30 []");
    assert_eq!(
        world.news()[0],
        "Killing: Container c failed startup probe, will be restarted"
    );
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

/// K8S-RUN: readiness waits for others' conditions, which stay as they are.
#[test]
fn readiness_gates() {
    let spec = json!({"containers": [container("c")], "readinessGates": [{"conditionType": "lb"}]});
    let mut world = World::new(spec);
    world.settle();
    assert_eq!(
        world.condition("Ready"),
        ("False".into(), "ReadinessGatesNotReady".into())
    );
    assert_eq!(world.condition("ContainersReady").0, "True");
    let told = world
        .life
        .status()
        .condition("Ready")
        .unwrap()
        .message
        .clone();
    assert_eq!(
        told.unwrap(),
        "corresponding condition of pod readiness gate \"lb\" does not exist."
    );
    let gate = |status: &str| crate::pod::Condition {
        kind: "lb".into(),
        status: status.into(),
        ..Default::default()
    };
    world.pod.status.conditions = vec![gate("False")];
    world.settle();
    let told = world
        .life
        .status()
        .condition("Ready")
        .unwrap()
        .message
        .clone();
    assert_eq!(
        told.unwrap(),
        "the status of pod readiness gate \"lb\" is not \"True\", but False"
    );
    world.pod.status.conditions = vec![gate("True")];
    world.sleep(5);
    world.settle();
    assert_eq!(world.condition("Ready").0, "True");
    assert_eq!(world.condition("lb").0, "True");
    let since = world
        .life
        .status()
        .condition("Ready")
        .unwrap()
        .last_transition_time
        .clone();
    assert_eq!(since.unwrap(), crate::clock::rfc3339(world.now));
    let since = world
        .life
        .status()
        .condition("Initialized")
        .unwrap()
        .last_transition_time
        .clone();
    assert_ne!(since.unwrap(), crate::clock::rfc3339(world.now));
}
