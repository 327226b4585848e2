//! Lives of pods.

#![allow(clippy::unwrap_used)]

use super::testing::World;
use super::*;
use serde_json::{Value, json};

mod ends;
mod health;
mod images;
mod several;
mod trouble;

fn container(name: &str) -> Value {
    json!({"name": name, "image": "nginx:1"})
}

fn always() -> Value {
    json!({"containers": [container("c")]})
}

fn with_policy(policy: &str) -> Value {
    json!({"containers": [container("c")], "restartPolicy": policy})
}

const STARTED: Health = Health {
    startup: Verdict::Success,
    liveness: Verdict::Unknown,
    readiness: Verdict::Unknown,
};

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
